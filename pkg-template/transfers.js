// The page's side of a call's messages and files: the objects that tell how far they are, what is read from, and
// what has arrived. All of the content is here, in the browser's blobs (W3C File API); what is sent when, what has
// arrived and how a transfer ends is the module's to say. It names a transfer by two numbers: its peer connection,
// or 0 for what is sent, and its own.

// How many bytes of parts are put into one blob. A browser may keep a blob on disk; what is not in one is in
// the page's memory.
const BATCH = 512 * 1024;

function createTransfers(input, command, fire, log, takeBytes) {
  // What is under way in both directions, by its name.
  const all = new Map();

  function arrivingOf(leg, number) {
    const name = nameOf(leg, number);
    if (!all.has(name)) all.set(name, { blobs: [], recent: [], bytes: 0 });
    return all.get(name);
  }

  function progress({ transfer, onProgress }) {
    fire("onTransferProgress", transfer);
    tell("onProgress", () => onProgress?.(transfer));
  }

  function lose(leg, number, thrown) {
    log(0, `data could not be kept: ${words(thrown)}`);
    input("delivered", [leg, number, false]);
  }

  function fireData(type, content, filename, userName) {
    fire("onDataReceived", type, content, filename, userName);
  }

  // What is sent ended, as its promise is about to tell.
  function finish(number, error) {
    const name = nameOf(0, number);
    const sending = all.get(name);
    all.delete(name);
    // The core refused it before it began.
    if (!sending?.cancel) return;
    const { transfer, signal, source, isText, size } = sending;
    tell("signal.removeEventListener", () => signal?.removeEventListener("abort", sending.cancel));
    put(transfer, error ? { state: "failed", error } : { state: "done", transferred: size });
    if (source) progress(sending);
    if (isText) return;
    if (error) fire("onFileTransferKo", transfer, error);
    else fire("onFileTransferOk", transfer);
  }

  // Bytes moved, or what was coming is whole or lost.
  function change(leg, number, type, filename, size, userName, transferred, state, error) {
    const one = leg ? arrivingOf(leg, number) : all.get(nameOf(leg, number));
    if (!one) return;
    if (!one.transfer) {
      one.transfer = describe("incoming", type, filename, size);
      one.transfer.cancel = () => input("cancelTransfer", [leg, number]);
    }
    const cause = error && { error: made(error) };
    put(one.transfer, { userName, transferred, state, ...cause });
    if (error) all.delete(nameOf(leg, number));
    progress(one);
  }

  return {
    change,

    // Resolves with the transfer once the other side has it whole.
    async send(sending) {
      if (sending.signal?.aborted) {
        throw new VideoRTCError("TRANSFER_CANCELLED", "the signal was aborted before anything was sent");
      }
      const { type, text, isText, size, filename } = sending;
      const transfer = describe("outgoing", type, undefined, size);
      await command(
        [type, size, isText, filename, text],
        (error, _, number) => finish(number, error),
        (number) => all.set(nameOf(0, number), { ...sending, transfer }),
      );
      return transfer;
    },

    // What the page sends has a name; `filename` is the one that the other side will see.
    begin(number, filename, userName) {
      const sending = all.get(nameOf(0, number));
      sending.cancel = () => input("cancelTransfer", [0, number]);
      put(sending.transfer, { filename, userName, cancel: sending.cancel });
      tell("signal.addEventListener", () => sending.signal?.addEventListener("abort", sending.cancel));
    },

    async read(number, offset, length) {
      const { source } = all.get(nameOf(0, number)) ?? {};
      if (!source) return;
      let bytes, cause;
      try {
        bytes = new Uint8Array(await source.slice(offset, offset + length).arrayBuffer());
      } catch (thrown) {
        cause = words(thrown);
      }
      input("read", [number, offset, cause], bytes);
    },

    keep(leg, number) {
      const bytes = takeBytes();
      try {
        const arriving = arrivingOf(leg, number);
        arriving.recent.push(bytes);
        arriving.bytes += bytes.length;
        if (arriving.bytes >= BATCH) collect(arriving);
      } catch (thrown) {
        lose(leg, number, thrown);
      }
    },

    // Something is whole: a short text, or what was kept. "done" is said once the page can have it.
    async deliver(leg, number, type, filename, size, userName, isText, text) {
      let content = text;
      if (text === undefined) {
        const arriving = arrivingOf(leg, number);
        try {
          collect(arriving);
          content = new Blob(arriving.blobs, { type });
          if (isText) content = await content.text();
        } catch (thrown) {
          return lose(leg, number, thrown);
        }
        change(leg, number, type, filename, size, userName, size, "done");
        all.delete(nameOf(leg, number));
      }
      fireData(type, content, filename, userName);
      input("delivered", [leg, number, true]);
    },

    // A text or bytes of a peer that does not use this library.
    give(userName, text) {
      const type = text === undefined ? "application/octet-stream" : "text/plain";
      fireData(type, text ?? new Blob([takeBytes()], { type }), undefined, userName);
    },

    // What was coming is lost. What is sent ends with its command.
    breakDown(error) {
      for (const { transfer } of all.values()) {
        if (transfer?.direction === "incoming") put(transfer, { state: "failed", error });
      }
    },
  };
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
