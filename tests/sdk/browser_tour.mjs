// What a shop's own page does with posthog-js, unmodified, in a real browser: pages come from an
// origin of their own, and everything they ask of Sluice goes from origin to origin.
//
// Called with the address and the project's token; SDK_NODE_MODULES says where the SDK is, and
// SDK_CHROMIUM the browser. Prints what it saw as JSON, and fails on the first thing that isn't as
// it should be.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";

const modules = process.env.SDK_NODE_MODULES;
const { chromium } = createRequire(`${modules}/tour.js`)("playwright-core");
const [host, token] = process.argv.slice(2);

// How long anything may take that is bound to happen.
const WITHIN_MS = 60_000;
const BROWSER = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-dev-shm-usage",
];
// A browser that is driven is a robot to the SDK, unless it is told to let that pass; and a busy
// machine may take longer than three seconds for an answer.
const OPTIONS = {
  api_host: host,
  opt_out_useragent_filter: true,
  feature_flag_request_timeout_ms: WITHIN_MS,
};

const saw = {};

class Unexpected extends Error {}

function expect(what, value, wanted) {
  saw[what] = value;
  if (!isDeepStrictEqual(value, wanted)) {
    throw new Unexpected(`${what}: ${JSON.stringify(value)}, wanted ${JSON.stringify(wanted)}`);
  }
}

async function eventually(what, ask, wanted) {
  const began = Date.now();
  while (!isDeepStrictEqual((saw[what] = await ask()), wanted)) {
    if (Date.now() - began > WITHIN_MS) throw new Unexpected(`in vain: ${what}`);
    await new Promise((later) => setTimeout(later, 20));
  }
}

// What somebody else, who asks without an SDK, is told of a person.
async function told(distinct_id, more = {}) {
  const body = JSON.stringify({ token, distinct_id, ...more });
  const answer = await fetch(`${host}/flags/?v=2`, { method: "POST", body });
  return (await answer.json()).flags;
}

const page_of = (script) =>
  `<!doctype html><title>Shop</title><link rel="icon" href="data:,">${script}`;
const start = `posthog.init(${JSON.stringify(token)}, {
  ...${JSON.stringify(OPTIONS)},
  loaded: (posthog) => { window.told = []; posthog.onFeatureFlags((...all) => told.push(all)); },
});`;
const imported = (module) => page_of(`<script type="module">
  import posthog from "/posthog-js/${module}";
  window.posthog = posthog;
  ${start}
</script>`);
// As from npm, whole and without what it loads later, and by the snippet: a list of calls that the
// script takes over once it is there.
const PAGES = {
  "/": imported("module.mjs"),
  "/lean": imported("module.no-external.js"),
  "/snippet": page_of(`<script>
    window.posthog = Object.assign([], {
      _i: [], __SV: 1, people: [],
      init(token, options) {
        for (const name of ["capture", "onFeatureFlags"]) {
          this[name] = (...all) => this.push([name, ...all]);
        }
        this._i.push([token, options, "posthog"]);
      },
    });
    ${start}
    posthog.capture("added to cart");
  </script>
  <script async src="/posthog-js/array.js"></script>`),
};

async function shop(request, response) {
  const path = new URL(request.url, "http://shop").pathname;
  const script = path.match(/^\/posthog-js\/([a-z.-]+)$/)?.[1];
  if (script) {
    response.setHeader("content-type", "text/javascript");
    response.end(await readFile(`${modules}/posthog-js/dist/${script}`));
  } else {
    response.statusCode = PAGES[path] ? 200 : 404;
    response.setHeader("content-type", "text/html");
    response.end(PAGES[path]);
  }
}

