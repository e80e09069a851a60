// The options of `new VideoRTC(…)` reach the gateway and the peer connection.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, openBrowser, project, serve, startGateway, until } from "./rig.mjs";

let browser, gateway, server;
before(async () => {
  [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
  server = await serve(await project("script-tag"));
});
after(async () => {
  await browser?.close();
  await gateway?.close();
  await server?.close();
});

// Calls Jack, and returns the requests to the gateway and the peer connection's configuration.
async function call(iceServers, debugLevel, options) {
  const jack = await open(browser, `${server.url}/?${new URLSearchParams({ gateway: gateway.url, name: "Jack" })}`);
  await until(jack, () => document.title === "registered");
  const page = await open(browser, server.url, (page) =>
    page.addInitScript(() => {
      const Real = RTCPeerConnection;
      globalThis.RTCPeerConnection = class extends Real {
        constructor(configuration) {
          super(configuration);
          globalThis.configuration = configuration;
        }
      };
    }));
  const posts = [];
  const polls = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(gateway.url)) return;
    if (request.method() === "GET") polls.push(new URL(request.url()).searchParams);
    else posts.push(request.postDataJSON());
  });
  const configuration = await page.evaluate(async (args) => {
    const app = new VideoRTC(...args);
    const action = await (await app.connect()).videoCall();
    await action.register();
    await action.call("Jack");
    await app.disconnect();
    return configuration;
  }, [`${gateway.url}/`, iceServers, debugLevel, options]);
  await jack.evaluate(() => window.leave());
  for (const each of [page, jack]) await each.context().close();
  return { posts, polls, configuration, said: page.said };
}

test("everything is handed over", async () => {
  const { posts, polls, configuration } = await call(
    [
      { url: "stun:127.0.0.1:9" },
      { urls: ["turn:127.0.0.1:9"], username: "u", credential: "c", other: 1 },
    ],
    "none",
    { apiSecret: "S", token: "T", account: "A", iceTransportPolicy: "all", bundlePolicy: "balanced", pollEvents: 3 },
  );
  assert.deepEqual(configuration, {
    iceServers: [{ urls: "stun:127.0.0.1:9" }, { urls: ["turn:127.0.0.1:9"], username: "u", credential: "c" }],
    iceTransportPolicy: "all",
    bundlePolicy: "balanced",
  });
  for (const { apisecret, token } of posts) assert.deepEqual([apisecret, token], ["S", "T"]);
  assert.equal(posts.find(({ janus }) => janus === "attach").opaque_id, "A");
  for (const poll of polls) {
    assert.deepEqual(["maxev", "apisecret", "token"].map((key) => poll.get(key)), ["3", "S", "T"]);
  }
});

test("nothing given is the defaults", async () => {
  const { posts, polls, configuration, said } = await call(null, null, null);
  assert.deepEqual(configuration.iceServers, []);
  assert.equal(configuration.bundlePolicy, "max-bundle");
  assert.equal(configuration.iceTransportPolicy, undefined);
  for (const post of posts) assert(!("apisecret" in post) && !("token" in post));
  for (const poll of polls) assert.equal(poll.get("maxev"), "10");
  assert.deepEqual(said, []);
});

test("the level is the console's", async () => {
  const { said } = await call([], "debug", {});
  assert(said.some((line) => line.startsWith("[videortc]")), said.join("\n"));
});
