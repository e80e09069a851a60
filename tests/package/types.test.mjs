// The declarations: right use compiles, wrong use does not, and they say neither more nor less than what is exported.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { here, project, root, run } from "./rig.mjs";

// Declared, for a next version, and not in the module yet. What has arrived must leave this list.
const NOT_YET = [];

let folder;
before(async () => {
  folder = await project("typescript");
});

async function compile(...options) {
  const tsc = join(here, "node_modules/typescript/bin/tsc");
  const { stdout } = await run("node", [tsc, "-p", folder, ...options]).catch((error) => error);
  return stdout;
}

test("right use compiles and wrong use does not, however the package is resolved", async () => {
  for (const options of [
    [],
    ["--module", "nodenext", "--moduleResolution", "nodenext"],
    ["--customConditions", "production"],
  ]) assert.equal(await compile(...options), "");
});

// The compiler compares: an object literal of type Record<K, true> has all keys of K and no other.
const table = (type, keys) =>
  `const _${counter++}: Record<${type}, true> = {${[...keys].map((key) => `${JSON.stringify(key)}: true`)}};`;
let counter = 0;

const own = (object) => Object.getOwnPropertyNames(object).filter((name) => name !== "constructor");

function found(text, pattern) {
  const all = Array.from(text.matchAll(pattern), ([, word]) => word);
  assert(all.length > 0, `nothing is like ${pattern}`);
  return all;
}

test("what is declared is what is there", async () => {
  const file = (name) => readFile(join(root, name), "utf8");
  const { VideoRTC } = await import(pathToFileURL(join(folder, "node_modules/videortc/index.js")));
  const statics = own(VideoRTC).filter((name) => !["length", "name"].includes(name));

  // The other classes are not exported: their methods are read from the source of the facade.
  const facade = await file("pkg-template/facade.js");
  const methods = (name) => {
    const [, body] = new RegExp(`\n  class ${name} {\n(.*?)\n  }\n`, "s").exec(facade);
    return found(body, /^ {4}(?!constructor)(?:async )?(\w+)\(.*\) \{$/gm);
  };
  const codes = found(await file("src/error.rs"), /=> "([A-Z_]+)",/g);
  const [, events] = /for \(const event of \[(.*?)\]\) EVENTS/s.exec(await file("pkg-template/call-arguments.js"));
  const [, options] = /const OPTIONS = \{(.*?)\n\};/s.exec(await file("pkg-template/arguments.js"));

  const notYet = NOT_YET.map((name) => JSON.stringify(name)).join(" | ") || "never";
  await writeFile(join(folder, "surface.ts"), [
    `import type * as all from "videortc";`,
    table("keyof typeof all.VideoRTC", statics),
    table("keyof all.VideoRTC", own(VideoRTC.prototype)),
    table("keyof all.UseCases", methods("UseCases")),
    table(`Exclude<keyof all.VideoCall, ${notYet}>`, methods("VideoCall")),
    table("all.ErrorCode", codes),
    table("keyof all.VideoCallEvents", found(events, /"(\w+)"/g).map((event) => `on${event}`)),
    table("keyof all.VideoRTCOptions", found(options, /^ {2}(?!__proto__)(\w+):/gm)),
  ].join("\n"));
  assert.equal(await compile(), "");
});

test("every declared member has its documentation", async () => {
  const lines = (await readFile(join(folder, "node_modules/videortc/index.d.ts"), "utf8")).split("\n");
  const bare = lines.filter((line, i) => {
    const isMember = /^ {2}(?!private|\s|\||\*|\/)(?:static |readonly )*\w+\??[(:]/.test(line);
    const isType = /^export (?:default )?(?:type|interface|class) /.test(line);
    // The parameters of a method stand deeper, and a union's members begin with a bar.
    return (isMember || isType) && !/\*\/$/.test(lines[i - 1]);
  });
  assert.deepEqual(bare, []);
});

test("nothing internal is declared", async () => {
  const text = await readFile(join(folder, "node_modules/videortc/index.d.ts"), "utf8");
  const code = text.replace(/\/\*\*.*?\*\//gs, "");
  assert.deepEqual(code.match(/\bany\b|__wbg\w*|\bfree\(|\bptr\b|initSync/g), null);
});
