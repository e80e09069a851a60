// Arguments of `new VideoRTC(…)`: servers are checked immediately, without a browser or the module;
// all others are checked by `connect()`, which names the wrong one.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { open, openBrowser, project, serve, startGateway } from "./rig.mjs";

const folder = await project("node");
const { VideoRTC, VideoRTCError } = await import(pathToFileURL(join(folder, "node_modules/videortc/index.js")));
const GATEWAY = "https://gateway.test/janus";

function refuses(args, ...parts) {
  let refusal;
  try {
    new VideoRTC(...args);
  } catch (error) {
    refusal = error;
  }
  assert(refusal instanceof VideoRTCError, `taken: ${parts}`);
  assert.equal(refusal.code, "INVALID_ARGUMENT");
  for (const part of parts) assert(refusal.message.includes(part), `${refusal.message}\n  has no ${part}`);
  return refusal;
}

// The warnings that making an object gives.
function warnings(...args) {
  const { warn } = console;
  const lines = [];
  console.warn = (...words) => lines.push(words.join(" "));
  try {
    new VideoRTC(...args);
  } finally {
    console.warn = warn;
  }
  return lines;
}

test("servers", () => {
  const must = "servers must be a gateway address, or an array of them, but is";
  for (const [servers, part] of [
    [undefined, `${must} undefined`],
    [null, `${must} null`],
    [42, `${must} the number 42`],
    [NaN, `${must} the number NaN`],
    [true, `${must} the boolean true`],
    [{}, `${must} an object`],
    [new String(GATEWAY), `${must} an object`],
    [() => 1, `${must} a function`],
    [Symbol("x"), `${must} a symbol`],
    [10n, `${must} a bigint`],
    [[], "servers is an empty array"],
    [[GATEWAY, 42], "servers[1] must be a string, but is the number 42"],
    [[[GATEWAY]], "servers[0] must be a string, but is an array"],
    [new Array(1), "servers[0] must be a string, but is undefined"],
    ["", '"" is not a gateway address: it has no http://'],
    ["gateway.test/janus", '"gateway.test/janus" is not a gateway address: it has no http://'],
    ["wss://gateway.test", "only the http"],
    [["wss://gateway.test"], '"wss://gateway.test" is not a gateway address: only the http'],
    [[" WS://a.test", "wss://b.test"], "only the http"],
    [["wss://a.test", "ftp://b.test"], '"ftp://b.test" is not a gateway address: it must begin with http'],
    [["wss://a.test", 42], "servers[1] must be a string, but is the number 42"],
    ["/janus", '"/janus" is not a gateway address: it has no http://'],
    ["javascript:alert(1)", "it has no http://"],
    ["https://gateway.test:0x50/janus", "its port is not a number below 65536"],
    ["https://gateway.test/<img src=x>", "a character that URLs do not have"],
    ["ftp://gateway.test", "it must begin with http:// or https://"],
    ["https:///janus", "it names no host"],
    ["http://", "it names no host"],
    ["https://gateway.test:99999/janus", "its port is not a number below 65536"],
    ["https://gateway.test:/janus", "its port is not a number below 65536"],
    ["https://gateway.test/a b", "a character that URLs do not have"],
    ["https://gateway.test/\0", "a character that URLs do not have"],
    ["x".repeat(500), `"${"x".repeat(120)}…"`],
    ["a\nb", '"a b" is not'],
  ]) refuses([servers], part);
});

test("no secret in an address is repeated", () => {
  for (const [address, part] of [
    ["https://tom:S3CRET@gateway.test", "holds a user name"],
    ["S3CRET@gateway.test", "holds a user name"],
    ["https://gateway.test/janus?token=S3CRET", "query or a fragment"],
    ["ftp://gateway.test/#S3CRET", "query or a fragment"],
    [["wss://tom:S3CRET@gateway.test"], "holds a user name"],
    [["wss://gateway.test/?token=S3CRET"], "query or a fragment"],
  ]) assert(!refuses([address], part).message.includes("S3CRET"));
});

test("addresses that are taken", () => {
  for (const address of [
    GATEWAY, ` ${GATEWAY}/ `, "HTTP://localhost:8088", "http://[::1]:8088/janus", "http://[::1]/janus", [GATEWAY, GATEWAY],
    "https://gateway.test/@janus", "https://bücher.test/janus", " HTTPS://[::1]:8089/a/b// ",
  ]) assert.deepEqual(warnings(address), []);
});

test("WebSocket addresses are skipped with a warning while another is left", () => {
  for (const servers of [[GATEWAY, "wss://gateway.test"], [" ws://tom:S3CRET@gateway.test/?token=S3CRET", GATEWAY]]) {
    const said = ["[videortc] WebSocket addresses are skipped: only http and https are spoken here"];
    assert.deepEqual(warnings(servers), said);
    assert.deepEqual(warnings(servers, [], "none"), []);
  }
});

