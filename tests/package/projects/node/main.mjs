// Server-side rendering: it imports the package, constructs an object and renders. It does not
// connect.
import assert from "node:assert/strict";

// All but what Node itself has is missing, and the network must not be touched.
globalThis.fetch = () => assert.fail("the network was touched");
for (const name of ["Module", "Instance", "compile", "instantiate"]) {
  WebAssembly[name] = () => assert.fail("the module was compiled");
}

for (const name of ["videortc", "videortc/inline", "videortc/split"]) {
  const { VideoRTC, VideoRTCError, default: byDefault } = await import(name);
  assert.equal(byDefault, VideoRTC);
  assert.equal(VideoRTC.isSupported(), false);
  assert.match(VideoRTC.version, /^\d+\.\d+\.\d+/);
  const app = new VideoRTC(["https://example.com/janus"], [{ urls: "stun:stun.example.com" }]);
  for (const promise of [app.connect(), app.getDevices(), VideoRTC.getDevices()]) {
    await assert.rejects(promise, (error) => {
      assert(error instanceof VideoRTCError && error instanceof Error);
      assert.equal(error.code, "NOT_SUPPORTED");
      return true;
    });
  }
  await app.disconnect();
  assert.throws(() => new VideoRTC("example.com"), { name: "VideoRTCError", code: "INVALID_ARGUMENT" });
}
console.log("all is well");
