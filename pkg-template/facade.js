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
        for (const [name, callback] of Object.entries({ cOk, cKo })) {
          if (callback !== undefined && callback !== null && typeof callback !== "function") {
            const given = typeof callback === "object" ? "an object" : `the ${typeof callback} ${String(callback)}`;
            throw new VideoRTCError("INVALID_ARGUMENT", `${name} must be a function, but is ${given}`);
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
        this.#useCases = new UseCases(this.#core);
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
        return (await load()).getDevices(config);
      });
    }
  }

  return { VideoRTC, VideoRTCError };
}
