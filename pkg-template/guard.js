// An instance of the module, with a guard around all calls into it and out of it. It cannot be
// Rust: after a trap, the module's memory is inconsistent, and only code outside of it can clean
// up.

import { bindings } from "./bindings.js";
import { VideoRTCError, attempt, quiet, words } from "./errors.js";

const BROKEN = "videortc broke down: make a new VideoRTC, and report this error with its cause";

// Starts an instance of the compiled module. Each `VideoRTC` has its own, so that a breakdown does
// not affect the others.
export async function instantiate(module, debugLevel) {
  // The objects to release after a breakdown, and how. Maintained by the module.
  const held = new Map();
  // The `reject` functions of all unsettled promises.
  const pending = new Set();
  // Keeps the module's objects alive: a call goes on even if the page holds only listeners.
  const objects = new Set();
  // The number of callers on the stack that handle exceptions: calls of the page, and the module
  // itself. It is 0 in a timer or an event of the browser, where nobody would catch an exception.
  let depth = 0;
  let broken;

  // Wraps an export. The bindings throw returned errors outside of this function. So an exception
  // here is a trap, or it has unwound through Rust frames and left their state inconsistent.
  const guarded = (inner) => (...values) => {
    depth += 1;
    try {
      if (!broken) return inner(...values);
    } catch (thrown) {
      if (!broken) breakDown(thrown);
    } finally {
      depth -= 1;
    }
    if (depth > 0) throw broken;
    // The bindings accept an empty list in place of any result.
    return [];
  };

  // Wraps a function that the module calls. If the page calls the module inside of it and the
  // module traps, the outer Rust frames must not continue.
  const watched = (outer) => (...values) => {
    const value = outer(...values);
    if (!broken) return value;
    // The value may be a promise, which nobody will handle now.
    quiet(Promise.resolve(value));
    throw broken;
  };

  function breakDown(thrown) {
    broken = new VideoRTCError("INTERNAL_ERROR", BROKEN, undefined, words(thrown));
    const line = `[videortc] ${BROKEN}: ${broken.cause}`;
    if (debugLevel !== "none") attempt("", () => console.error(line));
    for (const [thing, how] of held) attempt(how, () => release(thing, how));
    for (const reject of pending) reject(broken);
    for (const [call, how] of held) if (how === "call") reportEnd(call, broken);
    objects.clear();
  }

  // Calls the module by `act(exports)`. Resolves with the public form of the result.
  function run(act) {
    return quiet(
      new Promise((resolve, reject) => {
        pending.add(reject);
        depth += 1;
        const called = (async () => act(exports))();
        depth -= 1;
        called.then((value) => resolve(shown(value)), reject).then(() => pending.delete(reject));
      }),
    );
  }

  // The public form of a value. For an object of the module, recognized by its `free`, that is a
  // frozen object with bound methods: the object itself holds an address in the module's memory.
  function shown(object) {
    if (typeof Object(object).free !== "function") return object;
    objects.add(object);
    const methods = {};
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(object))) {
      if (/^(constructor|free|__.*)$/.test(name)) continue;
      methods[name] = (...values) => {
        const promise = run(() => object[name](...values));
        if (name === "closeUsecase") promise.then(() => objects.delete(object), () => {});
        // After a breakdown, `cKo` of `sendData()` is called here, in place of the module.
        if (name === "sendData" && typeof values[3] === "function") {
          promise.catch((error) => error === broken && attempt("cKo", () => values[3](error)));
        }
        return promise;
      };
    }
    return Object.freeze(methods);
  }

  const exports = bindings({
    __proto__: WebAssembly,
    async instantiate(_, imports) {
      for (const name of Object.keys(imports)) imports[name] = mapped(imports[name], watched);
      const instance = await WebAssembly.instantiate(module, imports);
      return { module, instance: { exports: mapped(instance.exports, guarded) } };
    },
  });
  await exports({ module_or_path: module });
  exports.adopt(held, VideoRTCError);
  return { run, isBroken: () => Boolean(broken) };
}

// Copies an object and replaces each of its functions.
function mapped(object, replaced) {
  const copy = {};
  for (const [name, value] of Object.entries(object)) {
    copy[name] = typeof value === "function" ? replaced(value) : value;
  }
  return copy;
}

function release(thing, how) {
  if (how === "remove" || how === "clear") thing.srcObject = null;
  if (how === "clear") {
    thing.classList.remove("videortc-video", "is-local-video", "is-remote-video");
  } else if (how !== "call") thing[how]();
}

// Reports the end of a call to the page, in place of the module.
function reportEnd({ events, peer, transfers }, error) {
  const fire = (name, ...values) => attempt(name, () => events?.[name]?.apply?.(events, values));
  for (const transfer of transfers) {
    // `Reflect.set` does not throw if the page has frozen the object.
    Reflect.set(transfer, "state", "failed");
    Reflect.set(transfer, "error", error);
    if (transfer.direction === "outgoing") fire("onFileTransferKo", transfer, error);
  }
  fire("onError", error);
  if (peer !== undefined) fire("onHangUp", peer, "Internal error");
}
