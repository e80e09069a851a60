//! An output of the core as JavaScript gets it: a JSON array of its name and its parts, and the bytes that
//! belong to it.

use crate::call::{Command, Data, Media, Reply, Transfer, TransferId, TransferState};
use crate::client::{CallId, Outcome, Output};
use crate::config::UserName;
use crate::error::Error;
use crate::event::{Event, Settings};
use crate::json::{List, Object};
use crate::proto::Candidate;
use crate::transfer::{Content, Lane};

/// One output.
pub(super) fn encode(output: Output) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let list = match output {
        Output::Http(request) => {
            let mut list = List::new("http");
            list.number(request.id.0).text(&request.url).optional(request.body.as_deref());
            list
        }
        Output::Abort(id) => numbered("abort", id.0),
        Output::Beacon { url, body } => {
            let mut list = List::new("beacon");
            list.text(&url).text(&body);
            list
        }
        Output::Media(call, media) => self::media(call.0, media),
        Output::Data(call, data) => self::data(call.0, data, &mut bytes),
        Output::Event(call, event) => self::event(call.0, &event),
        Output::Done(command, Ok(outcome)) => {
            let mut list = numbered("done", command.0);
            match outcome {
                Outcome::Attached(call) => list.number(call.0),
                Outcome::Reply(Reply::Name(name)) => list.text(name.as_str()),
                Outcome::Reply(Reply::Names(names)) => {
                    let mut all = List::empty();
                    for name in &names {
                        all.text(name);
                    }
                    list.raw(&all.finish())
                }
                Outcome::Reply(Reply::Set(settings)) => list.raw(&self::settings(&settings)),
                Outcome::Reply(Reply::Done) => &mut list,
            };
            list
        }
        Output::Done(command, Err(error)) => {
            let mut list = numbered("fail", command.0);
            list.raw(&self::error(&error));
            list
        }
        Output::Ended(call) => numbered("ended", call.0),
        Output::Log(level, line) => {
            let mut list = numbered("log", level as u64);
            list.text(&line);
            list
        }
    };
    (list.finish(), bytes)
}

/// What is sent, as the other side will know it, and who that is.
pub(super) fn begun(
    call: CallId,
    command: Command,
    filename: Option<&str>,
    peer: Option<&UserName>,
) -> String {
    let mut list = numbered("begin", call.0);
    list.number(command.0).optional(filename).optional(peer.map(UserName::as_str));
    list.finish()
}

fn numbered(name: &str, number: u64) -> List {
    let mut list = List::new(name);
    list.number(number);
    list
}

fn media(call: u64, media: Media) -> List {
    let (name, leg, sdp) = match media {
        Media::Offer(leg) => ("offer", leg, None),
        Media::Answer(leg, offer) => ("answer", leg, Some(offer)),
        Media::Remote(leg, answer) => ("remote", leg, Some(answer)),
        Media::Restart(leg) => ("restart", leg, None),
        Media::Renegotiate(leg, offer) => ("renegotiate", leg, Some(offer)),
        Media::Close(leg) => ("close", leg, None),
        Media::Release => return numbered("release", call),
        Media::Candidates(leg, candidates) => {
            let mut list = numbered("candidates", call);
            list.number(leg.0).raw(&self::candidates(&candidates));
            return list;
        }
    };
    let mut list = numbered(name, call);
    list.number(leg.0).optional(sdp.as_deref());
    list
}

/// The candidates as `RTCIceCandidateInit`, whose names are those of the wire. The other side's last word on them is none of the browser's.
fn candidates(candidates: &[Candidate]) -> String {
    let mut all = List::empty();
    for candidate in candidates {
        if *candidate != Candidate::End {
            all.raw(&candidate.to_json());
        }
    }
    all.finish()
}

