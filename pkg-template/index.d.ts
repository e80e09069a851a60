/**
 * A stable word for a cause of failure: what a program branches on. It never changes its meaning.
 * The reference lists each with its cause and remedy; new ones may be added.
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
 * Every error of this library, thrown or rejected with. Pages get it and do not make it.
 *
 * `"" + error` reads well: `VideoRTCError USERNAME_TAKEN: somebody else holds the name "Tom": choose another`.
 */
export class VideoRTCError extends Error {
  private constructor();
  /** Always `"VideoRTCError"`. */
  readonly name: "VideoRTCError";
  /** For the program: what went wrong. */
  readonly code: ErrorCode;
  /** For the person: what happened, with which value, and what to do about it. */
  readonly message: string;
  /** The gateway's own number, where it gave one. */
  readonly gatewayCode?: number;
  /** The browser's or the gateway's own words, where there are any. */
  readonly cause?: unknown;
}

/** How much goes to the browser's console. No line holds a secret, a token or a credential. */
export type DebugLevel = "none" | "error" | "warn" | "info" | "debug" | "trace";

/** An ICE server as browsers take it; the old spelling `url` is taken for `urls`. */
export type IceServer = RTCIceServer | (Omit<RTCIceServer, "urls"> & { url: string | string[] });

/** Gives a credential that expires each time it is asked for one, at once or by a promise. */
export type Source<T> = () => T | PromiseLike<T>;

/** How to reach the gateway, and how patiently. A key that is not among these is warned about. */
export interface VideoRTCOptions {
  /** Janus' `apisecret`, sent with every request. Whoever reads the page can read it. */
  apiSecret?: string | null;
  /**
   * Janus' `token`, sent with every request. A function is asked for it by `connect()`, and again when the gateway
   * refuses it.
   */
  token?: string | Source<string> | null;
  /** Shown to the gateway's administrator as the `opaque_id` of every handle. */
  account?: string | null;
  /** Whether cookies go to a gateway of another origin. Default `false`. */
  withCredentials?: boolean | null;
  /** `"relay"` hides the page's addresses from the gateway and needs a TURN server. Default: the browser's, `"all"`. */
  iceTransportPolicy?: RTCIceTransportPolicy | null;
  /** Default `"max-bundle"`. */
  bundlePolicy?: RTCBundlePolicy | null;
  /** How long a request may take until its final answer, in milliseconds, 100 to 3600000. Default 10000. */
  requestTimeout?: number | null;
  /**
   * How long a gateway out of reach is tried again before the session is given up, in milliseconds, 0 to 3600000.
   * Default 120000. A call whose media flows is not given up for it.
   */
  retryLimit?: number | null;
  /** How many events one long poll may bring, 1 to 100. Default 10. */
  pollEvents?: number | null;
}

/** Which devices to list. */
export interface DeviceListConfig {
  /** Only these. Default: all kinds. */
  kind?: MediaDeviceKind | null;
  /**
   * Open the devices for a moment first, which may ask the user: without a permission, browsers leave labels and
   * ids empty. Default `false`.
   */
  labels?: boolean | null;
}

/** A camera, a microphone or a speaker. */
export interface Device {
  /** What `aDeviceId` and `vDeviceId` take. Empty without a permission. */
  readonly deviceId: string;
  /** The same for devices of one machine, such as a camera and its microphone. */
  readonly groupId: string;
  /** What it is. */
  readonly kind: MediaDeviceKind;
  /** What a person calls it. Empty without a permission. */
  readonly label: string;
}

