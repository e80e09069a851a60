// The page's side of a call's messages and files: the objects that tell how far they are, what is read from, and
// what has arrived. All of the content is here, in the browser's blobs (W3C File API); what is sent when, what has
// arrived and how a transfer ends is the module's to say. It names a transfer by two numbers: its peer connection,
// or 0 for what is sent, and its own.

// How many bytes of parts are put into one blob. A browser may keep a blob on disk; what is not in one is in
// the page's memory.
const BATCH = 512 * 1024;

class Transfers {
  #onEvents;
  #level;
  #core;
  // What is under way in both directions, by its name.
  #all = new Map();

  constructor(onEvents, level) {
    this.#onEvents = onEvents;
    this.#level = level;
  }

  // The module's video call object, once there is one.
  attach(core) {
    this.#core = core;
  }

  // Resolves with the transfer once the other side has it whole.
  async send(sending) {
    if (sending.signal?.aborted) {
      throw new VideoRTCError("TRANSFER_CANCELLED", "the signal was aborted before anything was sent");
    }
    const { type, text, isText, size, filename } = sending;
    const transfer = describe("outgoing", type, undefined, size);
    await this.#core.sendData(type, text, size, isText, filename, { ...sending, transfer });
    return transfer;
  }

  fire(event, ...values) {
    tell(event, () => this.#onEvents?.[event]?.apply?.(this.#onEvents, values));
  }

  // What the module tells. None of it throws.

  // What the page sends has a name; `filename` is the one that the other side will see.
  begin(number, sending, filename, userName) {
    const { transfer, signal } = sending;
    sending.cancel = () => this.#core.cancelTransfer(0, number);
    put(transfer, { filename, userName, cancel: sending.cancel });
    tell("signal.addEventListener", () => signal?.addEventListener("abort", sending.cancel));
    this.#all.set(nameOf(0, number), sending);
  }

  async read(number, offset, length) {
    const { source } = this.#all.get(nameOf(0, number)) ?? {};
    if (!source) return;
    let bytes, cause;
    try {
      bytes = new Uint8Array(await source.slice(offset, offset + length).arrayBuffer());
    } catch (thrown) {
      cause = words(thrown);
    }
    this.#core.handleRead(number, offset, bytes, cause);
  }

  // What is sent ended, as its promise is about to tell.
  finish(number, error) {
    const name = nameOf(0, number);
    const sending = this.#all.get(name);
    if (!sending) return;
    this.#all.delete(name);
    const { transfer, signal, source, isText, size } = sending;
    tell("signal.removeEventListener", () => signal?.removeEventListener("abort", sending.cancel));
    put(transfer, error ? { state: "failed", error } : { state: "done", transferred: size });
    if (source) this.#progress(sending);
    if (isText) return;
    if (error) this.fire("onFileTransferKo", transfer, error);
    else this.fire("onFileTransferOk", transfer);
  }

  // `bytes` are the module's memory: they change once this returns.
  keep(leg, number, bytes) {
    try {
      const arriving = this.#arriving(leg, number);
      arriving.recent.push(bytes.slice());
      arriving.bytes += bytes.length;
      if (arriving.bytes >= BATCH) collect(arriving);
    } catch (thrown) {
      this.#lose(leg, number, thrown);
    }
  }

  // Bytes moved, or what was coming is whole or lost.
  change(leg, number, type, filename, size, transferred, userName, state, error) {
    const one = leg ? this.#arriving(leg, number) : this.#all.get(nameOf(leg, number));
    if (!one) return;
    if (!one.transfer) {
      one.transfer = describe("incoming", type, filename, size);
      one.transfer.cancel = () => this.#core.cancelTransfer(leg, number);
    }
    put(one.transfer, error ? { userName, transferred, state, error } : { userName, transferred, state });
    if (error) this.#all.delete(nameOf(leg, number));
    this.#progress(one);
  }

  // What was kept is whole: "done" is said once the page can have it.
  async deliver(leg, number, type, filename, size, userName, isText) {
    const arriving = this.#arriving(leg, number);
    let content;
    try {
      collect(arriving);
      content = new Blob(arriving.blobs, { type });
      if (isText) content = await content.text();
    } catch (thrown) {
      return this.#lose(leg, number, thrown);
    }
    this.change(leg, number, type, filename, size, size, userName, "done");
    this.#all.delete(nameOf(leg, number));
    this.give(type, content, filename, userName);
    this.#core.handleDelivered(leg, number, true);
  }

  // Gives the page a text, or bytes of a peer that does not use this library.
  give(type, data, filename, userName) {
    const content = data instanceof Uint8Array ? new Blob([data], { type }) : data;
    this.fire("onDataReceived", type, content, filename, userName);
  }

  #arriving(leg, number) {
    const name = nameOf(leg, number);
    if (!this.#all.has(name)) this.#all.set(name, { blobs: [], recent: [], bytes: 0 });
    return this.#all.get(name);
  }

  #progress({ transfer, onProgress }) {
    this.fire("onTransferProgress", transfer);
    tell("onProgress", () => onProgress?.(transfer));
  }

  #lose(leg, number, thrown) {
    if (this.#level !== "none") say("error", "[videortc]", `data could not be kept: ${words(thrown)}`);
    this.#core.handleDelivered(leg, number, false);
  }
}

// The object that a page sees of a transfer.
function describe(direction, type, filename, size) {
  return { direction, type, filename, size, transferred: 0, state: "active" };
}

function nameOf(leg, number) {
  return `${leg}/${number}`;
}

function collect(arriving) {
  arriving.blobs.push(new Blob(arriving.recent));
  Object.assign(arriving, { recent: [], bytes: 0 });
}

// The page may have frozen its object: then it keeps what it has.
function put(transfer, news) {
  for (const [key, value] of Object.entries(news)) Reflect.set(transfer, key, value);
}

// Calls a function of the page. What it throws is reported, and breaks nothing.
function tell(name, call) {
  try {
    call();
  } catch (error) {
    say("error", `[videortc] ${name} threw`, error);
  }
}
