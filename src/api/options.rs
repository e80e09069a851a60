//! The options of the public contract, read and checked.

use std::time::Duration;

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlVideoElement, RtcConfiguration};

use super::arguments::{Fields, is_absent, wrong};
use crate::browser::call::CallOptions;
use crate::browser::console::Console;
use crate::browser::media::{ListOptions, StreamOptions, set};
use crate::browser::object::get;
use crate::browser::page::{EVENTS, Listeners};
use crate::browser::view::View;
use crate::config::{CallConfig, GatewayConfig, Policy, Secret, ServerUrl};
use crate::error::Error;
use crate::event::Settings;
use crate::log::Level;
use crate::text::{contains, split_once};
use crate::transfer::is_kind;

/// The longest time that can be set, in milliseconds: an hour.
const LONGEST: u32 = 3_600_000;

/// What `new VideoRTC` was given.
pub(super) struct Setup {
    pub(super) gateway: GatewayConfig,
    pub(super) console: Console,
    pub(super) configuration: RtcConfiguration,
    pub(super) with_credentials: bool,
}

/// Reads what `pkg-template/arguments.js` has checked: the constructor throws before this module is there.
/// So what is not as expected here is left out; only addresses are checked by the core itself.
pub(super) fn setup(
    servers: &JsValue,
    ice_servers: &JsValue,
    debug_level: &JsValue,
    options: &JsValue,
) -> Result<Setup, Error> {
    let value = |key: &str| get(options, key);
    let millis = |key: &str| value(key).as_f64().map(|millis| Duration::from_millis(millis as u64));

    let servers = Array::from(servers);
    let servers = servers.iter().filter_map(|server| server.as_string());
    let servers: Result<Vec<ServerUrl>, Error> =
        servers.map(|url| ServerUrl::parse(&url)).collect();
    let mut gateway = GatewayConfig::new(servers?);
    gateway.api_secret = value("apiSecret").as_string().map(Secret::new);
    gateway.token = value("token").as_string().map(Secret::new);
    gateway.account = value("account").as_string();
    gateway.request_timeout = millis("requestTimeout").unwrap_or(gateway.request_timeout);
    gateway.retry_limit = millis("retryLimit").unwrap_or(gateway.retry_limit);
    gateway.poll_events =
        value("pollEvents").as_f64().map_or(gateway.poll_events, |events| events as u32);

    let configuration = RtcConfiguration::new();
    set(&configuration, "iceServers", ice_servers);
    set(&configuration, "iceTransportPolicy", &value("iceTransportPolicy"));
    // The gateway bundles always (RFC 9143): one transport less to gather for.
    let bundle = value("bundlePolicy").as_string();
    set(&configuration, "bundlePolicy", &bundle.as_deref().unwrap_or("max-bundle").into());

    Ok(Setup {
        gateway,
        console: Console {
            level: debug_level.as_string().as_deref().and_then(Level::parse).flatten(),
        },
        configuration,
        with_credentials: value("withCredentials").is_truthy(),
    })
}

fn millis(fields: &Fields<'_>, key: &str, least: u32) -> Option<Duration> {
    let millis = fields.number(key, least, LONGEST, "milliseconds")?;
    Some(Duration::from_millis(millis as u64))
}

/// What `videoCall()` was given.
pub(super) fn video_call(
    console: Console,
    on_events: &JsValue,
    dom_elements: &JsValue,
    options: &JsValue,
) -> Result<(CallOptions, CallConfig), Error> {
    let events = Fields::new(console, "onEvents", on_events, &EVENTS);
    for event in EVENTS {
        events.check_function(event);
    }
    events.done()?;
    let options = Fields::new(
        console,
        "options",
        options,
        &["dataChannel", "stream", "ringTimeout", "connectTimeout"],
    );
    let mut config = CallConfig::default();
    if let Some(timeout) = millis(&options, "ringTimeout", 1000) {
        config.ring_timeout = timeout;
    }
    if let Some(timeout) = millis(&options, "connectTimeout", 1000) {
        config.connect_timeout = timeout;
    }
    let (data_channel, stream) = (options.value("dataChannel"), options.value("stream"));
    options.done()?;
    config.data = self::data_channel(console, &data_channel)?;
    let (stream, data_enabled) = self::stream(console, &stream)?;
    config.data.enabled &= data_enabled;
    let call = CallOptions {
        listeners: Listeners(on_events.clone()),
        view: view(console, dom_elements)?,
        stream,
        data: config.data.enabled,
    };
    Ok((call, config))
}

fn data_channel(console: Console, value: &JsValue) -> Result<Policy, Error> {
    let known = ["dataEnabled", "allowedTypes", "maxSize"];
    let fields = Fields::new(console, "options.dataChannel", value, &known);
    let default = Policy::default();
    let policy = Policy {
        enabled: fields.flag("dataEnabled").unwrap_or(true),
        allowed: fields.read(
            "allowedTypes",
            "an array of MIME types such as \"text/plain\" or \"image/*\"",
            |value| allowed_types(console, value),
        ),
        max_size: fields.size("maxSize").unwrap_or(default.max_size),
    };
    fields.done().map(|()| policy)
}

