// What the methods of a connection and of a video call are given, checked before it reaches the module: copies
// that hold what is known there, or an error that names the value.

// The most bytes of UTF-8 that go to the module as a string; a longer one is read as a Blob is.
const LONGEST_INLINE = 64_000;
// The longest text that arrives as a string: it has to stand in memory whole.
const LONGEST_TEXT = 16 * 1024 * 1024;
// Controls, and the characters that turn the direction of the text around them (Unicode UAX #9).
const UNSEEN = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

const ANYTHING = ["", () => true];
const FUNCTION = ["a function", (value) => typeof value === "function"];
const TIMEOUT = numberOf("milliseconds", 1000, LONGEST);
const BITRATES = { __proto__: null, low: 128_000, medium: 512_000, high: 2_000_000, max: 0 };

// What each object may hold, with what it must be.
const EVENTS = { __proto__: null };
for (const event of [
  "Registered", "GotPeers", "Calling", "IncomingCall", "Accepted", "HangUp", "DataReceived", "SetCall", "ReadyLocalStream",
  "RemoteStreamReady", "SlowLink", "FileTransferOk", "FileTransferKo", "TransferProgress", "Reconnecting", "Reconnected", "Error",
]) EVENTS[`on${event}`] = FUNCTION;

const ELEMENTS = {
  __proto__: null,
  videos: ["an element", (value) => value instanceof Element],
  localVideo: ["a <video> element", (value) => value instanceof HTMLVideoElement],
  remoteVideo: ["a <video> element", (value) => value instanceof HTMLVideoElement],
};

const CALL = { __proto__: null, ringTimeout: TIMEOUT, connectTimeout: TIMEOUT, dataChannel: ANYTHING, stream: ANYTHING };

const DATA_CHANNEL = {
  __proto__: null,
  dataEnabled: FLAG,
  allowedTypes: [
    'an array of MIME types such as "text/plain" or "image/*"',
    (value) => Array.isArray(value) && Array.from(value).every(isType),
  ],
  maxSize: ["a whole number of bytes from 0 to 2^53 - 1", (value) => Number.isSafeInteger(value) && value >= 0],
};

const STREAM = {
  __proto__: null,
  dataEnabled: FLAG,
  audioEnabled: FLAG,
  videoEnabled: FLAG,
  aDeviceId: TEXT,
  vDeviceId: TEXT,
  resolution: [
    'like "640x480" or { width: 640, height: 480 }, with sides of 1 to 8192 pixels',
    (value) => sides(value) !== undefined,
  ],
  frameRate: numberOf("frames per second", 1, 240),
  voiceProcessor: FLAG,
};

const DEVICES = { __proto__: null, kind: oneOf("audioinput", "videoinput", "audiooutput"), labels: FLAG };

const SENDING = {
  __proto__: null,
  filename: TEXT,
  onProgress: FUNCTION,
  // What only has the prototype of one throws when it is looked at.
  signal: ["an AbortSignal", (value) => value instanceof AbortSignal && typeof got(value, "aborted") === "boolean"],
};

function checkedCall(onEvents, domElements, options, level) {
  checkedFields("onEvents", onEvents, EVENTS, level);
  const clean = checkedFields("options", options, CALL, level);
  const data = (clean.dataChannel = checkedFields("options.dataChannel", clean.dataChannel, DATA_CHANNEL, level));
  data.allowedTypes &&= Array.from(data.allowedTypes).flatMap((type) => meant(type.trim(), level));
  const stream = (clean.stream = checkedFields("options.stream", clean.stream, STREAM, level));
  stream.resolution = sides(stream.resolution);
  return { elements: checkedFields("domElements", domElements, ELEMENTS, level), options: clean };
}

// What an allowed type stands for: one with a dash where its slash should be, as in `text-plain`, for the MIME type
// that it means too.
function meant(type, level) {
  if (type === "*/*") return ["*"];
  const families = /^(application|audio|font|image|message|model|text|video)-([^/]*)$/;
  const mended = type.replace(families, "$1/$2");
  if (mended === type) return [type];
  if (level !== "none") warn(`the allowed type "${type}" is taken for "${mended}" too`);
  return [type, mended];
}

// Whether a text can be a type: something, on one line, and not too long.
function isType(type) {
  return typeof type === "string" && type.trim() !== "" && !UNSEEN.test(type) && utf8(type).length <= 255;
}

// `"640x480"`, or `{ width, height }`.
function sides(value) {
  const text = typeof value === "string" && /^\s*(\d+)\s*x\s*(\d+)\s*$/.exec(value);
  const [width, height] = text ? [+text[1], +text[2]] : [got(value, "width"), got(value, "height")];
  const fits = (side) => Number.isInteger(side) && side >= 1 && side <= 8192;
  return fits(width) && fits(height) ? { width, height } : undefined;
}

