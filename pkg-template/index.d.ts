/**
 * A stable error code for programs to branch on. A code never changes its meaning. The reference
 * lists each with its cause and remedy; new ones may be added.
 */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "NOT_SUPPORTED"
  | "LOAD_FAILED"
  | "INTERNAL_ERROR"
  | "GATEWAY_UNREACHABLE"
  | "GATEWAY_TIMEOUT"
  | "GATEWAY_PROTOCOL"
  | "GATEWAY_ERROR"
  | "UNAUTHORIZED"
  | "SESSION_LOST"
  | "NOT_CONNECTED"
  | "CLOSED"
  | "NOT_REGISTERED"
  | "ALREADY_REGISTERED"
  | "USERNAME_TAKEN"
  | "NO_SUCH_USER"
  | "CALLING_SELF"
  | "USER_BUSY"
  | "ALREADY_IN_CALL"
  | "NO_CALL"
  | "NO_ANSWER"
  | "CALL_ENDED"
  | "PERMISSION_DENIED"
  | "DEVICE_NOT_FOUND"
  | "DEVICE_IN_USE"
  | "DEVICE_ERROR"
  | "MEDIA_FAILED"
  | "DATA_DISABLED"
  | "NOT_SUPPORTED_BY_PEER"
  | "TYPE_NOT_ALLOWED"
  | "TOO_LARGE"
  | "TRANSFER_CANCELLED"
  | "TRANSFER_FAILED";

/**
 * The class of all errors that this library throws or rejects with. Pages do not construct it.
 *
 * `"" + error` is readable: `VideoRTCError USERNAME_TAKEN: somebody else holds the name "Tom":
 * choose another`.
 */
export class VideoRTCError extends Error {
  private constructor();
  /** Always `"VideoRTCError"`. */
  readonly name: "VideoRTCError";
  /** The error code, for the program. */
  readonly code: ErrorCode;
  /** The message for the user: what happened, with which value, and what to do. */
  readonly message: string;
  /** The gateway's error number, if it sent one. */
  readonly gatewayCode?: number;
  /** The error message of the browser or the gateway, if there is one. */
  readonly cause?: unknown;
}

/** The level of the console output. No line contains a secret, a token or a credential. */
export type DebugLevel = "none" | "error" | "warn" | "info" | "debug" | "trace";

/** An ICE server as browsers accept it. The old key `url` is accepted in place of `urls`. */
export type IceServer = RTCIceServer | (Omit<RTCIceServer, "urls"> & { url: string | string[] });

/** A function that returns a fresh credential, or a promise of one. */
export type Source<T> = () => T | PromiseLike<T>;

/** Options of the connection. Unknown keys cause a warning. */
export interface VideoRTCOptions {
  /** Janus' `apisecret`, sent with every request. Every visitor of the page can read it. */
  apiSecret?: string | null;
  /**
   * Janus' `token`, sent with every request. A function is called by `connect()`, and again
   * when the gateway rejects the token.
   */
  token?: string | Source<string> | null;
  /** Shown to the gateway's administrator as the `opaque_id` of every handle. */
  account?: string | null;
  /** Whether to send cookies to a gateway of another origin. Default `false`. */
  withCredentials?: boolean | null;
  /**
   * `"relay"` hides the page's addresses from the gateway and needs a TURN server. Default: the
   * browser's, `"all"`.
   */
  iceTransportPolicy?: RTCIceTransportPolicy | null;
  /** Default `"max-bundle"`. */
  bundlePolicy?: RTCBundlePolicy | null;
  /**
   * How long a request may take until its final answer, in milliseconds, 100 to 3600000. Default
   * 10000.
   */
  requestTimeout?: number | null;
  /**
   * How long to retry an unreachable gateway before the session counts as lost, in milliseconds, 0
   * to 3600000. Default 120000. A call whose media flows continues beyond it.
   */
  retryLimit?: number | null;
  /** The maximum number of events per long poll, 1 to 100. Default 10. */
  pollEvents?: number | null;
}

/** The devices to list. */
export interface DeviceListConfig {
  /** The kind of devices. Default: all kinds. */
  kind?: MediaDeviceKind | null;
  /**
   * Whether to open the devices briefly first, which may prompt the user. Without a permission,
   * browsers leave labels and ids empty. Default `false`.
   */
  labels?: boolean | null;
}