let browser, gateway, server, page;
before(async () => {
  [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
  server = await serve(await project("script-tag"));
  page = await open(browser, server.url);
  await page.evaluate((url) => {
    window.GATEWAY = url;
    window.trap = () => { throw new Error("trap"); };
  }, gateway.url);
});
after(async () => {
  await browser?.close();
  await gateway?.close();
  await server?.close();
});

// Connects, with the arguments behind the servers in an expression, and disconnects: how it ended,
// and the warnings meanwhile.
function outcome(args) {
  return page.evaluate(async (args) => {
    const { warn } = console;
    const warnings = [];
    console.warn = (...words) => warnings.push(words.join(" "));
    try {
      const app = eval(`new VideoRTC(GATEWAY, ${args})`);
      await app.connect();
      await app.disconnect();
      return { warnings };
    } catch ({ name, code, message, cause }) {
      return { refusal: { name, code, message, cause }, warnings };
    } finally {
      console.warn = warn;
    }
  }, args);
}

async function connectRefuses(args, part) {
  const { refusal } = await outcome(args);
  assert(refusal, `taken: ${args}`);
  assert.deepEqual([refusal.name, refusal.code], ["VideoRTCError", "INVALID_ARGUMENT"], args);
  assert(refusal.message.includes(part), `${args}: ${refusal.message}\n  has no ${part}`);
  return refusal;
}

async function connects(args, ...warnings) {
  assert.deepEqual(await outcome(args), { warnings }, args);
}

test("iceServers", async () => {
  const must = "iceServers must be an array of RTCIceServer, but is";
  for (const [iceServers, part] of [
    ["'stun:stun.test'", `${must} the string "stun:stun.test"`],
    ["{ urls: 'stun:stun.test' }", `${must} an object`],
    ["[42]", "iceServers[0] must be an object, but is the number 42"],
    ["[null]", "iceServers[0] must be an object, but is null"],
    ["[{ urls: 'stun:stun.test' }, {}]", "iceServers[1].urls must be a string or an array of them, but is undefined"],
    ["[{ url: 7 }]", "iceServers[0].urls must be a string or an array of them, but is the number 7"],
    ["[{ get urls() { return trap(); } }]", "iceServers[0].urls threw"],
  ]) await connectRefuses(iceServers, part);
  for (const iceServers of [
    "undefined", "null", "[]", "[{ urls: 'stun:a.test' }, { url: 'stun:b.test' }]",
    "[{ url: ['turn:a.test'], username: 'u', credential: 'c', other: 1 }]",
  ]) await connects(iceServers);
});

test("debugLevel", async () => {
  for (const level of ["'loud'", "'ERROR'", "3", "true"]) {
    await connectRefuses(`[], ${level}`, "debugLevel must be one of");
  }
  for (const level of ["'none'", "'error'", "'warn'", "'info'", "'debug'", "'trace'", "null", "undefined", "['error']", "[]"]) {
    await connects(`[], ${level}`);
  }
});

test("options", async () => {
  for (const [options, part] of [
    ["7", 'options must be an object, but is the number 7'],
    ["[]", "options must be an object, but is an array"],
    ["() => 1", "options must be an object, but is a function"],
    ["{ apiSecret: 5 }", "options.apiSecret must be a string, but is the number 5"],
    ["{ token: {} }", "options.token must be a string, but is an object"],
    ["{ account: false }", "options.account must be a string, but is the boolean false"],
    ["{ withCredentials: 'yes' }", 'options.withCredentials must be true or false, but is the string "yes"'],
    ["{ iceTransportPolicy: 'none' }", 'options.iceTransportPolicy must be one of "all", "relay", but'],
    ["{ bundlePolicy: 'max' }", "options.bundlePolicy must be one of"],
    ["{ requestTimeout: 99 }", "options.requestTimeout must be a number of milliseconds from 100 to 3600000"],
    ["{ requestTimeout: '5000' }", 'but is the string "5000"'],
    ["{ requestTimeout: NaN }", "but is the number NaN"],
    ["{ retryLimit: -1 }", "options.retryLimit must be a number of milliseconds from 0"],
    ["{ retryLimit: Infinity }", "but is the number Infinity"],
    ["{ pollEvents: 0 }", "options.pollEvents must be a number of events from 1 to 100"],
  ]) await connectRefuses(`[], 'error', ${options}`, part);
  const thrown = await connectRefuses("[], 'error', { get token() { return trap(); } }", "options.token threw");
  assert.equal(thrown.cause, "Error: trap");
  const keys = "new Proxy({}, { ownKeys: trap })";
  await connectRefuses(`[], 'error', ${keys}`, "options threw when its keys were read");
});

test("unknown options are warned about, at every level but none", async () => {
  const options = "{ apisecret: 'S3CRET', token: 'a', toString: 1 }";
  const expected = ["apisecret", "toString"]
    .map((key) => `[videortc] options.${key} is not known here and has no effect`);
  await connects(`[], 'error', ${options}`, ...expected);
  await connects(`[], 'none', ${options}`);
});

test("what was passed is read once, however often connect() is called", async () => {
  const reads = await page.evaluate(async () => {
    let reads = 0;
    const app = new VideoRTC(GATEWAY, [], "error", { get token() { reads += 1; return "a"; } });
    for (let i = 0; i < 2; i += 1) {
      await Promise.all([app.connect(), app.connect()]);
      await app.disconnect();
    }
    return reads;
  });
  assert.equal(reads, 1);
});
