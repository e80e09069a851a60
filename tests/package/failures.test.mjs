// Where the library cannot work it says why, in a VideoRTCError with a remedy, and it works again
// once it can.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open, openBrowser, project, refusal, serve, startGateway } from "./rig.mjs";

let browser, gateway, scripts, modules;
before(async () => {
  [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
  scripts = await project("script-tag");
  modules = await project("module-script");
});
after(async () => {
  await browser?.close();
  await gateway?.close();
});

async function refused(folder, options, prepare) {
  const server = await serve(folder, options);
  const page = await open(browser, server.url, prepare);
  try {
    const result = await refusal(page);
    assert.equal(result.name, "VideoRTCError");
    return result;
  } finally {
    await page.context().close();
    await server.close();
  }
}

const without = (name) => (page) => page.addInitScript(`delete globalThis.${name}`);

for (const [what, folder] of [["script tag", () => scripts], ["module script", () => modules]]) {
  test(`${what}: a policy that forbids WebAssembly`, async () => {
    // The import map is an inline script.
    const html = await readFile(join(folder(), "index.html"), "utf8");
    const inline = /<script type="importmap">(.*?)<\/script>/s.exec(html)?.[1] ?? "";
    const hash = createHash("sha256").update(inline).digest("base64");
    const headers = { "Content-Security-Policy": `script-src 'self' 'sha256-${hash}'; connect-src *` };
    const { isSupported, code, message, cause } = await refused(folder(), { headers });
    assert.equal(isSupported, false);
    assert.equal(code, "NOT_SUPPORTED");
    assert.match(message, /Content-Security-Policy.*'wasm-unsafe-eval'.*script-src/);
    assert.match(cause, /^CompileError/);
  });

  test(`${what}: no WebAssembly`, async () => {
    const { isSupported, code, message } = await refused(folder(), {}, without("WebAssembly"));
    assert.deepEqual([isSupported, code], [false, "NOT_SUPPORTED"]);
    assert.match(message, /no WebAssembly.*current browser/);
  });

  test(`${what}: a WebAssembly without reference types`, async () => {
    const old = (page) => page.addInitScript(() => {
      const { Module } = WebAssembly;
      WebAssembly.Module = function (bytes) {
        if (bytes.includes(0x6f)) throw new WebAssembly.CompileError("invalid value type 'externref'");
        return new Module(bytes);
      };
    });
    const { isSupported, code, message } = await refused(folder(), {}, old);
    assert.deepEqual([isSupported, code], [false, "NOT_SUPPORTED"]);
    assert.match(message, /too old.*current browser/);
  });

  test(`${what}: no WebRTC`, async () => {
    const { isSupported, code, message } = await refused(folder(), {}, without("RTCPeerConnection"));
    assert.deepEqual([isSupported, code], [false, "NOT_SUPPORTED"]);
    assert.match(message, /RTCPeerConnection.*current browser/);
  });

  test(`${what}: a page that may not ask for devices`, async () => {
    const insecure = (page) => page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, "mediaDevices", { value: undefined });
    });
    const server = await serve(folder());
    const page = await open(browser, server.url, insecure);
    assert.equal(await page.evaluate(() => VideoRTC.isSupported()), false);
    const error = await page.evaluate(() => VideoRTC.getDevices().catch(({ code, message }) => ({ code, message })));
    assert.equal(error.code, "NOT_SUPPORTED");
    assert.match(error.message, /https or from localhost/);
    await page.context().close();
    await server.close();
  });
}

// The limit of loading, a minute, in a tenth of its time.
const hurry = (page) => page.addInitScript(() => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (limit) => timeout(limit / 10);
});

const isModule = (path) => path.endsWith("/videortc.wasm");

// Faults of the module file on the server, and the resulting errors.
const ACCIDENTS = [
  ["is not there", { status: 404, body: "no" }, /HTTP 404/],
  ["is a page of the application's", { body: "<!doctype html>", headers: { "Content-Type": "text/html" } }, /15 bytes of type text\/html/],
  ["cannot be reached", "cut", /network/],
  ["never comes", new Promise(() => {}), /network/],
  ["comes cut short", { body: Buffer.from("\0asm\x01\0\0\0") }, /8 bytes/],
];

for (const [what, accident, part] of ACCIDENTS) {
  test(`the module file ${what}: said clearly, and the next connect() works`, async () => {
    let broken = true;
    const server = await serve(modules, { answer: (path) => (broken && isModule(path) ? accident : undefined) });
    const page = await open(browser, server.url, hurry);
    const { isSupported, code, message } = await refusal(page);
    assert.deepEqual([isSupported, code], [true, "LOAD_FAILED"]);
    assert.match(message, part);
    assert.match(message, /\/videortc\.wasm.*videortc\/inline/);

    await page.evaluate((url) => { window.app = new VideoRTC(url); }, gateway.url);
    const again = () => page.evaluate(() => window.app.connect().then(() => "connected", (error) => error.code));
    assert.equal(await again(), "LOAD_FAILED");
    broken = false;
    assert.equal(await again(), "connected");
    await page.evaluate(() => window.app.disconnect());
    await page.context().close();
    await server.close();
  });
}

