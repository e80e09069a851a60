"use strict";

// The records of a page under test, and their queries. It is in the first script of every page, so
// that it sees every device, peer connection and request that the library opens.

window.harness = {
  events: [], // { name, args } in the order in which the library reported them
  faults: [], // what must stay empty: unhandled rejections and window errors
  console: [], // what reached console.error and console.warn
  peers: [], // every RTCPeerConnection made
  opening: 0, // how many openings of devices are under way
  tracks: [], // every track that a device was opened for, and every clone of one
  objects: [], // a weak reference to each of both, by which a test sees what is not let go
  throttle: 1, // timers fire at whole multiples of so many milliseconds, as in a tab in the background
  timers: new Set(), // what setTimeout and setInterval are still to run
  requests: [], // { method, url }
  memory: null, // the linear memory of the newest WebAssembly instance
  sent: [], // what became of every harness.send()
  arrived: [], // { type, data, filename, userName } of every onDataReceived, with the data itself
  transfers: [], // { object, seen, ends } of every transfer object that an event brought
  reactions: {}, // what a test wants done inside an event: harness.reactions.onHangUp = () => …
};

const EVENTS = [
  "onRegistered",
  "onGotPeers",
  "onCalling",
  "onIncomingCall",
  "onAccepted",
  "onHangUp",
  "onDataReceived",
  "onSetCall",
  "onReadyLocalStream",
  "onRemoteStreamReady",
  "onSlowLink",
  "onFileTransferOk",
  "onFileTransferKo",
  "onTransferProgress",
  "onReconnecting",
  "onReconnected",
  "onError",
];

// ---------------------------------------------------------------- what the browser is asked for

window.addEventListener("error", (event) => {
  harness.faults.push(`window error: ${event.message}`);
});
window.addEventListener("unhandledrejection", (event) => {
  harness.faults.push(`unhandled rejection: ${event.reason}`);
});

// Whether the page came out of the back/forward cache; unknown until it is shown.
window.addEventListener("pageshow", (event) => {
  harness.shownAgain = event.persisted;
});
window.addEventListener("pagehide", () => {
  harness.shownAgain = null;
});

for (const level of ["error", "warn"]) {
  const write = console[level].bind(console);
  console[level] = (...words) => {
    harness.console.push(`${level}: ${words.map(String).join(" ")}`);
    write(...words);
  };
}

// The library's own log, where a page asked for it.
for (const level of ["info", "log", "debug"]) {
  const write = console[level].bind(console);
  console[level] = (...words) => {
    const line = words.map(String).join(" ");
    if (line.startsWith("[videortc]")) harness.console.push(`${Math.round(performance.now())} ${line}`);
    write(...words);
  };
}

if (navigator.mediaDevices) {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    harness.opening += 1;
    try {
      const stream = await open(constraints);
      harness.tracks.push(...stream.getTracks());
      harness.objects.push(...stream.getTracks().map((track) => new WeakRef(track)));
      return stream;
    } finally {
      harness.opening -= 1;
    }
  };
}

// A clone keeps its device open after the original was stopped.
const cloneTrack = MediaStreamTrack.prototype.clone;
MediaStreamTrack.prototype.clone = function () {
  const twin = cloneTrack.call(this);
  if (harness.tracks.includes(this)) harness.tracks.push(twin);
  return twin;
};
const cloneStream = MediaStream.prototype.clone;
MediaStream.prototype.clone = function () {
  const twin = cloneStream.call(this);
  if (this.getTracks().some((track) => harness.tracks.includes(track))) {
    harness.tracks.push(...twin.getTracks());
  }
  return twin;
};

window.RTCPeerConnection = class RTCPeerConnection extends window.RTCPeerConnection {
  constructor(...settings) {
    super(...settings);
    harness.peers.push(this);
    harness.objects.push(new WeakRef(this));
  }
};

for (const name of ["instantiate", "instantiateStreaming"]) {
  const make = WebAssembly[name].bind(WebAssembly);
  WebAssembly[name] = async (...parts) => {
    const made = await make(...parts);
    harness.memory = (made.instance ?? made).exports.memory;
    return made;
  };
}

