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
        onCalling: (peer) => tell({ status: "calling", peer }),
        onIncomingCall: (peer) => tell({ status: "ringing", peer }),
        onAccepted: (peer) => tell({ status: "talking", peer }),
        onReadyLocalStream: (localStream) => tell({ localStream }),
        onRemoteStreamReady: (remoteStream) => tell({ remoteStream }),
        onHangUp: (peer, reason) => tell({ status: "ready", reason, localStream: null, remoteStream: null }),
        onError: (error) => tell({ status: "failed", error }),
      });
      const name = await action.register(userName);
      tell({ status: "ready", name, action });
    }
    join().catch((error) => tell({ status: "failed", error }));

    return () => {
      isUnmounted = true;
      app.disconnect();
    };
  }, [gateway, userName]);

  return call;
}
