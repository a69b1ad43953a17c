// What a shop's own code does with posthog-node, unmodified: capture, flush, ask.
//
// Called with the address, the project's token and its secret; SDK_NODE_MODULES says where the SDK
// is, and TOUR_DEFINITIONS is the project's folder. Prints what it saw as JSON, and fails on the
// first thing that isn't as it should be.

import { renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

const require = createRequire(`${process.env.SDK_NODE_MODULES}/tour.js`);
const { PostHog } = require("posthog-node");

// How long anything may take that is bound to happen.
const WITHIN_MS = 30_000;

const saw = {};

function expect(what, value, wanted) {
  saw[what] = value;
  if (!isDeepStrictEqual(value, wanted)) {
    console.log(JSON.stringify(saw));
    console.error(`${what}: ${JSON.stringify(value)}, wanted ${JSON.stringify(wanted)}`);
    process.exit(1);
  }
}

async function eventually(what, ask, wanted) {
  const began = Date.now();
  while (!isDeepStrictEqual(await ask(), wanted) && Date.now() - began < WITHIN_MS) {
    await new Promise((later) => setTimeout(later, 20));
  }
  expect(what, await ask(), wanted);
}

const [host, token, secret] = process.argv.slice(2);
const client = new PostHog(token, { host });
const errors = [];
client.on("error", (error) => errors.push(String(error)));

const offer = (person) => client.isFeatureEnabled("offer", person);
const add = (distinctId, more = {}) =>
  client.capture({ distinctId, event: "added to cart", properties: { price: 60 }, ...more });

expect("offer before", await offer("js-ann"), false);
for (let n = 0; n < 3; n++) add("js-ann");
await client.flush();
const asked = performance.now();
expect("offer after three adds", await offer("js-ann"), true);
saw["answered in ms"] = Math.round((performance.now() - asked) * 10) / 10;
expect("payload", await client.getFeatureFlagPayload("offer", "js-ann"), { text: "Free shipping" });
const flags = await client.evaluateFlags("js-ann");
expect("offer among all that is evaluated", flags.isEnabled("offer"), true);
expect("its payload", flags.getFlagPayload("offer"), { text: "Free shipping" });
expect("offer of somebody else", await offer("js-ben"), false);
expect("a flag that isn't there", await client.getFeatureFlag("nothing", "js-ann"), undefined);

const variant = await client.getFeatureFlag("banner", "js-ann");
expect("variant is one of two", ["control", "banner"].includes(variant), true);
const everything = await client.getAllFlags("js-ann");
expect("variant among all flags", everything.banner, variant);
expect("offer among all flags", everything.offer, true);

const perks = (personProperties) =>
  client.isFeatureEnabled("perks", "js-ann", personProperties ? { personProperties } : {});
expect("perks without a plan", await perks(), false);
expect("perks by override", await perks({ plan: "pro" }), true);
client.identify({ distinctId: "js-ann", properties: { plan: "team" } });
await client.flush();
expect("perks once the plan is set", await perks(), true);
expect("perks by override, off", await perks({ plan: "free" }), false);

const seats = (company, properties) =>
  client.isFeatureEnabled("seats", "js-ann", {
    ...(company ? { groups: { company } } : {}),
    ...(properties ? { groupProperties: { company: properties } } : {}),
  });
expect("seats of an unknown company", await seats("js-acme"), false);
client.groupIdentify({ groupType: "company", groupKey: "js-acme", properties: { seats: 80 } });
await client.flush();
expect("seats of the company", await seats("js-acme"), true);
expect("seats of another", await seats("js-other"), false);
expect("seats of no company", await seats(), false);
expect("seats by override", await seats("js-other", { seats: 80 }), true);
expect("seats by override, off", await seats("js-acme", { seats: 5 }), false);
const of_acme = await client.getAllFlags("js-ann", { groups: { company: "js-acme" } });
expect("seats among all flags", of_acme.seats, true);

for (let n = 0; n < 3; n++) add("js-visitor");
await client.flush();
expect("offer before the log-in", await offer("js-dora"), false);
client.identify({ distinctId: "js-dora", properties: { $anon_distinct_id: "js-visitor" } });
client.alias({ distinctId: "js-dora", alias: "js-tablet" });
await client.flush();
expect("offer after the log-in", await offer("js-dora"), true);
expect("offer on the tablet", await offer("js-tablet"), true);

const past = new Date(Date.now() - 6 * 60_000);
for (let n = 0; n < 3; n++) add("js-cleo", { timestamp: past });
await client.flush();
expect("offer six minutes later", await offer("js-cleo"), false);
expect("many adds in an hour", await client.isFeatureEnabled("many-adds", "js-cleo"), true);

client.capture({ distinctId: "js-ann", event: "purchase" });
await client.flush();
expect("offer after the purchase", await offer("js-ann"), false);
await client.shutdown();
expect("errors while sending", errors, []);

// With the secret, the SDK decides by itself what needs no events, and asks for the rest.
const deciding = new PostHog(token, { host, personalApiKey: secret });
expect("definitions loaded", await deciding.waitForLocalEvaluationReady(), true);
const alone = (flag, more = {}) =>
  deciding.getFeatureFlag(flag, "js-eve", {
    onlyEvaluateLocally: true,
    sendFeatureFlagEvents: false,
    ...more,
  });
const remote = new PostHog(token, { host });
expect("a plain flag, alone", await alone("banner"), await remote.getFeatureFlag("banner", "js-eve"));
const pro = { personProperties: { plan: "pro" } };
expect("a property that is told, alone", await alone("perks", pro), true);
const free = { personProperties: { plan: "free" } };
expect("another, alone", await alone("perks", free), false);
expect("a property that isn't told, alone", await alone("perks"), undefined);
const acme = (seats) => ({
  groups: { company: "js-acme" },
  groupProperties: { company: { seats } },
});
expect("a group's property, alone", await alone("seats", acme(80)), true);
expect("another group's, alone", await alone("seats", acme(5)), false);
expect("a flag on events, alone", await alone("offer"), undefined);
expect("PostHog's cohort of events, alone", await alone("regulars"), undefined);
expect("a flag that keeps its value, alone", await alone("sticky"), undefined);
const regulars = () => deciding.getFeatureFlag("regulars", "js-eve");
expect("PostHog's cohort of events, asked, before", await regulars(), false);
for (let n = 0; n < 3; n++) deciding.capture({ distinctId: "js-eve", event: "added to cart" });
await deciding.flush();
expect("a flag on events, asked", await deciding.getFeatureFlag("offer", "js-eve"), true);
const asked_for_all = await deciding.getAllFlags("js-eve");
expect("offer among all flags, asked", asked_for_all.offer, true);
expect("PostHog's cohort of events, asked", await regulars(), true);
const settings = await deciding.getRemoteConfigPayload("settings");
expect("remote configuration", settings, { colour: "green" });
await deciding.reloadFeatureFlags();
expect("a plain flag, loaded again", await alone("banner"), asked_for_all.banner);

const late = async () => {
  await deciding.reloadFeatureFlags();
  return alone("js-late");
};
expect("a flag that isn't saved, alone", await late(), undefined);
const saved = `${process.env.TOUR_DEFINITIONS}/flags/js-late`;
writeFileSync(`${saved}.draft`, "rules:\n  - rollout: 100%\n");
renameSync(`${saved}.draft`, `${saved}.yaml`);
await eventually("a flag that is saved, alone", late, true);
await deciding.shutdown();
await remote.shutdown();
console.log(JSON.stringify(saw));
