// Every code sample of the documentation runs: as a reader would copy it, from the packed tarball.
//
// This file defines the replacements for a sample's addresses, and the code around incomplete
// samples. A comment before a sample, `<!-- sample: NAME -->`, says what it needs. In a sample,
// `console.log(…); // → text` says what must be written.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertCall, open, openBrowser, project, root, serve, startGateway, until } from "./rig.mjs";

// The origin of the pages, in the samples that have one.
const PAGES = "https://www.example.com";

// The addresses that stand for a gateway.
const GATEWAYS = /https:\/\/(spare\.)?example\.com\/janus/g;

// The code before a JavaScript sample that requires it.
const AROUND = {
  alone: "",
  secret: "",
  attached: `
    const usecases = await new globalThis.VideoRTC("https://example.com/janus").connect();
    const action = await usecases.videoCall();`,
  get registered() {
    return `${this.attached} await action.register("Tom");`;
  },
};

const samples = [];
const files = ["README.md", ...(await readdir(join(root, "docs"))).map((name) => `docs/${name}`)];
for (const file of files.filter((name) => name.endsWith(".md"))) {
  const text = await readFile(join(root, file), "utf8");
  for (const found of text.matchAll(/(?:<!-- sample: ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$/gms)) {
    // `tests/docs.rs` has those of Rust.
    if (["rust", "toml"].includes(found[2])) continue;
    const line = text.slice(0, found.index).split("\n").length;
    samples.push({ file, line, needs: found[1] ?? "alone", language: found[2], code: found[3] });
  }
}
const written = (language, file) =>
  samples.filter((sample) => sample.language === language && (!file || sample.file === file));

let browser, scripts, modules;
before(async () => {
  browser = await openBrowser();
  scripts = await project("script-tag");
  modules = await project("module-script");
});
after(() => browser?.close());

// Runs something with a gateway at which Jack is registered, who accepts every call.
async function withJack(action) {
  const [gateway, server] = await Promise.all([startGateway(), serve(modules)]);
  const jack = await open(browser, `${server.url}/?${new URLSearchParams({ gateway: gateway.url, name: "Jack" })}`);
  await until(jack, () => document.title === "registered");
  try {
    await action(gateway.url, server.url);
  } finally {
    await jack.context().close();
    await server.close();
    await gateway.close();
  }
}

// Runs a sample of JavaScript as a module script of a page.
async function runModule({ code, needs }, gateway, site) {
  assert(needs in AROUND, `nobody knows what \`${needs}\` is: say it in docs.test.mjs`);
  const page = await open(browser, site);
  await until(page, () => document.title === "loaded");
  const text = `${AROUND[needs]}\n${code}\n;globalThis.isDone = true;`.replace(GATEWAYS, gateway);
  await page.addScriptTag({ type: "module", content: text });
  await until(page, () => globalThis.isDone);
  for (const [, expected] of code.matchAll(/; \/\/ → (.*)$/gm)) {
    assert(page.said.includes(expected), `not written: ${expected}\n  but: ${page.said.join("\n  ")}`);
  }
  assert.deepEqual(page.said.filter((line) => line.startsWith("thrown")), []);
  await page.context().close();
}

test("every sample is of a language that is run here", () => {
  const known = ["html", "js", "http", "jcfg"];
  assert.deepEqual(samples.filter(({ language }) => !known.includes(language)), []);
  for (const language of known) assert(written(language).length > 0, `no sample of ${language}`);
});

for (const sample of written("js").filter(({ needs }) => needs !== "secret")) {
  test(`${sample.file}:${sample.line}: JavaScript`, () =>
    withJack((gateway, site) => runModule(sample, gateway, site)));
}

for (const { file, line, code } of written("html")) {
  test(`${file}:${line}: a page that calls Jack`, () =>
    withJack(async (gateway) => {
      const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>${code}`;
      const answer = async (path) => {
        if (path === "/sample.html") return { body: page.replace(GATEWAYS, gateway) };
        const script = /\/(videortc(?:\.min)?\.js)$/.exec(path)?.[1];
        return script && { body: await readFile(join(scripts, "node_modules/videortc", script)) };
      };
      const server = await serve(scripts, { answer });
      const tom = await open(browser, `${server.url}/sample.html`);
      await until(tom, () => document.querySelector("#videos .is-remote-video")?.videoWidth > 0);
      assert.deepEqual(tom.said.filter((line) => /thrown|Error/.test(line)), []);
      await tom.context().close();
      await server.close();
    }));
}

for (const { file, line, code } of written("http")) {
  test(`${file}:${line}: calls under this policy, with a script and with a module`, async () => {
    const gateway = await startGateway();
    const [, policy] = /^Content-Security-Policy: (.*)\n$/.exec(code);
    const headers = { "Content-Security-Policy": policy.replace("https://example.com", new URL(gateway.url).origin) };
    const pages = {
      "/module.html": `<!doctype html><body><script type="module" src="module.js"></script>`,
      "/module.js": `import "./talk.js"; import VideoRTC from "./node_modules/videortc/index.js"; globalThis.talk(VideoRTC);`,
    };
    const server = await serve(scripts, { headers, answer: (path) => pages[path] && { body: pages[path] } });
    await assertCall(browser, `${server.url}/`, gateway.url);
    await assertCall(browser, `${server.url}/module.html`, gateway.url);
    await server.close();
    await gateway.close();
  });
}

// ---------------------------------------------------------------- Janus' configuration

// The documented files, with the additions that are named, on a free port.
async function documentedFiles(port, additions = []) {
  const configuration = {};
  for (const { needs, code } of written("jcfg", "docs/janus.md")) {
    const [name, addition] = needs.split(", ");
    if (!addition) configuration[name] = code.replace("port = 8088", `port = ${port}`);
    else if (additions.includes(addition)) configuration[name] = merged(configuration[name], code);
  }
  return configuration;
}

// A group that is there already gets the new lines; another one is appended.
function merged(base, addition) {
  const [, group, lines] = /^(\w+): \{\n(.*)\}\n$/s.exec(addition);
  const head = `${group}: {\n`;
  return base.includes(head) ? base.replace(head, head + lines) : base + addition;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function withDocumentedJanus(additions, action) {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "videortc-documented-"));
  for (const [name, text] of Object.entries(await documentedFiles(port, additions))) {
    await writeFile(join(folder, name), text);
  }
  const janus = spawn("janus", ["-F", folder, "-C", join(folder, "janus.jcfg"), "--disable-colors"], { stdio: "ignore" });
  const ended = new Promise((resolve) => janus.once("close", resolve));
  try {
    await answers(`http://127.0.0.1:${port}/janus/info`, janus);
    await action(`http://127.0.0.1:${port}/janus`);
  } finally {
    janus.kill();
    await ended;
    await rm(folder, { recursive: true });
  }
}

// Asks until somebody answers, for as long as the program runs.
async function answers(url, program) {
  const limit = AbortSignal.timeout(30_000);
  // Told to enforce CORS, Janus answers none without an origin.
  const headers = { Origin: PAGES };
  while (!(await fetch(url, { headers }).catch(() => null))?.ok) {
    assert.equal(program.exitCode, null, "Janus has ended");
    limit.throwIfAborted();
    await new Promise((soon) => setTimeout(soon, 50));
  }
}

test("docs/janus.md: Janus runs with these files, and two pages call each other", () =>
  withDocumentedJanus([], async (gateway) => {
    const server = await serve(scripts);
    await assertCall(browser, `${server.url}/`, gateway);
    await server.close();
  }));

test("docs/janus.md: with a secret, a page must have it", () =>
  withDocumentedJanus(["secret"], async (gateway) => {
    const server = await serve(modules);
    const [sample] = written("js", "docs/janus.md").filter(({ needs }) => needs === "secret");
    await runModule(sample, gateway, server.url);
    const without = { ...sample, code: sample.code.replace("change-me", "guessed").replace(
      "await app.connect()", "console.log((await app.connect().catch((error) => error)).code); // → UNAUTHORIZED\n") };
    await runModule(without, gateway, server.url);
    await server.close();
  }));

test("docs/janus.md: with CORS for one origin, that one alone may come", () =>
  withDocumentedJanus(["cors"], async (gateway) => {
    const ask = (origin) => fetch(`${gateway}/info`, { headers: { Origin: origin } });
    const allowed = await ask(PAGES);
    assert.equal(allowed.headers.get("access-control-allow-origin"), PAGES);
    assert.equal(allowed.headers.get("access-control-allow-credentials"), "true");
    assert.equal((await ask("https://elsewhere.example.com")).status, 403);
  }));

// ---------------------------------------------------------------- what is said

test("every error code has its row in the reference", async () => {
  const reference = await readFile(join(root, "docs/reference.md"), "utf8");
  const source = await readFile(join(root, "src/error.rs"), "utf8");
  const codes = Array.from(source.matchAll(/=> "([A-Z_]+)",/g), ([, code]) => code);
  for (const code of codes) assert.match(reference, new RegExp(`^\\| \`${code}\` \\| .+ \\| .+ \\|$`, "m"));
});

test("the tests that the threat model names are there", async () => {
  const model = await readFile(join(root, "docs/security.md"), "utf8");
  const folders = ["tests", "tests/web", "tests/e2e/tests"];
  const named = (await Promise.all(folders.map((folder) => readdir(join(root, folder))))).flatMap((names, i) =>
    names.filter((name) => name.endsWith(".rs")).map((name) => join(root, folders[i], name)),
  );
  const tests = (await Promise.all(named.map((file) => readFile(file, "utf8")))).join("\n");
  const names = [...model.matchAll(/`([a-z]+(?:_[a-z0-9]+){2,})`/g)].map(([, name]) => name);
  assert(names.length > 20, "none is named");
  for (const name of names) assert(tests.includes(`fn ${name}(`), `there is no test ${name}`);
});

test("links lead somewhere", async () => {
  const anchor = (heading) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").trim().replaceAll(" ", "-");
  for (const file of [...files, "CONTRIBUTING.md", "ARCHITECTURE.md", "RELEASING.md", "CHANGELOG.md"]) {
    const text = await readFile(join(root, file), "utf8");
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path, fragment] = link.split("#");
      const target = path ? join(root, file, "..", path) : join(root, file);
      const there = await readFile(target, "utf8").catch((error) => {
        if (error.code === "EISDIR") return "";
        assert.fail(`${file}: ${link} is not there`);
      });
      if (!fragment) continue;
      const anchors = Array.from(there.matchAll(/^#+ (.*)$/gm), ([, heading]) => anchor(heading));
      assert(anchors.includes(fragment), `${file}: ${link} has no such heading`);
    }
  }
});
