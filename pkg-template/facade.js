// The public classes, over the compiled module. `load` gives a promise of its exports.
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

  // What stands behind an object of the page. Private fields would be that many maps in older syntax.
  const hidden = new WeakMap();
  const behind = (object) => hidden.get(object);

  class VideoCall {
    constructor(call, level) {
      hidden.set(this, { call, level });
    }

    register(userName) {
      return run(() => behind(this).call.run("register", checkedName(userName)));
    }

    getPeers(filter, order) {
      return run(async () => {
        const { call } = behind(this);
        const select = checkedSelection(filter, order);
        const names = select(await call.run("getPeers"));
        call.fire("onGotPeers", names);
        return names;
      });
    }

    call(userName) {
      return run(() => {
        const { call } = behind(this);
        const name = checkedName(userName);
        call.want(name);
        return call.run("call", name);
      });
    }

    acceptCall() {
      return run(() => behind(this).call.run("acceptCall"));
    }

    hangUp(reason) {
      return run(() => behind(this).call.run("hangUp", optional("the reason", reason, TEXT)));
    }

    setCall(audio, video, quality) {
      return run(() => {
        const settings = [optional("audio", audio, FLAG), optional("video", video, FLAG), checkedBitrate(quality)];
        return behind(this).call.run("setCall", ...settings);
      });
    }

    toggleAudio() {
      return run(() => behind(this).call.toggle("audio"));
    }

    toggleVideo() {
      return run(() => behind(this).call.toggle("video"));
    }

    sendData(type, data, cOk, cKo, options) {
      const sent = run(() => {
        optional("cOk", cOk, FUNCTION);
        optional("cKo", cKo, FUNCTION);
        const { call, level } = behind(this);
        return call.send(checkedSending(type, data, options, level));
      });
      const by = (name, callback) => (value) => typeof callback === "function" && tell(name, () => callback(value));
      sent.then(by("cOk", cOk), by("cKo", cKo));
      return sent;
    }

    closeUsecase() {
      // Twice is once: where there is nothing to close any more, it is closed.
      return run(() => behind(this).call.close());
    }
  }

  class UseCases {
    constructor(driver, level) {
      hidden.set(this, { driver, level });
    }

    videoCall(onEvents, domElements, options) {
      return run(async () => {
        const { driver, level } = behind(this);
        const { elements, options: checked } = checkedCall(onEvents, domElements, options, level);
        return new VideoCall(await driver.videoCall(onEvents, elements, checked), level);
      });
    }
  }

  class VideoRTC {
    constructor(servers, iceServers, debugLevel, options) {
      hidden.set(this, { setup: checkedArguments(servers, iceServers, debugLevel, options) });
    }

    connect() {
      return run(async () => {
        const mine = behind(this);
        if (!mine.driver) await start(mine);
        await mine.driver.run("connect");
        return mine.useCases;
      });
    }

    disconnect() {
      return run(() => {
        const { driver, waiting } = behind(this);
        if (driver) return driver.run("disconnect");
        waiting?.giveUp(
          new VideoRTCError("NOT_CONNECTED", "disconnect() came before connect() was done: connect() again"),
        );
        behind(this).waiting = undefined;
        return undefined;
      });
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
        return listDevices(wanted);
      });
    }
  }

  // Loads a module for an object of its own. `waiting` is there while that lasts: { module, giveUp }.
  async function start(mine) {
    checkEnvironment();
    const waiting = mine.waiting ?? {};
    if (!mine.waiting) {
      const givenUp = new Promise((_, reject) => {
        waiting.giveUp = reject;
      });
      waiting.module = Promise.race([load(), givenUp]);
      mine.waiting = waiting;
    }
    try {
      const core = await waiting.module;
      if (mine.driver) return;
      mine.driver = createDriver(core, mine.setup);
      mine.useCases = new UseCases(mine.driver, mine.setup.debugLevel);
    } finally {
      if (mine.waiting === waiting) mine.waiting = undefined;
    }
  }

  return { VideoRTC, VideoRTCError };
}
