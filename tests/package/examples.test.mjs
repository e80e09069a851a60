// The examples that are copied: built from the packed tarball as a user would, and used in a browser.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as vite from "vite";
import { here, open, openBrowser, project, root, run, serve, startGateway, until } from "./rig.mjs";

let browser, gateway;
before(async () => {
  [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
});
after(async () => {
  await browser?.close();
  await gateway?.close();
});

// Builds an example for our gateway, and rings in it.
async function ring(name, answer) {
  const folder = await project(name, join(root, "examples", name));
  process.env.VITE_GATEWAY = gateway.url;
  await vite.build({ root: folder, logLevel: "warn" });
  await ringAt(join(folder, "dist"), "", answer);
  return folder;
}

// Opens two pages of a folder, and has the first call the second by its form.
async function ringAt(folder, query, answer) {
  const server = await serve(folder);
  const url = `${server.url}/${query}`;
  const [caller, callee] = await Promise.all([open(browser, url), open(browser, url)]);
  callee.on("dialog", (dialog) => dialog.accept());
  const isNamed = () => /You are \S+\./.test(document.querySelector("[role=status]")?.textContent);
  for (const page of [caller, callee]) await until(page, isNamed);
  const status = (page) => page.locator("[role=status]").textContent();
  const [, callees] = /You are (\S+)\./.exec(await status(callee));

  await caller.getByLabel("Call").fill(callees);
  await caller.getByRole("button", { name: "Call" }).click();
  await answer(callee);
  // The own picture and the other's.
  const bothMove = () => [...document.querySelectorAll("video")].filter((video) => video.videoWidth > 0).length === 2;
  for (const page of [caller, callee]) {
    await until(page, bothMove);
    assert.match(await status(page), /talking/);
  }
  await callee.getByRole("button", { name: "Hang up" }).click();
  for (const page of [caller, callee]) await until(page, () => !document.querySelector("video"));
  assert.match(await status(caller), /Hung up/);
  for (const page of [caller, callee]) {
    assert.deepEqual(page.said, []);
    await page.context().close();
  }
  await server.close();
}

test("Vite with TypeScript", async () => {
  const folder = await ring("vite-typescript", () => {});
  await run("node", [join(here, "node_modules/typescript/bin/tsc"), "-p", folder]);
});

test("React", async () => {
  await ring("react", (callee) => callee.getByRole("button", { name: /^Answer/ }).click());
});

test("a Rust app", async () => {
  const folder = process.env.VIDEORTC_RUST_APP;
  assert(folder, "VIDEORTC_RUST_APP is not set: run cargo xtask test package");
  await ringAt(folder, `?${gateway.url}`, () => {});
});
