"use strict";

// A page for video calls. From top to bottom: messages, views, events of the gateway, actions of the
// user. Names and reasons come from other users, so they are only shown as text. Chat and files are
// in talk.js.

const gateway = window.VIDEORTC_GATEWAY || `${location.origin}/janus`;
const part = (id) => document.getElementById(id);

// ---------------------------------------------------------------- messages

/** Advice for the user, by error code. */
const ADVICE = {
  NOT_SUPPORTED: "This browser cannot make video calls here. Use a current browser, and open the page over https.",
  GATEWAY_UNREACHABLE: "The gateway does not answer. Check your connection and try again.",
  GATEWAY_TIMEOUT: "The gateway takes too long to answer. Try again.",
  GATEWAY_PROTOCOL: "What answers at the gateway's address is not a gateway. Tell whoever runs this page.",
  GATEWAY_ERROR: "The gateway refused this. Try again.",
  UNAUTHORIZED: "The gateway does not accept this page's key. Tell whoever runs this page.",
  SESSION_LOST: "The connection to the gateway was lost. Join again.",
  NOT_CONNECTED: "There is no connection to the gateway. Join again.",
  CLOSED: "The connection to the gateway was closed. Join again.",
  NOT_REGISTERED: "Choose a name first.",
  ALREADY_REGISTERED: "You have a name already. Leave first to choose another one.",
  USERNAME_TAKEN: "This name is taken. Choose another one.",
  NO_SUCH_USER: "This person is no longer here.",
  CALLING_SELF: "You cannot call yourself.",
  USER_BUSY: "This person is in another call. Try again later.",
  ALREADY_IN_CALL: "You are in a call already.",
  NO_CALL: "The call is over already.",
  NO_ANSWER: "Nobody answered.",
  PERMISSION_DENIED: "Camera or microphone are not allowed on this page. Allow them in the address bar, then call again.",
  DEVICE_NOT_FOUND: "No camera or microphone was found. Plug one in, or leave and join again without the camera.",
  DEVICE_IN_USE: "Another program uses the camera or the microphone. Close it, then call again.",
  DEVICE_ERROR: "The camera or the microphone does not work. Check it, then call again.",
  MEDIA_FAILED: "Audio and video cannot get through the network. Try another network.",
};

/**
 * A template tag: sentence`Calling ${name}…`. Each inserted text becomes a <bdi>, so that its writing
 * direction does not affect the words around it.
 */
function sentence(words, ...texts) {
  const all = document.createDocumentFragment();
  words.forEach((word, index) => {
    all.append(word);
    if (index === texts.length) return;
    const isolated = document.createElement("bdi");
    isolated.textContent = texts[index];
    all.append(isolated);
  });
  return all;
}

function advice(error) {
  return ADVICE[error?.code] ?? sentence`Something went wrong: ${error?.message ?? error}`;
}

/** Describes the end of a call. `mine`: this user ended it. */
function endMessage(peer, reason, { mine, wasIncoming, wasUp }) {
  switch (reason) {
    case "User busy":
      return sentence`${peer} is in another call.`;
    case "Call declined":
      return mine ? sentence`You declined the call from ${peer}.` : sentence`${peer} declined the call.`;
    case "Cancelled":
    case "No answer":
      if (wasIncoming) return sentence`You missed a call from ${peer}.`;
      return mine ? sentence`You cancelled the call to ${peer}.` : sentence`${peer} did not answer.`;
    case "Hung up":
      return mine ? sentence`You ended the call with ${peer}.` : sentence`${peer} hung up.`;
    case "The other side left":
      return sentence`${peer} left.`;
    case "Media connection failed":
      return sentence`The call with ${peer} ended: audio and video could not get through the network.`;
    case "Connection lost":
    case "Session lost":
      return sentence`The call with ${peer} ended: the connection to the gateway was lost.`;
    default:
      return wasUp
        ? sentence`${peer} ended the call: ${reason}`
        : sentence`The call with ${peer} failed: ${reason}`;
  }
}

