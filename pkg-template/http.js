// HTTP by `fetch`, such that no request needs a CORS preflight: a text body goes out as `text/plain`.

// The longest body that is read, in bytes. The module skips what is longer.
const LONGEST_BODY = 1024 * 1024;

// Resolves with the status and the body; with 0 and the browser's words where nothing answered.
async function exchange(url, body, signal, credentials) {
  try {
    const method = body === undefined ? "GET" : "POST";
    const response = await fetch(url, { method, body, signal, credentials, cache: "no-store" });
    return [response.status, await readBody(response.body)];
  } catch (thrown) {
    return [0, words(thrown)];
  }
}

// Reads on for no longer than it takes to know that a body is too long.
async function readBody(stream) {
  const reader = stream?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let size = 0; reader && size <= LONGEST_BODY; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    text += decoder.decode(value, { stream: true });
  }
  reader?.cancel().catch(() => {});
  return text;
}

// Sends what must go out even while the page is being left (W3C Beacon). Nothing comes back.
function sendBeacon(url, body) {
  try {
    if (navigator.sendBeacon(url, body)) return;
  } catch {
    // The browser has none.
  }
  fetch(url, { method: "POST", body, keepalive: true }).catch(() => {});
}
