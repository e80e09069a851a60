// Right use: all of it compiles under `strict`.
import ByDefault, {
  VideoRTC,
  VideoRTCError,
  type Device,
  type ErrorCode,
  type UseCases,
  type VideoCall,
  type VideoCallEvents,
} from "videortc";
import { VideoRTC as Inline } from "videortc/inline";
import { VideoRTC as Split } from "videortc/split";

const app: VideoRTC = new ByDefault("https://example.com/janus");
const servers = ["https://a.example.com/janus", "https://b.example.com/janus"] as const;
new VideoRTC(servers, [{ urls: "stun:stun.example.com" }], "warn", { token: "x", requestTimeout: 5000 });
new VideoRTC([...servers], [{ url: "turn:turn.example.com", username: "u", credential: "c" }], null, null);
new VideoRTC(["wss://a.example.com", ...servers], () => [{ urls: "stun:stun.example.com" }], ["warn", "error"], "the API secret");
new VideoRTC(servers, async () => null, [], { token: async () => "x", account: "the shop" });
new Inline("https://example.com/janus");
new Split("https://example.com/janus");

const version: string = VideoRTC.version;
const isSupported: boolean = VideoRTC.isSupported();

// A listener gets its parameters' types from its name.
const onEvents: VideoCallEvents = {
  onRegistered: (userName, isRegistered) => void [userName.trim(), isRegistered === true],
  onGotPeers: (list) => list.map((name) => name.length),
  onHangUp(userName, reason) {
    console.log(userName.length + reason.length);
  },
  onRemoteStreamReady: (stream, userName) => void [stream.getTracks(), userName.trim()],
  onDataReceived: (type, data, filename) => void (typeof data === "string" ? data.trim() : data.size + (filename ?? "").length + type.length),
  onSetCall: ({ bitrate }) => void (bitrate ?? 0).toFixed(),
  onSlowLink: ({ media, lost, uplink }) => void (uplink && media === "audio" && lost > 5),
  onFileTransferKo: (transfer, error) => void [transfer.size, error.code],
  onError: (error) => console.log(explain(error)),
};

// Every code is handled: `never` says so.
function explain(error: VideoRTCError): string {
  if (error.code === "USERNAME_TAKEN") return "choose another name";
  const other: Exclude<ErrorCode, "USERNAME_TAKEN"> = error.code;
  return `${other} ${error.message} ${error.gatewayCode ?? 0} ${String(error.cause)}`;
}

async function talk(video: HTMLVideoElement, container: Element | null): Promise<void> {
  const usecases: UseCases = await app.connect();
  const action: VideoCall = await usecases.videoCall(
    onEvents,
    { videos: container, localVideo: video },
    { stream: { resolution: "640x480", frameRate: 30, aDeviceId: null }, ringTimeout: 20_000, dataChannel: { allowedTypes: ["text/plain"] } },
  );
  await usecases.videoCall(
    null,
    { videos: "#videos", local: video, remote: null, screenLocal: video },
    { stream: { resolution: "full-hd", vDeviceId: "" }, account: "desk 7" },
  );
  await usecases.videoCall({}, { videos: { jquery: "3.7.1", length: 1, 0: video } });
  const name: string = await action.register("Tom");
  const peers: string[] = await action.getPeers(/^j/i, "asc");
  await action.getPeers((userName) => userName !== name);
  await action.call(peers[0] ?? null);
  await action.call();
  await action.acceptCall();
  const { bitrate } = await action.setCall(true, null, "medium");
  await action.setCall(undefined, undefined, bitrate);
  await action.setCall(null, null, "ultra");
  const isHeard: boolean = await action.toggleAudio();
  const transfer = await action.sendData("text/plain", "hi", (sent) => console.log(sent.size), null, { filename: "a.txt" });
  await action.sendData("application/octet-stream", new Uint8Array(3), null, (error) => console.log(error.code), "b.bin");
  await action.hangUp(isHeard ? "bye" : undefined);
  await action.closeUsecase();
  console.log(transfer.transferred);
  await app.disconnect();
}

async function cameras(): Promise<Device[]> {
  try {
    return await VideoRTC.getDevices({ kind: "videoinput", labels: true });
  } catch (error) {
    if (error instanceof VideoRTCError && error.code === "PERMISSION_DENIED") return [];
    throw error;
  }
}

export { cameras, explain, isSupported, talk, version };