/** `words`: a text or a sentence`…`. */
function say(words, isTrouble = false) {
  part("status").replaceChildren(words);
  part("status").classList.toggle("trouble", isTrouble);
}

// ---------------------------------------------------------------- views

/** Shows the view "welcome", "lobby", "ringing" or "call"; the style sheet hides the others. */
function show(view) {
  document.body.dataset.view = view;
  const isIn = view !== "welcome";
  part("identity").hidden = !isIn;
  part("leave").hidden = view !== "lobby";
  document.title = { ringing: "Calling…", call: "In a call" }[view] ?? "Video call";
  talk.show(view);
}

function dress(avatar, name) {
  avatar.textContent = [...name.trim()][0]?.toUpperCase() ?? "";
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  avatar.style.setProperty("--hue", hue);
}

function dressAll(name) {
  for (const avatar of document.querySelectorAll(".avatar.large")) dress(avatar, name);
}

let shownPeople = "";

function showPeople(names) {
  const others = names.filter((name) => name !== me).sort((a, b) => a.localeCompare(b));
  const all = [me, ...others];
  part("nobody").hidden = others.length > 0;
  // Redraw only a changed list, so that no button loses the focus or a click.
  if (JSON.stringify(all) === shownPeople) return;
  shownPeople = JSON.stringify(all);
  const focused = document.activeElement?.dataset?.name;
  part("people").replaceChildren(...all.map(personRow));
  if (focused) {
    [...part("people").querySelectorAll("button")].find((b) => b.dataset.name === focused)?.focus();
  }
}

function personRow(name) {
  const row = document.createElement("li");
  const avatar = document.createElement("span");
  avatar.className = "avatar";
  avatar.setAttribute("aria-hidden", "true");
  dress(avatar, name);
  const label = document.createElement("bdi");
  label.className = "name";
  label.textContent = name;
  label.title = name;
  row.append(avatar, label, name === me ? ownMark() : callButton(name));
  return row;
}

function ownMark() {
  const mark = document.createElement("span");
  mark.className = "you";
  mark.textContent = "you";
  return mark;
}

function callButton(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "primary";
  button.dataset.name = name;
  button.textContent = "Call";
  button.setAttribute("aria-label", `Call ${name}`);
  button.addEventListener("click", () => place(name));
  return button;
}

function showSwitch(id, isPressed, words) {
  part(id).setAttribute("aria-pressed", String(isPressed));
  part(id).querySelector("span").textContent = words;
}

let clock;

function startTimer() {
  const begun = Date.now();
  const tick = () => {
    const seconds = Math.floor((Date.now() - begun) / 1000);
    const pad = (number) => String(number).padStart(2, "0");
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    part("timer").textContent = h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
    checkRemoteVideo();
  };
  tick();
  clearInterval(clock);
  clock = setInterval(tick, 1000);
}

const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Whether the remote video shows anything. A muted camera sends black frames. */
function isRemoteVideoVisible() {
  const video = document.querySelector(".is-remote-video");
  if (!video?.videoWidth) return false;
  probe.drawImage(video, 0, 0, 16, 12);
  return probe.getImageData(0, 0, 16, 12).data.some((value, index) => index % 4 < 3 && value > 24);
}

/** Called once a second: shows the initial of the peer in place of a black video. */
function checkRemoteVideo() {
  if (!call?.hasMedia) return;
  const isThere = isRemoteVideoVisible();
  call.blanks = isThere ? 0 : (call.blanks ?? 0) + 1;
  if (isThere) part("waiting").hidden = true;
  // Ignore a single dark frame.
  if (call.blanks === 2) {
    part("waiting").hidden = false;
    part("waiting-text").replaceChildren(sentence`${call.peer}'s camera is off.`);
  }
}

// ---------------------------------------------------------------- events of the gateway

let rtc; // the VideoRTC
let action; // the VideoCall, once joined
let me = ""; // this user's name at the gateway
let call = null; // { peer, mine, wasIncoming, wasUp, hasMedia, blanks, explained } from the first ring to the end

const talk = createTalk((type, data, optional) => action.sendData(type, data, null, null, optional));

