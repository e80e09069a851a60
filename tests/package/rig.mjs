// The common test rig: projects with the packed tarball, web servers, a browser, a gateway.
//
// `cargo xtask test package` copies this folder to target/package, installs what package.json names
// there, packs the package, and runs the tests with these variables: VIDEORTC_TARBALL,
// VIDEORTC_GATEWAY (the embedded gateway's program), VIDEORTC_JANUS (a real Janus' address),
// VIDEORTC_RUST_APP (the built example) and VIDEORTC_ROOT (the repository).

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export const run = promisify(execFile);
export const here = import.meta.dirname;
export const root = needed("VIDEORTC_ROOT");
export const janus = process.env.VIDEORTC_JANUS;

// How long anything may take in a page: browsers are slow on a busy machine.
const LIMIT = 30_000;

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run cargo xtask test package`);
  return value;
}

// ---------------------------------------------------------------- projects

// A fresh project in `work/`, with the tarball installed by npm. `from`: what it begins as.
export async function project(name, from = join(here, "projects", name)) {
  const folder = join(here, "work", name);
  await rm(folder, { recursive: true, force: true });
  await cp(from, folder, { recursive: true, filter: (path) => !/\/(node_modules|dist)$/.test(path) });
  await cp(join(here, "projects/talk.js"), join(folder, "talk.js"));
  const file = join(folder, "package.json");
  await writeFile(file, await readFile(file).catch(() => `{ "private": true, "type": "module" }\n`));
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--omit=dev"];
  await run("npm", ["install", ...options, needed("VIDEORTC_TARBALL")], { cwd: folder });
  return folder;
}

// ---------------------------------------------------------------- servers

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

// Serves a folder. `answer(path)` may return { status, headers, body } to be sent in place of a
// file, and `headers` go with every answer.
export async function serve(folder, { headers = {}, answer = () => undefined } = {}) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    requests.push(path);
    try {
      const special = await answer(path);
      if (special === "cut") return request.socket.destroy();
      const file = path.endsWith("/") ? `${path}index.html` : path;
      const body = special ? special.body : await readFile(join(folder, file));
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      response.writeHead(special?.status ?? 200, {
        "Content-Type": type, "Cache-Control": "no-store", ...headers, ...special?.headers,
      });
      response.end(body);
    } catch {
      response.writeHead(404, { "Content-Type": "text/html", ...headers }).end("<h1>not found</h1>");
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${server.address().port}`;
  const close = () => {
    server.closeAllConnections();
    return new Promise((closed) => server.close(closed));
  };
  return { url, requests, close };
}

// The embedded gateway; `url` is its address.
export async function startGateway() {
  const program = spawn(needed("VIDEORTC_GATEWAY"), ["--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(program.stdout)) {
    const url = /^gateway\s+(\S+)/.exec(line)?.[1];
    if (url) return { url, close: () => ended(program) };
  }
  throw new Error("the embedded gateway named no address");
}

// Starts a program and returns the first group of the first line that fits.
export async function startProgram(command, args, options, pattern) {
  const program = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], detached: true, ...options });
  const close = () => ended(program, -program.pid);
  for await (const line of createInterface(program.stdout)) {
    const found = pattern.exec(line)?.[1];
    if (!found) continue;
    program.stdout.resume();
    return { found, close };
  }
  throw new Error(`${command} ${args.join(" ")} ended without a line like ${pattern}`);
}

function ended(program, target = program.pid) {
  const end = new Promise((resolve) => program.once("close", resolve));
  process.kill(target, "SIGTERM");
  return end;
}

// ---------------------------------------------------------------- the browser

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--autoplay-policy=no-user-gesture-required",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  // The gateways listen on loopback only, which WebRTC leaves out otherwise.
  "--allow-loopback-in-peer-connection",
];

export async function openBrowser() {
  const executablePath = process.env.CHROMIUM ?? (await run("sh", ["-c", "command -v chromium"])).stdout.trim();
  return chromium.launch({ executablePath, args: FLAGS });
}

// A page; what it writes to the console and throws is in `page.said`.
export async function open(browser, url, prepare) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT);
  page.said = [];
  page.on("console", (message) => page.said.push(message.text()));
  page.on("pageerror", (error) => page.said.push(`thrown: ${error}`));
  if (prepare) await prepare(page);
  await page.goto(url);
  return page;
}

// Waits until an expression is true in the page, and says what the page said if it never is.
export async function until(page, expression) {
  try {
    await page.waitForFunction(expression);
  } catch (error) {
    const title = await page.title();
    throw new Error(`not true: ${expression}\n  title: ${title}\n  ${page.said.join("\n  ")}`, { cause: error });
  }
}

// Two pages of `url` that call each other, until moving pictures have come both ways.
export async function assertCall(browser, url, gateway) {
  const at = (name) => `${url}${url.includes("?") ? "&" : "?"}${new URLSearchParams({ gateway, name })}`;
  const names = [`tom-${counter}`, `ann-${counter++}`];
  const [tom, ann] = await Promise.all(names.map((name) => open(browser, at(name))));
  for (const page of [tom, ann]) await until(page, () => document.title === "registered");
  await tom.evaluate((name) => window.call(name), names[1]);
  for (const page of [tom, ann]) {
    await until(page, () => document.title === "remote media");
    await until(page, () => document.querySelector(".is-remote-video")?.videoWidth > 0);
  }
  await tom.evaluate(() => window.leave());
  await until(ann, () => document.title === "over");
  for (const page of [tom, ann]) {
    assert.deepEqual(page.said.filter((line) => line.startsWith("thrown")), []);
    await page.context().close();
  }
}
let counter = 1;

// The rejection of `connect()` in a page, as { code, message }, and whether calls are supported
// there.
export function refusal(page) {
  return page.evaluate(async () => {
    const isSupported = window.VideoRTC.isSupported();
    const app = new window.VideoRTC("http://127.0.0.1:9/janus");
    const error = await app.connect().catch((error) => error);
    return { isSupported, name: error.name, code: error.code, message: error.message, cause: error.cause };
  });
}