/**
 * A connection to a Janus gateway: one session, with any number of video calls in it. Its methods are bound: they work
 * when they are taken off the object, and through proxies.
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
   * Checks `servers`, and touches neither network nor any browser API. `connect()` checks the other arguments, and
   * rejects with what is wrong with them.
   * @param servers gateway base URLs, such as `"https://example.com/janus"`, tried in order. WebSocket addresses are
   * skipped, where there are others
   * @param iceServers STUN and TURN servers, or a function that gives them before each peer connection. Default: none
   * @param debugLevel how much goes to the console; of several words the most talkative counts. Default `"error"`
   * @param options secrets, tuning; a string is the API secret
   * @throws {VideoRTCError} `INVALID_ARGUMENT`, which names the address and what is wrong with it
   */
  constructor(
    servers: string | readonly string[],
    iceServers?: readonly IceServer[] | Source<readonly IceServer[] | null | undefined> | null,
    debugLevel?: DebugLevel | readonly DebugLevel[] | null,
    options?: VideoRTCOptions | string | null,
  );
  /**
   * Makes a session on the first server that answers, and loads the WebAssembly module if it is not there yet.
   * While connected, resolves with the same use cases. If no server answers, rejects with one error that lists
   * what each said.
   */
  connect(): Promise<UseCases>;
  /**
   * Ends calls, frees names, stops polling and releases every device, within 5 s and whatever the gateway does.
   * Safe to call at any time and twice; `connect()` works again afterwards. Never rejects.
   */
  disconnect(): Promise<void>;
  /** Lists cameras, microphones and speakers. */
  getDevices(config?: DeviceListConfig | null): Promise<Device[]>;
  /** The version of the library, such as `"1.2.3"`. */
  static readonly version: string;
  /**
   * Whether this browser, and this page in it, can make video calls: WebRTC, WebAssembly, a Content-Security-Policy
   * that allows it, and `https` or `localhost`. Never throws.
   */
  static isSupported(): boolean;
  /** Lists cameras, microphones and speakers. */
  static getDevices(config?: DeviceListConfig | null): Promise<Device[]>;
}

export { VideoRTC };

/** What `connect()` resolves with: the same frozen object each time, with methods that are bound. */
export interface UseCases {
  /**
   * Attaches to the gateway's video call plugin. Opens no device: devices open when a call starts or is accepted,
   * and close when it ends.
   * @param onEvents listeners; each is looked up when its event fires
   * @param domElements where the pictures go. Default: nowhere; the streams come by their events alone
   */
  videoCall(
    onEvents?: VideoCallEvents | null,
    domElements?: DomElements | null,
    options?: VideoCallOptions | null,
  ): Promise<VideoCall>;
}

/** What `setCall()` set; what it left alone is absent. */
export interface CallSettings {
  /** Whether the gateway passes my sound on. */
  audio?: boolean;
  /** Whether the gateway passes my picture on. */
  video?: boolean;
  /** The ceiling of my picture in bits per second; 0 is none. */
  bitrate?: number;
}

/** The gateway reports lost packets. */
export interface SlowLinkInfo {
  /** Which of the two. */
  readonly media: "audio" | "video";
  /** `true` if what this side sends gets lost. */
  readonly uplink: boolean;
  /** Packets lost since the last report. */
  readonly lost: number;
}

/** A message or file on its way, in either direction. */
export interface Transfer {
  /** Which way it goes. */
  readonly direction: "outgoing" | "incoming";
  /** A MIME type, or any word that both pages know. */
  readonly type: string;
  /**
   * The file name, where there is one, as it arrives: without path, dots at the ends, control, direction and
   * zero-width characters, and cut to 255 bytes.
   */
  readonly filename: string | undefined;
  /** Its size in bytes; of a string, in UTF-8. */
  readonly size: number;
  /** How many bytes the receiver has. */
  readonly transferred: number;
  /** Where it stands: `"done"` means that the receiver has it whole. */
  readonly state: "active" | "done" | "failed";
  /** Who is at the other end. */
  readonly userName: string;
  /** Why it failed. */
  readonly error?: VideoRTCError;
  /** Ends it, at either side. Does nothing where it has ended. */
  cancel(): void;
}

/**
 * Listeners, all optional, called as methods of this object. One that throws is reported to the console and breaks
 * nothing. Every method of the library may be called from inside.
 */
