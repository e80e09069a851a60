//! The options of the public contract, read and checked.

use std::time::Duration;

use js_sys::{Array, Object};
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlVideoElement, RtcConfiguration};

use super::arguments::{Fields, is_absent, show};
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
use crate::text::split_once;
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

pub(super) fn setup(
    servers: &JsValue,
    ice_servers: &JsValue,
    debug_level: &JsValue,
    options: &JsValue,
) -> Result<Setup, Error> {
    let console = console(debug_level)?;
    let (options, unknown) = Fields::new(
        "options",
        options,
        &[
            "apiSecret",
            "token",
            "account",
            "withCredentials",
            "iceTransportPolicy",
            "bundlePolicy",
            "requestTimeout",
            "retryLimit",
            "pollEvents",
        ],
    )?;
    warn_of_unknown(console, &unknown);
    let mut gateway = GatewayConfig::new(self::servers(servers)?);
    gateway.api_secret = options.text("apiSecret")?.map(Secret::new);
    gateway.token = options.text("token")?.map(Secret::new);
    gateway.account = options.text("account")?;
    if let Some(timeout) = millis(&options, "requestTimeout", 100)? {
        gateway.request_timeout = timeout;
    }
    if let Some(limit) = millis(&options, "retryLimit", 0)? {
        gateway.retry_limit = limit;
    }
    if let Some(events) = options.number("pollEvents", 1, 100, "events")? {
        gateway.poll_events = events as u32;
    }
    Ok(Setup {
        gateway,
        console,
        configuration: configuration(ice_servers, &options)?,
        with_credentials: options.flag("withCredentials")?.unwrap_or(false),
    })
}

fn console(debug_level: &JsValue) -> Result<Console, Error> {
    if is_absent(debug_level) {
        return Ok(Console { level: Some(Level::Error) });
    }
    match debug_level.as_string().as_deref().and_then(Level::parse) {
        Some(level) => Ok(Console { level }),
        None => Err(Error::invalid(format!(
            "debugLevel must be \"none\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\", but is {}",
            show(debug_level)
        ))),
    }
}

fn servers(value: &JsValue) -> Result<Vec<ServerUrl>, Error> {
    if let Some(one) = value.as_string() {
        return Ok(vec![ServerUrl::parse(&one)?]);
    }
    if !Array::is_array(value) {
        let wanted = "servers must be a gateway address, or an array of them";
        return Err(Error::invalid(format!("{wanted}, but is {}", show(value))));
    }
    let several: &Array = value.unchecked_ref();
    if several.length() == 0 {
        return Err(Error::invalid("servers is an empty array: it must hold a gateway address"));
    }
    let parse = |(i, server): (usize, JsValue)| match server.as_string() {
        Some(url) => ServerUrl::parse(&url),
        None => {
            Err(Error::invalid(format!("servers[{i}] must be a string, but is {}", show(&server))))
        }
    };
    several.iter().enumerate().map(parse).collect()
}

fn configuration(ice_servers: &JsValue, options: &Fields<'_>) -> Result<RtcConfiguration, Error> {
    let configuration = RtcConfiguration::new();
    set(&configuration, "iceServers", &self::ice_servers(ice_servers)?);
    if let Some(policy) = options.one_of("iceTransportPolicy", &["all", "relay"])? {
        set(&configuration, "iceTransportPolicy", &policy.into());
    }
    let bundle = options.one_of("bundlePolicy", &["balanced", "max-compat", "max-bundle"])?;
    // The gateway bundles always (RFC 9143): one transport less to gather for.
    set(&configuration, "bundlePolicy", &bundle.as_deref().unwrap_or("max-bundle").into());
    Ok(configuration)
}

