// Errors: their class, and how they are put in words. The class extends `Error`, as no exported Rust
// type can, and is needed before the module is there: so this cannot be Rust.

// `code` is for the program, the message for the person.
export class VideoRTCError extends Error {
  constructor(code, message, gatewayCode, cause) {
    super(message);
    this.code = code;
    if (gatewayCode !== undefined) this.gatewayCode = gatewayCode;
    if (cause !== undefined) this.cause = cause;
  }

  get name() {
    return "VideoRTCError";
  }

  toString() {
    return `${this.name} ${this.code}: ${this.message}`;
  }
}

// A thrown value in one line, for `cause`. It may be anything, and may throw when it is read.
export function words(thrown) {
  try {
    return Object(thrown) === thrown ? `${thrown.name}: ${thrown.message}` : String(thrown);
  } catch {
    return "something that cannot be read";
  }
}

// Runs code that may be the page's. What it throws is reported under `name`, and breaks nothing.
export function attempt(name, act) {
  try {
    act();
  } catch (thrown) {
    if (name) attempt("", () => console.error(`[videortc] ${name} threw`, thrown));
  }
}

// A page may ignore a promise: no unhandled rejection shall come of it.
export function quiet(promise) {
  promise.catch(() => {});
  return promise;
}
