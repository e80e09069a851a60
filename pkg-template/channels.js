// Data channels (W3C WebRTC, section 6): the two that this side sends on, and all that it hears.

// That for messages has the label that janus.js and the gateway use by default; the other is the bulk channel.
const LABELS = ["JanusDataChannel", "videortc-bulk"];
// When so many bytes are left in the bulk channel's buffer, it is filled again: half of what the module puts
// there at most.
const LOW = 128 * 1024;
// How many channels of the other side are listened to. It needs two.
const MOST_FOREIGN_CHANNELS = 8;

// Returns `send(lane, data)`, which throws where the browser does.
function createChannels(connection, on, news) {
  function hear(channel) {
    channel.binaryType = "arraybuffer";
    on(channel, "message", ({ data }) => {
      if (typeof data === "string") news("text", [data]);
      else if (data instanceof ArrayBuffer) news("message", [], new Uint8Array(data));
    });
    return channel;
  }

  // Between two browsers without a gateway, what the other side sends comes on its own channels.
  let foreign = 0;
  on(connection, "datachannel", ({ channel }) => {
    if (foreign++ < MOST_FOREIGN_CHANNELS) hear(channel);
  });
  const channels = LABELS.map((label, lane) => {
    const channel = hear(connection.createDataChannel(label));
    on(channel, "open", () => news("channelOpen", [lane]));
    on(channel, "close", () => news("channelClosed"));
    return channel;
  });
  const bulk = channels[1];
  const tellBuffered = () => news("buffered", [bulk.bufferedAmount]);
  bulk.bufferedAmountLowThreshold = LOW;
  on(bulk, "bufferedamountlow", tellBuffered);

  return (lane, data) => {
    channels[lane].send(data);
    // Where the buffer is low after it, no event will say so.
    if (lane && bulk.bufferedAmount <= LOW) tellBuffered();
  };
}
