//! The arguments of `new VideoRTC`, `getDevices()` and `videoCall()`. They are checked and copied:
//! later changes to the page's objects have no effect.

use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, MediaDeviceKind, RtcBundlePolicy, RtcIceTransportPolicy};

use super::fields::{self, Fields, because, fitting, items, warn, wrong};
use super::values::{self, is_absent, is_list, is_plain, shown};
use super::{Checked, put, sentence};
use crate::browser::console::Console;
use crate::browser::options::{
    CallSetup, DeviceKind, EchoSetup, Elements, IceServers, Setup, Source, StreamOptions,
};
use crate::browser::thrown;
use crate::config::{GatewayConfig, Secret, ServerUrl, Token};
use crate::data::Policy;
use crate::error::Error;
use crate::log::{Level, excerpt};
use crate::table::{
    self, Kind, call, data_channel, devices, echo, echo_events, elements, events, options, stream,
};
use crate::usecase::echo_test::EchoConfig;
use crate::usecase::video_call::CallConfig;

/// Checks the arguments of `new VideoRTC`.
pub(super) fn connection(
    servers: &JsValue,
    ice_servers: &JsValue,
    debug_level: &JsValue,
    options: &JsValue,
) -> Checked<Setup> {
    let console = Console::new(level(debug_level)?);
    let servers = checked_servers(servers, console)?;
    let ice_servers = asked_ice_servers(ice_servers)?;
    let setup = Setup { console, ice_servers, ..Setup::new(GatewayConfig::new(servers)) };
    with_options(setup, options)
}

/// The console level. Of several words, the most verbose one counts.
fn level(value: &JsValue) -> Checked<Option<Level>> {
    let word = |value: &JsValue| Level::parse(&value.as_string()?);
    let default = Some(Level::Error);
    if is_absent(value) {
        return Ok(default);
    }
    if let Some(level) = word(value) {
        return Ok(level);
    }
    if !is_list(value) {
        return Err(wrong("debugLevel", &table::wanted_level(), value));
    }
    let mut most = None;
    for (path, item) in items(value, "debugLevel")? {
        let item = fitting(&path, &item?, &Kind::Word(&Level::WORDS))?;
        most = most.max(word(&item));
    }
    Ok(most.unwrap_or(default))
}

fn checked_servers(value: &JsValue, console: Console) -> Checked<Vec<ServerUrl>> {
    if let Some(text) = value.as_string() {
        return Ok(vec![ServerUrl::parse(&text)?]);
    }
    if !is_list(value) {
        return Err(wrong("servers", "a gateway address, or an array of them", value));
    }
    let mut texts = Vec::new();
    for (path, item) in items(value, "servers")? {
        texts.extend(fitting(&path, &item?, &Kind::Text)?.as_string());
    }
    let servers = ServerUrl::parse_list(&texts)?;
    if servers.len() < texts.len() {
        warn(console, "WebSocket addresses are skipped: only http and https are spoken here");
    }
    Ok(servers)
}

fn asked_ice_servers(value: &JsValue) -> Checked<IceServers> {
    Ok(match values::function(value) {
        Some(function) => {
            IceServers::Asked(source(function, JsValue::UNDEFINED, checked_ice_servers))
        }
        None => IceServers::Fixed(checked_ice_servers(value)?),
    })
}

/// Copies the known keys of each server; the old spelling `url` becomes `urls`. The browser checks
/// the addresses themselves when a call starts.
fn checked_ice_servers(value: &JsValue) -> Checked<Array> {
    let clean = Array::new();
    if is_absent(value) {
        return Ok(clean);
    }
    if !is_list(value) {
        return Err(wrong("iceServers", "an array of RTCIceServer", value));
    }
    for (path, item) in items(value, "iceServers")? {
        clean.push(checked_ice_server(&path, &item?)?.as_ref());
    }
    Ok(clean)
}

fn checked_ice_server(name: &str, given: &JsValue) -> Checked<Object> {
    if !is_plain(given) {
        return Err(wrong(name, "an object", given));
    }
    let urls = fields::get(given, name, "urls")?;
    let urls = if is_absent(&urls) { fields::get(given, name, "url")? } else { urls };
    let clean = Object::new();
    if is_list(&urls) {
        let copy = Array::new();
        for (_, url) in items(&urls, &format!("{name}.urls"))? {
            copy.push(&url?);
        }
        put(&clean, "urls", &copy);
    } else if urls.is_string() {
        put(&clean, "urls", &urls);
    } else {
        return Err(wrong(&format!("{name}.urls"), "a string or an array of them", &urls));
    }
    for key in ["username", "credential", "credentialType"] {
        let value = fields::get(given, name, key)?;
        if !is_absent(&value) {
            put(&clean, key, &value);
        }
    }
    Ok(clean)
}