const onEvents = {
  onRegistered(userName, isRegistered) {
    if (!isRegistered) return;
    me = userName;
    part("own-name").textContent = userName;
  },

  onGotPeers: showPeople,

  onCalling(userName) {
    part("ringing-text").replaceChildren(sentence`Calling ${userName}…`);
  },

  onIncomingCall(userName) {
    call = { peer: userName, wasIncoming: true };
    dressAll(userName);
    part("incoming-text").replaceChildren(sentence`${userName} calls you`);
    // The name comes last, since a title cannot isolate its writing direction.
    document.title = `Call from ${userName}`;
    part("incoming").showModal();
  },

  onReadyLocalStream(stream) {
    document.body.classList.toggle("without-camera", stream.getVideoTracks().length === 0);
    part("camera").hidden = stream.getVideoTracks().length === 0;
  },

  onAccepted(userName) {
    if (call) call.wasUp = true;
    part("incoming").close();
    part("peer-name").replaceChildren(sentence`${userName}`);
    part("waiting").hidden = false;
    part("waiting-text").textContent = "Connecting…";
    showSwitch("mute", false, "Mute");
    showSwitch("camera", false, "Camera off");
    say("");
    talk.begin(userName);
    show("call");
    startTimer();
    // Not the hang-up button: the key that accepted may still be held down.
    part("mute").focus();
  },

  onRemoteStreamReady() {
    if (call) call.hasMedia = true;
    checkRemoteVideo();
  },

  onDataReceived: talk.receive,
  onTransferProgress: talk.progress,

  onSlowLink() {
    say("The connection is slow. Audio and video may stutter.");
  },

  onReconnecting() {
    say("The connection was interrupted. Trying again…", true);
  },

  onReconnected() {
    say("The connection is back.");
  },

  onHangUp(userName, reason) {
    const ended = call ?? { peer: userName };
    call = null;
    clearInterval(clock);
    part("incoming").close();
    // A rejected promise has already shown a better message.
    if (!ended.explained) say(endMessage(userName, reason, ended));
    talk.end(endMessage(userName, reason, ended));
    if (reason === "Session lost" || reason === "Connection lost") return lost();
    backToLobby(userName);
  },

  onError(error) {
    if (isLoss(error)) lost(error);
    else if (error.code === "TYPE_NOT_ALLOWED" || error.code === "TOO_LARGE") talk.refused(error);
    else say(advice(error), true);
  },
};

function backToLobby(peer) {
  show("lobby");
  refresh();
  const buttons = [...part("people").querySelectorAll("button")];
  (buttons.find((button) => button.dataset.name === peer) ?? part("leave")).focus();
}

function isLoss(error) {
  return ["SESSION_LOST", "NOT_CONNECTED", "CLOSED"].includes(error?.code);
}

/** The gateway is gone, and the name with it: go back to the start, where joining reconnects. */
function lost(error) {
  if (!action) return;
  if (error) say(advice(error), true);
  leave();
}

// ---------------------------------------------------------------- actions of the user

async function join(event) {
  event?.preventDefault();
  const name = part("name").value.trim();
  problem("");
  part("join-button").disabled = true;
  say("Connecting…");
  try {
    const usecases = await rtc.connect();
    const stream = { videoEnabled: part("with-camera").checked };
    action ??= await usecases.videoCall(onEvents, { videos: part("videos") }, { stream });
    await action.register(name || undefined);
    sessionStorage.setItem("name", name);
    say("");
    shownPeople = "";
    showPeople([]);
    show("lobby");
    part("lobby-title").focus();
    await refresh();
  } catch (error) {
    say("");
    const isName = error?.code === "USERNAME_TAKEN" || error?.code === "INVALID_ARGUMENT";
    if (isName) {
      const isTaken = error.code === "USERNAME_TAKEN";
      problem(isTaken ? sentence`${name} is taken. Choose another name.` : sentence`${error.message}`);
    } else {
      say(advice(error), true);
    }
    // The next attempt uses a new object, maybe with other devices, on a new connection.
    const old = action;
    action = undefined;
    await old?.closeUsecase().catch(() => {});
    if (isLoss(error)) await rtc.disconnect().catch(() => {});
  } finally {
    part("join-button").disabled = false;
    if (document.body.dataset.view === "welcome") part("name").focus();
  }
}

