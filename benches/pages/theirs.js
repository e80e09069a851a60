"use strict";

// A page that calls by janus.js, in the way of the video call demo that comes with Janus.

const TRACKS = [
  { type: "audio", capture: true, recv: true },
  { type: "video", capture: true, recv: true },
  { type: "data" },
];

const videos = document.getElementById("videos");
let janus;
let handle;
let isCaller = false;
let refused; // tells a redial that it came too early

window.client = {
  async register(gateway, name) {
    const start = clock();
    await new Promise((callback) => Janus.init({ debug: false, callback }));
    await new Promise((success, error) => (janus = new Janus({ server: gateway, success, error })));
    await new Promise((resolve, error) => {
      janus.attach({
        plugin: "janus.plugin.videocall",
        success: (attached) => {
          handle = attached;
          resolve();
        },
        error, onmessage, onlocaltrack, onremotetrack, ondataopen,
        ondata: () => mark("data"),
      });
    });
    handle.send({ message: { request: "register", username: name } });
    return await reached("registered") - start;
  },

  call(name) {
    const start = clock();
    isCaller = true;
    handle.createOffer({
      tracks: TRACKS,
      success: (jsep) => handle.send({ message: { request: "call", username: name }, jsep }),
      error: (error) => refused?.(error),
    });
    return start;
  },

  hangUp() {
    handle.send({ message: { request: "hangup" } });
    handle.hangup();
  },

  /** The demo's button for calling works again when the hang-up was answered. */
  async redial(name) {
    forget("calling", "ended");
    const start = clock();
    this.hangUp();
    await reached("ended");
    const over = clock();
    while (!(await this.rings(name))) await pause(50);
    return { start, over, rings: await reached("calling") };
  },

  rings(name) {
    const tooEarly = new Promise((resolve) => (refused = () => resolve(false)));
    this.call(name);
    return Promise.race([reached("calling").then(() => true), tooEarly]);
  },

  async another(server, name) {
    await new Promise((callback) => Janus.init({ debug: false, callback }));
    const more = await new Promise((success, error) => {
      const session = new Janus({ server, success: () => success(session), error });
    });
    await new Promise((resolve, error) => {
      more.attach({
        plugin: "janus.plugin.videocall",
        success: (attached) => attached.send({ message: { request: "register", username: name } }),
        error,
        onmessage: ({ result, error: refusal }) => {
          if (result?.event === "registered") resolve();
          if (refusal) error(refusal);
        },
      });
    });
    (window.others ??= []).push(more);
  },

  leave: () => Promise.all(others.map((other) => {
    return new Promise((success) => other.destroy({ success, error: success }));
  })),

  /** The demo asks for the list when it is registered. */
  settled: () => reached("listed"),

  disconnect: () => new Promise((success) => janus.destroy({ success, error: success })),
};

function onmessage(message, jsep) {
  const { event } = message.result ?? {};
  if (message.error) refused?.();
  if (event === "registered") {
    mark("registered");
    handle.send({ message: { request: "list" } });
  }
  if (message.result?.list) mark("listed");
  if (event === "calling") mark("calling");
  if (event === "incomingcall") {
    mark("incoming");
    handle.createAnswer({
      jsep,
      tracks: TRACKS,
      success: (answer) => handle.send({ message: { request: "accept" }, jsep: answer }),
    });
  }
  if (event === "accepted") {
    if (jsep) handle.handleRemoteJsep({ jsep });
    mark("accepted");
  }
  if (event === "hangup") {
    mark("ended");
    handle.hangup();
    videos.replaceChildren();
    refused?.();
  }
}

function show(track, isMine) {
  if (document.getElementById(track.id)) return;
  const element = document.createElement(track.kind);
  Object.assign(element, { id: track.id, autoplay: true, playsInline: true, muted: isMine });
  if (track.kind === "video" && !isMine) watchPicture(element);
  videos.append(element);
  Janus.attachMediaStream(element, new MediaStream([track]));
}

function onlocaltrack(track, isOn) {
  if (isOn && track.kind === "video") show(track, true);
}

function onremotetrack(track, mid, isOn) {
  if (isOn) show(track, false);
}

/** The gateway drops what comes before the other side's channel is open: the caller says it for a second. */
async function ondataopen() {
  for (let times = 0; isCaller && times < 100 && handle.webrtcStuff.pc; times += 1) {
    handle.data({ text: "Hello" });
    await pause(10);
  }
}