fn with_options(mut setup: Setup, given: &JsValue) -> Checked<Setup> {
    // Pages of VideoRTC.js may pass the API secret in place of the options.
    if let Some(secret) = given.as_string() {
        setup.gateway.api_secret = Some(Secret::new(secret));
        return Ok(setup);
    }
    let found = Fields::read(&options::TABLE, given, setup.console)?;
    let gateway = &mut setup.gateway;
    gateway.api_secret = found.text(&options::API_SECRET).map(Secret::new);
    gateway.token = match found.value(&options::TOKEN) {
        None => Token::None,
        Some(token) => match token.as_string() {
            Some(token) => Token::Fixed(Secret::new(token)),
            None => Token::Asked,
        },
    };
    gateway.account = found.text(&options::ACCOUNT);
    set_millis(&mut gateway.request_timeout, &found, &options::REQUEST_TIMEOUT);
    set_millis(&mut gateway.retry_limit, &found, &options::RETRY_LIMIT);
    if let Some(events) = found.number(&options::POLL_EVENTS) {
        gateway.poll_events = events as u32;
    }
    // It may be a method that uses `this`.
    setup.token = values::function(&found.object(&options::TOKEN))
        .map(|function| source(function, given.clone(), checked_token));
    setup.with_credentials = found.flag(&options::WITH_CREDENTIALS).unwrap_or_default();
    let transport = found.value(&options::ICE_TRANSPORT_POLICY);
    setup.ice_transport_policy = transport.and_then(RtcIceTransportPolicy::from_js_value);
    let bundle = found.value(&options::BUNDLE_POLICY);
    if let Some(policy) = bundle.and_then(RtcBundlePolicy::from_js_value) {
        setup.bundle_policy = policy;
    }
    Ok(setup)
}

fn checked_token(value: &JsValue) -> Checked<String> {
    let path = format!("{}.{}", options::TABLE.name, options::TOKEN.name);
    value.as_string().ok_or_else(|| wrong(&path, &options::TOKEN.kind.wanted(), value))
}

/// Calls a function of the page each time, and checks the value that it gives or promises.
fn source<T: 'static>(
    function: Function,
    this: JsValue,
    check: fn(&JsValue) -> Checked<T>,
) -> Source<T> {
    Rc::new(move || {
        let (function, this) = (function.clone(), this.clone());
        let asking = async move {
            let given = Reflect::apply(&function, &this, &Array::new())?;
            JsFuture::from(values::settled(&given)).await
        };
        async move {
            let given = asking.await.map_err(|thrown: JsValue| thrown::words(&thrown))?;
            check(&given).map_err(sentence)
        }
        .boxed_local()
    })
}

/// Checks the argument of `getDevices()`: the kind of devices, and whether to get their labels.
pub(super) fn device_list(config: &JsValue) -> Checked<(Option<DeviceKind>, bool)> {
    let found = Fields::read(&devices::TABLE, config, Console::default())?;
    let kind = found.value(&devices::KIND).and_then(MediaDeviceKind::from_js_value);
    let kind = kind.and_then(|kind| match kind {
        MediaDeviceKind::Audioinput => Some(DeviceKind::AudioInput),
        MediaDeviceKind::Videoinput => Some(DeviceKind::VideoInput),
        MediaDeviceKind::Audiooutput => Some(DeviceKind::AudioOutput),
        _ => None,
    });
    Ok((kind, found.flag(&devices::LABELS).unwrap_or_default()))
}

/// Checks the arguments of `videoCall()`.
pub(super) fn video_call(
    on_events: &JsValue,
    dom_elements: &JsValue,
    options: &JsValue,
    console: Console,
) -> Checked<CallSetup> {
    // Each listener is looked up again when its event fires.
    Fields::read(&events::TABLE, on_events, console)?;
    let found = Fields::read(&call::TABLE, options, console)?;
    let data = Fields::read(&data_channel::TABLE, &found.object(&call::DATA_CHANNEL), console)?;
    let sent = Fields::read(&stream::TABLE, &found.object(&call::STREAM), console)?;
    let places = Fields::read(&elements::TABLE, dom_elements, console)?;

    let mut config = CallConfig::default();
    set_millis(&mut config.ring_timeout, &found, &call::RING_TIMEOUT);
    set_millis(&mut config.connect_timeout, &found, &call::CONNECT_TIMEOUT);
    config.account = found.text(&call::ACCOUNT);
    config.data = policy(&data, console);
    // Either of the two switches data off.
    config.data.enabled &= sent.flag(&stream::DATA_ENABLED).unwrap_or(true);
    Ok(CallSetup {
        config,
        stream: stream_options(&sent),
        elements: checked_elements(&places, console)?,
    })
}

/// Checks the arguments of `echoTest()`.
pub(super) fn echo_test(
    on_events: &JsValue,
    dom_elements: &JsValue,
    options: &JsValue,
    console: Console,
) -> Checked<EchoSetup> {
    Fields::read(&echo_events::TABLE, on_events, console)?;
    let found = Fields::read(&echo::TABLE, options, console)?;
    let sent = Fields::read(&stream::TABLE, &found.object(&echo::STREAM), console)?;
    let places = Fields::read(&elements::TABLE, dom_elements, console)?;
    let stream = stream_options(&sent);
    let mut config =
        EchoConfig { sends_media: stream.audio || stream.video, ..EchoConfig::default() };
    set_millis(&mut config.connect_timeout, &found, &echo::CONNECT_TIMEOUT);
    config.account = found.text(&echo::ACCOUNT);
    Ok(EchoSetup { config, stream, elements: checked_elements(&places, console)? })
}

