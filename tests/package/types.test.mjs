// The declarations: right use compiles, wrong use does not, and they say neither more nor less than
// what is exported.

import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { here, open, openBrowser, project, root, run, serve, startGateway } from "./rig.mjs";

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

function found(text, pattern) {
  const all = Array.from(text.matchAll(pattern), ([, word]) => word);
  assert(all.length > 0, `nothing is like ${pattern}`);
  return all;
}

// The actual API in a page: the members of the objects, and the keys that are read from the page's
// objects.
async function surface() {
  const [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
  const server = await serve(await project("script-tag"));
  try {
    const page = await open(browser, server.url);
    return await page.evaluate(async (url) => {
      const own = (object) => Object.getOwnPropertyNames(object).filter((name) => name !== "constructor");
      const read = {};
      // An object of the page's that notes what is read of it; `inner` is what it holds.
      const noted = (name, inner = {}) => {
        read[name] = new Set();
        return new Proxy(inner, {
          get(_, key) {
            if (typeof key === "string") read[name].add(key);
            return inner[key];
          },
        });
      };
      const app = new VideoRTC(url, [], "none", noted("VideoRTCOptions"));
      const usecases = await app.connect();
      const options = { stream: noted("StreamOptions"), dataChannel: noted("DataChannelOptions") };
      const action = await usecases.videoCall(
        noted("VideoCallEvents"), noted("DomElements"), noted("VideoCallOptions", options),
      );
      await action.sendData("text/plain", "x", null, null, noted("SendDataOptions")).catch(() => {});
      await VideoRTC.getDevices(noted("DeviceListConfig"));
      await app.disconnect();
      for (const [name, keys] of Object.entries(read)) read[name] = [...keys];
      return {
        ...read,
        VideoRTC: own(VideoRTC.prototype),
        statics: own(VideoRTC).filter((name) => !["length", "name"].includes(name)),
        UseCases: Object.keys(usecases),
        VideoCall: Object.keys(action),
      };
    }, gateway.url);
  } finally {
    await browser.close();
    await gateway.close();
    await server.close();
  }
}

test("what is declared is what is there", async () => {
  const file = (name) => readFile(join(root, name), "utf8");
  const { statics, VideoCall, ...members } = await surface();

  // Codes are what the module has, and those that are given without it.
  const names = (await readdir(join(root, "pkg-template"))).filter((name) => name.endsWith(".js"));
  const scripts = (await Promise.all(names.map((name) => file(`pkg-template/${name}`)))).join("");
  const codes = new Set([
    ...found(await file("src/error.rs"), /=> "([A-Z_]+)",/g),
    ...found(scripts, /new VideoRTCError\(\s*"([A-Z_]+)"/g),
  ]);

  const notYet = NOT_YET.map((name) => JSON.stringify(name)).join(" | ") || "never";
  await writeFile(join(folder, "surface.ts"), [
    `import type * as all from "videortc";`,
    table("keyof typeof all.VideoRTC", statics),
    table(`Exclude<keyof all.VideoCall, ${notYet}>`, VideoCall),
    table("all.ErrorCode", codes),
    ...Object.entries(members).map(([name, keys]) => table(`keyof all.${name}`, keys)),
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
