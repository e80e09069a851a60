// Functions of both pages. The bare channel is an additional one on the call's peer connection: it
// takes the same path, without our protocol.

const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
const connection = () => harness.peers.find((peer) => peer.signalingState !== "closed");
let rawChannels = 0;

/** Bytes that do not compress. */
function noise(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

/** A blob of so many bytes, made of one MiB again and again. */
function blob(size) {
  const part = noise(1 << 20);
  return new Blob(Array(size / part.length).fill(part));
}

// The receiving end of a bare channel: says "done" when it has all that the first message told.
connection().addEventListener("datachannel", ({ channel }) => {
  if (!channel.label.startsWith("raw")) return;
  channel.binaryType = "arraybuffer";
  let wanted = null;
  channel.addEventListener("message", ({ data }) => {
    if (wanted === null) wanted = Number(data);
    else wanted -= data.byteLength;
    if (wanted <= 0) channel.send("done");
  });
});

window.bench = {
  /** Sends `total` bytes in messages of `size` on a bare channel; MB/s. */
  async raw(size, total) {
    const channel = connection().createDataChannel(`raw-${location.hash}${(rawChannels += 1)}`);
    channel.bufferedAmountLowThreshold = 256 * 1024;
    await new Promise((open) => channel.addEventListener("open", open, { once: true }));
    const done = new Promise((resume) => channel.addEventListener("message", resume, { once: true }));
    const message = noise(size);
    const count = Math.ceil(total / size);
    const start = performance.now();
    channel.send(String(count * size));
    for (let sent = 0; sent < count; sent += 1) {
      if (channel.bufferedAmount > 1 << 20) {
        await new Promise((low) => channel.addEventListener("bufferedamountlow", low, { once: true }));
      }
      channel.send(message);
    }
    await done;
    const speed = (count * size) / (performance.now() - start) / 1000;
    channel.close();
    return speed;
  },

  /** Sends a file of so many bytes; MB/s. */
  async file(size) {
    const content = blob(size);
    const start = performance.now();
    await action.sendData("application/octet-stream", content, null, null, "file.bin");
    return size / (performance.now() - start) / 1000;
  },

  /** The milliseconds until a short message is known to have arrived, again and again. */
  async messages(count, goOn = () => true) {
    const times = [];
    while (times.length < count && goOn()) {
      const start = performance.now();
      await action.sendData("text/plain", "Hello");
      times.push(performance.now() - start);
      await pause(10);
    }
    return times;
  },

  /** The same while a file is being sent; the file is given up after the last message. */
  async messagesDuring(count, size) {
    const stop = new AbortController();
    let sending = true;
    const options = { filename: "file.bin", signal: stop.signal };
    const file = action
      .sendData("application/octet-stream", blob(size), null, null, options)
      .catch(() => {})
      .finally(() => (sending = false));
    await pause(500);
    const times = await this.messages(count, () => sending);
    stop.abort();
    await file;
    return times;
  },

  start(size) {
    this.sending = action.sendData("application/octet-stream", blob(size), null, null, "file.bin");
  },

  isDone(limit) {
    return Promise.race([this.sending.then(() => true), pause(limit).then(() => false)]);
  },

  /** Keeps the page busy for `busy` ms, again and again, `free` ms apart. */
  slow(busy, free) {
    this.slowing = setInterval(() => {
      const end = performance.now() + busy;
      while (performance.now() < end);
    }, busy + free);
  },

  fast() {
    clearInterval(this.slowing);
  },
};