fn policy(data: &Fields, console: Console) -> Policy {
    let default = Policy::default();
    let allowed = data.value(&data_channel::ALLOWED_TYPES).and_then(fields::types);
    Policy {
        enabled: data.flag(&data_channel::DATA_ENABLED).unwrap_or(default.enabled),
        allowed: allowed
            .map(|types| types.iter().flat_map(|kind| policy_types(kind, console)).collect()),
        max_size: data.number(&data_channel::MAX_SIZE).map_or(default.max_size, |size| size as u64),
    }
}

/// Converts an allowed type for the policy. A type with a dash in place of its slash, such as
/// `text-plain`, also matches that MIME type.
fn policy_types(kind: &str, console: Console) -> Vec<String> {
    const FAMILIES: [&str; 8] =
        ["application", "audio", "font", "image", "message", "model", "text", "video"];
    let kind = kind.trim();
    if kind == "*/*" {
        return vec!["*".into()];
    }
    let mended = kind
        .split_once('-')
        .filter(|(family, rest)| FAMILIES.contains(family) && !rest.contains('/'))
        .map(|(family, rest)| format!("{family}/{rest}"));
    if let Some(mended) = &mended {
        warn(console, &format!("the allowed type \"{kind}\" is taken for \"{mended}\" too"));
    }
    std::iter::once(kind.to_owned()).chain(mended).collect()
}

fn stream_options(sent: &Fields) -> StreamOptions {
    let default = StreamOptions::default();
    // Without a permission, browsers list devices with an empty id.
    let device = |field| sent.text(field).filter(|id| !id.is_empty());
    StreamOptions {
        audio: sent.flag(&stream::AUDIO_ENABLED).unwrap_or(default.audio),
        video: sent.flag(&stream::VIDEO_ENABLED).unwrap_or(default.video),
        audio_device: device(&stream::AUDIO_DEVICE),
        video_device: device(&stream::VIDEO_DEVICE),
        resolution: sent.value(&stream::RESOLUTION).and_then(fields::resolution),
        frame_rate: sent.number(&stream::FRAME_RATE),
        voice_processor: sent.flag(&stream::VOICE_PROCESSOR).unwrap_or(default.voice_processor),
    }
}

fn checked_elements(places: &Fields, console: Console) -> Checked<Elements> {
    let video = |long, short| {
        let [long_value, short_value] = [long, short].map(|field| places.value(field));
        if long_value.is_some() && short_value.is_some() {
            let name = elements::TABLE.name;
            warn(
                console,
                &format!("{name}.{} has no effect beside {name}.{}", short.name, long.name),
            );
        }
        long_value.or(short_value).and_then(values::video)
    };
    Ok(Elements {
        videos: places.value(&elements::VIDEOS).map(place).transpose()?,
        local: video(&elements::LOCAL_VIDEO, &elements::LOCAL),
        remote: video(&elements::REMOTE_VIDEO, &elements::REMOTE),
    })
}

/// The container for videos: an element, or the only element of a selector or a jQuery object.
fn place(value: &JsValue) -> Checked<Element> {
    let path = format!("{}.{}", elements::TABLE.name, elements::VIDEOS.name);
    let wanted = elements::VIDEOS.kind.wanted();
    if let Some(element) = values::element(value) {
        return Ok(element);
    }
    let (found, finder) = match value.as_string() {
        Some(selector) => {
            let document = web_sys::window().and_then(|window| window.document());
            let document = document.ok_or_else(|| wrong(&path, &wanted, value))?;
            let found = document.query_selector_all(&selector).map_err(|thrown| {
                let selector = excerpt(&selector);
                because(
                    &format!("{path}: the browser cannot read the selector \"{selector}\""),
                    &thrown,
                )
            })?;
            (JsValue::from(found), format!("the selector \"{}\" finds", excerpt(&selector)))
        }
        None => (value.clone(), "the jQuery object holds".into()),
    };
    let count = fields::get(&found, &path, "length")?.as_f64().unwrap_or_default() as u32;
    let first = fields::get(&found, &path, "0")?;
    match (count, values::element(&first)) {
        (1, Some(element)) => Ok(element),
        (count, _) => {
            let found = match count {
                0 => "none".into(),
                1 => shown(&first),
                count => count.to_string(),
            };
            let message = format!("{path} must be {wanted}, but {finder} {found}");
            Err(Error::invalid_argument(message))
        }
    }
}

/// Sets a duration in whole milliseconds; a page may give fractions.
fn set_millis(duration: &mut Duration, found: &Fields, field: &table::Field) {
    if let Some(millis) = found.number(field) {
        *duration = Duration::from_millis(millis as u64);
    }
}
