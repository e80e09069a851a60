"use strict";

// The states and events of the page and its connection, for a trace: `steps` has [what, start,
// end?]. Records only if the address requests it, since recording takes time.

window.steps = [];

if (location.search === "?trace") {
  const happens = (what) => void steps.push([what, clock()]);

  /** Replaces a method that returns a promise by one that is timed. */
  const time = (owner, method, say = () => method) => {
    const act = owner[method];
    owner[method] = function (...given) {
      const step = [say(...given), clock()];
      steps.push(step);
      const acting = act.apply(this, given);
      const done = () => (step[2] = clock());
      Promise.resolve(acting).then(done, done);
      return acting;
    };
  };

  const watchChannel = (channel) => {
    channel.addEventListener("open", () => happens(`data channel ${channel.label} open`));
  };

  const watched = new WeakSet();
  const watchDtls = (peer) => {
    for (const { sender } of peer.getTransceivers()) {
      const { transport } = sender;
      if (!transport || watched.has(transport)) continue;
      watched.add(transport);
      transport.addEventListener("statechange", () => happens(`DTLS ${transport.state}`));
    }
  };

  time(MediaDevices.prototype, "getUserMedia");
  for (const method of ["createOffer", "createAnswer"]) time(RTCPeerConnection.prototype, method);
  for (const method of ["setLocalDescription", "setRemoteDescription"]) {
    time(RTCPeerConnection.prototype, method, (given) => `${method} ${given?.type ?? ""}`);
  }
  time(RTCPeerConnection.prototype, "addIceCandidate", (given) => {
    return given?.candidate ? "addIceCandidate" : "addIceCandidate, the end";
  });
  time(WebAssembly, "instantiate");

  const create = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...given) {
    const channel = create.apply(this, given);
    watchChannel(channel);
    return channel;
  };

  window.RTCPeerConnection = class RTCPeerConnection extends window.RTCPeerConnection {
    constructor(...settings) {
      super(...settings);
      happens("peer connection made");
      const on = (event, look) => this.addEventListener(event, look);
      on("icecandidate", ({ candidate }) => {
        const kind = candidate && `${candidate.type} ${candidate.protocol}`;
        happens(kind ? `own candidate, ${kind}` : "own candidates, the end");
      });
      on("icegatheringstatechange", () => happens(`gathering ${this.iceGatheringState}`));
      on("iceconnectionstatechange", () => happens(`ICE ${this.iceConnectionState}`));
      on("connectionstatechange", () => happens(`connection ${this.connectionState}`));
      on("signalingstatechange", () => {
        happens(`signalling ${this.signalingState}`);
        if (this.signalingState !== "closed") watchDtls(this);
      });
      on("datachannel", ({ channel }) => {
        happens(`data channel ${channel.label} came`);
        watchChannel(channel);
      });
      on("track", ({ track }) => {
        happens(`remote ${track.kind} track`);
        track.addEventListener("unmute", () => happens(`first packet of ${track.kind}`));
      });
    }
  };
}
