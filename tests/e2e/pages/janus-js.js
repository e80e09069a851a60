"use strict";

// A client of the video call plugin that is made with janus.js, as its documentation and the gateway's own
// demo page do it. Its commands and events have the names of the library's, so that a test drives both in
// the same way.

const TRACKS = [
  { type: "audio", capture: true, recv: true },
  { type: "video", capture: true, recv: true },
  { type: "data" },
];

let janus;
let handle;
let incoming; // the offer of the call that rings here
let peer; // the other side's name
let isDisguised = false;
let picture = new MediaStream();

const rtc = {
  disconnect: () => new Promise((success) => {
    if (janus?.isConnected()) janus.destroy({ success, error: success });
    else success();
  }),
};

const action = {
  async register(name, disguised) {
    isDisguised = disguised;
    await new Promise((callback) => Janus.init({ debug: ["error"], callback }));
    await new Promise((success, error) => {
      janus = new Janus({ server: window.VIDEORTC_GATEWAY, success, error });
    });
    await new Promise((resolve, error) => {
      const success = (attached) => {
        handle = attached;
        resolve();
      };
      const plugin = "janus.plugin.videocall";
      const heard = { onmessage, onremotetrack, ondata, ondataopen, webrtcState };
      janus.attach({ plugin, success, error, ...heard });
    });
    handle.send({ message: { request: "register", username: name } });
  },

  async call(name) {
    peer = name;
    const jsep = await negotiate((callbacks) => handle.createOffer({ tracks: TRACKS, ...callbacks }));
    handle.send({ message: { request: "call", username: name }, jsep });
  },

  async acceptCall() {
    const jsep = await negotiate((callbacks) => {
      handle.createAnswer({ jsep: incoming, tracks: TRACKS, ...callbacks });
    });
    handle.send({ message: { request: "accept" }, jsep });
  },

  hangUp() {
    handle.send({ message: { request: "hangup" } });
  },

  /** A string, `ArrayBuffer` or view, on the channel with this label; janus.js' own without one. */
  send(data, label) {
    return new Promise((success, error) => handle.data({ data, label, success, error }));
  },
};

async function negotiate(make) {
  const jsep = await new Promise((success, error) => make({ success, error }));
  if (!isDisguised) return jsep;
  const sdp = jsep.sdp.replace(/m=application [^]*?(?=m=|$)/, "$&a=x-videortc-data:1\r\n");
  return { type: jsep.type, sdp };
}

function onmessage(message, jsep) {
  const { event, username } = message.result ?? {};
  if (message.error) harness.faults.push(`the gateway said ${message.error_code}: ${message.error}`);
  if (event === "registered") report("onRegistered", [username, true]);
  if (event === "calling") report("onCalling", [peer]);
  if (event === "incomingcall") {
    [incoming, peer] = [jsep, username];
    report("onIncomingCall", [username]);
  }
  if (event === "accepted") {
    if (jsep) handle.handleRemoteJsep({ jsep });
    report("onAccepted", [peer]);
  }
  if (event === "hangup") handle.hangup();
}

/** The gateway's core is the one who says for sure that a call is over. */
function webrtcState(isUp, reason) {
  if (isUp) return;
  picture = new MediaStream();
  report("onHangUp", [peer, reason]);
}

function onremotetrack(track, mid, isOn) {
  if (!isOn) return;
  picture.addTrack(track);
  document.querySelector("video").srcObject = picture;
}

function ondata(data, label) {
  report("onDataReceived", [label, data]);
}

function ondataopen(label) {
  report("onDataOpen", [label]);
}
