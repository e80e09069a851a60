// Feeds the core, which is an instance of the module, and does what it says. No decision is made here. All calls of the
// module go through `enter`: when one traps, the module can be trusted no more, and everything ends.

// The longest delay that browsers take; longer ones fire at once.
const LONGEST_DELAY = 2 ** 31 - 1;
// The loudness of a log line by its number, and the console's method for it.
const LEVELS = ["error", "warn", "info", "debug", "trace"];
const METHODS = ["error", "warn", "info", "debug", "debug"];

function createDriver(core, { servers, iceServers, debugLevel, options }) {
  const { withCredentials, iceTransportPolicy, bundlePolicy = "max-bundle" } = options;
  const credentials = withCredentials ? "include" : "same-origin";
  // The gateway bundles always (RFC 9143): one transport less to gather for.
  const configuration = { iceServers, iceTransportPolicy, bundlePolicy };
  const loudest = LEVELS.indexOf(debugLevel);
  const requests = new Map();
  const calls = new Map();
  // How each command under way is settled: `{ resolve, reject, ended }`.
  const commands = new Map();
  let lastCommand = 0;
  let isDraining = false;
  let timer, broken;
  const setPresence = createPresence(input);
  enter(() => core.start(encoded({ ...options, servers })));

  // What the core says that concerns no call in particular.
  const outputs = {
    async http(id, url, body) {
      const abort = new AbortController();
      requests.set(id, abort);
      const [status, text] = await exchange(url, body, abort.signal, credentials);
      // An aborted request is no longer listed, and nobody waits for it.
      if (requests.delete(id)) input("http", [id, status, text]);
    },
    abort(id) {
      requests.get(id)?.abort();
      requests.delete(id);
    },
    beacon: sendBeacon,
    done: (number, value) => settle(number, undefined, value),
    fail(number, parts) {
      const error = made(parts);
      log(1, `${error.code}: ${error.message}`);
      settle(number, error);
    },
    ended(id) {
      calls.get(id)?.end();
      calls.delete(id);
    },
    log,
  };

  function log(level, line) {
    if (level <= loudest) say(METHODS[level], "[videortc]", line);
  }

  function enter(act) {
    if (broken) return undefined;
    try {
      return act();
    } catch (thrown) {
      breakDown(thrown);
      return undefined;
    }
  }

  // Tells the core news, with the bytes that belong to them, and does what comes of it.
  function input(name, parts = [], bytes) {
    enter(() => core.input(false, encoded([name, ...parts]), bytes));
    drain();
  }

  function drain() {
    // Further up on the stack the outputs are being taken: a listener called us.
    if (isDraining) return;
    isDraining = true;
    let line;
    while ((line = enter(() => core.pollOutput()))) enter(() => handle(...JSON.parse(line).map(given)));
    isDraining = false;
    clearTimeout(timer);
    const delay = enter(() => core.pollTimeout());
    if (delay < Infinity) timer = setTimeout(() => input("timeout"), Math.min(delay, LONGEST_DELAY));
    setPresence(enter(() => core.isPresent()));
  }

  function handle(name, first, ...rest) {
    if (name in outputs) outputs[name](first, ...rest);
    else calls.get(first)?.[name](...rest);
  }

  // Gives the core a command of the page, after `begin(number)`. `ended(error, value, number)` hears how it ended
  // before the page does, and makes of the value what the page gets.
  function command(name, parts, ended = (_, value) => value, begin) {
    if (broken) return Promise.reject(broken);
    const number = ++lastCommand;
    return new Promise((resolve, reject) => {
      commands.set(number, { resolve, reject, ended });
      begin?.(number);
      enter(() => core.input(true, encoded([name, number, ...parts])));
      drain();
    });
  }

  function settle(number, error, value) {
    const { resolve, reject, ended } = commands.get(number);
    commands.delete(number);
    const result = ended(error, value, number);
    if (error) reject(error);
    else resolve(result);
  }

  // The module is lost, and with it all that only it knows: everything ends, and each promise says why.
  function breakDown(thrown) {
    const message = "videortc broke down: make a new VideoRTC, and report this error with its cause";
    broken = new VideoRTCError("INTERNAL_ERROR", message, undefined, words(thrown));
    log(0, `${message}: ${broken.cause}`);
    for (const request of requests.values()) request.abort();
    requests.clear();
    for (const call of calls.values()) call.end();
    for (const number of [...commands.keys()]) settle(number, broken);
    for (const call of calls.values()) call.breakDown(broken);
    calls.clear();
  }

  return {
    run: (name) => command(name, []),

    // Attaches a video call; resolves with its page's side.
    videoCall(onEvents, elements, { stream, dataChannel, ...options }) {
      const { dataEnabled = true, ...policy } = dataChannel;
      const hasData = dataEnabled && stream.dataEnabled !== false;
      const host = { input, command, configuration, log, takeBytes: () => core.takeBytes() };
      return command(
        "videoCall",
        [{ ...options, ...policy, hasData }],
        (error, id) => {
          if (error) return undefined;
          const call = createCall(host, id, onEvents, elements, { stream, hasData });
          calls.set(id, call);
          const run = (name, ...parts) => command(name, [id, ...parts]);
          return {
            fire: call.fire,
            send: call.send,
            want: call.want,
            run,
            close: () => (broken || calls.has(id) ? run("close") : undefined),
            toggle(kind) {
              if (broken) throw broken;
              if (calls.has(id)) return call.toggle(kind);
              throw new VideoRTCError("CLOSED", "this video call is closed: get a new one from usecases.videoCall()");
            },
          };
        },
      );
    },
  };
}

// JSON in UTF-8. Durations and sizes may have fractions; the core counts in whole numbers.
function encoded(value) {
  return utf8(JSON.stringify(value, (_, part) => (typeof part === "number" ? Math.trunc(part) : part)));
}
