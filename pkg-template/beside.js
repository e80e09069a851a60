// Fetches the module from the file beside this one. It cannot be Rust: it runs before the module
// is loaded.

import { VideoRTCError, words } from "./errors.js";

// The time limit in milliseconds. Old browsers without `AbortSignal.timeout` have no limit.
const LONGEST_LOADING = 60000;

// Checks the size, to detect an error page, a truncated file or a cached file of another version.
export async function fetchModule(locate, size) {
  let url = "videortc.wasm";
  let why = "a bundler has taken away import.meta.url";
  let cause;
  try {
    url = locate().href;
    why =
      "the network, the limit of a minute, a Content-Security-Policy (connect-src) or a missing " +
      "CORS header stopped it";
    const response = await fetch(url, { signal: AbortSignal.timeout?.(LONGEST_LOADING) });
    const bytes = await response.arrayBuffer();
    if (response.ok && bytes.byteLength === size) return bytes;
    const came = `${bytes.byteLength} bytes of type ${response.headers.get("Content-Type")}`;
    why = response.ok
      ? `what came is another file, ${came} in place of ${size} bytes`
      : `the server answered HTTP ${response.status}`;
  } catch (thrown) {
    cause = words(thrown);
  }
  const message =
    `${url} could not be loaded: ${why}. Serve the videortc.wasm of this package there, or ` +
    'import "videortc/inline", which needs no second file';
  throw new VideoRTCError("LOAD_FAILED", message, undefined, cause);
}
