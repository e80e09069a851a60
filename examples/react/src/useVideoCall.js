// A video call as a hook: connects while the component is there, and tells what is going on.
import { useEffect, useState } from "react";
import { VideoRTC } from "videortc";

export function useVideoCall(gateway, userName) {
  const [call, setCall] = useState({ status: "connecting" });

  useEffect(() => {
    const app = new VideoRTC(gateway);
    let isGone = false;
    // What comes after the component has gone is nobody's business any more.
    const tell = (news) => isGone || setCall((call) => ({ ...call, ...news }));

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
      isGone = true;
      app.disconnect();
    };
  }, [gateway, userName]);

  return call;
}