const later = window.setTimeout.bind(window);
window.setTimeout = (run, delay = 0, ...rest) => {
  const now = performance.now();
  const due = Math.ceil((now + delay) / harness.throttle) * harness.throttle;
  const act = (...given) => {
    harness.timers.delete(timer);
    run(...given);
  };
  const timer = later(act, harness.throttle > 1 ? due - now : delay, ...rest);
  harness.timers.add(timer);
  return timer;
};
const again = window.setInterval.bind(window);
window.setInterval = (...given) => {
  const timer = again(...given);
  harness.timers.add(timer);
  return timer;
};
// Each ends what the other's counterpart began (HTML, section 8.7).
for (const name of ["clearTimeout", "clearInterval"]) {
  const clear = window[name].bind(window);
  window[name] = (timer) => {
    harness.timers.delete(timer);
    clear(timer);
  };
}

const send = window.fetch.bind(window);
window.fetch = (resource, init) => {
  const request = resource instanceof Request ? resource : { url: String(resource), method: "GET" };
  harness.requests.push({ method: init?.method ?? request.method, url: request.url });
  return send(resource, init);
};

// ---------------------------------------------------------------- what the library reports

/**
 * A value as a test can read it: a stream becomes its track kinds, an error its code and message, a
 * blob its size and type, and a transfer what it is at this moment, with a number that tells it
 * from others.
 */
function plain(value) {
  if (value instanceof MediaStream) return { stream: value.getTracks().map((t) => t.kind).sort() };
  if (value instanceof Error) return { name: value.name, code: value.code, message: value.message };
  if (value instanceof Blob) return { blob: value.type, size: value.size };
  if (isTransfer(value)) {
    const { cancel, error, filename, ...rest } = value;
    const number = harness.transfers.findIndex(({ object }) => object === value);
    return { ...rest, number, filename: filename ?? null, error: error ? plain(error) : null };
  }
  return value === undefined ? null : value;
}

function isTransfer(value) {
  return typeof value?.cancel === "function";
}

const waiting = new Set();

function report(name, args) {
  note(name, args);
  harness.events.push({ name, args: args.map(plain) });
  for (const look of [...waiting]) look();
}

/** Remembers what arrives, and how every transfer goes on. */
function note(name, args) {
  const [first, data, filename, userName] = args;
  if (name === "onDataReceived") harness.arrived.push({ type: first, data, filename, userName });
  if (!isTransfer(first)) return;
  let transfer = harness.transfers.find(({ object }) => object === first);
  if (!transfer) {
    transfer = { object: first, seen: [], ends: [] };
    harness.transfers.push(transfer);
  }
  if (name === "onTransferProgress") transfer.seen.push(first.transferred);
  if (name !== "onTransferProgress" || first.state !== "active") transfer.ends.push(name);
}

/** The event handlers for `videoCall()`, one for every event that there is. */
harness.listeners = function () {
  const listeners = {};
  for (const name of EVENTS) {
    listeners[name] = (...args) => {
      report(name, args);
      const reaction = harness.reactions[name];
      if (reaction) reaction(...args);
    };
  }
  return listeners;
};

/** The first event of this name at or after `from`; rejects when none came within `limit` ms. */
harness.next = function (name, from, limit) {
  return new Promise((resolve, reject) => {
    const find = () => {
      const index = harness.events.findIndex((event, at) => at >= from && event.name === name);
      if (index < 0) return false;
      waiting.delete(find);
      clearTimeout(timer);
      resolve({ index, args: harness.events[index].args });
      return true;
    };
    const timer = setTimeout(() => {
      waiting.delete(find);
      reject(new Error(`no ${name} within ${limit} ms`));
    }, limit);
    if (!find()) waiting.add(find);
  });
};

/** Waits until `check()` returns something true, and says `what` was missing when it never did. */
harness.until = async function (what, check, limit = 20000) {
  const end = performance.now() + limit;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (performance.now() > end) {
      throw new Error(`${typeof what === "function" ? what() : what} (waited ${limit} ms)`);
    }
    await new Promise((resume) => later(resume, 40));
  }
};

// ---------------------------------------------------------------- the steps a page takes

/** `new VideoRTC()` and `connect()`. */
harness.connect = async function ({ servers, iceServers, level, options } = {}) {
  const gateway = servers ?? window.VIDEORTC_GATEWAY;
  window.rtc = new VideoRTC(gateway, iceServers ?? [], level ?? "error", options);
  window.usecases = await rtc.connect();
};

