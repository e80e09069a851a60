// How long a page waits for the library, beside janus.js with webrtc-adapter: bytes, and
// milliseconds in one page. `cargo xtask bench load` runs it. It prints and judges nothing: how
// long things take depends on the machine.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { here, open, openBrowser, project, serve } from "./rig.mjs";

const RUNS = 21;

const folder = await project("script-tag");
const shipped = (name) => readFile(join(folder, "node_modules/videortc", name));

// As a page would ship it: one minified script.
const { outputFiles } = await esbuild.build({
  stdin: {
    contents: `import Janus from "janus-gateway"; import adapter from "webrtc-adapter"; Object.assign(globalThis, { Janus, adapter });`,
    resolveDir: here,
  },
  bundle: true, minify: true, format: "iife", write: false, logLevel: "error",
});
const scripts = { videortc: await shipped("videortc.min.js"), janus: Buffer.from(outputFiles[0].contents) };

function sizes(content) {
  const best = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  return { raw: content.length, gzip: gzipSync(content, { level: 9 }).length, brotli: brotliCompressSync(content, best).length };
}
const split = Buffer.concat([await shipped("index.js"), await shipped("videortc.wasm")]);
const bytes = {
  "videortc.min.js": sizes(scripts.videortc),
  "index.js + videortc.wasm": sizes(split),
  "janus.js + webrtc-adapter": sizes(scripts.janus),
};
console.table(bytes);

// From the script's start until its class can be used, and until it has done the first thing that
// both can do without a gateway: list the devices.
async function measure({ first, texts }) {
  const run = (text) => {
    const script = document.createElement("script");
    script.textContent = text;
    const start = performance.now();
    document.head.append(script);
    return start;
  };
  const measured = {};
  const ways = {
    async videortc() {
      const start = run(texts.videortc);
      new VideoRTC("https://example.com/janus");
      const usable = performance.now() - start;
      await VideoRTC.getDevices();
      measured.videortc = { usable, listed: performance.now() - start };
    },
    async janus() {
      const start = run(texts.janus);
      await new Promise((callback) => Janus.init({ debug: false, callback }));
      const usable = performance.now() - start;
      await navigator.mediaDevices.enumerateDevices();
      measured.janus = { usable, listed: performance.now() - start };
    },
  };
  // The browser's own list of devices is slow the first time, whoever asks.
  await navigator.mediaDevices.enumerateDevices();
  for (const way of first === "janus" ? ["janus", "videortc"] : ["videortc", "janus"]) await ways[way]();
  return measured;
}

// The main-thread time of loading, in milliseconds: in a separate page, including idle work.
async function load(page, text) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  const busy = async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  };
  // The text has arrived before.
  await page.evaluate((text) => void (window.text = text), text);
  const before = await busy();
  await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = text;
    document.head.append(script);
    if (window.Janus) await new Promise((callback) => Janus.init({ debug: false, callback }));
    await new Promise((resume) => setTimeout(resume, 500));
  });
  return (await busy()) - before;
}

const browser = await openBrowser();
const server = await serve(folder, { answer: (path) => path === "/empty.html" && { body: "<!doctype html><title>x</title>" } });
const texts = { videortc: String(scripts.videortc), janus: String(scripts.janus) };
const runs = [];
for (let i = 0; i < RUNS; i++) {
  const page = await open(browser, `${server.url}/empty.html`);
  const run = await page.evaluate(measure, { first: i % 2 ? "janus" : "videortc", texts });
  await page.context().close();
  for (const way of i % 2 ? ["janus", "videortc"] : ["videortc", "janus"]) {
    const page = await open(browser, `${server.url}/empty.html`);
    run[way].mainThread = await load(page, texts[way]);
    await page.context().close();
  }
  runs.push(run);
}
await browser.close();
await server.close();

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const milliseconds = {};
for (const what of ["usable", "listed", "mainThread"]) {
  const [videortc, janus] = ["videortc", "janus"].map((way) => median(runs.map((run) => run[way][what])));
  const ratio = median(runs.map((run) => run.videortc[what] / run.janus[what]));
  milliseconds[what] = { videortc, janus, "ratio in the same page": Number(ratio.toFixed(2)) };
}
console.log(
  `\nmilliseconds, medians of ${RUNS} pages: until the class is usable; until the devices are listed; of the main thread`,
);
console.table(milliseconds);

const results = join(here, "../bench");
await mkdir(results, { recursive: true });
await writeFile(join(results, "load.json"), JSON.stringify({ bytes, milliseconds, runs }, undefined, 2));
process.exit();
