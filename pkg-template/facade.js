// The public classes, over the compiled module. `load` gives a promise of its exports; it is called when
// they are first needed, so that loading the script costs next to nothing and an import on a server
// touches neither network nor browser API.
function createApi(version, load) {
  // Runs what returns a promise. A page may ignore the promise: that must not become an unhandled
  // rejection. A page that awaits it sees the rejection all the same.
  function run(action) {
    let promise;
    try {
      promise = Promise.resolve(action());
    } catch (error) {
      promise = Promise.reject(error);
    }
    promise.catch(() => {});
    return promise;
  }

  class VideoCall {
    #core;
    #level;
    #transfers;

    constructor(core, level, transfers) {
      this.#core = core;
      this.#level = level;
      this.#transfers = transfers;
      transfers.attach(core);
    }

    register(userName) {
      return run(() => this.#core.register(checkedName(userName)));
    }

    getPeers(filter, order) {
      return run(async () => {
        const select = checkedSelection(filter, order);
        const names = select(await this.#core.getPeers());
        this.#transfers.fire("onGotPeers", names);
        return names;
      });
    }

    call(userName) {
      return run(() => this.#core.call(checkedName(userName)));
    }

    acceptCall() {
      return run(() => this.#core.acceptCall());
    }

    hangUp(reason) {
      return run(() => this.#core.hangUp(optional("the reason", reason, TEXT)));
    }

    setCall(audio, video, quality) {
      return run(() =>
        this.#core.setCall(optional("audio", audio, FLAG), optional("video", video, FLAG), checkedBitrate(quality)));
    }

    toggleAudio() {
      return run(() => this.#core.toggleAudio());
    }

    toggleVideo() {
      return run(() => this.#core.toggleVideo());
    }

    sendData(type, data, cOk, cKo, options) {
      const sent = run(() => {
        optional("cOk", cOk, FUNCTION);
        optional("cKo", cKo, FUNCTION);
        return this.#transfers.send(checkedSending(type, data, options, this.#level));
      });
      const by = (name, callback) => (value) => typeof callback === "function" && tell(name, () => callback(value));
      sent.then(by("cOk", cOk), by("cKo", cKo));
      return sent;
    }

    closeUsecase() {
      return run(() => this.#core.closeUsecase());
    }
  }

  class UseCases {
    #core;
    #level;

    constructor(core, level) {
      this.#core = core;
      this.#level = level;
    }

    videoCall(onEvents, domElements, options) {
      return run(async () => {
        const level = this.#level;
        const call = checkedCall(onEvents, domElements, options, level);
        const transfers = new Transfers(onEvents, level);
        const core = await this.#core.videoCall(onEvents, call.elements, { ...call.options, transfers });
        return new VideoCall(core, level, transfers);
      });
    }
  }

  class VideoRTC {
    #setup;
    #core;
    #useCases;
    // While connect() waits for the module: { module, giveUp }.
    #waiting;

    constructor(servers, iceServers, debugLevel, options) {
      this.#setup = checkedArguments(servers, iceServers, debugLevel, options);
    }

    connect() {
      return run(async () => {
        if (!this.#core) await this.#load();
        await this.#core.connect();
        return this.#useCases;
      });
    }

    disconnect() {
      if (this.#core) return run(() => this.#core.disconnect());
      this.#waiting?.giveUp(
        new VideoRTCError("NOT_CONNECTED", "disconnect() came before connect() was done: connect() again"),
      );
      this.#waiting = undefined;
      return Promise.resolve();
    }

    async #load() {
      checkEnvironment();
      const waiting = this.#waiting ?? {};
      if (!this.#waiting) {
        const givenUp = new Promise((_, reject) => {
          waiting.giveUp = reject;
        });
        waiting.module = Promise.race([load(), givenUp]);
        this.#waiting = waiting;
      }
      try {
        const { VideoRTC: Core } = await waiting.module;
        if (this.#core) return;
        const { servers, iceServers, debugLevel, options } = this.#setup;
        this.#core = new Core(servers, iceServers, debugLevel, options);
        this.#useCases = new UseCases(this.#core, debugLevel);
      } finally {
        if (this.#waiting === waiting) this.#waiting = undefined;
      }
    }

    getDevices(config) {
      return VideoRTC.getDevices(config);
    }

    static get version() {
      return version;
    }

    static isSupported() {
      try {
        checkEnvironment();
        return Boolean(globalThis.navigator?.mediaDevices);
      } catch {
        return false;
      }
    }

    static getDevices(config) {
      return run(async () => {
        checkEnvironment();
        const wanted = checkedFields("config", config, DEVICES, "warn");
        return (await load()).getDevices(wanted);
      });
    }
  }

  return { VideoRTC, VideoRTCError };
}