/** A camera, a microphone or a speaker. */
export interface Device {
  /** The id for `aDeviceId` or `vDeviceId`. Empty without a permission. */
  readonly deviceId: string;
  /** Equal for devices of one unit, such as a camera and its microphone. */
  readonly groupId: string;
  /** The kind of device. */
  readonly kind: MediaDeviceKind;
  /** The name of the device for users. Empty without a permission. */
  readonly label: string;
}

/**
 * A connection to a Janus gateway: one session with any number of `VideoCall` objects. Its methods
 * are bound: they also work when detached from the object, and through proxies.
 *
 * ```js
 * const app = new VideoRTC("https://example.com/janus");
 * const usecases = await app.connect();
 * const action = await usecases.videoCall({ onIncomingCall: () => action.acceptCall() });
 * await action.register("Tom");
 * ```
 */
export default class VideoRTC {
  /**
   * Checks `servers`. Uses neither the network nor any browser API. `connect()` checks the other
   * arguments and rejects if one is wrong.
   * @param servers gateway base URLs, such as `"https://example.com/janus"`, tried in order.
   * WebSocket addresses are skipped if there are others
   * @param iceServers STUN and TURN servers, or a function that returns them before each peer
   * connection. Default: none
   * @param debugLevel the level of the console output; of several, the most verbose one. Default
   * `"error"`
   * @param options further options; a string is the API secret
   * @throws {VideoRTCError} `INVALID_ARGUMENT`, with the address and the reason
   */
  constructor(
    servers: string | readonly string[],
    iceServers?: readonly IceServer[] | Source<readonly IceServer[] | null | undefined> | null,
    debugLevel?: DebugLevel | readonly DebugLevel[] | null,
    options?: VideoRTCOptions | string | null,
  );
  /**
   * Creates a session on the first server that answers. Loads the WebAssembly module first, if
   * necessary. While connected, resolves with the same use cases. If no server answers, rejects
   * with one error that lists the failure of each.
   */
  connect(): Promise<UseCases>;
  /**
   * Ends calls, frees names, stops polling and releases all devices. Takes at most 5 s, whatever
   * the gateway does. Idempotent, at any time; `connect()` works again afterwards. Never rejects.
   */
  disconnect(): Promise<void>;
  /** Lists cameras, microphones and speakers. */
  getDevices(config?: DeviceListConfig | null): Promise<Device[]>;
  /** The version of the library, such as `"1.2.3"`. */
  static readonly version: string;
  /**
   * Whether this browser and this page can make video calls. Requires WebRTC, WebAssembly, a
   * Content-Security-Policy that allows it, and `https` or `localhost`. Never throws.
   */
  static isSupported(): boolean;
  /** Lists cameras, microphones and speakers. */
  static getDevices(config?: DeviceListConfig | null): Promise<Device[]>;
}

export { VideoRTC };

/** The result of `connect()`: always the same frozen object. Its methods are bound. */
export interface UseCases {
  /**
   * Attaches to the gateway's video call plugin. Opens no device: devices open when a call starts
   * or is accepted, and close when it ends.
   * @param onEvents listeners; each is looked up when its event fires
   * @param domElements the elements that show the videos. Default: none; the streams come with
   * their events only
   */
  videoCall(
    onEvents?: VideoCallEvents | null,
    domElements?: DomElements | null,
    options?: VideoCallOptions | null,
  ): Promise<VideoCall>;
  /**
   * Attaches to the gateway's echo test plugin, `janus.plugin.echotest`, which sends back what it
   * receives. Opens no device before `start()`. Rejects with `GATEWAY_ERROR` where the gateway does
   * not have the plugin.
   */
  echoTest(
    onEvents?: EchoTestEvents | null,
    domElements?: DomElements | null,
    options?: EchoTestOptions | null,
  ): Promise<EchoTest>;
}

/** The settings that `setCall()` applied; unchanged ones are absent. */
export interface CallSettings {
  /** Whether the gateway forwards the local audio. */
  audio?: boolean;
  /** Whether the gateway forwards the local video. */
  video?: boolean;
  /** The bitrate limit of the local video in bits per second; 0 is no limit. */
  bitrate?: number;
}

/** A report of lost packets by the gateway. */
export interface SlowLinkInfo {
  /** The affected media. */
  readonly media: "audio" | "video";
  /** `true` if packets from this side are lost, `false` if packets to it. */
  readonly uplink: boolean;
  /** Packets lost since the last report. */
  readonly lost: number;
}

