// The tarball as tools for packages see it: publint, are-the-types-wrong, and our own look inside.

import assert from "node:assert/strict";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import vm from "node:vm";
import { parse } from "acorn";
import { publint } from "publint";
import { here, project, root, run } from "./rig.mjs";

let folder;
before(async () => {
  folder = join(await project("node"), "node_modules/videortc");
});

const json = async (...path) => JSON.parse(await readFile(join(...path), "utf8"));

test("publint", async () => {
  const { messages } = await publint({ pkgDir: folder, pack: false, strict: true });
  // A script for script tags is a script: it has neither imports nor exports, and is never
  // imported.
  const isScript = ({ code, path }) => code === "FILE_INVALID_FORMAT" && path.includes("./videortc.js");
  assert.deepEqual(messages.filter((message) => !isScript(message)), []);
});

test("are the types wrong?", async () => {
  const attw = join(here, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const scripts = ["videortc.js", "videortc.min.js", "videortc.wasm"];
  const { VIDEORTC_TARBALL: tarball } = process.env;
  await run("node", [attw, tarball, "--profile", "esm-only", "--exclude-entrypoints", ...scripts]).catch((error) => {
    assert.fail(error.stdout);
  });
});

test("it holds what is promised and nothing else", async () => {
  assert.deepEqual((await readdir(folder)).sort(), [
    "LICENSE", "README.md", "THIRD-PARTY.txt", "index.d.ts", "index.js", "index.js.map", "inline.js", "inline.js.map", "package.json",
    "videortc.js", "videortc.min.js", "videortc.min.js.map", "videortc.wasm",
  ]);
  const manifest = await json(folder, "package.json");
  assert.equal(manifest.version, /^version = "(.*)"$/m.exec(await readFile(join(root, "Cargo.toml"), "utf8"))[1]);
  assert.deepEqual(manifest.dependencies ?? {}, {});
  assert.equal(manifest.scripts, undefined);
  const filesOf = (target) => (typeof target === "string" ? [target] : Object.values(target).flatMap(filesOf));
  for (const [name, target] of Object.entries(manifest.exports)) {
    for (const file of filesOf(target)) assert((await stat(join(folder, file))).isFile(), `${name}: ${file}`);
    if (typeof target === "object") assert.equal(Object.keys(target)[0], "types", name);
  }
  for (const field of ["main", "module", "types", "unpkg", "jsdelivr"]) {
    assert((await stat(join(folder, manifest[field]))).isFile(), field);
  }
});

test("every script is written in the syntax of ES2020", async () => {
  for (const file of ["index.js", "inline.js", "videortc.js", "videortc.min.js"]) {
    const sourceType = file.startsWith("videortc") ? "script" : "module";
    parse(await readFile(join(folder, file), "utf8"), { ecmaVersion: 2020, sourceType });
  }
});

test("a script tag gives two globals and nothing else", async () => {
  for (const file of ["videortc.js", "videortc.min.js"]) {
    const context = vm.createContext({});
    vm.runInContext(await readFile(join(folder, file), "utf8"), context);
    assert.deepEqual(Object.keys(context), ["VideoRTC", "VideoRTCError"], file);
  }
});

test("source maps name what is there", async () => {
  for (const file of ["index.js", "inline.js", "videortc.min.js"]) {
    const text = await readFile(join(folder, file), "utf8");
    assert.match(text, new RegExp(`//# sourceMappingURL=${file}.map\n$`));
    const { sources, sourcesContent, mappings } = await json(folder, `${file}.map`);
    assert(mappings.length > 1000);
    for (const [i, source] of sources.entries()) {
      const content = sourcesContent?.[i] ?? await readFile(join(folder, source), "utf8");
      assert.match(content, /class VideoRTC /);
    }
  }
});

test("no path of the machine that built it is in it", async () => {
  for (const file of await readdir(folder)) {
    const text = await readFile(join(folder, file), "latin1");
    for (const path of [root.replace(/\/$/, ""), process.env.HOME]) assert(!text.includes(path), `${file}: ${path}`);
    assert.doesNotMatch(text, /\.cargo\/registry/, file);
  }
});
