// Cameras and microphones (W3C Media Capture and Streams): opening, releasing, listing.

// What `getUserMedia` may refuse with, as a code and a sentence.
const REFUSED = ["PERMISSION_DENIED", "the camera or microphone was refused: allow it in the browser's site settings"];
const IN_USE = ["DEVICE_IN_USE", "the camera or microphone could not be started: close other programs that use it"];
const REFUSALS = {
  __proto__: null,
  NotAllowedError: REFUSED,
  SecurityError: REFUSED,
  NotFoundError: [
    "DEVICE_NOT_FOUND",
    "no camera or no microphone was found: plug one in, or set videoEnabled or audioEnabled to false",
  ],
  OverconstrainedError: [
    "DEVICE_NOT_FOUND",
    "no camera or microphone fits what was asked for: check aDeviceId, vDeviceId, resolution and frameRate",
  ],
  NotReadableError: IN_USE,
  AbortError: IN_USE,
};

async function withDevices(act) {
  const devices = globalThis.navigator?.mediaDevices;
  if (!devices) {
    const message = "this page has no access to cameras and microphones: serve it over https or from localhost";
    throw new VideoRTCError("NOT_SUPPORTED", message);
  }
  try {
    return await act(devices);
  } catch (thrown) {
    const [code, message] = REFUSALS[got(thrown, "name")] ?? ["DEVICE_ERROR", "the camera or microphone could not be opened"];
    throw new VideoRTCError(code, message, undefined, words(thrown));
  }
}

// Opens what the options ask for; a stream without tracks if they ask for neither sound nor picture.
function openDevices({ audioEnabled: hasAudio = true, videoEnabled: hasVideo = true, ...wishes }) {
  if (!hasAudio && !hasVideo) return new MediaStream();
  const { aDeviceId, vDeviceId, resolution, frameRate, voiceProcessor: isClean = true } = wishes;
  const audio = { echoCancellation: isClean, noiseSuppression: isClean, autoGainControl: isClean, ...exact(aDeviceId) };
  const video = exact(vDeviceId);
  for (const [key, ideal] of Object.entries({ ...resolution, frameRate })) {
    if (ideal) video[key] = { ideal };
  }
  return withDevices((devices) => devices.getUserMedia({ audio: hasAudio && audio, video: hasVideo && video }));
}

function exact(device) {
  return isAbsent(device) ? {} : { deviceId: { exact: device } };
}

// Releases the devices behind a stream.
function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

// Without permission the labels are empty: `labels` asks for it first.
async function listDevices({ kind, labels }) {
  const opened =
    labels && (await openDevices({ audioEnabled: kind !== "videoinput", videoEnabled: kind !== "audioinput" }));
  try {
    const found = await withDevices((devices) => devices.enumerateDevices());
    return found
      .filter((device) => !kind || device.kind === kind)
      .map(({ deviceId, groupId, kind, label }) => ({ deviceId, groupId, kind, label }));
  } finally {
    if (opened) stop(opened);
  }
}
