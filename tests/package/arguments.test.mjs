// What `new VideoRTC(…)` refuses, at once and by name, without a browser or the module.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { project } from "./rig.mjs";

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

const trap = () => {
  throw new Error("trap");
};

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
  ]) assert(!refuses([address], part).message.includes("S3CRET"));
});

test("addresses that are taken", () => {
  for (const address of [
    GATEWAY, ` ${GATEWAY}/ `, "HTTP://localhost:8088", "http://[::1]:8088/janus", "http://[::1]/janus", [GATEWAY, GATEWAY],
    "https://gateway.test/@janus", "https://bücher.test/janus", " HTTPS://[::1]:8089/a/b// ",
  ]) assert.deepEqual(warnings(address), []);
});

test("iceServers", () => {
  for (const [iceServers, part] of [
    ["stun:stun.test", 'iceServers must be an array of RTCIceServer, but is the string "stun:stun.test"'],
    [{ urls: "stun:stun.test" }, "iceServers must be an array of RTCIceServer, but is an object"],
    [[42], "iceServers[0] must be an object, but is the number 42"],
    [[null], "iceServers[0] must be an object, but is null"],
    [[{ urls: "stun:stun.test" }, {}], "iceServers[1].urls must be a string or an array of them, but is undefined"],
    [[{ url: 7 }], "iceServers[0].urls must be a string or an array of them, but is the number 7"],
    [[{ get urls() { return trap(); } }], "iceServers[0].urls threw"],
  ]) refuses([GATEWAY, iceServers], part);
  for (const iceServers of [
    undefined, null, [], [{ urls: "stun:a.test" }, { url: "stun:b.test" }],
    [{ url: ["turn:a.test"], username: "u", credential: "c", other: 1 }],
  ]) assert.deepEqual(warnings(GATEWAY, iceServers), []);
});

test("debugLevel", () => {
  for (const level of ["loud", "ERROR", 3, true]) refuses([GATEWAY, [], level], "debugLevel must be one of");
  for (const level of ["none", "error", "warn", "info", "debug", "trace", null, undefined]) new VideoRTC(GATEWAY, [], level);
});

test("options", () => {
  for (const [options, part] of [
    [[], "options must be an object, but is an array"],
    [() => 1, "options must be an object, but is a function"],
    [{ apiSecret: 5 }, "options.apiSecret must be a string, but is the number 5"],
    [{ token: {} }, "options.token must be a string, but is an object"],
    [{ account: false }, "options.account must be a string, but is the boolean false"],
    [{ withCredentials: "yes" }, 'options.withCredentials must be true or false, but is the string "yes"'],
    [{ iceTransportPolicy: "none" }, 'options.iceTransportPolicy must be one of "all", "relay", but'],
    [{ bundlePolicy: "max" }, "options.bundlePolicy must be one of"],
    [{ requestTimeout: 99 }, "options.requestTimeout must be a number of milliseconds from 100 to 3600000"],
    [{ requestTimeout: "5000" }, 'but is the string "5000"'],
    [{ requestTimeout: NaN }, "but is the number NaN"],
    [{ retryLimit: -1 }, "options.retryLimit must be a number of milliseconds from 0"],
    [{ retryLimit: Infinity }, "but is the number Infinity"],
    [{ pollEvents: 0 }, "options.pollEvents must be a number of events from 1 to 100"],
  ]) refuses([GATEWAY, [], "error", options], part);
  assert.equal(refuses([GATEWAY, [], "error", { get token() { return trap(); } }], "options.token threw").cause, "Error: trap");
  refuses([GATEWAY, [], "error", new Proxy({}, { ownKeys: trap })], "options threw when its keys were read");
});

test("unknown options are warned about, at every level but none", () => {
  const options = { apisecret: "S3CRET", token: "a", toString: 1 };
  const expected = ["apisecret", "toString"]
    .map((key) => `[videortc] options.${key} is not known here and has no effect`);
  assert.deepEqual(warnings(GATEWAY, [], "error", options), expected);
  assert.deepEqual(warnings(GATEWAY, [], "none", options), []);
});

test("what was passed is read once", () => {
  let reads = 0;
  const options = { get token() { reads += 1; return "a"; } };
  new VideoRTC(GATEWAY, [], "error", options);
  assert.equal(reads, 1);
});
