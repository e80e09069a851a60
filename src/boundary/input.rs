//! What JavaScript tells, read. It has checked all of it: what is not as expected is left out.

use std::time::Duration;

use super::output;
use crate::call::{Call, Command, LegId, LegState, TransferId};
use crate::client::{CallId, Client};
use crate::config::{CallConfig, GatewayConfig, Policy, Secret, ServerUrl, UserName};
use crate::error::{Code, Error};
use crate::event::Settings;
use crate::json::Value;
use crate::proto::{Candidate, HttpId, HttpResponse};
use crate::queue::Queue;
use crate::time::Time;
use crate::transfer::{Lane, Meta, clean_filename};

/// The name of an input, and its parts.
struct Input {
    name: String,
    parts: Vec<Value>,
}

impl Input {
    fn parse(line: &str) -> Self {
        let mut parts = match Value::parse(line) {
            Some(Value::List(parts)) => parts,
            _ => Vec::new(),
        };
        let name = take_text(parts.first_mut()).unwrap_or_default();
        Self { name, parts }
    }

    fn part(&self, at: usize) -> &Value {
        self.parts.get(at).unwrap_or(&Value::Null)
    }

    /// The number at a place; the name is at 0.
    fn number(&self, at: usize) -> u64 {
        self.part(at).as_u64().unwrap_or_default()
    }

    fn flag(&self, at: usize) -> Option<bool> {
        self.part(at).as_bool()
    }

    fn text(&mut self, at: usize) -> Option<String> {
        take_text(self.parts.get_mut(at))
    }

    fn transfer(&self, at: usize) -> TransferId {
        TransferId::of_numbers(self.number(at), self.number(at.saturating_add(1)))
    }
}

fn take_text(value: Option<&mut Value>) -> Option<String> {
    match value? {
        Value::Text(text) => Some(std::mem::take(text)),
        _ => None,
    }
}

/// A command of the page: its number, and for a call's the call's number, come first. What a command begins
/// with before the client has a word is put into `first`.
pub(super) fn command(client: &mut Client, first: &mut Queue<String>, line: &str, now: Time) {
    let mut input = Input::parse(line);
    let command = Command(input.number(1));
    match input.name.as_str() {
        "connect" => client.connect(command, now),
        "disconnect" => client.disconnect(command, now),
        "videoCall" => client.video_call(command, call_config(input.part(2)), now),
        _ => {
            let id = CallId(input.number(2));
            client.with_call(id, Some(command), now, |call| {
                call_command(call, id, command, &mut input, first, now);
            });
        }
    }
}

fn call_command(
    call: &mut Call,
    id: CallId,
    command: Command,
    input: &mut Input,
    first: &mut Queue<String>,
    now: Time,
) {
    let text = input.text(3);
    let name = text.as_deref().and_then(UserName::parse);
    match input.name.as_str() {
        "register" => call.register(command, name),
        "getPeers" => call.list(command),
        "call" => call.call(command, name, now),
        "acceptCall" => call.accept(command, now),
        "hangUp" => {
            let reason = text.as_deref().filter(|reason| !reason.is_empty());
            call.hang_up(command, reason, now);
        }
        "setCall" => {
            let bitrate = input.part(5).as_u64().map(|bits| bits as u32);
            let settings = Settings { audio: input.flag(3), video: input.flag(4), bitrate };
            call.set(command, settings);
        }
        "sendData" => {
            // As the other side would: so both see the same name, and it fits into its field.
            let filename = input.text(6).as_deref().and_then(clean_filename);
            let (kind, size) = (text.unwrap_or_default(), input.number(4));
            let meta = Meta { kind, filename, size, is_text: input.flag(5) == Some(true) };
            first.push_back(output::begun(id, command, meta.filename.as_deref(), call.peer()));
            match input.text(7) {
                Some(text) => call.send_text(command, meta, text, now),
                None => call.send_source(command, meta, now),
            }
        }
        _ => call.close(command, now),
    }
}

/// News of the world, or of a call: then the call's number comes first, and that of the peer connection next.
pub(super) fn tell(client: &mut Client, line: &str, bytes: Option<Vec<u8>>, now: Time) {
    let mut input = Input::parse(line);
    match input.name.as_str() {
        "timeout" => client.handle_timeout(now),
        "http" => {
            // Status 0: nothing answered, and the text says why.
            let (status, body) = (input.number(2) as u16, input.text(3).unwrap_or_default());
            let response = match status {
                0 => HttpResponse::Failed(body),
                status => HttpResponse::Answered { status, body },
            };
            client.handle_http(HttpId(input.number(1)), response, now);
        }
        "online" => client.handle_online(now),
        "visible" => client.handle_visible(now),
        "hide" => client.handle_hide(now),
        "show" => client.handle_show(now),
        _ => {
            let id = CallId(input.number(1));
            client.with_call(id, None, now, |call| call_news(call, &mut input, bytes, now));
        }
    }
}

