// The error class. It cannot be Rust: exported Rust types cannot extend `Error`, and it is needed
// before the module is loaded.

// `code` is for the program, the message for the user.
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

// Describes an exception in one line, for `cause`. Any value can be thrown, and reading it may
// throw.
export function words(thrown) {
  try {
    return Object(thrown) === thrown ? `${thrown.name}: ${thrown.message}` : String(thrown);
  } catch {
    return "something that cannot be read";
  }
}

// Runs code of the page. An exception is reported under `name` and not passed on.
export function attempt(name, act) {
  try {
    act();
  } catch (thrown) {
    if (name) attempt("", () => console.error(`[videortc] ${name} threw`, thrown));
  }
}

// Prevents an unhandled rejection if the page ignores the promise.
export function quiet(promise) {
  promise.catch(() => {});
  return promise;
}
