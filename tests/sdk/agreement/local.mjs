// What posthog-node, unmodified, decides for itself: a line of values by flag for each person.
//
// Called with the folder of a world and the address of its feed.

import { createWriteStream, createReadStream } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { once } from "node:events";

const require = createRequire(`${process.env.SDK_NODE_MODULES}/`);
const { PostHog } = require("posthog-node");

const [folder, feed] = process.argv.slice(2);
const out = createWriteStream(`${folder}/node.jsonl`);
let number, client;

async function clientOf(project) {
  await client?.shutdown();
  client = new PostHog(`phc_p${project}`, {
    host: feed, personalApiKey: "phs_any", featureFlagsPollingInterval: 3_600_000,
  });
  if (!(await client.waitForLocalEvaluationReady(10_000))) {
    throw new Error(`the definitions of project ${project} can't be loaded`);
  }
  number = project;
}

for await (const line of createInterface({ input: createReadStream(`${folder}/people.jsonl`) })) {
  const person = JSON.parse(line);
  if (person.project !== number) {
    await clientOf(person.project);
  }
  const values = await client.getAllFlags(person.distinct_id, {
    groups: person.groups,
    personProperties: person.person_properties,
    groupProperties: person.group_properties,
    onlyEvaluateLocally: true,
    disableGeoip: true,
  });
  if (!out.write(`${JSON.stringify(values)}\n`)) {
    await once(out, "drain");
  }
}
out.end();
await once(out, "finish");
await client?.shutdown();
