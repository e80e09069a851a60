// Checks the gateway addresses. It cannot be Rust: `new VideoRTC` must throw synchronously, before
// the module is loaded.

import { VideoRTCError, attempt } from "./errors.js";

// Returns the usable addresses, trimmed. Throws if there is none or if one is invalid.
export function checkedServers(servers, debugLevel) {
  if (typeof servers === "string") return [checkedServer(servers)];
  const wanted = "a gateway address, or an array of them";
  if (!Array.isArray(servers)) throw wrong("servers", wanted, servers);
  if (servers.length === 0) {
    throw invalid("servers is an empty array: it must hold a gateway address");
  }
  const addresses = [...servers];
  addresses.forEach((address, i) => {
    if (typeof address !== "string") throw wrong(`servers[${i}]`, "a string", address);
  });
  const spoken = addresses.filter((address) => !/^\s*wss?:\/\//i.test(address));
  if (spoken.length === 0) return addresses.map(checkedServer);
  if (spoken.length < addresses.length && debugLevel !== "none") {
    const line = "[videortc] WebSocket addresses are skipped: only http and https are spoken here";
    attempt("", () => console.warn(line));
  }
  return spoken.map(checkedServer);
}

// Rejects texts that cannot be a gateway address. The browser checks the rest (RFC 3986).
function checkedServer(address) {
  const url = address.trim();
  const [, scheme, rest] = /^([^]*?):\/\/([^]*)$/.exec(url) ?? [undefined, undefined, url];
  // These addresses may contain a password or a token, so the message does not quote them.
  const secret =
    /^[^/?#]*@/.test(rest)
      ? "holds a user name, which browsers refuse to send: leave out what stands before the @"
    : /[?#]/.test(rest)
      ? "must not have a query or a fragment: leave out what follows the ? or #, and give secrets " +
        "as apiSecret or token"
    : undefined;
  if (secret) throw invalid(`a gateway address ${secret}`);
  const host = rest.split("/")[0];
  const port = /:(?!.*\])(.*)$/.exec(host);
  const why =
    scheme === undefined ? "it has no http:// or https://"
    : /^wss?$/i.test(scheme) ? "only the http and https transports are spoken here"
    : !/^https?$/i.test(scheme) ? "it must begin with http:// or https://"
    : host === "" ? "it names no host"
    : /[\s\p{Cc}<>"\\]/u.test(url) ? "it holds a character that URLs do not have"
    : port && !(/^\d+$/.test(port[1]) && port[1] < 65536) ? "its port is not a number below 65536"
    : undefined;
  if (!why) return url;
  const characters = [...address.replace(/\p{Cc}/gu, " ")];
  const shown = characters.slice(0, 120).join("") + (characters.length > 120 ? "…" : "");
  const example = 'write it like "https://example.com/janus"';
  throw invalid(`"${shown}" is not a gateway address: ${why}; ${example}`);
}

function wrong(name, wanted, value) {
  const type = typeof value;
  const shown =
    value === undefined || value === null ? value
    : Array.isArray(value) ? "an array"
    : type === "number" || type === "boolean" ? `the ${type} ${value}`
    : type === "object" ? "an object"
    : `a ${type}`;
  return invalid(`${name} must be ${wanted}, but is ${shown}`);
}

function invalid(message) {
  return new VideoRTCError("INVALID_ARGUMENT", message);
}
