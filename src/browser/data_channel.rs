//! Data channels (W3C WebRTC, section 6): the two that this side opens, and those of the peer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    MessageEvent, RtcDataChannel, RtcDataChannelEvent, RtcDataChannelType, RtcPeerConnection,
};

use super::listener::Listener;
use super::peer_connection::{OnReport, Report};
use super::throwing::{Connection, throwing};
use crate::data::{ChannelEvent, ChannelKind};

/// The label that janus.js and the gateway use by default.
const MESSAGES: &str = "JanusDataChannel";
const BULK: &str = "videortc-bulk";
/// The bulk channel's buffer is refilled when this many bytes are left: half of the core's limit.
const LOW: u32 = 128 * 1024;
/// Channels of the peer to listen on. The peer needs two.
const MAX_PEER_CHANNELS: u32 = 8;

/// The channels of one peer connection. No events arrive once this is dropped.
pub(crate) struct Channels {
    messages: RtcDataChannel,
    bulk: RtcDataChannel,
    on_report: OnReport,
    _listeners: Vec<Listener>,
}

impl Channels {
    /// Adds the channels to a connection that has no description yet.
    pub(crate) fn new(
        connection: &RtcPeerConnection,
        on_report: &OnReport,
    ) -> Result<Self, JsValue> {
        let messages = throwing::<Connection>(connection).create_data_channel(MESSAGES)?;
        let bulk = throwing::<Connection>(connection).create_data_channel(BULK)?;
        bulk.set_buffered_amount_low_threshold(LOW);
        let mut listeners = vec![listen_to_peer_channels(connection, on_report)];
        for (channel, kind) in [(&messages, ChannelKind::Messages), (&bulk, ChannelKind::Bulk)] {
            listeners.push(listen_to(channel, on_report));
            let report = on_report.clone();
            listeners.push(Listener::new(channel, "open", move |_| {
                report(Report::Channel(ChannelEvent::Open(kind)))
            }));
            let report = on_report.clone();
            listeners.push(Listener::new(channel, "close", move |_| {
                report(Report::Channel(ChannelEvent::Closed))
            }));
        }
        let (report, channel) = (on_report.clone(), bulk.clone());
        listeners.push(Listener::new(&bulk, "bufferedamountlow", move |_| {
            report(Report::Channel(ChannelEvent::Buffered(channel.buffered_amount() as usize)));
        }));
        Ok(Self { messages, bulk, on_report: on_report.clone(), _listeners: listeners })
    }

    /// Sends a binary message.
    pub(crate) fn send(&self, kind: ChannelKind, message: &[u8]) -> Result<(), JsValue> {
        match kind {
            ChannelKind::Messages => self.messages.send_with_u8_array(message),
            ChannelKind::Bulk => {
                self.bulk.send_with_u8_array(message)?;
                // `bufferedamountlow` does not fire if the buffer never exceeded the threshold.
                let buffered = self.bulk.buffered_amount();
                if buffered <= LOW {
                    (self.on_report)(Report::Channel(ChannelEvent::Buffered(buffered as usize)));
                }
                Ok(())
            }
        }
    }

    /// Sends a text, as janus.js does.
    pub(crate) fn send_text(&self, text: &str) -> Result<(), JsValue> {
        self.messages.send_with_str(text)
    }
}

/// Without a gateway between two browsers, the peer's messages arrive on the peer's own channels.
fn listen_to_peer_channels(connection: &RtcPeerConnection, on_report: &OnReport) -> Listener {
    let (on_report, count) = (on_report.clone(), Cell::new(0));
    let listeners: Rc<RefCell<Vec<Listener>>> = Rc::default();
    Listener::new(connection, "datachannel", move |event| {
        let event: RtcDataChannelEvent = event.unchecked_into();
        if count.get() < MAX_PEER_CHANNELS {
            count.set(count.get().saturating_add(1));
            let listener = listen_to(&event.channel(), &on_report);
            listeners.borrow_mut().push(listener);
        }
    })
}

fn listen_to(channel: &RtcDataChannel, on_report: &OnReport) -> Listener {
    channel.set_binary_type(RtcDataChannelType::Arraybuffer);
    let on_report = on_report.clone();
    Listener::new(channel, "message", move |event| {
        let data = event.unchecked_into::<MessageEvent>().data();
        if let Some(text) = data.as_string() {
            on_report(Report::Channel(ChannelEvent::Text(text)));
        } else if let Ok(buffer) = data.dyn_into::<ArrayBuffer>() {
            let message = Uint8Array::new(&buffer).to_vec();
            on_report(Report::Channel(ChannelEvent::Binary(message)));
        }
    })
}
