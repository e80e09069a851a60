//! Data channels (W3C WebRTC, section 6): the two that this side sends on, and all that it hears.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{RtcDataChannel, RtcPeerConnection};

use super::failure;
use super::listener::Listener;
use super::object::{get, set};
use crate::error::Error;
use crate::transfer::Lane;

/// When so many bytes are left in the bulk channel's buffer, it is filled again: half of what the link
/// puts there at most.
const LOW: u32 = 128 * 1024;

/// What the channels tell.
pub(super) enum News {
    /// One of this side's is open.
    Open(Lane),
    Text(String),
    Message(Vec<u8>),
    /// So many bytes are left in the bulk channel's buffer.
    Buffered(usize),
}

type Sink = Rc<dyn Fn(News)>;

/// The channels that this side sends on.
pub(super) struct Channels {
    messages: RtcDataChannel,
    bulk: RtcDataChannel,
    listeners: RefCell<Vec<Listener>>,
}

impl Channels {
    pub(super) fn new(connection: &RtcPeerConnection, sink: Sink) -> Self {
        let messages = connection.create_data_channel(Lane::Messages.label());
        let bulk = connection.create_data_channel(Lane::Bulk.label());
        set(&bulk, "bufferedAmountLowThreshold", &LOW.into());
        // Between two browsers without a gateway, what the other side sends comes on its own channels.
        let mut listeners = hear(&messages, sink.clone());
        listeners.extend(hear(&bulk, sink.clone()));
        for (channel, lane) in [(&messages, Lane::Messages), (&bulk, Lane::Bulk)] {
            let sink = sink.clone();
            listeners.push(Listener::new(channel, "open", move |_| sink(News::Open(lane))));
        }
        let on_low = {
            let bulk = bulk.clone();
            move |_| sink(News::Buffered(buffered(&bulk)))
        };
        listeners.push(Listener::new(&bulk, "bufferedamountlow", on_low));
        Self { messages, bulk, listeners: RefCell::new(listeners) }
    }

    /// Sends a message. Where the bulk channel's buffer is low after it, says how many bytes are there:
    /// no event will.
    pub(super) fn send(&self, lane: Lane, message: &[u8]) -> Result<Option<usize>, Error> {
        let channel = match lane {
            Lane::Messages => &self.messages,
            Lane::Bulk => &self.bulk,
        };
        channel.send_with_u8_array(message).map_err(|thrown| failed(&thrown))?;
        let buffered = buffered(channel);
        Ok((lane == Lane::Bulk && buffered <= LOW as usize).then_some(buffered))
    }

    pub(super) fn send_text(&self, text: &str) -> Result<(), Error> {
        self.messages.send_with_str(text).map_err(|thrown| failed(&thrown))
    }

    /// Nothing is told any more.
    pub(super) fn close(&self) {
        self.listeners.borrow_mut().clear();
    }
}

/// Listens to what comes on a channel.
pub(super) fn hear(channel: &RtcDataChannel, sink: Sink) -> Vec<Listener> {
    set(channel, "binaryType", &"arraybuffer".into());
    let on_message = move |event: web_sys::Event| {
        let data = get(&event, "data");
        if let Some(text) = data.as_string() {
            sink(News::Text(text));
        } else if let Some(buffer) = data.dyn_ref::<ArrayBuffer>() {
            sink(News::Message(Uint8Array::new(buffer).to_vec()));
        }
    };
    vec![Listener::new(channel, "message", on_message)]
}

fn buffered(channel: &RtcDataChannel) -> usize {
    get(channel, "bufferedAmount").as_f64().unwrap_or_default() as usize
}

fn failed(thrown: &JsValue) -> Error {
    failure::from_peer("send on the data channel", thrown)
}
