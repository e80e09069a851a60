//! Cameras and microphones (W3C Media Capture and Streams): opening, muting, releasing, listing.

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ConstrainDomStringParameters, ConstrainDoubleRange, ConstrainLongRange, MediaDeviceInfo,
    MediaDeviceKind, MediaDevices, MediaStream, MediaStreamConstraints, MediaStreamTrack,
    MediaStreamTrackState, MediaTrackConstraints,
};

use super::options::{DeviceKind, StreamOptions};
use super::registry::{Held, hold};
use super::thrown;
use crate::peer::Error;

/// An open stream of this side. Its devices are released when this is dropped.
pub(crate) struct LocalStream {
    stream: MediaStream,
    _held: Vec<Held>,
}

impl LocalStream {
    fn new(stream: MediaStream) -> Self {
        let held = tracks(&stream).map(|track| hold(&track, "stop")).collect();
        Self { stream, _held: held }
    }

    pub(crate) fn stream(&self) -> &MediaStream {
        &self.stream
    }
}

impl Drop for LocalStream {
    fn drop(&mut self) {
        tracks(&self.stream).for_each(|track| track.stop());
    }
}

/// All tracks of a stream.
pub(crate) fn tracks(stream: &MediaStream) -> impl Iterator<Item = MediaStreamTrack> + use<> {
    stream.get_tracks().into_iter().map(JsCast::unchecked_into)
}

/// Toggles the live tracks of a kind, `"audio"` or `"video"`. Returns whether they are enabled now,
/// or `None` if there are none.
pub(crate) fn toggle(stream: &MediaStream, kind: &str) -> Option<bool> {
    let live: Vec<_> = tracks(stream)
        .filter(|track| track.kind() == kind && track.ready_state() == MediaStreamTrackState::Live)
        .collect();
    let enabled = !live.first()?.enabled();
    for track in live {
        track.set_enabled(enabled);
    }
    Some(enabled)
}

/// Opens the devices that the options request; a stream without tracks if they request neither
/// audio nor video. Calls the browser before it returns the future.
pub(crate) fn open(
    options: &StreamOptions,
) -> impl Future<Output = Result<LocalStream, Error>> + use<> {
    let asked = match options.audio || options.video {
        true => media_devices().and_then(|devices| {
            let opening = devices.get_user_media_with_constraints(&constraints(options));
            opening.map(Some).map_err(|thrown| refused(&thrown))
        }),
        false => Ok(None),
    };
    async move {
        let opened = match asked? {
            // A page's own `getUserMedia` may return anything.
            Some(opening) => JsFuture::from(Promise::resolve(&opening)).await.and_then(stream),
            None => MediaStream::new(),
        };
        opened.map(LocalStream::new).map_err(|thrown| refused(&thrown))
    }
}

fn constraints(options: &StreamOptions) -> MediaStreamConstraints {
    let constraints = MediaStreamConstraints::new();
    let (audio, video) = (options.audio, options.video);
    constraints.set_audio(&if audio { audio_constraints(options) } else { JsValue::FALSE });
    constraints.set_video(&if video { video_constraints(options) } else { JsValue::FALSE });
    constraints
}

fn audio_constraints(options: &StreamOptions) -> JsValue {
    let audio = MediaTrackConstraints::new();
    let is_clean = options.voice_processor.into();
    audio.set_echo_cancellation(&is_clean);
    audio.set_noise_suppression(&is_clean);
    audio.set_auto_gain_control(&is_clean);
    set_device(&audio, options.audio_device.as_deref());
    audio.into()
}

fn video_constraints(options: &StreamOptions) -> JsValue {
    let video = MediaTrackConstraints::new();
    set_device(&video, options.video_device.as_deref());
    if let Some((width, height)) = options.resolution {
        video.set_width(&ideal_side(width));
        video.set_height(&ideal_side(height));
    }
    if let Some(rate) = options.frame_rate {
        let range = ConstrainDoubleRange::new();
        range.set_ideal(rate);
        video.set_frame_rate(&range);
    }
    video.into()
}

fn set_device(constraints: &MediaTrackConstraints, id: Option<&str>) {
    if let Some(id) = id {
        let device = ConstrainDomStringParameters::new();
        device.set_exact(&id.into());
        constraints.set_device_id(&device);
    }
}

fn ideal_side(pixels: u32) -> ConstrainLongRange {
    let range = ConstrainLongRange::new();
    range.set_ideal(pixels.try_into().unwrap_or(i32::MAX));
    range
}

/// Lists devices. Without a permission, browsers leave the labels empty: `with_labels` opens the
/// devices briefly first, which may prompt the user.
pub(crate) async fn list(
    kind: Option<DeviceKind>,
    with_labels: bool,
) -> Result<Vec<MediaDeviceInfo>, Error> {
    let opened = match with_labels {
        true => {
            let (video, audio) =
                (kind != Some(DeviceKind::AudioInput), kind != Some(DeviceKind::VideoInput));
            Some(open(&StreamOptions { audio, video, ..StreamOptions::default() }).await?)
        }
        false => None,
    };
    let listing = media_devices()?.enumerate_devices().map_err(|thrown| refused(&thrown))?;
    let found: Array =
        JsFuture::from(listing).await.map_err(|thrown| refused(&thrown))?.unchecked_into();
    drop(opened);
    let all = found.into_iter().map(JsCast::unchecked_into::<MediaDeviceInfo>);
    Ok(all.filter(|device| kind.is_none_or(|kind| kind.is_of(device))).collect())
}

impl DeviceKind {
    fn is_of(self, device: &MediaDeviceInfo) -> bool {
        device.kind()
            == match self {
                Self::AudioInput => MediaDeviceKind::Audioinput,
                Self::VideoInput => MediaDeviceKind::Videoinput,
                Self::AudioOutput => MediaDeviceKind::Audiooutput,
            }
    }
}

/// Whether this page can request cameras and microphones.
pub(crate) fn are_available() -> bool {
    media_devices().is_ok()
}

fn media_devices() -> Result<MediaDevices, Error> {
    let window = web_sys::window();
    let devices = window.and_then(|window| window.navigator().media_devices().ok());
    devices.filter(|devices| !devices.is_undefined()).ok_or(Error::NotSupported)
}

fn refused(thrown: &JsValue) -> Error {
    Error::from_exception(&thrown::name(thrown), thrown::words(thrown))
}

/// A stream, also one of an iframe, whose class is another.
fn stream(opened: JsValue) -> Result<MediaStream, JsValue> {
    match opened.is_object() {
        true => Ok(opened.unchecked_into()),
        false => Err("getUserMedia() gave no stream".into()),
    }
}
