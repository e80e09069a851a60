// The packed tarball in one small project per loader: each makes a real call, or says what is
// missing.

import assert from "node:assert/strict";
import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import nodeResolve from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import * as vite from "vite";
import webpack from "webpack";
import {
  assertCall, here, janus, open, openBrowser, project, refusal, run, serve, startGateway, startProgram, until,
} from "./rig.mjs";

let browser, gateway;
before(async () => {
  [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
});
after(async () => {
  await browser?.close();
  await gateway?.close();
});

// Serves a folder, makes a call on its page, and returns the paths that were asked for.
async function calls(folder, page = "/", options = {}) {
  const server = await serve(folder, options);
  try {
    await assertCall(browser, server.url + page, options.gateway ?? gateway.url);
  } finally {
    await server.close();
  }
  return server.requests;
}

const has = (list, end) => list.some((path) => path.endsWith(end));

test("script tag, minified and readable", async () => {
  const folder = await project("script-tag");
  await calls(folder);
  await calls(folder, "/readable.html");
});

test("script tag, through a real Janus", { skip: !janus && "no Janus was started" }, async () => {
  await calls(await project("script-tag"), "/", { gateway: janus });
});

test("script tag, from file://", async () => {
  const folder = await project("script-tag");
  await assertCall(browser, String(pathToFileURL(join(folder, "index.html"))), gateway.url);
});

test("script tag, under a policy with wasm-unsafe-eval and without unsafe-eval", async () => {
  const policy = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src ${new URL(gateway.url).origin}; img-src data:`;
  await calls(await project("script-tag"), "/", { headers: { "Content-Security-Policy": policy } });
});

test("module script, with the module beside it and inline", async () => {
  const folder = await project("module-script");
  assert(has(await calls(folder), "/videortc.wasm"));
  assert(!has(await calls(folder, "/inline.html"), "/videortc.wasm"));
});

test("Vite: development server", async () => {
  const folder = await project("vite");
  const server = await vite.createServer({ root: folder, logLevel: "warn", server: { port: 0, host: "127.0.0.1" } });
  await server.listen();
  try {
    await assertCall(browser, `http://127.0.0.1:${server.httpServer.address().port}/`, gateway.url);
  } finally {
    await server.close();
  }
});

// Loaders look at it, and Vite's development server sets it for the whole process.
afterEach(() => {
  delete process.env.NODE_ENV;
});

test("Vite: build", async () => {
  const folder = await project("vite");
  await vite.build({ root: folder, logLevel: "warn" });
  assert(has(await readdir(join(folder, "dist/assets")), ".wasm"));
  assert(has(await calls(join(folder, "dist")), ".wasm"));
});

test("webpack", async () => {
  for (const mode of ["production", "development"]) {
    const folder = await project("webpack");
    const output = { path: join(folder, "dist"), filename: "bundle.js" };
    const stats = await new Promise((resolve, reject) => {
      const config = { mode, context: folder, entry: "./main.js", output, performance: { hints: false } };
      webpack(config, (error, stats) => (error ? reject(error) : resolve(stats)));
    });
    assert(!stats.hasErrors() && !stats.hasWarnings(), stats.toString());
    await copyFile(join(here, "projects/page.html"), join(folder, "dist/index.html"));
    assert(has(await calls(join(folder, "dist")), ".wasm"));
  }
});

// esbuild leaves the module's file behind, whatever the conditions that it is told to set; the last
// ones are those that Angular's build sets.
for (const conditions of [undefined, ["production"], ["es2015", "es2020", "module", "production"]]) {
  test(`esbuild: nothing to configure, with ${conditions ?? "its own"} conditions`, async () => {
    for (const format of ["esm", "iife"]) {
      const folder = await project("esbuild");
      const { warnings } = await esbuild.build({
        absWorkingDir: folder, entryPoints: ["main.js"], outfile: join(folder, "dist/bundle.js"),
        bundle: true, minify: true, format, conditions, logLevel: "silent",
      });
      assert.deepEqual(warnings, []);
      await copyFile(join(here, "projects/page.html"), join(folder, "dist/index.html"));
      assert(!has(await calls(join(folder, "dist")), ".wasm"));
    }
  });
}

// Rolls main.js up, with another entry of the package in place of the default one.
async function rolledUp(entry, options) {
  const folder = await project("rollup");
  const main = join(folder, "main.js");
  await writeFile(main, (await readFile(main, "utf8")).replace('from "videortc"', `from "${entry}"`));
  const bundle = await rollup({
    input: main,
    plugins: [nodeResolve(options)],
    onwarn: (warning) => assert.fail(warning.message),
  });
  await bundle.write({ file: join(folder, "dist/bundle.js"), format: "es" });
  await copyFile(join(here, "projects/page.html"), join(folder, "dist/index.html"));
  return folder;
}

test("Rollup: nothing to configure", async () => {
  assert(!has(await calls(join(await rolledUp("videortc"), "dist")), ".wasm"));
});

// It then sets the conditions that Vite sets, which takes the file along.
test("Rollup with browser: true: inline, or with the module copied beside the bundle", async () => {
  const options = { browser: true };
  await calls(join(await rolledUp("videortc/inline", options), "dist"));

  const folder = await rolledUp("videortc", options);
  const server = await serve(join(folder, "dist"));
  const page = await open(browser, server.url);
  const { code, message } = await refusal(page);
  assert.equal(code, "LOAD_FAILED");
  assert.match(message, /videortc\.wasm.*HTTP 404.*videortc\/inline/s);
  await page.context().close();
  await server.close();

  await copyFile(join(folder, "node_modules/videortc/videortc.wasm"), join(folder, "dist/videortc.wasm"));
  await calls(join(folder, "dist"));
});

test("a bundler leaves out what a page does not use", async () => {
  const folder = await project("esbuild");
  for (const entry of ["videortc/inline", "videortc/split"]) {
    const { outputFiles } = await esbuild.build({
      stdin: { contents: `import { VideoRTC } from "${entry}"; console.log(1);`, resolveDir: folder },
      bundle: true, minify: true, format: "esm", write: false,
    });
    assert.equal(outputFiles[0].text, "console.log(1);\n");
  }
});

test("Node: an import on a server touches nothing", async () => {
  const folder = await project("node");
  const { stdout } = await run("node", ["main.mjs"], { cwd: folder });
  assert.equal(stdout, "all is well\n");
});

test("Next.js: rendered on the server, calling in the browser", async () => {
  const folder = await project("next");
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" };
  const next = join(here, "node_modules/next/dist/bin/next");
  await run("node", [next, "build"], { cwd: folder, env });
  const args = [next, "start", "--hostname", "127.0.0.1", "--port", "0"];
  const server = await startProgram("node", args, { cwd: folder, env }, /(http:\/\/127\.0\.0\.1:\d+)/);
  try {
    const html = await (await fetch(server.found)).text();
    assert.match(html, /videortc.*function/);
    await assertCall(browser, `${server.found}/`, gateway.url);
    const media = await readdir(join(folder, ".next/static/media"));
    assert(has(media, ".wasm"), String(media));
  } finally {
    await server.close();
  }
});
