// The module from the file beside this one. Its size tells it from an error page, from half a file and from
// another version's file in a cache.

// How long that file may take to come, in milliseconds; the oldest browsers have no such limit.
const LONGEST_LOADING = 60_000;

async function fetchModule(locate, size) {
  let url = "videortc.wasm";
  const failed = (why, thrown) =>
    new VideoRTCError(
      "LOAD_FAILED",
      `${url} could not be loaded: ${why}. Serve the videortc.wasm of this package there, or import ` +
        '"videortc/inline", which needs no second file',
      undefined,
      thrown && words(thrown),
    );
  try {
    url = locate().href;
  } catch (thrown) {
    throw failed("a bundler has taken away import.meta.url", thrown);
  }
  let response, bytes;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout?.(LONGEST_LOADING) });
    bytes = await response.arrayBuffer();
  } catch (thrown) {
    throw failed("the network, the limit of a minute, a Content-Security-Policy (connect-src) or a missing CORS header stopped it", thrown);
  }
  if (!response.ok) throw failed(`the server answered HTTP ${response.status}`);
  if (bytes.byteLength !== size) {
    const type = response.headers.get("Content-Type");
    throw failed(`what came is another file, ${bytes.byteLength} bytes of type ${type} in place of ${size} bytes`);
  }
  return bytes;
}
