// Loads the package's files where there is no document, no window and no network, as a server that
// renders pages does. Loading and making an object touch nothing; what needs a browser says so.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

const folder = process.argv[2];
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
globalThis.fetch = () => { throw new Error("the network was touched"); };
for (const name of ["Module", "compile", "instantiate"]) {
  WebAssembly[name] = function () { throw new Error("the module was compiled too early"); };
}

for (const file of ["index.js", "inline.js"]) {
  const module = await import(pathToFileURL(join(folder, file)));
  await check(module.VideoRTC, module.VideoRTCError);
  assert.equal(module.default, module.VideoRTC, file);
  assert.deepEqual(Object.keys(module).sort(), ["VideoRTC", "VideoRTCError", "default"], file);
}
for (const file of ["videortc.js", "videortc.min.js"]) {
  const text = readFileSync(join(folder, file), "utf8");
  await check(...new Function(`${text}; return [VideoRTC, VideoRTCError];`)());
}

async function check(VideoRTC, VideoRTCError) {
  const refusal = (code, part) => (error) =>
    error instanceof VideoRTCError && error instanceof Error && error.code === code && error.message.includes(part);
  assert.equal(VideoRTC.version, version);
  assert.equal(VideoRTC.isSupported(), false);
  assert.throws(() => new VideoRTC("nowhere"), refusal("INVALID_ARGUMENT", "nowhere"));
  const app = new VideoRTC("https://gateway.test/janus", [{ urls: "stun:stun.test" }], "error", { token: "x" });
  await assert.rejects(app.connect(), refusal("NOT_SUPPORTED", "RTCPeerConnection"));
  assert.equal(await app.disconnect(), undefined);
}
