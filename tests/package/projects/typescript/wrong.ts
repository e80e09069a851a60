// Wrong use: each line would be an error of the compiler's, which `@ts-expect-error` asserts.
import { VideoRTC, VideoRTCError, type VideoCall, type VideoCallEvents } from "videortc";

declare const app: VideoRTC;
declare const action: VideoCall;
declare const error: VideoRTCError;

// @ts-expect-error no server
new VideoRTC();
// @ts-expect-error no string
new VideoRTC(42);
// @ts-expect-error no array
new VideoRTC("https://example.com", "stun:stun.example.com");
// @ts-expect-error no address in it
new VideoRTC("https://example.com", [{ username: "u" }]);
// @ts-expect-error no such level
new VideoRTC("https://example.com", [], "loud");
// @ts-expect-error no such level in it
new VideoRTC("https://example.com", [], ["error", "loud"]);
// @ts-expect-error it gives no string
new VideoRTC("https://example.com", [], "error", { token: () => 5 });
// @ts-expect-error misspelt
new VideoRTC("https://example.com", [], "error", { apisecret: "x" });
// @ts-expect-error no number
new VideoRTC("https://example.com", [], "error", { requestTimeout: "5 s" });

// @ts-expect-error no such event
const unknownEvent: VideoCallEvents = { onRing() {} };
// @ts-expect-error a listener of two strings
const wrongListener: VideoCallEvents = { onHangUp: (userName: string, reason: number) => void [userName, reason] };
// @ts-expect-error no function
const noListener: VideoCallEvents = { onCalling: "Tom" };

// @ts-expect-error no use case without a session
app.videoCall();
app.connect().then((usecases) => {
  // @ts-expect-error a list without `jquery` is none of jQuery's
  usecases.videoCall({}, { videos: document.querySelectorAll("div") });
  // @ts-expect-error a container is no video
  usecases.videoCall({}, { localVideo: document.createElement("div") });
  // @ts-expect-error misspelt
  usecases.videoCall({}, {}, { stream: { audio: true } });
});

// @ts-expect-error no name
action.register(42);
// @ts-expect-error no such order
action.getPeers("", "up");
// @ts-expect-error no such quality
action.setCall(true, true, "best");
// @ts-expect-error a promise is no answer
const isHeard: boolean = action.toggleAudio();
// @ts-expect-error no data
action.sendData("text/plain");
// @ts-expect-error an object has no bytes
action.sendData("application/json", { a: 1 });

// @ts-expect-error no such code
error.code === "OOPS";
// @ts-expect-error codes are read
error.code = "CLOSED";
// @ts-expect-error pages make no errors
new VideoRTCError("CLOSED", "x");

// Internal members are not declared.
// @ts-expect-error
action.free();
// @ts-expect-error
action.__wbg_ptr;
// @ts-expect-error
VideoRTC.initSync();

export { isHeard, noListener, unknownEvent, wrongListener };