fn data(call: u64, data: Data, bytes: &mut Vec<u8>) -> List {
    match data {
        Data::Send(leg, lane, message) => {
            *bytes = message;
            let mut list = numbered("sendBytes", call);
            list.number(leg.0).number(u64::from(lane == Lane::Bulk));
            list
        }
        Data::SendText(leg, text) => {
            let mut list = numbered("sendText", call);
            list.number(leg.0).text(&text);
            list
        }
        Data::Read { command, offset, length } => {
            let mut list = numbered("read", call);
            list.number(command.0).number(offset).number(length);
            list
        }
        Data::Keep(id, part) => {
            *bytes = part;
            transfer_named("keep", call, id)
        }
        Data::Deliver(transfer, peer, content) => {
            let mut list = described("deliver", call, &transfer, &peer);
            list.flag(transfer.meta.is_text);
            if let Content::Text(text) = content {
                list.text(&text);
            }
            list
        }
        Data::PlainText(peer, text) => {
            let mut list = numbered("give", call);
            list.text(peer.as_str()).text(&text);
            list
        }
        Data::PlainBytes(peer, content) => {
            *bytes = content;
            let mut list = numbered("give", call);
            list.text(peer.as_str());
            list
        }
        Data::Changed(transfer, peer) => {
            let mut list = described("change", call, &transfer, &peer);
            list.number(transfer.transferred);
            match &transfer.state {
                TransferState::Active => list.text("active"),
                TransferState::Done => list.text("done"),
                TransferState::Failed(error) => list.text("failed").raw(&self::error(error)),
            };
            list
        }
    }
}

fn transfer_named(name: &str, call: u64, id: TransferId) -> List {
    let (leg, number) = id.numbers();
    let mut list = numbered(name, call);
    list.number(leg).number(number);
    list
}

fn described(name: &str, call: u64, transfer: &Transfer, peer: &UserName) -> List {
    let meta = &transfer.meta;
    let mut list = transfer_named(name, call, transfer.id);
    list.text(&meta.kind).optional(meta.filename.as_deref()).number(meta.size).text(peer.as_str());
    list
}

/// What the page is told, with the name of its listener.
fn event(call: u64, event: &Event) -> List {
    let fire = |listener: &str| {
        let mut list = numbered("event", call);
        list.text(listener);
        list
    };
    let fire_name = |listener: &str, name: &UserName| {
        let mut list = fire(listener);
        list.text(name.as_str());
        list
    };
    let fire_error = |listener: &str, error: &Error| {
        let mut list = numbered("errorEvent", call);
        list.text(listener).raw(&self::error(error));
        list
    };
    match event {
        Event::Registered { name, is_registered } => {
            let mut list = fire_name("onRegistered", name);
            list.flag(*is_registered);
            list
        }
        Event::Calling(name) => fire_name("onCalling", name),
        Event::IncomingCall(name) => fire_name("onIncomingCall", name),
        Event::Accepted(name) => fire_name("onAccepted", name),
        Event::HangUp { peer, reason } => {
            let mut list = fire_name("onHangUp", peer);
            list.text(reason);
            list
        }
        Event::SetCall(settings) => {
            let mut list = fire("onSetCall");
            list.raw(&self::settings(settings));
            list
        }
        // JavaScript has the stream.
        Event::RemoteMedia(name) => fire_name("onRemoteStreamReady", name),
        Event::SlowLink { media, uplink, lost } => {
            let mut info = Object::new("media", media);
            info.flag("uplink", *uplink);
            info.number("lost", *lost);
            let mut list = fire("onSlowLink");
            list.raw(&info.finish());
            list
        }
        Event::Reconnecting(cause) => fire_error("onReconnecting", cause),
        Event::Reconnected => fire("onReconnected"),
        Event::Error(error) => fire_error("onError", error),
    }
}

/// The settings as the page sees them: what was not set is absent.
fn settings(settings: &Settings) -> String {
    let mut object = Object::empty();
    for (key, value) in [("audio", settings.audio), ("video", settings.video)] {
        if let Some(value) = value {
            object.flag(key, value);
        }
    }
    if let Some(bitrate) = settings.bitrate {
        object.number("bitrate", bitrate.into());
    }
    object.finish()
}

/// The arguments of `new VideoRTCError`.
fn error(error: &Error) -> String {
    let mut list = List::new(error.code.as_str());
    list.text(&error.message);
    match error.gateway_code {
        Some(code) => list.raw(&code.to_string()),
        None => list.raw("null"),
    };
    list.optional(error.cause.as_deref());
    list.finish()
}
