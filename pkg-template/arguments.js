// What `new VideoRTC(…)` is given, checked. It stands here and not in the module, since a constructor
// must throw at once, and the module may still have to come over the network.

const TEXT = ["a string", (value) => typeof value === "string"];
const FLAG = ["true or false", (value) => typeof value === "boolean"];
const LONGEST = 3_600_000;

function oneOf(...words) {
  return [`one of "${words.join('", "')}"`, (value) => words.includes(value)];
}

function numberOf(unit, least, most) {
  const fits = (value) => typeof value === "number" && value >= least && value <= most;
  return [`a number of ${unit} from ${least} to ${most}`, fits];
}

const DEBUG_LEVEL = oneOf("none", "error", "warn", "info", "debug", "trace");

// Every option, with what it must be: in words, and as a test.
const OPTIONS = {
  __proto__: null,
  apiSecret: TEXT,
  token: TEXT,
  account: TEXT,
  withCredentials: FLAG,
  iceTransportPolicy: oneOf("all", "relay"),
  bundlePolicy: oneOf("balanced", "max-compat", "max-bundle"),
  requestTimeout: numberOf("milliseconds", 100, LONGEST),
  retryLimit: numberOf("milliseconds", 0, LONGEST),
  pollEvents: numberOf("events", 1, 100),
};

// Returns copies that hold what is known here and nothing else, or throws. The caller's objects are
// read once: what they change to later has no effect.
function checkedArguments(servers, iceServers, debugLevel, options) {
  const level = isAbsent(debugLevel) ? "error" : fitting("debugLevel", debugLevel, DEBUG_LEVEL);
  return {
    servers: checkedServers(servers),
    iceServers: checkedIceServers(iceServers),
    debugLevel: level,
    options: checkedFields("options", options, OPTIONS, level),
  };
}

function checkedServers(servers) {
  if (typeof servers === "string") return [checkedServer(servers)];
  if (!Array.isArray(servers)) {
    throw wrong("servers", "a gateway address, or an array of them", servers);
  }
  if (servers.length === 0) throw invalid("servers is an empty array: it must hold a gateway address");
  return Array.from(servers, (server, i) => checkedServer(fitting(`servers[${i}]`, server, TEXT)));
}

// Refuses what could never be a gateway's address. All else is the browser's to judge (RFC 3986).
function checkedServer(address) {
  const url = address.trim();
  const [, scheme, rest] = /^([^]*?):\/\/([^]*)$/.exec(url) ?? [undefined, undefined, url];
  // Before anything is quoted: a password may stand there, or a token.
  if (/^[^/?#]*@/.test(rest)) {
    throw invalid(
      "a gateway address holds a user name, which browsers refuse to send: leave out what stands before the @",
    );
  }
  if (/[?#]/.test(rest)) {
    throw invalid(
      "a gateway address must not have a query or a fragment: leave out what follows the ? or #, and give " +
        "secrets as apiSecret or token",
    );
  }
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
  if (why) {
    throw invalid(`"${excerpt(address)}" is not a gateway address: ${why}; write it like "https://example.com/janus"`);
  }
  return url.replace(/\/+$/, "");
}

// The old spelling `url` becomes `urls`. What an address holds is checked by the browser, when a call starts.
function checkedIceServers(iceServers) {
  if (isAbsent(iceServers)) return [];
  if (!Array.isArray(iceServers)) throw wrong("iceServers", "an array of RTCIceServer", iceServers);
  return Array.from(iceServers, (server, i) => {
    const name = `iceServers[${i}]`;
    if (!isPlain(server)) throw wrong(name, "an object", server);
    const given = read(server, name, "urls");
    const urls = isAbsent(given) ? read(server, name, "url") : given;
    if (typeof urls !== "string" && !Array.isArray(urls)) {
      throw wrong(`${name}.urls`, "a string or an array of them", urls);
    }
    const clean = { urls };
    for (const key of ["username", "credential", "credentialType"]) {
      const value = read(server, name, key);
      if (!isAbsent(value)) clean[key] = value;
    }
    return clean;
  });
}

// A copy of an object with its known fields, each read once. `table` says what each must be. Others are most
// often typing errors: they are warned of.
function checkedFields(name, object, table, level) {
  const clean = {};
  if (isAbsent(object)) return clean;
  if (!isPlain(object)) throw wrong(name, "an object", object);
  let keys;
  try {
    keys = Reflect.ownKeys(object);
  } catch (thrown) {
    throw invalid(`${name} threw when its keys were read`, thrown);
  }
  for (const [key, wanted] of Object.entries(table)) {
    const value = read(object, name, key);
    if (!isAbsent(value)) clean[key] = fitting(`${name}.${key}`, value, wanted);
  }
  for (const key of keys) {
    if (typeof key === "string" && !(key in table) && level !== "none") {
      warn(`${name}.${excerpt(key)} is not known here and has no effect`);
    }
  }
  return clean;
}

function fitting(name, value, [wanted, fits]) {
  if (!fits(value)) throw wrong(name, wanted, value);
  return value;
}

// A getter or a `Proxy` of the page may throw.
function read(object, name, key) {
  try {
    return object[key];
  } catch (thrown) {
    throw invalid(`${name}.${key} threw when it was read`, thrown);
  }
}

function isAbsent(value) {
  return value === undefined || value === null;
}

function isPlain(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(name, wanted, got) {
  return invalid(`${name} must be ${wanted}, but is ${shown(got)}`);
}

function invalid(message, ...thrown) {
  return new VideoRTCError("INVALID_ARGUMENT", message, undefined, ...thrown.map(words));
}

// A short text for a value.
function shown(value) {
  if (typeof value === "string") return `the string "${excerpt(value)}"`;
  if (isAbsent(value)) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number" || typeof value === "boolean") return `the ${typeof value} ${value}`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

// A stranger's text made fit for a message: short, and on one line.
function excerpt(text) {
  const characters = [...text];
  const short = characters.slice(0, 120).join("").replace(/\p{Cc}/gu, " ");
  return characters.length > 120 ? `${short}…` : short;
}

function warn(line) {
  say("warn", "[videortc]", line);
}

// A page may have put something that throws in the console's place.
function say(method, ...what) {
  try {
    console[method](...what);
  } catch {
    // Then nobody wants to hear it.
  }
}