/// `RTCIceServer[]`; the old `{ url }` is rewritten as `{ urls }`.
fn ice_servers(value: &JsValue) -> Result<JsValue, Error> {
    if is_absent(value) {
        return Ok(Array::new().into());
    }
    if !Array::is_array(value) {
        let wanted = "iceServers must be an array of RTCIceServer";
        return Err(Error::invalid(format!("{wanted}, but is {}", show(value))));
    }
    let given: &Array = value.unchecked_ref();
    let servers = Array::new();
    for (i, server) in given.iter().enumerate() {
        let name = format!("iceServers[{i}]");
        let (fields, _) = Fields::new(&name, &server, &[])?;
        let urls = match fields.value("urls")? {
            urls if is_absent(&urls) => fields.value("url")?,
            urls => urls,
        };
        if !urls.is_string() && !Array::is_array(&urls) {
            let wanted = "must be a string or an array of them";
            return Err(Error::invalid(format!("{name}.urls {wanted}, but is {}", show(&urls))));
        }
        let clean = Object::new();
        set(&clean, "urls", &urls);
        for key in ["username", "credential", "credentialType"] {
            let value = fields.value(key)?;
            if !is_absent(&value) {
                set(&clean, key, &value);
            }
        }
        servers.push(&clean);
    }
    Ok(servers.into())
}

fn millis(fields: &Fields<'_>, key: &str, least: u32) -> Result<Option<Duration>, Error> {
    let millis = fields.number(key, least, LONGEST, "milliseconds")?;
    Ok(millis.map(|millis| Duration::from_millis(millis as u64)))
}

/// What `videoCall()` was given.
pub(super) fn video_call(
    console: Console,
    on_events: &JsValue,
    dom_elements: &JsValue,
    options: &JsValue,
) -> Result<(CallOptions, CallConfig), Error> {
    let (events, unknown) = Fields::new("onEvents", on_events, &EVENTS)?;
    warn_of_unknown(console, &unknown);
    for event in EVENTS {
        events.check_function(event)?;
    }
    let (options, unknown) = Fields::new(
        "options",
        options,
        &["dataChannel", "stream", "ringTimeout", "connectTimeout"],
    )?;
    warn_of_unknown(console, &unknown);
    let mut config = CallConfig::default();
    if let Some(timeout) = millis(&options, "ringTimeout", 1000)? {
        config.ring_timeout = timeout;
    }
    if let Some(timeout) = millis(&options, "connectTimeout", 1000)? {
        config.connect_timeout = timeout;
    }
    config.data = data_channel(console, &options.value("dataChannel")?)?;
    let (stream, data_enabled) = stream(console, &options.value("stream")?)?;
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
    let (fields, unknown) =
        Fields::new("options.dataChannel", value, &["dataEnabled", "allowedTypes", "maxSize"])?;
    warn_of_unknown(console, &unknown);
    let default = Policy::default();
    Ok(Policy {
        enabled: fields.flag("dataEnabled")?.unwrap_or(true),
        allowed: allowed_types(console, &fields.value("allowedTypes")?)?,
        max_size: fields.size("maxSize")?.unwrap_or(default.max_size),
    })
}

fn allowed_types(console: Console, value: &JsValue) -> Result<Option<Vec<String>>, Error> {
    const NAME: &str = "options.dataChannel.allowedTypes";
    if is_absent(value) {
        return Ok(None);
    }
    if !Array::is_array(value) {
        let wanted = "must be an array of MIME types such as \"text/plain\" or \"image/*\"";
        return Err(Error::invalid(format!("{NAME} {wanted}, but is {}", show(value))));
    }
    let given: &Array = value.unchecked_ref();
    let mut types = Vec::new();
    for (i, entry) in given.iter().enumerate() {
        let Some(text) = entry.as_string().filter(|text| is_kind(text)) else {
            let wanted = "must be a MIME type such as \"text/plain\"";
            return Err(Error::invalid(format!("{NAME}[{i}] {wanted}, but is {}", show(&entry))));
        };
        types.push(match meant(&text) {
            Some(meant) => {
                console.warn_author(&format!("{NAME}[{i}]: \"{text}\" is taken for \"{meant}\""));
                meant
            }
            None => text,
        });
    }
    Ok(Some(types))
}