// Everything that a page asks of Sluice, and all that goes wrong with it.
class Wire {
  constructor(page) {
    this.requests = [];
    this.wrong = [];
    page.on("request", (request) => {
      if (request.url().startsWith(host)) this.requests.push(request);
    });
    page.on("response", (response) => {
      if (!response.ok()) this.wrong.push(`${response.status()} ${response.url()}`);
    });
    page.on("requestfailed", (request) => {
      // What a page that is left had asked for, nobody waits for.
      const why = request.failure().errorText;
      if (why !== "net::ERR_ABORTED") this.wrong.push(`${why} ${request.url()}`);
    });
    page.on("console", (message) => {
      if (message.type() === "error") this.wrong.push(message.text());
    });
    page.on("pageerror", (error) => this.wrong.push(String(error)));
  }

  to(path) {
    return this.requests.filter((request) => new URL(request.url()).pathname === path);
  }

  scripts() {
    const scripts = this.requests.filter((request) => request.resourceType() === "script");
    return scripts.map((request) => new URL(request.url()).pathname);
  }

  checks() {
    return this.to("/flags/");
  }
}

// What a check says, as it was before the SDK packed it.
const said = (check) => JSON.parse(gunzipSync(check.postDataBuffer()));

async function tour(page, wire) {
  const posthog = (name, ...all) =>
    page.evaluate(([name, all]) => window.posthog[name](...all), [name, all]);
  const flag = (key) => posthog("getFeatureFlag", key);
  // Asks Sluice anew, and returns once onFeatureFlags has told of an answer.
  const reload = async () => {
    const before = await page.evaluate(() => told.length);
    await posthog("reloadFeatureFlags");
    await page.waitForFunction((before) => told.length > before, before);
  };
  // By a call that asks anew by itself, and by asking until events are in.
  const is = (what, key, value) => eventually(what, () => flag(key), value);
  const becomes = (what, key, value) =>
    eventually(what, () => reload().then(() => flag(key)), value);
  const open = async (path) => {
    await page.goto(path);
    await page.waitForFunction(() => window.told?.length > 0);
  };

  await open("/");
  const [keys, values, { errorsLoading }] = await page.evaluate(() => told[0]);
  const on = ["banner", "quiet", "settings", "sticky"];
  expect("flags that onFeatureFlags tells", keys.toSorted(), on);
  expect("their variants", values.banner, await flag("banner"));
  expect("errors while loading", Boolean(errorsLoading), false);
  const by_script = `/array/${token}/config.js`;
  expect("scripts of Sluice's", wire.scripts(), [by_script]);
  const [check] = wire.checks();
  const headers = await check.allHeaders();
  const query = new URL(check.url()).search;
  expect("kind of a check's body", headers["content-type"], "text/plain");
  expect("its declared encoding", headers["content-encoding"], undefined);
  expect("its query", query, "?v=2");
  expect("its real encoding", check.postDataBuffer().subarray(0, 2).toString("hex"), "1f8b");
  expect("its origin isn't Sluice's", headers.origin === new URL(page.url()).origin, true);
  const allowed = (await (await check.response()).allHeaders())["access-control-allow-origin"];
  expect("origin that is allowed", allowed, headers.origin);

  const visitor = await posthog("get_distinct_id");
  const variant = await flag("banner");
  expect("variant is one of two", ["control", "banner"].includes(variant), true);
  expect("variant that others are told", (await told(visitor)).banner.variant, variant);
  expect("offer before", await flag("offer"), false);
  expect("a flag that isn't there", await flag("nothing"), undefined);
  const settings = await posthog("getFeatureFlagPayload", "settings");
  expect("payload for everybody", settings, { colour: "green" });
  for (let n = 0; n < 3; n++) await posthog("capture", "added to cart", { price: 60 });
  await becomes("offer after three adds", "offer", true);
  expect("payload", await posthog("getFeatureFlagPayload", "offer"), { text: "Free shipping" });
  expect("by PostHog's own cohort", await flag("regulars"), true);
  expect("is it enabled", await posthog("isFeatureEnabled", "offer"), true);

  expect("perks without a plan", await flag("perks"), false);
  await posthog("setPersonPropertiesForFlags", { plan: "pro" });
  await is("perks by override", "perks", true);
  await posthog("resetPersonPropertiesForFlags");
  await becomes("perks without the override", "perks", false);

  expect("seats of no company", await flag("seats"), false);
  await posthog("group", "company", "js-acme", { seats: 80 });
  await is("seats of the company", "seats", true);
  await posthog("resetGroupPropertiesForFlags");
  await becomes("seats once the company's are known", "seats", true);
  await posthog("setGroupPropertiesForFlags", { company: { seats: 5 } });
  await is("seats by override, off", "seats", false);
  await posthog("resetGroupPropertiesForFlags", "company");
  await becomes("seats without the override", "seats", true);

  // Somebody who would get the other half of their own.
  const kept = await flag("sticky");
  let person;
  for (let n = 0; !person; n++) {
    const other = (await told(`js-person-${n}`)).sticky.variant !== kept;
    if (other) person = `js-person-${n}`;
  }
  await posthog("identify", person, { plan: "team" });
  const logins = () => wire.checks().filter((check) => said(check).$anon_distinct_id);
  await eventually("the log-in is told", () => logins().length > 0, true);
  const [login] = logins();
  expect("who is asked for", said(login).distinct_id, person);
  expect("whom they were taken for", said(login).$anon_distinct_id, visitor);
  const { flags } = await (await login.response()).json();
  expect("value that survives the log-in", flags.sticky.variant, kept);
  const whom_now = () => reload().then(() => said(wire.checks().at(-1)));
  await eventually("it is told once", async () => "$anon_distinct_id" in (await whom_now()), false);
  expect("value that stays", await flag("sticky"), kept);
  expect("its payload", await posthog("getFeatureFlagPayload", "sticky"), `of ${kept}`);
  expect("value on another device", (await told(person)).sticky.variant, kept);
  await becomes("offer for what the visitor did", "offer", true);
  await posthog("resetPersonPropertiesForFlags");
  await becomes("perks once identified", "perks", true);

  await open("/");
  expect("who it is on the next page", await posthog("get_distinct_id"), person);
  await reload();
  expect("value on the next page", await flag("sticky"), kept);
  expect("company on the next page", await flag("seats"), true);
  // A purchase on a page that is left at once, which tells of it while it goes.
  await posthog("capture", "purchase");
  await open("/");
  await becomes("offer after the purchase", "offer", false);

  await posthog("reset");
  for (let n = 0; n < 2; n++) await posthog("capture", "added to cart");
  await becomes("offer of the next visitor", "offer", false);
  expect("perks of the next visitor", await flag("perks"), false);
  await open("/snippet");
  await becomes("offer after a third add, by the snippet", "offer", true);
  expect("scripts of Sluice's, by the snippet", wire.scripts().at(-1), by_script);
  const scripts = wire.scripts().length;
  await open("/lean");
  expect("scripts of Sluice's, without them", wire.scripts().length, scripts);
  const [config] = wire.to(`/array/${token}/config`);
  expect("the configuration", (await (await config.response()).json()).hasFeatureFlags, true);
  expect("offer without scripts", await flag("offer"), true);
}

const server = createServer((request, response) => void shop(request, response));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const profile = await mkdtemp(join(tmpdir(), "sluice browser "));
let status = 0;
try {
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.SDK_CHROMIUM,
    args: BROWSER,
    baseURL: `http://localhost:${server.address().port}`,
    timeout: WITHIN_MS,
  });
  browser.setDefaultTimeout(WITHIN_MS);
  try {
    const page = await browser.newPage();
    const wire = new Wire(page);
    try {
      await tour(page, wire);
    } finally {
      saw.browser = browser.browser()?.version();
      saw.wrong = wire.wrong;
    }
    expect("what went wrong on the wire", wire.wrong, []);
  } finally {
    await browser.close();
  }
} catch (error) {
  console.error(error instanceof Unexpected ? error.message : error);
  status = 1;
} finally {
  server.closeAllConnections();
  server.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
console.log(JSON.stringify(saw));
process.exit(status);