// A property of anything; `undefined` where it has none, or throws.
function got(value, key) {
  try {
    return value?.[key];
  } catch {
    return undefined;
  }
}

function optional(name, value, wanted) {
  return isAbsent(value) ? undefined : fitting(name, value, wanted);
}

function checkedName(userName) {
  const name = optional("the user name", userName, TEXT);
  if (name === undefined) return name;
  const count = [...name].length;
  if (!name.trim()) throw invalid("a user name must not be empty");
  if (count > 128) throw invalid(`the user name "${excerpt(name)}" has ${count} characters; at most 128 are allowed`);
  if (/\p{Cc}/u.test(name)) throw invalid(`the user name "${excerpt(name)}" holds a control character; leave it out`);
  // In the module half a surrogate pair would become U+FFFD: another name than the page's.
  if (/\p{Cs}/u.test(name)) {
    throw invalid(`the user name must be whole characters, but ${shown(name)} holds half a surrogate pair`);
  }
  return name;
}

// The function that picks and orders what `getPeers()` gives.
function checkedSelection(filter, order) {
  const wanted = "a string, a RegExp or a function";
  // `search` begins at the start, wherever `lastIndex` of a sticky or global expression stands.
  const matches =
    isAbsent(filter) ? () => true
    : typeof filter === "string" ? (name) => name.includes(filter)
    : filter instanceof RegExp ? (name) => name.search(filter) >= 0
    : typeof filter === "function" ? (name) => filter(name)
    : undefined;
  if (!matches) throw wrong("filter", wanted, filter);
  const sign = { __proto__: null, asc: 1, desc: -1 }[optional("order", order, ['"asc" or "desc"', isOrder])];
  return (names) => {
    let some;
    try {
      some = names.filter((name) => matches(name));
    } catch (thrown) {
      throw invalid(`the filter ${typeof filter === "function" ? "function" : "expression"} threw`, thrown);
    }
    return sign ? some.sort((one, other) => sign * byCodePoint(one, other)) : some;
  };
}

function isOrder(order) {
  return order === "asc" || order === "desc";
}

// Strings compare by code unit, which is another order where there are surrogate pairs.
function byCodePoint(one, other) {
  const [a, b] = [one, other].map((text) => Array.from(text, (character) => character.codePointAt(0)));
  const at = a.findIndex((point, i) => point !== b[i]);
  return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
}

// Bits per second, or a word for them. The words fit 320x240, 640x480 and 1280x720 at 30 frames per
// second; `"max"` takes the ceiling away.
function checkedBitrate(quality) {
  if (typeof quality === "string" && quality in BITRATES) return BITRATES[quality];
  const wanted = '"low", "medium", "high", "max" or bits per second from 0 to 1000000000';
  return optional("quality", quality, [wanted, (value) => typeof value === "number" && value >= 0 && value <= 1e9]);
}

// What `sendData()` was given. Short strings stay strings; all else becomes a Blob, and so what can still
// change, a buffer of the page, is copied here and now.
function checkedSending(type, data, options, level) {
  if (!isType(type)) {
    throw wrong("the type", 'a text such as "text/plain", of 1 to 255 bytes and without control characters', type);
  }
  const content = checkedContent(data);
  if (typeof options === "string") return { type, ...content, filename: options };
  if (!isAbsent(options) && typeof options !== "object") {
    throw wrong("optional", "a file name or { filename, onProgress, signal }", options);
  }
  // A file brings its name along.
  const own = content.source === data && data instanceof File ? { filename: data.name } : {};
  return { type, ...content, ...own, ...checkedFields("optional", options, SENDING, level) };
}

function checkedContent(data) {
  const isText = typeof data === "string";
  if (isText && data.length <= LONGEST_INLINE) {
    const size = utf8(data).length;
    if (size <= LONGEST_INLINE) return { text: data, isText, size };
  }
  const isBlob = data instanceof Blob && got(data, "size") !== undefined;
  if (!isText && !isBlob && !(data instanceof ArrayBuffer) && !ArrayBuffer.isView(data)) {
    throw wrong("data", "a string, a Blob, a File, an ArrayBuffer or a view of one", data);
  }
  const source = isBlob ? data : blobOf(data);
  const { size } = source;
  if (isText && size > LONGEST_TEXT) {
    throw invalid(
      `data is a string of ${size} bytes, and at most ${LONGEST_TEXT} can be sent as a string: send a Blob instead`,
    );
  }
  return { source, isText, size };
}

function blobOf(data) {
  try {
    // It throws where the buffer was handed on to another thread, and a `Blob` would be empty.
    if (typeof data !== "string") new Uint8Array(data.buffer ?? data);
    return new Blob([data]);
  } catch (thrown) {
    throw invalid("the browser cannot read data", thrown);
  }
}

function utf8(text) {
  return new TextEncoder().encode(text);
}