export interface VideoCallEvents {
  /**
   * The answer to `register()` is there; `isRegistered` is `false` when the name was refused. Fires again when the name
   * is taken again after a session was lost.
   */
  onRegistered?(userName: string, isRegistered: boolean): void;
  /** The answer to `getPeers()` is there: what that promise resolves with. */
  onGotPeers?(list: string[]): void;
  /** My call rings at `userName`; once per call. */
  onCalling?(userName: string): void;
  /** `userName` calls me: `acceptCall()` or `hangUp()`. */
  onIncomingCall?(userName: string): void;
  /** The call with `userName` is up, at either end. */
  onAccepted?(userName: string): void;
  /** The call ended, was declined or was refused: exactly once per call. */
  onHangUp?(userName: string, reason: string): void;
  /** A message or file arrived whole: a string as a string, everything else as a `Blob` of that type. */
  onDataReceived?(type: string, data: string | Blob, filename: string | undefined, userName: string): void;
  /** The gateway applied `setCall()`. */
  onSetCall?(settings: CallSettings): void;
  /** My devices are open, before the call is sent or the answer is. */
  onReadyLocalStream?(stream: MediaStream): void;
  /** The first packet of the other side's sound or picture arrived. */
  onRemoteStreamReady?(stream: MediaStream, userName: string): void;
  /** The link is losing packets. */
  onSlowLink?(info: SlowLinkInfo): void;
  /** An outgoing file was received whole by the peer. */
  onFileTransferOk?(transfer: Transfer): void;
  /** An outgoing file was not received. Not for what `sendData()` refuses before it begins. */
  onFileTransferKo?(transfer: Transfer, error: VideoRTCError): void;
  /** Bytes moved, in either direction. */
  onTransferProgress?(transfer: Transfer): void;
  /**
   * The gateway is out of reach (a `GATEWAY_` code), the session is lost (`SESSION_LOST`) or nothing comes through a
   * call's media connection (`MEDIA_FAILED`): the library brings it back. Ends with `onReconnected`, or with `onError`
   * and the object's end.
   */
  onReconnecting?(cause: VideoRTCError): void;
  /** All is there again, the name too; or what was lost has ended with its call, and `onHangUp` came before this. */
  onReconnected?(): void;
  /**
   * Anything that no promise was there to report: a session that was given up (`SESSION_LOST`, `UNAUTHORIZED`), a name
   * that could not be taken again (`USERNAME_TAKEN`), something of the peer's that was refused, an object that the
   * gateway closed (`CLOSED`), a breakdown.
   */
  onError?(error: VideoRTCError): void;
}

/** A jQuery object, or anything like it. */
export interface ElementList {
  /** The version of the library that made it. */
  readonly jquery: string;
  /** How many elements are in it. */
  readonly length: number;
  /** Each of them. */
  readonly [index: number]: Element;
}

/** Where the pictures go: a container for elements made here, or elements of the page. */
export interface DomElements {
  /**
   * A `<video>` is appended for each picture without an element of its own, and removed when the call ends. A selector
   * or a jQuery object must find one element.
   */
  videos?: Element | string | ElementList | null;
  /** For my own picture; it is muted. */
  localVideo?: HTMLVideoElement | null;
  /** The same as `localVideo`, which counts where both are given. */
  local?: HTMLVideoElement | null;
  /** For the other side's picture. */
  remoteVideo?: HTMLVideoElement | null;
  /** The same as `remoteVideo`, which counts where both are given. */
  remote?: HTMLVideoElement | null;
  /** For my own screen. Has no effect yet. */
  screenLocal?: unknown;
  /** For the other side's screen. Has no effect yet. */
  screenRemote?: unknown;
}

/** What a call sends, and from which devices. */
export interface StreamOptions {
  /** Open and send a microphone. Default `true`. */
  audioEnabled?: boolean | null;
  /** Open and send a camera. Default `true`. */
  videoEnabled?: boolean | null;
  /** Whether calls carry data; `false` here or in `dataChannel` is enough. Default `true`. */
  dataEnabled?: boolean | null;
  /** This microphone and no other: a `deviceId` of `getDevices()`. `""` is the browser's choice. */
  aDeviceId?: string | null;
  /** This camera and no other: a `deviceId` of `getDevices()`. `""` is the browser's choice. */
  vDeviceId?: string | null;
  /**
   * A wish in pixels, such as `"640x480"`: whole sides, 1 to 8192. Or a word: `"qvga"`, `"vga"`, `"fwvga"`, `"hd"`,
   * `"full-hd"`, `"4k"`, `"8k"`.
   */
  resolution?: string | { width: number; height: number } | null;
  /** A wish in frames per second, 1 to 240. */
  frameRate?: number | null;
  /** Echo cancellation, noise suppression and automatic gain. Default `true`. */
  voiceProcessor?: boolean | null;
}

