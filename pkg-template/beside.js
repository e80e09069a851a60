// The module's bytes from the file beside this one: without them there is no Rust.

import { VideoRTCError, words } from "./errors.js";

// How long the file may take to come, in milliseconds; the oldest browsers have no such limit.
const LONGEST_LOADING = 60000;

// Its size tells it from an error page, from half a file and from another version's in a cache.
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
