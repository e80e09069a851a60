// From the module's bytes to its exports, and what is said where that cannot work.

// A module of one type, `(externref) => ()`. A browser that compiles it knows all that ours needs, since
// reference types came last; one that refuses is too old, or obeys a Content-Security-Policy.
const PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 1, 111, 0];

// Once per page, since each violation of a policy is reported to the page's owner.
let webAssembly;

// Throws `NOT_SUPPORTED` where WebAssembly cannot be used.
function checkWebAssembly() {
  if (!webAssembly) webAssembly = probed();
  if (webAssembly.missing) throw new VideoRTCError("NOT_SUPPORTED", webAssembly.missing, undefined, webAssembly.cause);
}

function probed() {
  if (typeof WebAssembly !== "object") {
    return { missing: "there is no WebAssembly here: use a current browser, and no mode of it that turns WebAssembly off" };
  }
  try {
    new WebAssembly.Module(Uint8Array.from(PROBE));
    return {};
  } catch (thrown) {
    const cause = words(thrown);
    const missing = /CSP|Content.Security|unsafe-eval/i.test(cause)
      ? "this page's Content-Security-Policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src"
      : "this browser's WebAssembly is too old: use a current browser";
    return { missing, cause };
  }
}

// Throws `NOT_SUPPORTED` where calls cannot be made.
function checkEnvironment() {
  for (const name of ["RTCPeerConnection", "fetch", "AbortController", "crypto", "performance"]) {
    if (isAbsent(globalThis[name])) {
      const where = typeof document === "undefined" ? "this is no browser page, and" : "this browser";
      throw new VideoRTCError("NOT_SUPPORTED", `${where} has no ${name}: make calls in a current browser`);
    }
  }
  checkWebAssembly();
}

// Returns `load()`, which gives the exports of a fresh instance of the module. What it is compiled from comes
// once, and as soon as the page has time for it; where that failed, the next `load()` tries anew.
function createLoad(getBytes, instantiate) {
  let compiling;
  try {
    globalThis.requestIdleCallback?.(compiled);
  } catch {
    // The page's own is broken: the first `load()` comes soon enough.
  }
  return async function load() {
    const module = await compiled();
    return startable(() => instantiate(module));
  };

  function compiled() {
    if (!compiling) {
      compiling = compile();
      compiling.catch(() => {
        compiling = undefined;
      });
    }
    return compiling;
  }

  async function compile() {
    checkWebAssembly();
    const bytes = await getBytes();
    return startable(() => WebAssembly.compile(bytes));
  }

  async function startable(act) {
    try {
      return await act();
    } catch (thrown) {
      const message = "the WebAssembly module could not be started: load the page again";
      throw new VideoRTCError("LOAD_FAILED", message, undefined, words(thrown));
    }
  }
}