/** The transfer of a message or file, in either direction. */
export interface Transfer {
  /** The direction. */
  readonly direction: "outgoing" | "incoming";
  /** A MIME type, or any word that both pages know. */
  readonly type: string;
  /**
   * The file name as the receiver gets it, if there is one: without path, leading or trailing dots,
   * control, direction and zero-width characters, truncated to 255 bytes.
   */
  readonly filename: string | undefined;
  /** The size in bytes; for a string, of its UTF-8 form. */
  readonly size: number;
  /** The number of bytes that the receiver has. */
  readonly transferred: number;
  /** The state. `"done"` means that the receiver has everything. */
  readonly state: "active" | "done" | "failed";
  /** The other side. */
  readonly userName: string;
  /** The error of a failed transfer. */
  readonly error?: VideoRTCError;
  /** Cancels the transfer, on both sides. Does nothing if it has ended. */
  cancel(): void;
}

/**
 * Listeners, all optional, called as methods of this object. The exception of a listener is logged
 * to the console and has no other effect. A listener may call every method of the library.
 */
export interface VideoCallEvents {
  /**
   * The result of `register()`: `isRegistered` is `false` if the registration failed. Fires again
   * when the name is registered again after a lost session.
   */
  onRegistered?(userName: string, isRegistered: boolean): void;
  /** `getPeers()` resolved with this list. */
  onGotPeers?(list: string[]): void;
  /** The callee's side is ringing. Fires once per call. */
  onCalling?(userName: string): void;
  /** `userName` is calling: answer with `acceptCall()` or `hangUp()`. */
  onIncomingCall?(userName: string): void;
  /** The call with `userName` was accepted, on either side. */
  onAccepted?(userName: string): void;
  /** The call ended, or was declined or refused. Fires exactly once per call. */
  onHangUp?(userName: string, reason: string): void;
  /** A complete message or file arrived: a string, or for everything else a `Blob` of that type. */
  onDataReceived?(
    type: string,
    data: string | Blob,
    filename: string | undefined,
    userName: string,
  ): void;
  /** The gateway applied `setCall()`. */
  onSetCall?(settings: CallSettings): void;
  /** The local devices are open. Fires before the offer or answer is sent. */
  onReadyLocalStream?(stream: MediaStream): void;
  /** The first packet of the peer's audio or video arrived. */
  onRemoteStreamReady?(stream: MediaStream, userName: string): void;
  /** The connection is losing packets. */
  onSlowLink?(info: SlowLinkInfo): void;
  /** The peer has received an outgoing file completely. */
  onFileTransferOk?(transfer: Transfer): void;
  /** An outgoing file failed. Does not fire if `sendData()` rejects before the transfer begins. */
  onFileTransferKo?(transfer: Transfer, error: VideoRTCError): void;
  /** A transfer of either direction made progress. */
  onTransferProgress?(transfer: Transfer): void;
  /**
   * The gateway is unreachable (a `GATEWAY_` code), the session is lost (`SESSION_LOST`) or the
   * media connection of a call is interrupted (`MEDIA_FAILED`). The library reconnects;
   * `onReconnected` follows, or `onError` and the end of the object.
   */
  onReconnecting?(cause: VideoRTCError): void;
  /** Everything is restored, the name too; or the affected call has ended, after its `onHangUp`. */
  onReconnected?(): void;
  /**
   * An error that no promise could report: the session is lost for good (`SESSION_LOST`,
   * `UNAUTHORIZED`), the name could not be registered again (`USERNAME_TAKEN`), this side refused
   * data of the peer, the gateway closed the object (`CLOSED`), or the library broke down.
   */
  onError?(error: VideoRTCError): void;
}

/** A jQuery object, or a similar one. */
export interface ElementList {
  /** The version of jQuery. */
  readonly jquery: string;
  /** The number of elements. */
  readonly length: number;
  /** The elements. */
  readonly [index: number]: Element;
}

/** The elements that show the videos: a container for created elements, or elements of the page. */
export interface DomElements {
  /**
   * The container. A `<video>` is appended for each video without an element of its own, and
   * removed when the call ends. A selector or a jQuery object must match exactly one element.
   */
  videos?: Element | string | ElementList | null;
  /** The element for the local video. It is muted. */
  localVideo?: HTMLVideoElement | null;
  /** The same as `localVideo`, which takes precedence. */
  local?: HTMLVideoElement | null;
  /** The element for the remote video. */
  remoteVideo?: HTMLVideoElement | null;
  /** The same as `remoteVideo`, which takes precedence. */
  remote?: HTMLVideoElement | null;
  /** The element for the local screen. Has no effect yet. */
  screenLocal?: unknown;
  /** The element for the remote screen. Has no effect yet. */
  screenRemote?: unknown;
}

