"use strict";

// What a page under test remembers, and how a test asks for it. The rig runs it in every page before the
// page's own scripts, so that it sees every device, peer connection and request that the library opens.

const harness = {
  events: [], // { name, args } in the order in which the library reported them
  faults: [], // what must stay empty: unhandled rejections and window errors
  console: [], // what reached console.error and console.warn
  peers: [], // every RTCPeerConnection made
  tracks: [], // every track that a device was opened for, and every clone of one
  requests: [], // { method, url }
  memory: null, // the linear memory of the newest WebAssembly instance
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

for (const level of ["error", "warn"]) {
  const write = console[level].bind(console);
  console[level] = (...words) => {
    harness.console.push(`${level}: ${words.map(String).join(" ")}`);
    write(...words);
  };
}

if (navigator.mediaDevices) {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await open(constraints);
    harness.tracks.push(...stream.getTracks());
    return stream;
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
  }
};

WebAssembly.Instance = class Instance extends WebAssembly.Instance {
  constructor(...parts) {
    super(...parts);
    harness.memory = this.exports.memory;
  }
};

const send = window.fetch.bind(window);
window.fetch = (resource, init) => {
  const request = resource instanceof Request ? resource : { url: String(resource), method: "GET" };
  harness.requests.push({ method: init?.method ?? request.method, url: request.url });
  return send(resource, init);
};

// ---------------------------------------------------------------- what the library reports

/** A value as a test can read it: a stream becomes its track kinds, an error its code and message. */
function plain(value) {
  if (value instanceof MediaStream) return { stream: value.getTracks().map((t) => t.kind).sort() };
  if (value instanceof Error) return { name: value.name, code: value.code, message: value.message };
  return value === undefined ? null : value;
}

const waiting = new Set();

function report(name, args) {
  harness.events.push({ name, args: args.map(plain) });
  for (const look of [...waiting]) look();
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
    await new Promise((resume) => setTimeout(resume, 40));
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

/**
 * Calls somebody whose call has only just ended: the gateway holds such a person to be busy until it has
 * cleaned up, which takes up to a second.
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

// ---------------------------------------------------------------- what a test wants proven

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
    playsInline: video.playsInline,
    classes: [...video.classList].sort(),
    contrast: contrast(video),
  };
};

function describe(video) {
  if (!video) return "no such element";
  const tracks = video.srcObject?.getTracks().map((t) => `${t.kind} ${t.readyState}`) ?? "no stream";
  return `videoWidth ${video.videoWidth}, readyState ${video.readyState}, paused ${video.paused}, ${tracks}`;
}

/** The span from the darkest to the brightest sample: 0 for a picture of one colour. */
function contrast(video) {
  const canvas = document.createElement("canvas");
  canvas.width = 32;
  canvas.height = 24;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const light = [];
  for (let at = 0; at < data.length; at += 4) light.push(data[at] + data[at + 1] + data[at + 2]);
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
  let last = null;
  const heard = async () => {
    last = await harness.received("audio");
    return last.packets > 20 && last.energy > 0;
  };
  await harness.until(() => `no sound: ${JSON.stringify(last)}`, heard);
  return last;
};

/** Waits until no device is open and no peer connection is left; returns how many there had been. */
harness.released = async function () {
  const open = () => [
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
