/** A stable word for a cause of failure. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "NOT_SUPPORTED"
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
  | "MEDIA_FAILED";

/** Every error of this library, thrown or rejected with. */
export class VideoRTCError extends Error {
  private constructor();
  readonly name: "VideoRTCError";
  /** For the program: what went wrong. */
  readonly code: ErrorCode;
  /** The gateway's own number, where it gave one. */
  readonly gatewayCode?: number;
  /** The browser's or the gateway's own words, where there are any. */
  readonly cause?: unknown;
}

export type DebugLevel = "none" | "error" | "warn" | "info" | "debug" | "trace";

/** An ICE server; the old spelling `url` is taken for `urls`. */
export type IceServer = RTCIceServer | (Omit<RTCIceServer, "urls"> & { url: string | string[] });

export interface VideoRTCOptions {
  /** Janus' `apisecret`. */
  apiSecret?: string;
  /** Janus' `token`. */
  token?: string;
  /** Shown to the gateway's administrator as the `opaque_id` of every handle. */
  account?: string;
  /** Send cookies to a gateway of another origin. Default false. */
  withCredentials?: boolean;
  iceTransportPolicy?: RTCIceTransportPolicy;
  /** Default `"max-bundle"`. */
  bundlePolicy?: RTCBundlePolicy;
  /** How long a request may take until its final answer, in milliseconds, from 100. Default 10000. */
  requestTimeout?: number;
  /** How long a failing long poll is tried again, in milliseconds. Default 30000. */
  retryLimit?: number;
  /** How many events one long poll may bring, from 1 to 100. Default 10. */
  pollEvents?: number;
}

export interface DeviceListConfig {
  kind?: MediaDeviceKind;
  /** Ask for permission first: without it, labels may be empty. Default false. */
  labels?: boolean;
}

export interface Device {
  readonly deviceId: string;
  readonly groupId: string;
  readonly kind: MediaDeviceKind;
  readonly label: string;
}

/** A connection to a gateway. */
export default class VideoRTC {
  /**
   * Checks its arguments and throws `INVALID_ARGUMENT`; touches neither network nor device.
   * @param servers gateway base URLs, such as `"https://example.com/janus"`, tried in order
   */
  constructor(
    servers: string | readonly string[],
    iceServers?: readonly IceServer[] | null,
    debugLevel?: DebugLevel | null,
    options?: VideoRTCOptions | null,
  );
  /** Makes a session on the first server that answers. While connected, gives the same use cases. */
  connect(): Promise<UseCases>;
  /** Ends calls, frees names and releases devices. Safe to call twice. */
  disconnect(): Promise<void>;
  getDevices(config?: DeviceListConfig): Promise<Device[]>;
  static readonly version: string;
  /** Whether this browser, and this page in it, can make video calls. */
  static isSupported(): boolean;
  static getDevices(config?: DeviceListConfig): Promise<Device[]>;
}

export { VideoRTC };

export interface CallSettings {
  audio?: boolean;
  video?: boolean;
  /** Bits per second; 0 is no ceiling. */
  bitrate?: number;
}

export interface SlowLinkInfo {
  readonly media: string;
  /** True if what this side sends gets lost. */
  readonly uplink: boolean;
  /** Packets lost since the last report. */
  readonly lost: number;
}

/** Every listener is optional; one that throws is reported to the console and breaks nothing. */
export interface VideoCallEvents {
  onRegistered?(userName: string, isRegistered: boolean): void;
  onGotPeers?(list: string[]): void;
  /** My call rings. */
  onCalling?(userName: string): void;
  onIncomingCall?(userName: string): void;
  /** The call is up, at either end. */
  onAccepted?(userName: string): void;
  /** The call is over: exactly once per call. */
  onHangUp?(userName: string, reason: string): void;
  onSetCall?(settings: CallSettings): void;
  onReadyLocalStream?(stream: MediaStream): void;
  /** Remote media flows. */
  onRemoteStreamReady?(stream: MediaStream, userName: string): void;
  onSlowLink?(info: SlowLinkInfo): void;
  /** Anything that no promise was there to report. */
  onError?(error: VideoRTCError): void;
}

/** Where the pictures go: a container for elements made here, or elements of the page. */
export interface DomElements {
  videos?: Element | null;
  localVideo?: HTMLVideoElement | null;
  remoteVideo?: HTMLVideoElement | null;
}

export interface StreamOptions {
  /** Default true. */
  audioEnabled?: boolean;
  /** Default true. */
  videoEnabled?: boolean;
  aDeviceId?: string;
  vDeviceId?: string;
  /** A wish, such as `"640x480"`. */
  resolution?: string | { width: number; height: number };
  /** A wish, in frames per second. */
  frameRate?: number;
  /** Echo cancellation, noise suppression and automatic gain. Default true. */
  voiceProcessor?: boolean;
}

export interface VideoCallOptions {
  stream?: StreamOptions;
  /** How long a call may ring at either end, in milliseconds, from 1000. Default 60000. */
  ringTimeout?: number;
  /** How long the media connection may take, in milliseconds, from 1000. Default 30000. */
  connectTimeout?: number;
}

export interface UseCases {
  /** Attaches to the gateway's video call plugin. Opens no device. */
  videoCall(
    onEvents?: VideoCallEvents | null,
    domElements?: DomElements | null,
    options?: VideoCallOptions | null,
  ): Promise<VideoCall>;
}

export interface VideoCall {
  /** Takes a name of 1 to 128 characters; without one, a guest name. Resolves with the name. */
  register(userName?: string): Promise<string>;
  /** The names that the gateway knows, one's own included. */
  getPeers(
    filter?: string | RegExp | ((userName: string) => boolean) | null,
    order?: "asc" | "desc",
  ): Promise<string[]>;
  /**
   * Calls somebody; resolves when it rings there. While a call is ringing here, accepts it; resolves
   * when the gateway has confirmed.
   */
  call(userName?: string): Promise<void>;
  acceptCall(): Promise<void>;
  /** Hangs up, cancels or declines. `reason` is shown to the other side. */
  hangUp(reason?: string): Promise<void>;
  /** What the gateway relays of mine, and my ceiling: bits per second or a word for them. */
  setCall(
    audio?: boolean | null,
    video?: boolean | null,
    quality?: number | "low" | "medium" | "high" | "max" | null,
  ): Promise<CallSettings>;
  /** Resolves with the new state: true if I am heard. */
  toggleAudio(): Promise<boolean>;
  /** Resolves with the new state: true if I am seen. */
  toggleVideo(): Promise<boolean>;
  /** Ends the call, frees the name and detaches. */
  closeUsecase(): Promise<void>;
}