/** The audio and video that a call sends, and their devices. */
export interface StreamOptions {
  /** Open and send a microphone. Default `true`. */
  audioEnabled?: boolean | null;
  /** Open and send a camera. Default `true`. */
  videoEnabled?: boolean | null;
  /** Whether calls carry data; `false` here or in `dataChannel` is enough. Default `true`. */
  dataEnabled?: boolean | null;
  /** The required microphone: a `deviceId` of `getDevices()`. `""` is the browser's choice. */
  aDeviceId?: string | null;
  /** The required camera: a `deviceId` of `getDevices()`. `""` is the browser's choice. */
  vDeviceId?: string | null;
  /**
   * The ideal resolution in pixels, such as `"640x480"`: integers from 1 to 8192. Or a word:
   * `"qvga"`, `"vga"`, `"fwvga"`, `"hd"`, `"full-hd"`, `"4k"`, `"8k"`.
   */
  resolution?: string | { width: number; height: number } | null;
  /** The ideal frame rate in frames per second, 1 to 240. */
  frameRate?: number | null;
  /** Echo cancellation, noise suppression and automatic gain. Default `true`. */
  voiceProcessor?: boolean | null;
}

/** The data that a page accepts. */
export interface DataChannelOptions {
  /** Whether calls carry data. Default `true`. */
  dataEnabled?: boolean | null;
  /**
   * The MIME types accepted from the peer, such as `"text/plain"` or `"image/*"`. Default: every
   * type.
   */
  allowedTypes?: readonly string[] | null;
  /**
   * The largest message or file accepted from the peer, in bytes. Default 1073741824 (1 GiB). A
   * string never exceeds 16 MiB.
   */
  maxSize?: number | null;
}

/** Options of `videoCall()`. Unknown keys cause a warning. */
export interface VideoCallOptions {
  /** The audio and video that a call sends, and their devices. */
  stream?: StreamOptions | null;
  /** The data that the page accepts. */
  dataChannel?: DataChannelOptions | null;
  /** How long a call may ring, on either side, in milliseconds, 1000 to 3600000. Default 60000. */
  ringTimeout?: number | null;
  /**
   * How long the media connection may take once a call is accepted, and to recover once it was
   * lost, in milliseconds, 1000 to 3600000. Default 30000.
   */
  connectTimeout?: number | null;
  /**
   * Shown to the gateway's administrator as the `opaque_id` of this handle. Default: that of the
   * connection.
   */
  account?: string | null;
}

/** Listeners of an echo test, all optional. */
export interface EchoTestEvents {
  /** The local devices are open. */
  onReadyLocalStream?(stream: MediaStream): void;
  /** The first packet of your own audio or video came back. */
  onRemoteStreamReady?(stream: MediaStream): void;
  /** The link is losing packets. */
  onSlowLink?(info: SlowLinkInfo): void;
  /**
   * The running test ended without `stop()`, and `start()` may be called again; or the object ended,
   * and `start()` rejects with `CLOSED`.
   */
  onError?(error: VideoRTCError): void;
}

/** Options of `echoTest()`. Unknown keys cause a warning. */
export interface EchoTestOptions {
  /**
   * The audio and video that are sent, and their devices. Without both, data alone is tested;
   * `dataEnabled` has no effect.
   */
  stream?: StreamOptions | null;
  /**
   * How long your own media may take to come back once the devices are open, and a lost connection
   * to recover, in milliseconds, 1000 to 3600000. Default 30000.
   */
  connectTimeout?: number | null;
  /**
   * Shown to the gateway's administrator as the `opaque_id` of this handle. Default: that of the
   * connection.
   */
  account?: string | null;
}

/** The result of an echo test. Times are in milliseconds; unknown values are absent. */
export interface EchoReport {
  /** From the first packet that came back to `stop()`, with the outages in it. */
  duration: number;
  /** The candidates that ICE selected; absent without a connection. */
  network?: {
    /** The type of the local candidate (RFC 8445, section 5.1.1). */
    localCandidate: RTCIceCandidateType | "";
    /** The type of the gateway's candidate. */
    remoteCandidate: RTCIceCandidateType | "";
    /** The transport: `"relay"` candidates name that between the TURN server and the gateway. */
    protocol: "udp" | "tcp" | "";
    /** The last round trip of ICE's connectivity checks. */
    roundTrip?: number;
  };
  /** Binary messages that were sent four times a second and must come back unchanged. */
  data: {
    /** Messages sent. */
    sent: number;
    /** Messages that came back unchanged. */
    returned: number;
    /** Messages that came back with other content. */
    changed: number;
    /** The average round trip. */
    roundTrip?: number;
    /** The shortest round trip. */
    shortest?: number;
    /** The longest round trip. */
    longest?: number;
  };
  /** The audio; absent if none was sent or received. */
  audio?: EchoMediaReport;
  /** The video; absent if none was sent or received. */
  video?: EchoMediaReport;
}

