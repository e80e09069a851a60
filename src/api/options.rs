//! The options of the public contract, as JavaScript has checked them: what is not as expected is left out.

use std::time::Duration;

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::RtcConfiguration;

use crate::browser::call::CallOptions;
use crate::browser::console::Console;
use crate::browser::media::{ListOptions, StreamOptions, set};
use crate::browser::object::{get, text};
use crate::browser::page::Listeners;
use crate::browser::view::View;
use crate::config::{CallConfig, GatewayConfig, Policy, Secret, ServerUrl};
use crate::event::Settings;
use crate::log::Level;

/// What `new VideoRTC` was given.
pub(super) struct Setup {
    pub(super) gateway: GatewayConfig,
    pub(super) console: Console,
    pub(super) configuration: RtcConfiguration,
    pub(super) with_credentials: bool,
}

/// Reads what `pkg-template/arguments.js` has checked: the constructor throws before this module is there.
/// So what is not as expected here is left out.
pub(super) fn setup(
    servers: &JsValue,
    ice_servers: &JsValue,
    debug_level: &JsValue,
    options: &JsValue,
) -> Setup {
    let value = |key: &str| get(options, key);

    let servers = texts(&Array::from(servers));
    let mut gateway = GatewayConfig::new(servers.into_iter().map(ServerUrl::new).collect());
    gateway.api_secret = value("apiSecret").as_string().map(Secret::new);
    gateway.token = value("token").as_string().map(Secret::new);
    gateway.account = value("account").as_string();
    gateway.request_timeout = millis(options, "requestTimeout").unwrap_or(gateway.request_timeout);
    gateway.retry_limit = millis(options, "retryLimit").unwrap_or(gateway.retry_limit);
    gateway.poll_events =
        value("pollEvents").as_f64().map_or(gateway.poll_events, |events| events as u32);

    let configuration = RtcConfiguration::new();
    set(&configuration, "iceServers", ice_servers);
    set(&configuration, "iceTransportPolicy", &value("iceTransportPolicy"));
    // The gateway bundles always (RFC 9143): one transport less to gather for.
    let bundle = value("bundlePolicy").as_string();
    set(&configuration, "bundlePolicy", &bundle.as_deref().unwrap_or("max-bundle").into());

    Setup {
        gateway,
        console: Console {
            level: debug_level.as_string().as_deref().and_then(Level::parse).flatten(),
        },
        configuration,
        with_credentials: value("withCredentials").is_truthy(),
    }
}

/// Reads what `videoCall()` was given, as `pkg-template/call-arguments.js` has checked it.
pub(super) fn video_call(
    on_events: &JsValue,
    dom_elements: &JsValue,
    options: &JsValue,
) -> (CallOptions, CallConfig) {
    let (stream, data_channel) = (get(options, "stream"), get(options, "dataChannel"));
    let default = CallConfig::default();
    let is_on = |object: &JsValue, key: &str| get(object, key).as_bool().unwrap_or(true);
    let enabled = is_on(&data_channel, "dataEnabled") && is_on(&stream, "dataEnabled");
    let allowed = get(&data_channel, "allowedTypes").dyn_into::<Array>().ok();
    let max_size = get(&data_channel, "maxSize").as_f64();
    let config = CallConfig {
        ring_timeout: millis(options, "ringTimeout").unwrap_or(default.ring_timeout),
        connect_timeout: millis(options, "connectTimeout").unwrap_or(default.connect_timeout),
        data: Policy {
            enabled,
            allowed: allowed.map(|types| texts(&types)),
            max_size: max_size.map_or(default.data.max_size, |size| size as u64),
        },
    };
    let resolution = get(&stream, "resolution");
    let side = |key: &str| get(&resolution, key).as_f64().map(|side| side as u32);
    let stream = StreamOptions {
        audio: is_on(&stream, "audioEnabled"),
        video: is_on(&stream, "videoEnabled"),
        audio_device: text(&stream, "aDeviceId"),
        video_device: text(&stream, "vDeviceId"),
        resolution: side("width").zip(side("height")),
        frame_rate: get(&stream, "frameRate").as_f64(),
        voice_processor: is_on(&stream, "voiceProcessor"),
    };
    let view = View::new(
        element(dom_elements, "videos"),
        element(dom_elements, "localVideo"),
        element(dom_elements, "remoteVideo"),
    );
    let listeners = Listeners(on_events.clone());
    let transfers = element(options, "transfers");
    (CallOptions { listeners, view, stream, data: enabled, transfers }, config)
}

fn millis(options: &JsValue, key: &str) -> Option<Duration> {
    get(options, key).as_f64().map(|millis| Duration::from_millis(millis as u64))
}

fn texts(array: &Array) -> Vec<String> {
    array.iter().filter_map(|text| text.as_string()).collect()
}

/// An object that is known to be of this class, or nothing.
fn element<T: JsCast>(object: &JsValue, key: &str) -> Option<T> {
    Some(get(object, key)).filter(JsValue::is_object).map(JsCast::unchecked_into)
}

/// Reads what `setCall()` was given: the quality is bits per second.
pub(super) fn settings(audio: &JsValue, video: &JsValue, quality: &JsValue) -> Settings {
    Settings {
        audio: audio.as_bool(),
        video: video.as_bool(),
        bitrate: quality.as_f64().map(|bits| bits as u32),
    }
}

/// Reads what `getDevices()` was given.
pub(super) fn device_list(config: &JsValue) -> ListOptions {
    ListOptions { kind: text(config, "kind"), labels: get(config, "labels").is_truthy() }
}