/// The MIME type that is meant by one with a dash where its slash should be, as in `text-plain`.
fn meant(text: &str) -> Option<String> {
    let (family, rest) = text.split_once('-')?;
    let families = ["application", "audio", "font", "image", "message", "model", "text", "video"];
    (!text.contains('/') && families.contains(&family)).then(|| format!("{family}/{rest}"))
}

fn view(console: Console, value: &JsValue) -> Result<View, Error> {
    let (fields, unknown) =
        Fields::new("domElements", value, &["videos", "localVideo", "remoteVideo"])?;
    warn_of_unknown(console, &unknown);
    Ok(View::new(
        fields.instance::<Element>("videos", "an element")?,
        fields.instance::<HtmlVideoElement>("localVideo", "a <video> element")?,
        fields.instance::<HtmlVideoElement>("remoteVideo", "a <video> element")?,
    ))
}

/// The media, and whether there is to be data.
fn stream(console: Console, value: &JsValue) -> Result<(StreamOptions, bool), Error> {
    let (fields, unknown) = Fields::new(
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
    )?;
    warn_of_unknown(console, &unknown);
    let data = fields.flag("dataEnabled")?.unwrap_or(true);
    let stream = StreamOptions {
        audio: fields.flag("audioEnabled")?.unwrap_or(true),
        video: fields.flag("videoEnabled")?.unwrap_or(true),
        audio_device: fields.text("aDeviceId")?,
        video_device: fields.text("vDeviceId")?,
        resolution: resolution(&fields.value("resolution")?)?,
        frame_rate: fields.number("frameRate", 1, 240, "frames per second")?,
        voice_processor: fields.flag("voiceProcessor")?.unwrap_or(true),
    };
    Ok((stream, data))
}

/// `"640x480"`, or `{ width, height }`.
fn resolution(value: &JsValue) -> Result<Option<(u32, u32)>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    let refuse = || {
        Error::invalid(format!(
            "options.stream.resolution must be like \"640x480\" or {{ width: 640, height: 480 }}, with \
             sides of 1 to 8192 pixels, but is {}",
            show(value)
        ))
    };
    let sides = match value.as_string() {
        Some(text) => split_once(&text, "x").and_then(|(width, height)| {
            Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
        }),
        None => {
            let side = |key: &str| {
                let side = get(value, key).as_f64()?;
                (side.fract() == 0.0 && (0.0..=1e6).contains(&side)).then_some(side as u32)
            };
            side("width").zip(side("height"))
        }
    };
    let (width, height) = sides.ok_or_else(refuse)?;
    let range = 1..=8192;
    if !range.contains(&width) || !range.contains(&height) {
        return Err(refuse());
    }
    Ok(Some((width, height)))
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
        None => {
            Err(Error::invalid(format!("{what} must be true or false, but is {}", show(value))))
        }
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
    bitrate.map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "quality must be \"low\", \"medium\", \"high\", \"max\" or bits per second from 0 to 1000000000, \
             but is {}",
            show(quality)
        ))
    })
}

/// What `getDevices()` was given.
pub(super) fn device_list(value: &JsValue) -> Result<ListOptions, Error> {
    let (fields, unknown) = Fields::new("config", value, &["kind", "labels"])?;
    warn_of_unknown(Console { level: Some(Level::Warn) }, &unknown);
    Ok(ListOptions {
        kind: fields.one_of("kind", &["audioinput", "videoinput", "audiooutput"])?,
        labels: fields.flag("labels")?.unwrap_or(false),
    })
}

/// Unknown keys are most often typing errors.
fn warn_of_unknown(console: Console, unknown: &[String]) {
    for path in unknown {
        console.warn_author(&format!("{path} is not known here and has no effect"));
    }
}