/** One kind of media in an `EchoReport`. */
export interface EchoMediaReport {
  /** To the gateway. */
  sent?: EchoDirectionReport;
  /** From the gateway. */
  received?: EchoDirectionReport;
}

/** One direction of one kind of media, over the duration of the test. */
export interface EchoDirectionReport {
  /** Payload in bits per second. */
  bitrate: number;
  /** RTP packets. */
  packets: number;
  /** The share of packets that did not arrive, from 0 to 1. An outage is not in it. */
  loss?: number;
  /** The last interarrival jitter (RFC 3550, section 6.4.1). */
  jitter?: number;
}

/** An echo test object: one test at a time. It is frozen, and its methods are bound. */
export interface EchoTest {
  /**
   * Opens the devices and sends to the gateway. Resolves when the first packet of your own media is
   * back; without media, the first data.
   */
  start(): Promise<void>;
  /** Ends the test and releases the devices. Resolves with the report. */
  stop(): Promise<EchoReport>;
  /** Ends the test and detaches. Idempotent. */
  closeUsecase(): Promise<void>;
}

/** Options of `sendData()`. */
export interface SendDataOptions {
  /** The file name that the peer receives. Default: the name of the `File`. */
  filename?: string | null;
  /**
   * Called on progress, at most every 100 ms, and at the end. Not called for strings of up to
   * 64,000 bytes.
   */
  onProgress?: ((transfer: Transfer) => void) | null;
  /** Cancels the transfer. */
  signal?: AbortSignal | null;
}

/**
 * A video call object: one name, and one call at a time. It is frozen. Every method is bound and
 * returns a promise, which never causes an unhandled rejection if it is ignored.
 */
export interface VideoCall {
  /** Registers a name of 1 to 128 characters, or a readable guest name. Resolves with the name. */
  register(userName?: string | null): Promise<string>;
  /**
   * Lists the names that are registered at the gateway, including this one.
   * @param filter a substring, a `RegExp`, or a function that receives a name
   * @param order by code point. Default: the gateway's order
   */
  getPeers(
    filter?: string | RegExp | ((userName: string) => boolean) | null,
    order?: "asc" | "desc" | null,
  ): Promise<string[]>;
  /**
   * Calls a user. Resolves when the callee's side rings. While an incoming call rings, `call()` and
   * `call(thatCaller)` accept it, as `acceptCall()` does.
   */
  call(userName?: string | null): Promise<void>;
  /** Accepts the incoming call. Resolves when the gateway has confirmed. */
  acceptCall(): Promise<void>;
  /**
   * Hangs up, cancels or declines. The peer's `onHangUp` receives `reason`, truncated to 200
   * characters.
   */
  hangUp(reason?: string | null): Promise<void>;
  /**
   * Sets whether the gateway forwards the local audio and video, and the bitrate limit of the local
   * video: bits per second, or a word. Resolves with the applied settings.
   */
  setCall(
    audio?: boolean | null,
    video?: boolean | null,
    quality?: number | "low" | "medium" | "high" | "ultra" | "max" | null,
  ): Promise<CallSettings>;
  /** Mutes or unmutes the microphone. Resolves with the new state: `true` if audio is sent. */
  toggleAudio(): Promise<boolean>;
  /** Mutes or unmutes the camera. Resolves with the new state: `true` if video is sent. */
  toggleVideo(): Promise<boolean>;
  /**
   * Sends a message or a file to the peer. Exactly one of `cOk` and `cKo` is called; `cOk` only
   * once the peer has received everything.
   * @param type the MIME type
   * @param optional a file name, or options
   */
  sendData(
    type: string,
    data: string | Blob | ArrayBuffer | ArrayBufferView,
    cOk?: ((transfer: Transfer) => void) | null,
    cKo?: ((error: VideoRTCError) => void) | null,
    optional?: string | SendDataOptions | null,
  ): Promise<Transfer>;
  /** Ends the call, frees the name and closes the object. Idempotent; never rejects. */
  closeUsecase(): Promise<void>;
}