fn allowed_types(console: Console, value: &JsValue) -> Option<Vec<String>> {
    if !Array::is_array(value) {
        return None;
    }
    let given: &Array = value.unchecked_ref();
    let read = |entry: JsValue| {
        let entry = entry.as_string().filter(|entry| is_kind(entry))?;
        let Some(meant) = meant(&entry) else { return Some(entry) };
        console.warn_author(&format!("the allowed type \"{entry}\" is taken for \"{meant}\""));
        Some(meant)
    };
    given.iter().map(read).collect()
}

/// The MIME type that is meant by one with a dash where its slash should be, as in `text-plain`.
fn meant(text: &str) -> Option<String> {
    let (family, rest) = split_once(text, "-")?;
    let families = ["application", "audio", "font", "image", "message", "model", "text", "video"];
    (!contains(text, "/") && families.contains(&family)).then(|| format!("{family}/{rest}"))
}

fn view(console: Console, value: &JsValue) -> Result<View, Error> {
    let known = ["videos", "localVideo", "remoteVideo"];
    let fields = Fields::new(console, "domElements", value, &known);
    let view = View::new(
        fields.instance::<Element>("videos", "an element"),
        fields.instance::<HtmlVideoElement>("localVideo", "a <video> element"),
        fields.instance::<HtmlVideoElement>("remoteVideo", "a <video> element"),
    );
    fields.done().map(|()| view)
}

/// The media, and whether there is to be data.
fn stream(console: Console, value: &JsValue) -> Result<(StreamOptions, bool), Error> {
    let fields = Fields::new(
        console,
        "options.stream",
        value,
        &[
            "audioEnabled",
            "videoEnabled",
            "dataEnabled",
            "aDeviceId",
            "vDeviceId",
            "resolution",
            "frameRate",
            "voiceProcessor",
        ],
    );
    let data = fields.flag("dataEnabled").unwrap_or(true);
    let stream = StreamOptions {
        audio: fields.flag("audioEnabled").unwrap_or(true),
        video: fields.flag("videoEnabled").unwrap_or(true),
        audio_device: fields.text("aDeviceId"),
        video_device: fields.text("vDeviceId"),
        resolution: fields.read(
            "resolution",
            "like \"640x480\" or { width: 640, height: 480 }, with sides of 1 to 8192 pixels",
            resolution,
        ),
        frame_rate: fields.number("frameRate", 1, 240, "frames per second"),
        voice_processor: fields.flag("voiceProcessor").unwrap_or(true),
    };
    fields.done().map(|()| (stream, data))
}

/// `"640x480"`, or `{ width, height }`.
fn resolution(value: &JsValue) -> Option<(u32, u32)> {
    let (width, height) = match value.as_string() {
        Some(text) => {
            let (width, height) = split_once(&text, "x")?;
            (width.trim().parse().ok()?, height.trim().parse().ok()?)
        }
        None => {
            let side = |key: &str| {
                let side = get(value, key).as_f64()?;
                (side.fract() == 0.0 && (0.0..=1e6).contains(&side)).then_some(side as u32)
            };
            (side("width")?, side("height")?)
        }
    };
    let range = 1..=8192;
    (range.contains(&width) && range.contains(&height)).then_some((width, height))
}

/// What `setCall()` was given.
pub(super) fn settings(
    audio: &JsValue,
    video: &JsValue,
    quality: &JsValue,
) -> Result<Settings, Error> {
    let flag = |what: &str, value: &JsValue| match value.as_bool() {
        Some(flag) => Ok(Some(flag)),
        None if is_absent(value) => Ok(None),
        None => Err(wrong(what, "true or false", value)),
    };
    Ok(Settings {
        audio: flag("audio", audio)?,
        video: flag("video", video)?,
        bitrate: bitrate(quality)?,
    })
}

/// Bits per second, or a word for them. The words fit 320x240, 640x480 and 1280x720 at 30 frames per
/// second; `"max"` takes the ceiling away.
fn bitrate(quality: &JsValue) -> Result<Option<u32>, Error> {
    if is_absent(quality) {
        return Ok(None);
    }
    let bitrate = match (quality.as_string().as_deref(), quality.as_f64()) {
        (Some("low"), _) => Some(128_000),
        (Some("medium"), _) => Some(512_000),
        (Some("high"), _) => Some(2_000_000),
        (Some("max"), _) => Some(0),
        (None, Some(bits)) if (0.0..=1e9).contains(&bits) => Some(bits as u32),
        _ => None,
    };
    let wanted = "\"low\", \"medium\", \"high\", \"max\" or bits per second from 0 to 1000000000";
    bitrate.map(Some).ok_or_else(|| wrong("quality", wanted, quality))
}

/// What `getDevices()` was given.
pub(super) fn device_list(value: &JsValue) -> Result<ListOptions, Error> {
    let console = Console { level: Some(Level::Warn) };
    let fields = Fields::new(console, "config", value, &["kind", "labels"]);
    let options = ListOptions {
        kind: fields.one_of("kind", &["audioinput", "videoinput", "audiooutput"]),
        labels: fields.flag("labels").unwrap_or(false),
    };
    fields.done().map(|()| options)
}
