// Compiles the module and checks the environment. It cannot be Rust: it runs before the module is
// loaded.

import { VideoRTCError, attempt, words } from "./errors.js";

// A module with one type, `(externref) => ()`. Of all features that our module needs, browsers
// added reference types last: so a browser that compiles this one supports ours. Compiling fails if
// the browser is too old or a Content-Security-Policy forbids it.
const PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 1, 111, 0];

// The error of the probe, or `null`. Probed once per page, since each violation of a policy is
// reported to the page's owner.
let refusal;

function checkWebAssembly() {
  if (refusal === undefined) refusal = probe();
  if (refusal) throw refusal;
}

function probe() {
  try {
    new WebAssembly.Module(new Uint8Array(PROBE));
    return null;
  } catch (thrown) {
    const cause = words(thrown);
    const message =
      typeof WebAssembly !== "object"
        ? "there is no WebAssembly here: use a current browser, and no mode of it that turns " +
          "WebAssembly off"
      : /CSP|Content.Security|unsafe-eval/i.test(cause)
        ? "this page's Content-Security-Policy forbids WebAssembly: add 'wasm-unsafe-eval' to " +
          "its script-src"
      : "this browser's WebAssembly is too old: use a current browser";
    return new VideoRTCError("NOT_SUPPORTED", message, undefined, cause);
  }
}

// Throws if calls are impossible here.
export function checkEnvironment() {
  for (const name of ["RTCPeerConnection", "fetch", "AbortController", "crypto", "performance"]) {
    if (globalThis[name]) continue;
    const where = typeof document === "undefined" ? "this is no browser page, and" : "this browser";
    const message = `${where} has no ${name}: make calls in a current browser`;
    throw new VideoRTCError("NOT_SUPPORTED", message);
  }
  checkWebAssembly();
}

// Returns `load(…)`, which resolves with `instantiate(module, …)`. The module is compiled once,
// when the page is idle; if that fails, the next `load()` retries. Compiling is always
// asynchronous: Chromium before 115 compiles at most 4 kB synchronously on the main thread.
export function createLoad(getBytes, instantiate) {
  let compiling;
  async function compile() {
    checkWebAssembly();
    return WebAssembly.compile(await getBytes());
  }
  function compiled() {
    if (!compiling) {
      compiling = compile();
      compiling.catch(() => (compiling = undefined));
    }
    return compiling;
  }
  attempt("requestIdleCallback", () => globalThis.requestIdleCallback?.(compiled));
  return async (...rest) => {
    try {
      return await instantiate(await compiled(), ...rest);
    } catch (thrown) {
      if (thrown instanceof VideoRTCError) throw thrown;
      const message = "the WebAssembly module could not be started: load the page again";
      throw new VideoRTCError("LOAD_FAILED", message, undefined, words(thrown));
    }
  };
}