test("a module file with a wrong MIME type is taken all the same", async () => {
  const body = await readFile(join(modules, "node_modules/videortc/videortc.wasm"));
  const answer = (path) => (isModule(path) ? { body, headers: { "Content-Type": "text/plain" } } : undefined);
  const { code } = await refused(modules, { answer });
  assert.equal(code, "GATEWAY_UNREACHABLE");
});

test("disconnect() ends a connect() that waits for the module", async () => {
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  const server = await serve(modules, { answer: (path) => (isModule(path) ? held : undefined) });
  const page = await open(browser, server.url);
  const codes = await page.evaluate(async (url) => {
    window.app = new VideoRTC(url);
    const both = [window.app.connect(), window.app.connect()].map((promise) => promise.catch(({ code }) => code));
    await window.app.disconnect();
    return Promise.all(both);
  }, gateway.url);
  assert.deepEqual(codes, ["NOT_CONNECTED", "NOT_CONNECTED"]);
  release();
  const same = await page.evaluate(async () => {
    const all = await Promise.all([window.app.connect(), window.app.connect()]);
    await window.app.disconnect();
    return all[0] === all[1];
  });
  assert(same, "one object has one set of use cases");
  assert.equal(server.requests.filter(isModule).length, 1);
  await page.context().close();
  await server.close();
});

// A replacement for `WebAssembly.instantiate`: instances whose exports trap
// on demand.
function instrument() {
  // (module (func (export "f") unreachable))
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11];
  const trap = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports.f;
  const { instantiate } = WebAssembly;
  window.instances = [];
  WebAssembly.instantiate = async (...args) => {
    const { exports } = await instantiate(...args);
    // `traps`: the pattern of the exports that trap from now on. `trapped`: the first that did.
    const instance = { traps: undefined, trapped: undefined };
    window.instances.push(instance);
    const watched = Object.entries(exports).map(([name, value]) => {
      // Memory, and what is the glue's.
      if (typeof value !== "function" || name.startsWith("__")) return [name, value];
      return [name, (...args) => {
        if (!instance.traps?.test(name)) return value(...args);
        instance.trapped = instance.trapped ?? name;
        return trap();
      }];
    });
    return { exports: Object.fromEntries(watched) };
  };
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
  };
  window.signals = [];
  const { fetch } = window;
  window.fetch = (url, init) => {
    if (init?.signal) window.signals.push([url, init.signal]);
    return fetch(url, init);
  };
}

// The exports that trap: all that are not the bindings' own, those that only the browser calls
// (timers, events, promises), and those that only the page calls.
const CLOSURES = /^wasm_bindgen__convert__closures_/;
const METHODS = /^(videortc|usecases|videocall)_/i;