function problem(words) {
  part("name-problem").replaceChildren(words);
  part("name").setAttribute("aria-invalid", String(words !== ""));
}

/** Leaves the gateway and goes back to the start. Keeps the status line. */
function leave() {
  action = undefined;
  me = "";
  call = null;
  show("welcome");
  part("name").focus();
  return rtc.disconnect().catch(() => {});
}

async function refresh() {
  try {
    await action?.getPeers();
  } catch (error) {
    if (isLoss(error)) lost(error);
    // Other errors are temporary: the list is requested again soon.
  }
}

/** Calls a user. */
function place(peer) {
  if (call) return; // A double click.
  call = { peer };
  say("");
  dressAll(peer);
  part("ringing-text").textContent = "Opening your camera and microphone…";
  show("ringing");
  part("cancel").focus();
  attempt(action.call(peer), call);
}

function accept() {
  part("incoming").close();
  say("");
  part("ringing-text").textContent = "Opening your camera and microphone…";
  show("ringing");
  attempt(action.acceptCall(), call);
}

/** Ends the call, whatever state it is in. */
function end() {
  if (call) call.mine = true;
  action?.hangUp().catch(() => {});
}

/** Shows why a call failed; `onHangUp` cleans up. */
function attempt(promise, about) {
  promise.catch((error) => {
    if (about.mine || error?.code === "CALL_ENDED" || error?.code === "NO_CALL") return;
    about.explained = true;
    say(advice(error), true);
    if (isLoss(error)) return lost(error);
    // Rejected before there was a call: `onHangUp` will not fire.
    if (call === about && error?.code === "ALREADY_IN_CALL") call = null;
    if (!call && document.body.dataset.view === "ringing") backToLobby(about.peer);
  });
}

async function mute() {
  const isOn = await action.toggleAudio().catch(() => null);
  if (isOn !== null) showSwitch("mute", !isOn, isOn ? "Mute" : "Unmute");
}

async function switchCamera() {
  const isOn = await action.toggleVideo().catch(() => null);
  if (isOn !== null) showSwitch("camera", !isOn, isOn ? "Camera off" : "Camera on");
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    say("The address is copied.");
  } catch {
    say(`Copy it from here: ${location.href}`);
  }
}

// ---------------------------------------------------------------- the start

part("join").addEventListener("submit", join);
part("leave").addEventListener("click", () => {
  say("");
  talk.clear();
  leave();
});
part("copy-link").addEventListener("click", copyLink);
part("cancel").addEventListener("click", end);
part("decline").addEventListener("click", end);
part("accept").addEventListener("click", accept);
part("hang-up").addEventListener("click", end);
part("mute").addEventListener("click", mute);
part("camera").addEventListener("click", switchCamera);
// The Escape key in the dialog declines; the dialog itself closes when the call has ended.
part("incoming").addEventListener("cancel", (event) => {
  event.preventDefault();
  end();
});

setInterval(() => {
  if (document.body.dataset.view === "lobby" && !document.hidden) refresh();
}, 2500);

// Free the name when the page closes, not only when the gateway times out.
window.addEventListener("pagehide", () => {
  talk.clear();
  rtc?.disconnect().catch(() => {});
});

part("name").value = sessionStorage.getItem("name") ?? "";

if (typeof VideoRTC === "undefined") {
  say("videortc.js was not loaded. Build it with: cargo xtask demo", true);
  part("join-button").disabled = true;
} else if (!VideoRTC.isSupported()) {
  say(ADVICE.NOT_SUPPORTED, true);
  part("join-button").disabled = true;
} else {
  rtc = new VideoRTC(gateway, [], "error");
  // Report an unreachable gateway early; joining retries.
  rtc.connect().catch((error) => say(advice(error), true));
}
