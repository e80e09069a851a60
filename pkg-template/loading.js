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

// Returns `load()`, which gives the module's exports. One that failed is tried anew by the next.
function createLoad(getBytes, instantiate) {
  let loading;
  return function load() {
    if (!loading) {
      loading = start();
      loading.catch(() => {
        loading = undefined;
      });
    }
    return loading;
  };

  async function start() {
    checkWebAssembly();
    const bytes = await getBytes();
    let exports;
    try {
      exports = await instantiate(bytes);
    } catch (thrown) {
      const message = "the WebAssembly module could not be started: load the page again";
      throw new VideoRTCError("LOAD_FAILED", message, undefined, words(thrown));
    }
    exports.setErrorFactory((...parts) => new VideoRTCError(...parts));
    return exports;
  }
}
