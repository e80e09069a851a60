// An instance of the module, with a guard around all that goes in and out. When the module traps,
// its memory is trusted no more, and only what is outside can end things: so this cannot be Rust.

import { bindings } from "./bindings.js";
import { VideoRTCError, attempt, quiet, words } from "./errors.js";

const BROKEN = "videortc broke down: make a new VideoRTC, and report this error with its cause";

// Starts an instance of the compiled module. Each owner has one, so that nothing of another breaks.
export async function instantiate(module, debugLevel) {
  // What must be let go of when the module breaks down, and how. The module keeps it up to date.
  const held = new Map();
  // Rejects each promise that the module has still to settle.
  const pending = new Set();
  // Keeps the module's objects from being freed: a call goes on when the page has only listeners.
  const objects = new Set();
  // How many callers on the stack see what is thrown: calls of the page, and the module itself.
  // Nobody sees what is thrown at a timer or an event of the browser.
  let depth = 0;
  let broken;

  // An export. An error that it returns is thrown by the bindings, outside of here. So what is
  // thrown here is a trap, or went over frames of Rust, whose state is then half changed.
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
    // Of a list without anything in it the bindings take nothing, whatever they expect.
    return [];
  };

  // A function that the module calls. Where the page calls the module in it, and breaks it, the
  // rest of the first caller must not run.
  const watched = (outer) => (...values) => {
    const value = outer(...values);
    if (!broken) return value;
    // It may be a promise whose making broke the module, and which nobody will get.
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

  // Calls the module by `act(exports)`; resolves with what others may have of the result.
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

  // Of an object of the module, which alone has a `free`, others get the methods, bound. It has an
  // address in the module's memory itself.
  function shown(object) {
    if (typeof Object(object).free !== "function") return object;
    objects.add(object);
    const methods = {};
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(object))) {
      if (/^(constructor|free|__.*)$/.test(name)) continue;
      methods[name] = (...values) => {
        const promise = run(() => object[name](...values));
        if (name === "closeUsecase") promise.then(() => objects.delete(object), () => {});
        // `cKo` of `sendData()`: the module calls it itself, for as long as it can.
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

// A copy of an object, with each function in it replaced.
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

// Tells the page of a call's end, in place of the module.
function reportEnd({ events, peer, transfers }, error) {
  const fire = (name, ...values) => attempt(name, () => events?.[name]?.apply?.(events, values));
  for (const transfer of transfers) {
    // The page may have frozen its object: then it keeps what it has.
    Reflect.set(transfer, "state", "failed");
    Reflect.set(transfer, "error", error);
    if (transfer.direction === "outgoing") fire("onFileTransferKo", transfer, error);
  }
  fire("onError", error);
  if (peer !== undefined) fire("onHangUp", peer, "Internal error");
}