fn call_news(call: &mut Call, input: &mut Input, bytes: Option<Vec<u8>>, now: Time) {
    let leg = LegId(input.number(2));
    match input.name.as_str() {
        "description" => {
            let sdp = input.text(3).unwrap_or_default();
            call.handle_description(leg, Ok(sdp), now);
        }
        "mediaError" => {
            let code = media_code(input.part(3).as_str().unwrap_or_default());
            let mut error = Error::new(code, input.text(4).unwrap_or_default());
            error.cause = input.text(5);
            call.handle_description(leg, Err(error), now);
        }
        "candidate" => {
            // An empty one is the end of them (RFC 8838).
            let candidate = match input.text(3).filter(|candidate| !candidate.is_empty()) {
                Some(candidate) => Candidate::Found {
                    candidate,
                    mid: input.text(4),
                    line: input.part(5).as_u64().map(|line| line as u16),
                },
                None => Candidate::End,
            };
            call.handle_candidate(leg, candidate, now);
        }
        "connected" => call.handle_leg_state(leg, LegState::Connected, now),
        "disconnected" => call.handle_leg_state(leg, LegState::Disconnected, now),
        "failed" => call.handle_leg_state(leg, LegState::Failed, now),
        "remoteMedia" => call.handle_remote_media(leg),
        "channelOpen" => {
            let lane = if input.number(3) == 0 { Lane::Messages } else { Lane::Bulk };
            call.handle_channel_open(leg, lane, now);
        }
        "channelClosed" => call.handle_channel_closed(leg, now),
        "text" => call.handle_text(leg, input.text(3).unwrap_or_default()),
        "message" => call.handle_message(leg, &bytes.unwrap_or_default(), now),
        "buffered" => call.handle_buffered(leg, input.number(3) as usize, now),
        "read" => {
            let read = bytes.ok_or_else(|| {
                let error = "the file could not be read: it may have been changed or removed";
                let cause = input.text(4).unwrap_or_default();
                Error::new(Code::TransferFailed, error).with_cause(cause)
            });
            call.handle_read(Command(input.number(2)), input.number(3), read, now);
        }
        "delivered" => {
            let kept = input.flag(4) == Some(true);
            call.handle_delivered(input.transfer(2), kept, now);
        }
        _ => call.cancel_transfer(input.transfer(2), now),
    }
}

/// The code of an error of devices or peer connections.
fn media_code(word: &str) -> Code {
    let codes = [Code::MediaFailed, Code::PermissionDenied, Code::DeviceNotFound];
    let codes = codes.into_iter().chain([Code::DeviceInUse, Code::NotSupported]);
    codes.into_iter().find(|code| code.as_str() == word).unwrap_or(Code::DeviceError)
}

/// What `new VideoRTC` was given.
pub(super) fn gateway(setup: &str) -> GatewayConfig {
    let setup = Value::parse(setup).unwrap_or(Value::Null);
    let text = |key: &str| setup.get(key).as_str().map(str::to_owned);
    let servers = texts(setup.get("servers")).unwrap_or_default();
    let mut gateway = GatewayConfig::new(servers.into_iter().map(ServerUrl::new).collect());
    gateway.api_secret = text("apiSecret").map(Secret::new);
    gateway.token = text("token").map(Secret::new);
    gateway.account = text("account");
    set_millis(&mut gateway.request_timeout, &setup, "requestTimeout");
    set_millis(&mut gateway.retry_limit, &setup, "retryLimit");
    if let Some(events) = setup.get("pollEvents").as_u64() {
        gateway.poll_events = events as u32;
    }
    gateway
}

/// What `videoCall()` was given.
fn call_config(options: &Value) -> CallConfig {
    let mut config = CallConfig::default();
    set_millis(&mut config.ring_timeout, options, "ringTimeout");
    set_millis(&mut config.connect_timeout, options, "connectTimeout");
    config.data = Policy {
        enabled: options.get("hasData").as_bool() == Some(true),
        allowed: texts(options.get("allowedTypes")),
        max_size: options.get("maxSize").as_u64().unwrap_or(config.data.max_size),
    };
    config
}

fn set_millis(duration: &mut Duration, object: &Value, key: &str) {
    if let Some(millis) = object.get(key).as_u64() {
        *duration = Duration::from_millis(millis);
    }
}

fn texts(list: &Value) -> Option<Vec<String>> {
    let list = list.as_list()?;
    Some(list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
}
