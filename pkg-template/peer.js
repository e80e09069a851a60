// One peer connection (W3C WebRTC), from its making to its closing.

// How many remote candidates are kept until they can be added.
const MOST_EARLY_CANDIDATES = 64;
// How long a description waits for its first candidate, and then for others, in milliseconds: those of this
// machine's networks come together, travel in it, and need no request of their own.
const HEAD_START = 20;
const REST = 4;
// Those states that matter; the module has the same words.
const STATES = ["connected", "disconnected", "failed"];

// `news(name, parts, bytes)` tells the module; `show(stream)` hears of each remote track.
function createPeer(configuration, hasData, news, show, log) {
  const listening = new AbortController();
  // Candidates may not be added before the remote description is set.
  let early = [];
  let connection, send;
  // Candidates travel in the description that is being made; that those were all, the gateway does not read there.
  let isDescribed = false;
  // What changes a description goes one after the other: in the middle of one change, the next has no state to
  // begin from.
  let last = Promise.resolve();

  function inTurn(act) {
    const turn = last.then(act);
    last = turn.catch(() => {});
    return turn;
  }

  async function attempt(what, act) {
    try {
      return await act();
    } catch (thrown) {
      throw new VideoRTCError("MEDIA_FAILED", `the browser could not ${what}`, undefined, words(thrown));
    }
  }

  // A track, a channel or a connection: nothing of it is heard any more after `close`.
  function on(target, event, act) {
    target.addEventListener(event, act, { signal: listening.signal });
  }

  function open() {
    // Nobody would close it any more.
    if (listening.signal.aborted) throw Error("closed");
    connection = new RTCPeerConnection(configuration);
    on(connection, "icecandidate", ({ candidate }) => {
      if (candidate && !isDescribed) return;
      news("candidate", [candidate?.candidate, candidate?.sdpMid, candidate?.sdpMLineIndex]);
    });
    on(connection, "connectionstatechange", () => {
      const state = connection.connectionState;
      if (STATES.includes(state)) news(state);
    });
    // One stream of our own: what streams the other side says its tracks are in does not matter.
    const stream = new MediaStream();
    let flows = false;
    on(connection, "track", ({ track }) => {
      function add() {
        if (listening.signal.aborted) return;
        stream.addTrack(track);
        show(stream);
      }
      // Chromium plays no sound before the first frame, unless the picture comes to an element that plays already: a
      // task later, by a message, since timers stand still in a background tab.
      if (track.kind === "video") {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = add;
        port2.postMessage(0);
      } else add();
      // A remote track is muted until its first packet.
      on(track, "unmute", () => {
        if (!flows) news("remoteMedia");
        flows = true;
      });
    });
    if (hasData) send = createChannels(connection, on, news);
  }

  function addTracks(stream) {
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
  }

  async function applyLocal(description) {
    isDescribed = false;
    await attempt("apply its own description", () => connection.setLocalDescription(description));
    await new Promise((enough) => {
      on(connection, "icecandidate", () => setTimeout(enough, REST));
      setTimeout(enough, HEAD_START);
    });
    isDescribed = true;
    return connection.localDescription.sdp;
  }

  async function applyRemote(type, sdp) {
    await attempt("apply the other side's description", () => connection.setRemoteDescription({ type, sdp }));
    const candidates = early ?? [];
    early = undefined;
    add(candidates);
  }

  async function offer(options) {
    return applyLocal(await attempt("make an offer", () => connection.createOffer(options)));
  }

  async function answer(sdp, opening) {
    await applyRemote("offer", sdp);
    const stream = await opening;
    return applyLocal(
      await attempt("make an answer", () => {
        if (stream) addTracks(stream);
        return connection.createAnswer();
      }),
    );
  }

  // Takes remote candidates, early ones too.
  function add(candidates) {
    if (early) {
      early.push(...candidates.slice(0, MOST_EARLY_CANDIDATES - early.length));
      return;
    }
    // A candidate that the browser cannot use is no loss: others may do.
    for (const candidate of candidates) inTurn(() => connection.addIceCandidate(candidate)).catch(() => {});
  }

  return {
    add,

    // Makes an offer, or an answer to one, that sends what the stream has that is being opened. An offer that sends
    // nothing receives sound and picture all the same.
    begin: (opening, sdp) =>
      inTurn(async () => {
        await attempt("make a peer connection (check iceServers)", open);
        if (sdp !== undefined) return answer(sdp, opening);
        const stream = await opening;
        await attempt("make an offer", () => {
          addTracks(stream);
          if (stream.getTracks().length > 0) return;
          for (const kind of ["audio", "video"]) connection.addTransceiver(kind, { direction: "recvonly" });
        });
        return offer();
      }),

    restart: () =>
      inTurn(() => {
        // The gateway's new candidates may come before its answer: they belong to that.
        early = [];
        return offer({ iceRestart: true });
      }),

    // An offer of ours that waits for its answer is taken back by this one (W3C WebRTC, section 4.4.1.5).
    renegotiate: (sdp) => inTurn(() => answer(sdp)),

    // Takes the answer to the offer. One whose offer was taken back meanwhile is late, and no failure.
    accept: (sdp) =>
      inTurn(async () => {
        if (connection.signalingState !== "have-local-offer") return;
        await applyRemote("answer", sdp).catch(() => news("failed"));
      }),

    send(lane, data) {
      try {
        send?.(lane, data);
      } catch (thrown) {
        log(1, `the browser could not send on the data channel: ${words(thrown)}`);
      }
    },

    close() {
      listening.abort();
      // It takes the browser tens of milliseconds, in which the page would not hear yet that the call is over.
      queueMicrotask(() => connection?.close());
    },
  };
}