/** `videoCall()` with a listener for every event. `dom`: "container", "elements" or "none". */
harness.videoCall = async function ({ dom = "container", options } = {}) {
  const byId = (id) => document.getElementById(id);
  const places = {
    container: { videos: byId("videos") },
    elements: { localVideo: byId("mine"), remoteVideo: byId("theirs") },
    none: undefined,
  };
  window.action = await usecases.videoCall(harness.listeners(), places[dom], options);
};

/** `echoTest()` with all its listeners. */
harness.echoTest = async function (options) {
  const events = ["onReadyLocalStream", "onRemoteStreamReady", "onSlowLink", "onError"];
  const all = harness.listeners();
  const listeners = Object.fromEntries(events.map((name) => [name, all[name]]));
  const places = { videos: document.getElementById("videos") };
  window.test = await usecases.echoTest(listeners, places, options);
};

/**
 * Calls somebody whose call has only just ended: the gateway holds such a person to be busy until
 * it has cleaned up, which takes up to a second.
 */
harness.callWhenFree = async function (name) {
  const tryOnce = () =>
    action.call(name).then(
      () => true,
      (error) => {
        if (error.code !== "USER_BUSY") throw error;
      },
    );
  await harness.until(`${name} stays busy`, tryOnce);
};

/** `sendData()`, which remembers what it says, by callback and by promise. */
harness.send = function (type, data, optional) {
  const told = [];
  const tell = (by) => (value) => void told.push({ by, value });
  harness.sent.push({ type, told });
  const sending = action.sendData(type, data, tell("cOk"), tell("cKo"), optional);
  sending.then(tell("resolved"), tell("rejected"));
  return sending;
};

// ---------------------------------------------------------------- content

/** A blob of bytes that only the seed decides, made in pieces, so that it never stands whole in memory. */
harness.noise = function (seed, size, type = "application/octet-stream") {
  const parts = [];
  let word = seed | 1;
  for (let made = 0; made < size; made += 2 ** 20) {
    const piece = new Uint32Array(2 ** 18);
    for (let at = 0; at < piece.length; at += 1) {
      // xorshift32
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      piece[at] = word;
    }
    parts.push(new Blob([new Uint8Array(piece.buffer, 0, Math.min(piece.byteLength, size - made))]));
  }
  return new Blob(parts, { type });
};

/** The content of a string or blob for comparison: the string itself, or type, size and hash of the bytes. */
harness.content = async function (data) {
  if (typeof data === "string" && data.length < 100) return data;
  const blob = data instanceof Blob ? data : new Blob([data]);
  // The hash of the hashes of its slices: no more than one slice is read at a time.
  const hashes = [];
  for (let at = 0; at < blob.size; at += 2 ** 20) {
    const slice = await blob.slice(at, at + 2 ** 20).arrayBuffer();
    hashes.push(new Uint8Array(await crypto.subtle.digest("SHA-256", slice)));
  }
  const hash = await crypto.subtle.digest("SHA-256", await new Blob(hashes).arrayBuffer());
  const hex = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const kind = typeof data === "string" ? { string: data.length } : { blob: data.type };
  return { ...kind, size: blob.size, hash: hex };
};

/** Waits until `count` things have arrived since the last time, and takes them. */
harness.take = async function (count) {
  const missing = () => `${harness.arrived.length} of ${count} things arrived`;
  await harness.until(missing, () => harness.arrived.length >= count, 60000);
  const taken = harness.arrived.splice(0);
  return Promise.all(taken.map(async ({ type, data, filename, userName }) => {
    return [type, await harness.content(data), filename ?? null, userName];
  }));
};

// ---------------------------------------------------------------- what a test wants proven

/** The inconsistencies in the reported messages and files, once everything has ended. */
harness.audit = function () {
  const wrong = [];
  for (const { type, told } of harness.sent) {
    const ways = told.map(({ by }) => by).sort().join(" and ");
    const once = ["cOk and resolved", "cKo and rejected"].includes(ways);
    if (!once) wrong.push(`sending ${type} was told by ${ways || "nothing"}`);
    if (told[0]?.value !== told[1]?.value) wrong.push(`sending ${type} was told two things`);
  }
  for (const { object, seen, ends } of harness.transfers) {
    const { direction, type, state, size, transferred, error } = object;
    const transfer = `the ${state} ${direction} transfer of ${size} bytes of ${type}`;
    const isDone = state === "done";
    if (!isDone && state !== "failed") wrong.push(`${transfer} has not ended`);
    if (isDone === (error instanceof Error)) wrong.push(`${transfer} has the error ${error}`);
    if (isDone && transferred !== size) wrong.push(`${transfer} ended at ${transferred}`);
    if (seen.some((n, at) => n < (seen[at - 1] ?? 0) || n > size)) wrong.push(`${transfer}: ${seen}`);
    // A long string has no event of its own for its end.
    const own = isDone ? "onFileTransferOk" : "onFileTransferKo";
    const told = ends.join(" and ");
    const fits = [`onTransferProgress and ${own}`, "onTransferProgress"];
    if (!fits.includes(told)) wrong.push(`the end of ${transfer} was told by ${told || "nothing"}`);
  }
  return wrong;
};