for (const [what, traps] of [["any export", /^/], ["a closure", CLOSURES], ["a method", METHODS]]) {
  test(`a trap in ${what} ends everything with INTERNAL_ERROR, and nothing of another VideoRTC`, async () => {
    // Its own: a name whose holder broke down stays taken for a while.
    const gateway = await startGateway();
    const server = await serve(scripts);
    const page = await open(browser, server.url, (page) => page.addInitScript(instrument));
    const result = await page.evaluate(async ([url, traps]) => {
      const codeOf = (promise) => promise.then(() => "fulfilled", (error) => error.code);
      const heard = { tom: [], ann: [] };
      const streams = {};
      async function enter(name, more = {}) {
        const app = new VideoRTC(url, [], "none");
        const videos = document.body.appendChild(document.createElement("div"));
        const events = {};
        for (const event of ["onCalling", "onAccepted", "onHangUp", "onError", "onFileTransferKo"]) {
          events[event] = (...args) => heard[name]?.push([event, ...args.map((arg) => arg.code ?? arg.state ?? arg)]);
        }
        const ready = new Promise((resolve) => { events.onRemoteStreamReady = resolve; });
        events.onReadyLocalStream = (stream) => { streams[name] = stream; };
        const action = await (await app.connect()).videoCall({ ...events, ...more }, { videos });
        await action.register(name);
        return { app, action, videos, ready };
      }
      const tom = await enter("tom");
      const ann = await enter("ann", { onIncomingCall: () => ann.action.acceptCall() });
      await tom.action.call("ann");
      await Promise.all([tom.ready, ann.ready]);
      const [connection] = connections;

      const refused = [];
      const cKo = (error) => refused.push(error.code);
      const sent = tom.action.sendData("a/b", new Blob([new Uint8Array(2 ** 27)]), () => refused.push("cOk"), cKo);
      instances[0].traps = new RegExp(traps);
      const pending = [tom.action.getPeers(), tom.app.disconnect()].map(codeOf);
      const told = [await codeOf(sent), ...(await Promise.all(pending))];
      const { cause } = await sent.catch((error) => error);
      const { register, call, hangUp, setCall, toggleAudio, closeUsecase } = tom.action;
      const methods = [register, call, hangUp, setCall, toggleAudio, closeUsecase];
      const later = await Promise.all([
        ...methods.map((method) => codeOf(method.call(tom.action))),
        codeOf(tom.action.sendData("text/plain", "late", null, cKo)),
        codeOf(tom.app.connect()),
        codeOf(tom.app.disconnect()),
      ]);
      const fresh = await enter("tim");
      return {
        told,
        later,
        refused,
        cause,
        trapped: instances[0].trapped,
        heard: heard.tom,
        tracks: streams.tom.getTracks().map((track) => track.readyState),
        connection: connection.connectionState,
        pictures: tom.videos.childElementCount,
        polls: signals.filter(([url]) => url.includes("maxev")).map(([, { aborted }]) => aborted),
        others: await Promise.all([ann.action.getPeers(), fresh.action.getPeers()]),
        instances: instances.length,
      };
    }, [gateway.url, traps.source]);
    assert.match(result.trapped, traps);
    assert.deepEqual(new Set(result.told), new Set(["INTERNAL_ERROR"]));
    assert.deepEqual(new Set(result.later), new Set(["INTERNAL_ERROR"]));
    assert.deepEqual(result.refused, ["INTERNAL_ERROR", "INTERNAL_ERROR"]);
    assert.equal(result.cause, "RuntimeError: unreachable");
    assert.deepEqual(result.heard, [
      ["onCalling", "ann"],
      ["onAccepted", "ann"],
      ["onFileTransferKo", "failed", "INTERNAL_ERROR"],
      ["onError", "INTERNAL_ERROR"],
      ["onHangUp", "ann", "Internal error"],
    ]);
    assert.deepEqual(new Set(result.tracks), new Set(["ended"]));
    assert.deepEqual([result.connection, result.pictures], ["closed", 0]);
    assert(result.polls.includes(true), "no request was aborted");
    for (const names of result.others) assert(names.includes("ann") && names.includes("tim"), String(names));
    assert.equal(result.instances, 3);
    assert.deepEqual(page.said.filter((line) => line.startsWith("thrown")), []);
    await page.context().close();
    await server.close();
    await gateway.close();
  });
}

test("a trap below a listener: nothing comes after the end, and the console says what happened", async () => {
  const server = await serve(scripts);
  const page = await open(browser, server.url, (page) => page.addInitScript(instrument));
  const result = await page.evaluate(async (url) => {
    const heard = [];
    const action = await (await new VideoRTC(url).connect()).videoCall({
      onGotPeers() {
        instances[0].traps = /^/;
        action.toggleAudio().catch((error) => heard.push(["toggleAudio", error.code]));
        heard.push(["listener"]);
      },
      onRegistered: () => { throw new Error("of the page"); },
      onError: (error) => {
        heard.push(["onError", error.code]);
        throw new Error("of the page");
      },
      onHangUp: () => heard.push(["onHangUp"]),
    });
    await action.register();
    const code = await action.getPeers().catch((error) => error.code);
    return { heard, code };
  }, gateway.url);
  assert.equal(result.code, "INTERNAL_ERROR");
  assert.deepEqual(result.heard, [["onError", "INTERNAL_ERROR"], ["listener"], ["toggleAudio", "INTERNAL_ERROR"]]);
  const reports = page.said.filter((line) => line.startsWith("[videortc]"));
  assert.match(reports[0], /onRegistered threw/);
  assert.match(reports[1], /videortc broke down: .*RuntimeError: unreachable/);
  assert.match(reports[2], /onError threw/);
  assert.equal(reports.length, 3);
  assert.deepEqual(page.said.filter((line) => line.startsWith("thrown")), []);
  await page.context().close();
  await server.close();
});

test("static calls get a fresh instance after a trap", async () => {
  const server = await serve(scripts);
  const page = await open(browser, server.url, (page) => page.addInitScript(instrument));
  const result = await page.evaluate(async () => {
    const codeOf = (promise) => promise.then(() => "fulfilled", (error) => error.code);
    const first = [await codeOf(VideoRTC.getDevices()), await codeOf(VideoRTC.getDevices())];
    instances[0].traps = /^/;
    return [...first, await codeOf(VideoRTC.getDevices()), await codeOf(VideoRTC.getDevices()), instances.length];
  });
  assert.deepEqual(result, ["fulfilled", "fulfilled", "INTERNAL_ERROR", "fulfilled", 2]);
  await page.context().close();
  await server.close();
});
