// One page, one name, one call at a time. Open it in two tabs and call from one to the other.
import { VideoRTC, VideoRTCError, type VideoCall } from "videortc";

// Set VITE_GATEWAY to your own Janus; `cargo xtask demo` starts a test gateway at this address.
const GATEWAY: string = import.meta.env.VITE_GATEWAY ?? "http://127.0.0.1:8080/janus";

const part = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

function say(sentence: string): void {
  // Names and reasons come from other users: show them as text, never as HTML.
  part("status").textContent = sentence;
}

function explain(error: unknown): void {
  say(error instanceof VideoRTCError && error.code === "USER_BUSY" ? "Busy: try later." : String(error));
}

async function join(): Promise<VideoCall> {
  const usecases = await new VideoRTC(GATEWAY).connect();
  const action = await usecases.videoCall(
    {
      onCalling: (userName) => say(`Calling ${userName}…`),
      onIncomingCall: (userName) => {
        if (confirm(`Talk to ${userName}?`)) action.acceptCall().catch(explain);
        else action.hangUp();
      },
      onAccepted: (userName) => say(`You are talking to ${userName}.`),
      onHangUp: (userName, reason) => say(`The call with ${userName} is over: ${reason}`),
      onError: explain,
    },
    { videos: part("videos") },
  );
  say(`You are ${await action.register()}.`);
  return action;
}

join().then((action) => {
  part<HTMLFormElement>("dial").addEventListener("submit", (event) => {
    event.preventDefault();
    const peer = new FormData(event.target as HTMLFormElement).get("peer") as string;
    action.call(peer).catch(explain);
  });
  part("hang-up").addEventListener("click", () => action.hangUp().catch(explain));
}, explain);