/** Waits for `count` new decoded frames in a video element, then says how the picture looks. */
harness.picture = async function (selector, count = 5) {
  let frames = 0;
  let watched = null;
  const watch = () => {
    const video = document.querySelector(selector);
    if (video && video !== watched) {
      watched = video;
      const onFrame = () => {
        frames += 1;
        if (video === watched) video.requestVideoFrameCallback(onFrame);
      };
      video.requestVideoFrameCallback(onFrame);
    }
    return frames >= count && watched.videoWidth > 0;
  };
  const missing = () => `no picture in ${selector}: ${frames} frames, ${describe(watched)}`;
  await harness.until(missing, watch);
  const video = watched;
  watched = null;
  return {
    frames,
    width: video.videoWidth,
    height: video.videoHeight,
    muted: video.muted,
    autoplay: video.autoplay,
    // Not every browser has the property.
    playsInline: video.hasAttribute("playsinline"),
    classes: [...video.classList].sort(),
    contrast: contrast(video),
  };
};

function describe(video) {
  if (!video) return "no such element";
  const tracks = video.srcObject?.getTracks().map((t) => `${t.kind} ${t.readyState}`) ?? "no stream";
  return `videoWidth ${video.videoWidth}, readyState ${video.readyState}, paused ${video.paused}, ${tracks}`;
}

/**
 * The span from the smallest to the largest red, green or blue of any sample: 0 for a black picture
 * and a grey one. Firefox's fake camera gives one strong colour at a time.
 */
function contrast(video) {
  const canvas = document.createElement("canvas");
  canvas.width = 32;
  canvas.height = 24;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const light = [...data].filter((_, at) => at % 4 < 3);
  return Math.max(...light) - Math.min(...light);
}

/** Sums one kind of media that the open peer connections received. */
harness.received = async function (kind) {
  const sum = { packets: 0, energy: 0, bytes: 0, frames: 0 };
  for (const peer of harness.peers) {
    if (peer.signalingState === "closed") continue;
    for (const stats of (await peer.getStats()).values()) {
      if (stats.type !== "inbound-rtp" || stats.kind !== kind) continue;
      sum.packets += stats.packetsReceived ?? 0;
      sum.energy += stats.totalAudioEnergy ?? 0;
      sum.bytes += stats.bytesReceived ?? 0;
      sum.frames += stats.framesDecoded ?? 0;
    }
  }
  return sum;
};

/** Waits until sound arrives: packets on the wire and energy in what was decoded from them. */
harness.sound = async function () {
  let last, picture;
  const heard = async () => {
    last = await harness.received("audio");
    picture = await harness.received("video");
    return last.packets > 20 && last.energy > 0;
  };
  // Media that is not played is not decoded.
  const elements = () => [...document.querySelectorAll("video")].map(describe).join("; ");
  await harness.until(() => `no sound: ${JSON.stringify([last, picture])}, ${elements()}`, heard);
  return last;
};

/** Waits until no device is open and no peer connection is left; returns how many there had been. */
harness.released = async function () {
  const open = () => [
    ...(harness.opening ? [`devices are being opened: ${harness.opening}`] : []),
    ...harness.tracks.filter((t) => t.readyState !== "ended").map((t) => `${t.kind} track is live`),
    ...harness.peers.filter((p) => p.signalingState !== "closed").map(() => "connection is open"),
    ...[...document.querySelectorAll("#videos > *")].map(() => "video is left in the container"),
    ...[...document.querySelectorAll("video")]
      .filter((v) => v.srcObject?.active)
      .map((v) => `video ${v.id} still plays`),
  ];
  await harness.until(() => `not released: ${open().join(", ")}`, () => open().length === 0, 5000);
  return { tracks: harness.tracks.length, peers: harness.peers.length };
};
