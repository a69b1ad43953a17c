// How a shop's own code reads what it wrote with posthog-node: the `fetch` option sees every
// answer and may add headers to every request.
//
// Called with the address and the project's token; SDK_NODE_MODULES says where the SDK is.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.SDK_NODE_MODULES}/position.js`);
const { PostHog } = require("posthog-node");

// The newest position of each partition that a capture has told.
const written = new Map();

async function fetchWithPosition(url, options) {
  const headers = { ...options.headers };
  if (url.includes("/flags") && written.size > 0) {
    headers["Sluice-Position"] = [...written].map((part) => part.join(":")).join(",");
    headers["Sluice-Wait-Ms"] = "5000";
  }
  const response = await fetch(url, { ...options, headers });
  for (const part of response.headers.get("Sluice-Position")?.split(",") ?? []) {
    const [partition, next] = part.split(":").map(Number);
    written.set(partition, Math.max(next, written.get(partition) ?? 0));
  }
  return response;
}

const [host, token] = process.argv.slice(2);
const client = new PostHog(token, { host, fetch: fetchWithPosition });

let asked = 0;
for (let visitor = 0; visitor < 50; visitor++) {
  const distinctId = `js-position-${visitor}`;
  for (const [event, count, offer] of [["added to cart", 3, true], ["purchase", 1, false]]) {
    for (let n = 0; n < count; n++) client.capture({ distinctId, event });
    await client.flush();
    const told = await client.isFeatureEnabled("offer", distinctId);
    asked++;
    if (told !== offer) {
      console.error(`${distinctId} after ${event}: ${told}, wanted ${offer}`);
      process.exit(1);
    }
  }
}
await client.shutdown();
console.log(JSON.stringify({ asked, position: Object.fromEntries(written) }));
