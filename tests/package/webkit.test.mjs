// WebKitGTK, as Debian builds it, has no WebRTC: the script tag gives the class, and `connect()`
// says what is missing. It is spoken to by WebDriver (W3C) alone: Playwright drives no browser of
// Debian's but Chromium.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer } from "node:net";
import { project, serve, startProgram } from "./rig.mjs";

let driver, server, session;
before(async () => {
  server = await serve(await project("script-tag"));
  const port = await freePort();
  const display = ["--auto-servernum", "--server-args=-screen 0 800x600x24"];
  driver = await startProgram(
    "xvfb-run",
    [...display, "sh", "-c", `echo started; exec WebKitWebDriver --port=${port}`],
    {},
    /(started)/,
  );
  session = await newSession(`http://127.0.0.1:${port}/session`);
});
after(async () => {
  if (session) await command(session, "DELETE");
  await driver?.close();
  await server?.close();
});

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function command(url, method, body) {
  const response = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await response.json();
  assert(response.ok, `${url}: ${JSON.stringify(value)}`);
  return value;
}

// The driver takes a moment to listen, and knows where its browser is.
async function newSession(url) {
  const limit = AbortSignal.timeout(30_000);
  while (!(await fetch(url.replace(/session$/, "status")).catch(() => undefined))) {
    limit.throwIfAborted();
    await new Promise((soon) => setTimeout(soon, 50));
  }
  const { sessionId } = await command(url, "POST", { capabilities: {} });
  return `${url}/${sessionId}`;
}

test("WebKit without WebRTC: the class is there, and connect() says what is missing", async () => {
  await command(`${session}/url`, "POST", { url: server.url });
  const script = `
    const done = arguments[0];
    const app = new VideoRTC("https://gateway.test/janus");
    app.connect().catch(({ name, code, message }) =>
      done({ name, code, message, version: VideoRTC.version, isSupported: VideoRTC.isSupported() }));`;
  const { name, code, message, version, isSupported } = await command(
    `${session}/execute/async`,
    "POST",
    { script, args: [] },
  );
  assert.deepEqual([name, code, isSupported], ["VideoRTCError", "NOT_SUPPORTED", false]);
  assert.match(message, /this browser has no RTCPeerConnection/);
  assert.match(version, /^\d+\.\d+\.\d+/);
});
