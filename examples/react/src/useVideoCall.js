// A video call as a hook: stays connected while the component is mounted, and returns the state.
import { useEffect, useState } from "react";
import { VideoRTC } from "videortc";

export function useVideoCall(gateway, userName) {
  const [call, setCall] = useState({ status: "connecting" });

  useEffect(() => {
    const app = new VideoRTC(gateway);
    let isUnmounted = false;
    // Ignore events after the component has unmounted.
    const update = (changes) => isUnmounted || setCall((call) => ({ ...call, ...changes }));

    async function join() {
      const usecases = await app.connect();
      const action = await usecases.videoCall({
        onCalling: (peer) => update({ status: "calling", peer }),
        onIncomingCall: (peer) => update({ status: "ringing", peer }),
        onAccepted: (peer) => update({ status: "talking", peer }),
        onReadyLocalStream: (localStream) => update({ localStream }),
        onRemoteStreamReady: (remoteStream) => update({ remoteStream }),
        onHangUp: (peer, reason) => update({ status: "ready", reason, localStream: null, remoteStream: null }),
        onError: (error) => update({ status: "failed", error }),
      });
      const name = await action.register(userName);
      update({ status: "ready", name, action });
    }
    join().catch((error) => update({ status: "failed", error }));

    return () => {
      isUnmounted = true;
      app.disconnect();
    };
  }, [gateway, userName]);

  return call;
}
