// The one class of errors. `code` is for the program, the message for the person.
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

// The error that the module describes.
function made(parts) {
  return new VideoRTCError(...parts.map(given));
}

// JSON has no `undefined`.
function given(value) {
  return value === null ? undefined : value;
}

// What somebody threw, in a line, for `cause`. It may be anything, and may throw again when looked at.
function words(thrown) {
  try {
    if (typeof thrown === "string") return thrown;
    return Object(thrown) === thrown ? `${thrown.name}: ${thrown.message}` : "something that is no error";
  } catch {
    return "something that cannot be read";
  }
}
