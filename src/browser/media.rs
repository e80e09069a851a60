//! Cameras and microphones: opening, muting, releasing, listing.

use js_sys::{Array, Object};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{MediaDevices, MediaStream, MediaStreamConstraints, MediaStreamTrack};

pub(crate) use super::object::set;
use super::object::{get, text};
use super::{failure, system};
use crate::error::Error;

/// What to open, and how.
#[derive(Clone, Debug)]
pub(crate) struct StreamOptions {
    pub(crate) audio: bool,
    pub(crate) video: bool,
    pub(crate) audio_device: Option<String>,
    pub(crate) video_device: Option<String>,
    /// Width and height in pixels, as wishes.
    pub(crate) resolution: Option<(u32, u32)>,
    /// Frames per second, as a wish.
    pub(crate) frame_rate: Option<f64>,
    /// Echo cancellation, noise suppression and automatic gain.
    pub(crate) voice_processor: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            audio: true,
            video: true,
            audio_device: None,
            video_device: None,
            resolution: None,
            frame_rate: None,
            voice_processor: true,
        }
    }
}

impl StreamOptions {
    fn constraints(&self) -> MediaStreamConstraints {
        let constraints = Object::new();
        set(&constraints, "audio", &self.audio_constraint());
        set(&constraints, "video", &self.video_constraint());
        constraints.unchecked_into()
    }

    fn audio_constraint(&self) -> JsValue {
        if !self.audio {
            return JsValue::FALSE;
        }
        let object = Object::new();
        for key in ["echoCancellation", "noiseSuppression", "autoGainControl"] {
            set(&object, key, &self.voice_processor.into());
        }
        if let Some(id) = &self.audio_device {
            set(&object, "deviceId", &wish("exact", &JsValue::from_str(id)));
        }
        object.into()
    }

    fn video_constraint(&self) -> JsValue {
        if !self.video {
            return JsValue::FALSE;
        }
        let object = Object::new();
        if let Some(id) = &self.video_device {
            set(&object, "deviceId", &wish("exact", &JsValue::from_str(id)));
        }
        if let Some((width, height)) = self.resolution {
            set(&object, "width", &wish("ideal", &width.into()));
            set(&object, "height", &wish("ideal", &height.into()));
        }
        if let Some(rate) = self.frame_rate {
            set(&object, "frameRate", &wish("ideal", &rate.into()));
        }
        object.into()
    }
}

fn wish(strength: &str, value: &JsValue) -> JsValue {
    let object = Object::new();
    set(&object, strength, value);
    object.into()
}

fn devices() -> Result<MediaDevices, Error> {
    Ok(system::devices()?.unchecked_into())
}

/// Opens what the options ask for; nothing if they ask for neither sound nor picture.
pub(crate) async fn open(options: &StreamOptions) -> Result<MediaStream, Error> {
    let opened = if options.audio || options.video {
        let devices = devices()?;
        match devices.get_user_media_with_constraints(&options.constraints()) {
            Ok(promise) => JsFuture::from(promise).await.map(JsCast::unchecked_into),
            Err(thrown) => Err(thrown),
        }
    } else {
        MediaStream::new()
    };
    opened.map_err(|thrown| failure::from_devices(&thrown))
}

/// Another handle to the same stream. `MediaStream::clone` is not Rust's but the browser's: it makes a
/// new stream, whose tracks keep the devices open.
pub(crate) fn same(stream: &MediaStream) -> MediaStream {
    Clone::clone(stream)
}

/// Every track of a stream.
pub(crate) fn tracks(stream: &MediaStream) -> impl Iterator<Item = MediaStreamTrack> {
    stream.get_tracks().into_iter().map(JsCast::unchecked_into)
}

/// Releases the devices behind a stream.
pub(crate) fn stop(stream: &MediaStream) {
    tracks(stream).for_each(|track| track.stop());
}

/// Mutes or unmutes what a stream has of a kind, whichever it is not. The new state, if there is
/// anything of that kind.
pub(crate) fn toggle(stream: &MediaStream, kind: &str) -> Option<bool> {
    let mine: Vec<_> =
        tracks(stream).filter(|track| text(track, "kind").as_deref() == Some(kind)).collect();
    let enabled = get(mine.first()?, "enabled").is_falsy();
    for track in mine {
        set(&track, "enabled", &enabled.into());
    }
    Some(enabled)
}

/// What to list.
#[derive(Debug, Default)]
pub(crate) struct ListOptions {
    /// `"audioinput"`, `"videoinput"` or `"audiooutput"`.
    pub(crate) kind: Option<String>,
    /// Ask for permission first, since without it the labels are empty.
    pub(crate) labels: bool,
}

/// Lists devices as plain objects.
pub(crate) async fn list(options: &ListOptions) -> Result<JsValue, Error> {
    let devices = devices()?;
    let opened = match options.labels {
        true => {
            let video = options.kind.as_deref() != Some("audioinput");
            let audio = options.kind.as_deref() != Some("videoinput");
            Some(open(&StreamOptions { audio, video, ..StreamOptions::default() }).await?)
        }
        false => None,
    };
    let found = match devices.enumerate_devices() {
        Ok(promise) => JsFuture::from(promise).await,
        Err(thrown) => Err(thrown),
    };
    if let Some(stream) = opened {
        stop(&stream);
    }
    let found: Array = found.map_err(|thrown| failure::from_devices(&thrown))?.unchecked_into();
    let list = Array::new();
    for device in found.iter() {
        if options.kind.is_some() && options.kind != text(&device, "kind") {
            continue;
        }
        let plain = Object::new();
        for key in ["deviceId", "groupId", "kind", "label"] {
            set(&plain, key, &get(&device, key));
        }
        list.push(&plain);
    }
    Ok(list.into())
}
