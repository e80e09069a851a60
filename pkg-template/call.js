// The page's side of one video call: its devices, peer connections, pictures, listeners and data. What the core
// says of a call is done here, by the name that `src/boundary/output.rs` gives it.

// The codes that a peer connection or a device fails with, for the core; anything else thrown is a peer
// connection's.
function mediaError(thrown) {
  if (thrown instanceof VideoRTCError) return thrown;
  return new VideoRTCError("MEDIA_FAILED", "the browser could not make the media connection", undefined, words(thrown));
}

function createCall({ input, command, configuration, log, takeBytes }, id, onEvents, elements, { stream: wishes, hasData }) {
  const view = createView(elements);
  const peers = new Map();
  const transfers = createTransfers(
    (name, parts, bytes) => input(name, [id, ...parts], bytes),
    (parts, ended, begin) => command("sendData", [id, ...parts], ended, begin),
    fire,
    log,
    takeBytes,
  );
  // The open devices are kept over all the peer connections of one conversation; `conversation` tells those that
  // open too late.
  let local, remote;
  let conversation = 0;
  // With whom the conversation is, and whom the page wanted to call.
  let peer, wanted;

  function fire(event, ...values) {
    tell(event, () => onEvents?.[event]?.apply?.(onEvents, values));
  }

  async function open() {
    const mine = conversation;
    const stream = local ?? (await openDevices(wishes));
    if (stream === local) return stream;
    // Another peer connection of the same conversation may have been faster.
    if (mine !== conversation || local) {
      stop(stream);
      // Of a conversation that is over, nobody hears.
      return mine === conversation ? local : new MediaStream();
    }
    local = stream;
    view.show(true, stream);
    fire("onReadyLocalStream", stream);
    return stream;
  }

  // Tells what came of a wish for a description. Where there is none, nobody waits for it any more.
  async function describe(leg, making) {
    try {
      const sdp = await making;
      if (peers.has(leg)) input("description", [id, leg, sdp]);
    } catch (thrown) {
      const { code, message, cause } = mediaError(thrown);
      input("mediaError", [id, leg, code, message, cause]);
    }
  }

  function begin(leg, sdp) {
    const ours = conversation;
    const show = (stream) => {
      // Its connection may outlive a conversation, until the gateway knows of the end.
      if (ours !== conversation) return;
      remote = stream;
      view.show(false, stream);
    };
    const news = (name, parts = [], bytes) => input(name, [id, leg, ...parts], bytes);
    const mine = createPeer(configuration, hasData, news, show, log);
    peers.set(leg, mine);
    const opening = open();
    // If the connection fails before the devices, nobody hears of theirs.
    opening.catch(() => {});
    return mine.begin(opening, sdp);
  }

  function offer(leg) {
    peer ??= wanted;
    describe(leg, begin(leg));
  }

  function close(leg) {
    peers.get(leg)?.close();
    peers.delete(leg);
  }

  function release() {
    conversation++;
    stop(local);
    local = remote = undefined;
    view.clear();
  }

  return {
    ...transfers,
    id,
    fire,
    offer,
    close,
    release,

    answer: (leg, sdp) => describe(leg, begin(leg, sdp)),
    restart: (leg) => describe(leg, peers.get(leg)?.restart()),
    renegotiate: (leg, sdp) => describe(leg, peers.get(leg)?.renegotiate(sdp)),
    remote: (leg, sdp) => peers.get(leg)?.accept(sdp),
    candidates: (leg, candidates) => peers.get(leg)?.add(candidates),

    sendBytes: (leg, lane) => peers.get(leg)?.send(lane, takeBytes()),
    sendText: (leg, text) => peers.get(leg)?.send(0, text),

    event(name, ...values) {
      if (name === "onHangUp") peer = undefined;
      else if (/^on(Calling|IncomingCall|Accepted)$/.test(name)) peer = values[0];
      fire(name, ...(name === "onRemoteStreamReady" ? [remote, ...values] : values));
    },

    errorEvent: (name, parts) => fire(name, made(parts)),

    // The page is about to call somebody: until the core names the peer, it is this one.
    want(name) {
      wanted = name;
    },

    // Mutes or unmutes what is sent; returns the new state.
    toggle(kind) {
      if (!local) throw new VideoRTCError("NO_CALL", "nothing is being sent: there is no call");
      const tracks = local.getTracks().filter((track) => track.kind === kind);
      if (tracks.length === 0) throw new VideoRTCError("DEVICE_NOT_FOUND", `this call sends no ${kind}`);
      const enabled = !tracks[0].enabled;
      for (const track of tracks) track.enabled = enabled;
      return enabled;
    },

    // Closes all that is open: the call object is at its end.
    end() {
      for (const leg of [...peers.keys()]) close(leg);
      release();
    },

    // Tells the page that all has ended, since nobody else can any more.
    breakDown(error) {
      transfers.breakDown(error);
      fire("onError", error);
      if (peer !== undefined) fire("onHangUp", peer, "Internal error");
      peer = undefined;
    },
  };
}
