// The arguments that the methods of a connection and of a video call reject by name without a
// request, and the effect of valid ones.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, openBrowser, project, serve, startGateway } from "./rig.mjs";

let browser, gateway, server, page;
before(async () => {
  [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
  server = await serve(await project("script-tag"));
  page = await open(browser, server.url);
  await page.evaluate(async (url) => {
    window.app = new VideoRTC(url, [], "warn");
    window.cases = await app.connect();
    window.events = [];
    window.action = await cases.videoCall({ onGotPeers: (names) => events.push(names) });
    for (const name of ["Tom", "Jack", "Zoe"]) {
      const peer = await cases.videoCall();
      await peer.register(name);
    }
  }, gateway.url);
});
after(async () => {
  await browser?.close();
  await gateway?.close();
  await server?.close();
});

// Evaluates an expression in the page: what it resolves with, or the error; and the warnings
// meanwhile.
function outcome(expression) {
  return page.evaluate(async (expression) => {
    const { warn } = console;
    const warnings = [];
    console.warn = (...words) => warnings.push(words.join(" "));
    try {
      const value = await eval(expression);
      return { value, warnings };
    } catch ({ name, code, message, cause }) {
      return { refusal: { name, code, message, cause }, warnings };
    } finally {
      console.warn = warn;
    }
  }, expression);
}

async function refuses(expression, part) {
  const { refusal, value } = await outcome(expression);
  assert(refusal, `${expression} gives ${value}`);
  assert.deepEqual([refusal.name, refusal.code], ["VideoRTCError", "INVALID_ARGUMENT"], expression);
  assert(refusal.message.includes(part), `${expression}: ${refusal.message}\n  has no ${part}`);
  return refusal;
}

test("videoCall()", async () => {
  for (const [args, part] of [
    ["'onCalling'", 'onEvents must be an object, but is the string "onCalling"'],
    ["{ onCalling: 5 }", "onEvents.onCalling must be a function, but is the number 5"],
    ["{ onHangUp: {} }", "onEvents.onHangUp must be a function, but is an object"],
    ["{ get onError() { throw 'trap' } }", "onEvents.onError threw when it was read"],
    ["null, 'videos'", 'domElements must be an object, but is the string "videos"'],
    ["null, { videos: '#none' }", 'domElements.videos must be an element, but the selector "#none" finds none'],
    ["null, { videos: document }", "domElements.videos must be an element, but is an object"],
    ["null, { localVideo: document.body }", "domElements.localVideo must be a <video> element"],
    ["null, { remoteVideo: new Audio() }", "domElements.remoteVideo must be a <video> element"],
    ["null, { get videos() { throw 'trap' } }", "domElements.videos threw when it was read"],
    ["null, null, 7", "options must be an object, but is the number 7"],
    ["null, null, { ringTimeout: 999 }", "options.ringTimeout must be a number of milliseconds from 1000 to 3600000"],
    ["null, null, { connectTimeout: true }", "options.connectTimeout must be a number of"],
    ["null, null, { stream: true }", "options.stream must be an object, but is the boolean true"],
    ["null, null, { stream: { audioEnabled: 1 } }", "options.stream.audioEnabled must be true or false"],
    ["null, null, { stream: { videoEnabled: 'no' } }", "options.stream.videoEnabled must be true or false"],
    ["null, null, { stream: { dataEnabled: 0 } }", "options.stream.dataEnabled must be true or false"],
    ["null, null, { stream: { aDeviceId: 3 } }", "options.stream.aDeviceId must be a string"],
    ["null, null, { stream: { frameRate: 0 } }", "options.stream.frameRate must be a number of frames per second"],
    ["null, null, { stream: { voiceProcessor: 'on' } }", "options.stream.voiceProcessor must be"],
    ["null, null, { dataChannel: 'yes' }", "options.dataChannel must be an object, but is the string"],
    ["null, null, { dataChannel: { dataEnabled: 1 } }", "options.dataChannel.dataEnabled must be"],
    ["null, null, { dataChannel: { allowedTypes: 'image/*' } }", "options.dataChannel.allowedTypes must be an array"],
    ["null, null, { dataChannel: { allowedTypes: [''] } }", "options.dataChannel.allowedTypes must be an array"],
    ["null, null, { dataChannel: { maxSize: 0.5 } }", "options.dataChannel.maxSize must be a whole number of bytes"],
    ["null, null, { dataChannel: { maxSize: -1 } }", "options.dataChannel.maxSize must be a whole number of bytes"],
  ]) await refuses(`cases.videoCall(${args})`, part);
});

test("resolutions are two whole sides", async () => {
  for (const resolution of [
    "'640'", "'640x'", "'x480'", "'0x0'", "'640x-1'", "'640x8193'", "'640*480'", "640", "true", "{}", "{ width: 640 }",
    "{ width: 640, height: 480.5 }", "{ width: '640', height: 480 }", "[640, 480]", "{ get width() { throw 'trap' } }",
  ]) {
    await refuses(
      `cases.videoCall(null, null, { stream: { resolution: ${resolution} } })`,
      'options.stream.resolution must be like "640x480"',
    );
  }
  for (const resolution of ["'640x480'", "' 640 x 480 '", "{ width: 640, height: 480 }"]) {
    const asked = await page.evaluate(async (resolution) => {
      const action = await cases.videoCall({}, null, { stream: { resolution: eval(`(${resolution})`) } });
      await action.register();
      const { getUserMedia } = MediaDevices.prototype;
      const asked = new Promise((resolve) => {
        navigator.mediaDevices.getUserMedia = (constraints) => {
          resolve(constraints.video);
          return getUserMedia.call(navigator.mediaDevices, constraints);
        };
      });
      action.call("Jack");
      try {
        return await asked;
      } finally {
        delete navigator.mediaDevices.getUserMedia;
        await action.closeUsecase();
      }
    }, resolution);
    assert.deepEqual(asked, { width: { ideal: 640 }, height: { ideal: 480 } });
  }
});

test("what is unknown or misspelled is warned about", async () => {
  const { warnings } = await outcome(`cases.videoCall({ onRing: 5 }, { video: null }, {
    stream: { audio: true }, dataChannel: { types: [], allowedTypes: ["text-plain", "x-y", "image/*"] }, recording: 1,
  }).then(() => null)`);
  const unknown = ["onEvents.onRing", "options.recording", "options.dataChannel.types", "options.stream.audio", "domElements.video"];
  const expected = unknown.map((path) => `[videortc] ${path} is not known here and has no effect`);
  expected.push('[videortc] the allowed type "text-plain" is taken for "text/plain" too');
  assert.deepEqual(warnings.sort(), expected.sort());
});

test("user names and reasons", async () => {
  for (const [name, part] of [
    ["42", "the user name must be a string, but is the number 42"],
    ["true", "the user name must be a string, but is the boolean true"],
    ["{}", "the user name must be a string, but is an object"],
    ["['Tom']", "the user name must be a string, but is an array"],
    ["'Tom\\ud800'", "half a surrogate pair"],
    ["''", "a user name must not be empty"],
  ]) for (const method of ["register", "call"]) await refuses(`action.${method}(${name})`, part);
  await refuses("action.hangUp({})", "the reason must be a string, but is an object");
});

test("peers are filtered and ordered", async () => {
  for (const [args, wanted] of [
    ["", "Tom Jack Zoe"],
    ["null, 'asc'", "Jack Tom Zoe"],
    ["'', 'desc'", "Zoe Tom Jack"],
    ["'o', null", "Tom Zoe"],
    ["/^j/i", "Jack"],
    ["/o/g", "Tom Zoe"],
    ["/o/y", ""],
    ["(name) => name.length === 3, 'desc'", "Zoe Tom"],
  ]) {
    const { value } = await outcome(`action.getPeers(${args})`);
    assert.equal(wanted, (/asc|desc/.test(args) ? value : [...value].sort((a, b) => order(a) - order(b))).join(" "), args);
    assert.deepEqual(await page.evaluate(() => events.pop()), value);
  }
  for (const [args, part] of [
    ["7", "filter must be a string, a RegExp or a function, but is the number 7"],
    ["{}", "filter must be a string, a RegExp or a function, but is an object"],
    ["null, 'up'", 'order must be "asc" or "desc", but is the string "up"'],
    ["null, 1", 'order must be "asc" or "desc", but is the number 1'],
  ]) await refuses(`action.getPeers(${args})`, part);
  const thrown = await refuses("action.getPeers(() => { throw new Error('trap') })", "the filter function threw");
  assert.equal(thrown.cause, "Error: trap");
});

// Without an order it is the gateway's, which is not told here.
function order(name) {
  return ["Tom", "Jack", "Zoe"].indexOf(name);
}

test("settings are checked, and words become bits", async () => {
  for (const [args, part] of [
    ["'on'", 'audio must be true or false, but is the string "on"'],
    ["null, 0", "video must be true or false, but is the number 0"],
    ["null, null, 'best'", 'quality must be "low", "medium", "high", "ultra", "max" or bits per second from 0 to 1000000000, but'],
    ["null, null, -1", "but is the number -1"],
    ["null, null, 1e10", "but is the number 10000000000"],
    ["null, null, NaN", "but is the number NaN"],
    ["null, null, true", "but is the boolean true"],
  ]) await refuses(`action.setCall(${args})`, part);
  for (const [quality, bitrate] of [["'low'", 128000], ["'medium'", 512000], ["'high'", 2000000], ["'ultra'", 512000], ["'max'", 0], ["64000", 64000]]) {
    const { value } = await outcome(`action.setCall(null, null, ${quality})`);
    assert.deepEqual(value, { bitrate });
  }
});

test("getDevices()", async () => {
  for (const [config, part] of [
    ["'videoinput'", 'config must be an object, but is the string "videoinput"'],
    ["{ kind: 'camera' }", 'config.kind must be one of "audioinput", "videoinput", "audiooutput", but'],
    ["{ labels: 1 }", "config.labels must be true or false, but is the number 1"],
  ]) await refuses(`VideoRTC.getDevices(${config})`, part);
});