/** What a peer may send. */
export interface DataChannelOptions {
  /** Whether calls carry data. Default `true`. */
  dataEnabled?: boolean | null;
  /** The MIME types accepted from the peer, such as `"text/plain"` or `"image/*"`; absent means every type. */
  allowedTypes?: readonly string[] | null;
  /**
   * The largest message or file accepted from the peer, in bytes. Default 1073741824 (1 GiB); a string is never more
   * than 16 MiB.
   */
  maxSize?: number | null;
}

/** Options of `videoCall()`. A key that is not among these is warned about. */
export interface VideoCallOptions {
  /** What a call sends, and from which devices. */
  stream?: StreamOptions | null;
  /** What a peer may send. */
  dataChannel?: DataChannelOptions | null;
  /** How long a call may ring at either end, in milliseconds, 1000 to 3600000. Default 60000. */
  ringTimeout?: number | null;
  /**
   * How long the media connection may take once a call is accepted, and to come back when it was lost, in milliseconds,
   * 1000 to 3600000. Default 30000.
   */
  connectTimeout?: number | null;
  /** Shown to the gateway's administrator as the `opaque_id` of this handle. Default: that of the connection. */
  account?: string | null;
}

/** How `sendData()` sends. */
export interface SendDataOptions {
  /** The name under which the peer gets it. Default: the `File`'s own. */
  filename?: string | null;
  /** Called when bytes moved, at most every 100 ms, and at the end. Not for strings of up to 64,000 bytes. */
  onProgress?: ((transfer: Transfer) => void) | null;
  /** Cancels the transfer. */
  signal?: AbortSignal | null;
}

/**
 * The action object of one video call, frozen: a name, and one call at a time. Every method is bound and returns a
 * promise; one that is ignored never causes an unhandled rejection.
 */
export interface VideoCall {
  /** Takes a name of 1 to 128 characters; without one, a readable guest name. Resolves with the name. */
  register(userName?: string | null): Promise<string>;
  /**
   * The names that the gateway knows, my own included.
   * @param filter a part of the name, a `RegExp`, or a function that gets a name
   * @param order by code point. Default: the gateway's order
   */
  getPeers(
    filter?: string | RegExp | ((userName: string) => boolean) | null,
    order?: "asc" | "desc" | null,
  ): Promise<string[]>;
  /**
   * Calls somebody; resolves when it rings there. While a call rings here, `call()` and `call(thatCaller)` accept it,
   * as `acceptCall()`.
   */
  call(userName?: string | null): Promise<void>;
  /** Answers; resolves when the gateway has confirmed. */
  acceptCall(): Promise<void>;
  /** Hangs up, cancels or declines. `reason` is what the other side gets in `onHangUp`, cut to 200 characters. */
  hangUp(reason?: string | null): Promise<void>;
  /**
   * Whether the gateway passes on what I send, and the ceiling of my picture: bits per second, or a word for them.
   * Resolves with what was set.
   */
  setCall(
    audio?: boolean | null,
    video?: boolean | null,
    quality?: number | "low" | "medium" | "high" | "ultra" | "max" | null,
  ): Promise<CallSettings>;
  /** Mutes and unmutes me. Resolves with the new state: `true` if I am heard. */
  toggleAudio(): Promise<boolean>;
  /** Hides and shows me. Resolves with the new state: `true` if I am seen. */
  toggleVideo(): Promise<boolean>;
  /**
   * Sends a message or a file to the other side. Exactly one of `cOk` and `cKo` is called; `cOk` only once the peer
   * has it whole.
   * @param type its MIME type
   * @param optional a file name, or more
   */
  sendData(
    type: string,
    data: string | Blob | ArrayBuffer | ArrayBufferView,
    cOk?: ((transfer: Transfer) => void) | null,
    cKo?: ((error: VideoRTCError) => void) | null,
    optional?: string | SendDataOptions | null,
  ): Promise<Transfer>;
  /** Ends the call, frees the name and detaches. Twice is once; never rejects. */
  closeUsecase(): Promise<void>;
}
