// One page, one name, one call at a time. Open it in two tabs and call from one to the other.
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { useVideoCall } from "./useVideoCall.js";

// Set VITE_GATEWAY to your own Janus; `cargo xtask demo` starts a test gateway at this address.
const GATEWAY = import.meta.env.VITE_GATEWAY ?? "http://127.0.0.1:8080/janus";

function Video({ stream, muted = false }) {
  const show = (video) => {
    if (video && video.srcObject !== stream) video.srcObject = stream;
  };
  return stream ? <video ref={show} muted={muted} autoPlay playsInline /> : null;
}

function App() {
  const { status, name, peer, reason, error, action, localStream, remoteStream } = useVideoCall(GATEWAY);
  const [wanted, setWanted] = useState("");
  const [problem, setProblem] = useState();
  const attempt = (promise) => promise.then(() => setProblem(), setProblem);

  return (
    <main>
      <p role="status">
        {name && `You are ${name}. `}
        {status} {status === "ready" ? reason : peer} {String(error ?? problem ?? "")}
      </p>
      {status === "ready" && (
        <form onSubmit={(event) => { event.preventDefault(); attempt(action.call(wanted)); }}>
          <label>Call <input name="peer" value={wanted} onChange={(event) => setWanted(event.target.value)} required /></label>
          <button>Call</button>
        </form>
      )}
      {status === "ringing" && <button onClick={() => attempt(action.acceptCall())}>Answer {peer}</button>}
      {["calling", "ringing", "talking"].includes(status) && <button onClick={() => attempt(action.hangUp())}>Hang up</button>}
      <Video stream={localStream} muted />
      <Video stream={remoteStream} />
    </main>
  );
}

createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
