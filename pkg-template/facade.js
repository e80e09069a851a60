// The public classes, over the compiled module. `load` instantiates it and returns its exports; it
// is called when it is first needed, so that loading the script costs next to nothing and an import
// on a server touches no browser API.
function createApi(load) {
  class VideoRTCError extends Error {
    constructor(code, message, gatewayCode, cause) {
      super(message);
      this.code = code;
      if (gatewayCode !== undefined) this.gatewayCode = gatewayCode;
      if (cause !== undefined) this.cause = cause;
    }

    toString() {
      return `${this.name} ${this.code}: ${this.message}`;
    }
  }
  Object.defineProperty(VideoRTCError.prototype, "name", { value: "VideoRTCError", configurable: true });

  let loaded;

  function core() {
    if (!loaded) {
      if (typeof WebAssembly !== "object") {
        throw new VideoRTCError("NOT_SUPPORTED", "this environment has no WebAssembly: use a current browser");
      }
      loaded = load();
      loaded.setErrorFactory((...parts) => new VideoRTCError(...parts));
    }
    return loaded;
  }

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

  // Calls a function of the page, if it is one. What it throws is reported, and breaks nothing.
  function tell(name, callback, value) {
    try {
      if (typeof callback === "function") callback(value);
    } catch (error) {
      console.error(`[videortc] ${name} threw`, error);
    }
  }

  class VideoCall {
    #core;

    constructor(core) {
      this.#core = core;
    }

    register(userName) {
      return run(() => this.#core.register(userName));
    }

    getPeers(filter, order) {
      return run(() => this.#core.getPeers(filter, order));
    }

    call(userName) {
      return run(() => this.#core.call(userName));
    }

    acceptCall() {
      return run(() => this.#core.acceptCall());
    }

    hangUp(reason) {
      return run(() => this.#core.hangUp(reason));
    }

    setCall(audio, video, quality) {
      return run(() => this.#core.setCall(audio, video, quality));
    }

    toggleAudio() {
      return run(() => this.#core.toggleAudio());
    }

    toggleVideo() {
      return run(() => this.#core.toggleVideo());
    }

    sendData(type, data, cOk, cKo, optional) {
      const sent = run(() => {
        for (const callback of [cOk, cKo]) {
          if (callback !== undefined && callback !== null && typeof callback !== "function") {
            throw new VideoRTCError("INVALID_ARGUMENT", "cOk and cKo must be functions, where they are given");
          }
        }
        return this.#core.sendData(type, data, optional);
      });
      sent.then((transfer) => tell("cOk", cOk, transfer), (error) => tell("cKo", cKo, error));
      return sent;
    }

    closeUsecase() {
      return run(() => this.#core.closeUsecase());
    }
  }

  class UseCases {
    #core;

    constructor(core) {
      this.#core = core;
    }

    videoCall(onEvents, domElements, options) {
      return run(async () => new VideoCall(await this.#core.videoCall(onEvents, domElements, options)));
    }
  }

  class VideoRTC {
    #core;
    #useCases;

    constructor(servers, iceServers, debugLevel, options) {
      const { VideoRTC: Core } = core();
      this.#core = new Core(servers, iceServers, debugLevel, options);
      this.#useCases = new UseCases(this.#core);
    }

    connect() {
      return run(async () => {
        await this.#core.connect();
        return this.#useCases;
      });
    }

    disconnect() {
      return run(() => this.#core.disconnect());
    }

    getDevices(config) {
      return VideoRTC.getDevices(config);
    }

    static get version() {
      return core().version();
    }

    static isSupported() {
      return typeof WebAssembly === "object" && core().isSupported();
    }

    static getDevices(config) {
      return run(() => core().getDevices(config));
    }
  }

  return { VideoRTC, VideoRTCError };
}
