"use strict";

// A page that calls by this library, in the way that the README shows.

const videos = document.getElementById("videos");
let rtc;
let action;

// The library adds the elements itself.
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const video of addedNodes) {
      if (video.classList?.contains("is-remote-video")) watchPicture(video);
    }
  }
}).observe(videos, { childList: true });

window.client = {
  /** From nothing to a registered name; the milliseconds that it took. */
  async register(gateway, name) {
    const start = clock();
    rtc = new VideoRTC(gateway);
    const usecases = await rtc.connect();
    action = await usecases.videoCall({
      onRegistered: () => mark("registered"),
      onCalling: () => mark("calling"),
      onIncomingCall: () => {
        mark("incoming");
        action.acceptCall();
      },
      onAccepted: () => mark("accepted"),
      onHangUp: () => mark("ended"),
      onDataReceived: () => mark("data"),
    }, { videos });
    action.register(name);
    return await reached("registered") - start;
  },

  /** Calls, and sends the first message; when that began. */
  call(name) {
    const start = clock();
    action.call(name);
    // It waits for the call by itself.
    action.sendData("text/plain", "Hello");
    return start;
  },

  hangUp: () => void action.hangUp(),

  /** Hangs up and calls again, as soon as the library lets one and the other side is free. */
  async redial(name) {
    forget("calling");
    const start = clock();
    await action.hangUp();
    const over = clock();
    while (!(await this.rings(name))) await pause(50);
    return { start, over, rings: await reached("calling") };
  },

  rings: (name) => action.call(name).then(() => true, ({ code }) => {
    if (code !== "USER_BUSY") throw new Error(`the redial was refused: ${code}`);
  }),

  /** One more client in the same page, registered. */
  async another(gateway, name) {
    const more = new VideoRTC(gateway);
    const usecases = await more.connect();
    const call = await usecases.videoCall({ onIncomingCall() {}, onHangUp() {} });
    await call.register(name);
    (window.others ??= []).push(more);
  },

  leave: () => Promise.all(others.map((other) => other.disconnect())),

  settled: async () => {},

  disconnect: () => rtc.disconnect(),
};
