// The public class. It cannot be Rust: a page can use it as soon as the script has run, and the
// module is loaded later.

import { VideoRTCError, quiet } from "./errors.js";
import { checkEnvironment } from "./loading.js";
import { checkedServers } from "./servers.js";

// The key of an object's state. The value is a function, since proxies such as Vue's do not wrap
// the results of functions.
const STATE = Symbol("videortc");
const hidden = (value) => ({ value, writable: true, configurable: true });

// Creates the class. `load(debugLevel)` resolves with a new instance of the module.
export function createApi(version, load) {
  // The module instance that all static methods share.
  let shared;

  class VideoRTC {
    constructor(servers, ...rest) {
      const state = { setup: [checkedServers(servers, rest[1]), ...rest], debugLevel: rest[1] };
      const own = { [STATE]: hidden(() => state) };
      // Bound methods also work when detached from the object and through a proxy. Methods that a
      // subclass overrides are left alone.
      for (const name of ["connect", "disconnect", "getDevices"]) {
        const method = VideoRTC.prototype[name];
        if (this[name] === method) own[name] = hidden((...values) => method.apply(this, values));
      }
      Object.defineProperties(this, own);
    }

    connect() {
      return quiet(connect(this));
    }

    disconnect() {
      return quiet(disconnect(this));
    }

    getDevices(config) {
      return VideoRTC.getDevices(config);
    }

    static getDevices(config) {
      return quiet(getDevices(config));
    }

    static isSupported() {
      try {
        checkEnvironment();
        return Boolean(globalThis.navigator?.mediaDevices);
      } catch {
        return false;
      }
    }

    static get version() {
      return version;
    }
  }

  async function connect(app) {
    const state = stateOf(app, "connect");
    if (state.inner) return useCases(state);
    checkEnvironment();
    if (!state.starting) state.starting = start(state);
    return state.starting;
  }

  // Loads the module, creates its object and connects. `disconnect()` calls `giveUp` to abort it.
  async function start(state) {
    const givenUp = new Promise((_, reject) => (state.giveUp = reject));
    const { setup, debugLevel, giveUp } = state;
    try {
      const core = await Promise.race([load(debugLevel), givenUp]);
      const inner = await core.run((exports) => new exports.VideoRTC(...setup));
      if (state.giveUp !== giveUp) return givenUp;
      state.inner = inner;
    } catch (error) {
      if (state.giveUp === giveUp) state.starting = undefined;
      throw error;
    }
    return useCases(state);
  }

  async function getDevices(config) {
    checkEnvironment();
    if (!shared || shared.isBroken()) shared = await load();
    return shared.run((exports) => exports.VideoRTC.getDevices(config));
  }

  return { VideoRTC, VideoRTCError };
}

async function disconnect(app) {
  const state = stateOf(app, "disconnect");
  if (state.inner) return state.inner.disconnect();
  const message = "disconnect() came before connect() was done: connect() again";
  state.giveUp?.(new VideoRTCError("NOT_CONNECTED", message));
  state.giveUp = state.starting = undefined;
  return undefined;
}

function stateOf(app, name) {
  const state = Object(app)[STATE];
  if (typeof state === "function") return state();
  const message = `${name}() was called on something that is no VideoRTC: call app.${name}()`;
  throw new VideoRTCError("INVALID_ARGUMENT", message);
}

// Returns the same object for every `connect()`.
async function useCases(state) {
  const made = await state.inner.connect();
  return (state.useCases = state.useCases ?? made);
}
