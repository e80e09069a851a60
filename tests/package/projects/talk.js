// A page that calls and is called, whatever loaded the class. The title says how far it is.
globalThis.talk = async function talk(VideoRTC) {
  globalThis.VideoRTC = VideoRTC;
  const query = new URLSearchParams(location.search);
  if (!query.has("gateway")) {
    document.title = "loaded";
    return;
  }
  const videos = document.createElement("div");
  document.body.append(videos);
  const app = new VideoRTC(query.get("gateway"));
  try {
    const usecases = await app.connect();
    const action = await usecases.videoCall(
      {
        onIncomingCall: () => action.acceptCall(),
        onRemoteStreamReady: () => { document.title = "remote media"; },
        onHangUp: () => { document.title = "over"; },
      },
      { videos },
    );
    await action.register(query.get("name"));
    globalThis.call = (name) => action.call(name);
    globalThis.leave = () => app.disconnect();
    document.title = "registered";
  } catch (error) {
    document.title = String(error);
  }
};
