//! The boundary of the module: what JavaScript calls, with numbers and strings alone. It decides nothing, and
//! calls nothing of the browser but its clock and its dice, so nobody is called back in the middle of something.
//!
//! Calls and commands, peer connections, transfers and requests are known by their numbers; those of commands
//! are chosen by JavaScript. The one rule is the core's: after every input, take the outputs until there are no
//! more, then set one timer.

mod input;
mod output;

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use crate::call::{Call, Command, LegId, LegState, TransferId};
use crate::client::{CallId, Client, Output};
use crate::config::UserName;
use crate::error::Error;
use crate::event::Settings;
use crate::proto::{Candidate, HttpId, HttpResponse};
use crate::queue::Queue;
use crate::time::{Time, millis};
use crate::transfer::{Lane, Meta, clean_filename};

#[wasm_bindgen]
extern "C" {
    /// The monotonic clock (High Resolution Time).
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    /// The browser's cryptographic source.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);
}

/// A client, as JavaScript sees it.
#[wasm_bindgen]
pub struct Core {
    client: Client,
    /// What comes before the client's next output.
    first: Queue<String>,
    /// The bytes of the last output.
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl Core {
    /// Takes servers and options as JSON, which the JavaScript classes have checked.
    #[wasm_bindgen(constructor)]
    pub fn new(setup: &str) -> Self {
        let client = Client::new(input::gateway(setup), Rc::new(random));
        Self { client, first: Queue::default(), bytes: Vec::new() }
    }

    /// What to do next: a JSON array of its name and its parts. `undefined`: nothing.
    #[wasm_bindgen(js_name = pollOutput)]
    pub fn poll_output(&mut self) -> Option<String> {
        if let Some(line) = self.first.pop_front() {
            return Some(line);
        }
        let (line, bytes) = output::encode(self.client.poll_output()?);
        self.bytes = bytes;
        Some(line)
    }

    /// The bytes that belong to the last output.
    #[wasm_bindgen(js_name = takeBytes)]
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// In how many milliseconds `handleTimeout` must be called; infinite for never.
    #[wasm_bindgen(js_name = pollTimeout)]
    pub fn poll_timeout(&self) -> f64 {
        let deadline = self.client.poll_timeout();
        deadline.map_or(f64::INFINITY, |deadline| millis(deadline.since(now())) as f64)
    }

    /// Whether there is a session.
    #[wasm_bindgen(js_name = isConnected)]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    // The page's commands.

    /// Makes a session on the first server that answers.
    pub fn connect(&mut self, command: f64) {
        self.client.connect(named(command), now());
    }

    /// Ends the calls and the session.
    pub fn disconnect(&mut self, command: f64) {
        self.client.disconnect(named(command), now());
    }

    /// Attaches a video call, with options as JSON.
    #[wasm_bindgen(js_name = videoCall)]
    pub fn video_call(&mut self, command: f64, options: &str) {
        self.client.video_call(named(command), input::call(options), now());
    }

    /// Takes a name; without one, a guest name.
    pub fn register(&mut self, call: f64, command: f64, name: Option<String>) {
        if let Some(name) = self.user_name(command, name) {
            self.command(call, command, |call, command, _| call.register(command, name));
        }
    }

    /// Asks for the names that the gateway knows.
    #[wasm_bindgen(js_name = getPeers)]
    pub fn get_peers(&mut self, call: f64, command: f64) {
        self.command(call, command, |call, command, _| call.list(command));
    }

    /// Calls somebody, or accepts the call that is ringing.
    pub fn call(&mut self, call: f64, command: f64, name: Option<String>) {
        if let Some(name) = self.user_name(command, name) {
            self.command(call, command, |call, command, now| call.call(command, name, now));
        }
    }

    /// Accepts the call that is ringing.
    #[wasm_bindgen(js_name = acceptCall)]
    pub fn accept_call(&mut self, call: f64, command: f64) {
        self.command(call, command, |call, command, now| call.accept(command, now));
    }

    /// Hangs up, cancels or declines.
    #[wasm_bindgen(js_name = hangUp)]
    pub fn hang_up(&mut self, call: f64, command: f64, reason: Option<String>) {
        let reason = reason.as_deref().filter(|reason| !reason.is_empty());
        self.command(call, command, |call, command, now| call.hang_up(command, reason, now));
    }

    /// Changes what the gateway relays. The bitrate is in bits per second.
    #[wasm_bindgen(js_name = setCall)]
    pub fn set_call(
        &mut self,
        call: f64,
        command: f64,
        audio: Option<bool>,
        video: Option<bool>,
        bitrate: Option<f64>,
    ) {
        let settings = Settings { audio, video, bitrate: bitrate.map(|bits| bits as u32) };
        self.command(call, command, |call, command, _| call.set(command, settings));
    }

    /// Sends a message or file: a short text, or what is read when it is asked for. Before all that comes of it,
    /// `begin` says by which file name the other side knows it, and who that is.
    #[wasm_bindgen(js_name = sendData)]
    #[allow(clippy::too_many_arguments)]
    pub fn send_data(
        &mut self,
        call: f64,
        command: f64,
        kind: String,
        size: f64,
        is_text: bool,
        filename: Option<String>,
        text: Option<String>,
    ) {
        // As the other side would: so both see the same name, and it fits into its field.
        let filename = filename.as_deref().and_then(clean_filename);
        let meta = Meta { kind, filename, size: size as u64, is_text };
        let (id, first) = (call as u64, &mut self.first);
        let act = |call: &mut Call| {
            let (command, now) = (named(command), now());
            let peer = call.peer().map(UserName::as_str);
            first.push_back(output::begun(id, command, meta.filename.as_deref(), peer));
            match text {
                Some(text) => call.send_text(command, meta, text, now),
                None => call.send_source(command, meta, now),
            }
        };
        self.client.with_call(CallId(id), Some(named(command)), now(), act);
    }

    /// Takes back what is sent, or refuses the rest of what is coming.
    #[wasm_bindgen(js_name = cancelTransfer)]
    pub fn cancel_transfer(&mut self, call: f64, leg: f64, number: f64) {
        self.tell(call, |call, now| call.cancel_transfer(transfer(leg, number), now));
    }

    /// Ends the call, frees the name and detaches.
    pub fn close(&mut self, call: f64, command: f64) {
        self.command(call, command, |call, command, now| call.close(command, now));
    }

    // The world's news.

    /// The time has come.
    #[wasm_bindgen(js_name = handleTimeout)]
    pub fn handle_timeout(&mut self) {
        self.client.handle_timeout(now());
    }

    /// What became of an HTTP request: a status and a body, or status 0 and why nothing answered.
    #[wasm_bindgen(js_name = handleHttp)]
    pub fn handle_http(&mut self, id: f64, status: u16, body: String) {
        let response = match status {
            0 => HttpResponse::Failed(body),
            status => HttpResponse::Answered { status, body },
        };
        self.client.handle_http(HttpId(id as u64), response, now());
    }

    /// The network is there again, or is another one.
    #[wasm_bindgen(js_name = handleOnline)]
    pub fn handle_online(&mut self) {
        self.client.handle_online(now());
    }

    /// The page is seen again.
    #[wasm_bindgen(js_name = handleVisible)]
    pub fn handle_visible(&mut self) {
        self.client.handle_visible(now());
    }

    /// The page is being left.
    #[wasm_bindgen(js_name = handleHide)]
    pub fn handle_hide(&mut self) {
        self.client.handle_hide(now());
    }

    /// The page came back.
    #[wasm_bindgen(js_name = handleShow)]
    pub fn handle_show(&mut self) {
        self.client.handle_show(now());
    }

    /// The description that was asked for.
    #[wasm_bindgen(js_name = handleDescription)]
    pub fn handle_description(&mut self, call: f64, leg: f64, sdp: String) {
        self.tell(call, |call, now| call.handle_description(LegId(leg as u64), Ok(sdp), now));
    }

    /// Why there is no description.
    #[wasm_bindgen(js_name = handleMediaError)]
    pub fn handle_media_error(
        &mut self,
        call: f64,
        leg: f64,
        code: &str,
        message: &str,
        cause: Option<String>,
    ) {
        let mut error = Error::new(input::media_code(code), message);
        error.cause = cause;
        self.tell(call, |call, now| call.handle_description(LegId(leg as u64), Err(error), now));
    }

    /// A local candidate; an empty one is the end of them (RFC 8838).
    #[wasm_bindgen(js_name = handleCandidate)]
    pub fn handle_candidate(
        &mut self,
        call: f64,
        leg: f64,
        candidate: String,
        mid: Option<String>,
        line: Option<u16>,
    ) {
        let candidate = match candidate.is_empty() {
            true => Candidate::End,
            false => Candidate::Found { candidate, mid, line },
        };
        self.tell(call, |call, now| call.handle_candidate(LegId(leg as u64), candidate, now));
    }

    /// The peer connection is up (0), lets nothing through (1), or failed (2).
    #[wasm_bindgen(js_name = handleLegState)]
    pub fn handle_leg_state(&mut self, call: f64, leg: f64, state: u32) {
        let state = match state {
            0 => LegState::Connected,
            1 => LegState::Disconnected,
            _ => LegState::Failed,
        };
        self.tell(call, |call, now| call.handle_leg_state(LegId(leg as u64), state, now));
    }

    /// Media of the other side flows.
    #[wasm_bindgen(js_name = handleRemoteMedia)]
    pub fn handle_remote_media(&mut self, call: f64, leg: f64) {
        self.tell(call, |call, _| call.handle_remote_media(LegId(leg as u64)));
    }

    /// A data channel of ours is open: that for messages (0), or the bulk channel (1).
    #[wasm_bindgen(js_name = handleChannelOpen)]
    pub fn handle_channel_open(&mut self, call: f64, leg: f64, lane: u32) {
        let lane = if lane == 0 { Lane::Messages } else { Lane::Bulk };
        self.tell(call, |call, now| call.handle_channel_open(LegId(leg as u64), lane, now));
    }

    /// A text of the other side.
    #[wasm_bindgen(js_name = handleText)]
    pub fn handle_text(&mut self, call: f64, leg: f64, text: String) {
        self.tell(call, |call, _| call.handle_text(LegId(leg as u64), text));
    }

    /// A binary message of the other side.
    #[wasm_bindgen(js_name = handleMessage)]
    pub fn handle_message(&mut self, call: f64, leg: f64, message: &[u8]) {
        self.tell(call, |call, now| call.handle_message(LegId(leg as u64), message, now));
    }

    /// So many bytes are in the bulk channel's own buffer.
    #[wasm_bindgen(js_name = handleBuffered)]
    pub fn handle_buffered(&mut self, call: f64, leg: f64, bytes: f64) {
        self.tell(call, |call, now| call.handle_buffered(LegId(leg as u64), bytes as usize, now));
    }

    /// The bytes of what is sent that were asked for, or why there are none.
    #[wasm_bindgen(js_name = handleRead)]
    pub fn handle_read(
        &mut self,
        call: f64,
        number: f64,
        offset: f64,
        bytes: Option<Vec<u8>>,
        cause: Option<String>,
    ) {
        let read = bytes.ok_or_else(|| input::unreadable(cause));
        self.tell(call, |call, now| call.handle_read(named(number), offset as u64, read, now));
    }

    /// What arrived was given to the page, or could not be kept.
    #[wasm_bindgen(js_name = handleDelivered)]
    pub fn handle_delivered(&mut self, call: f64, leg: f64, number: f64, kept: bool) {
        self.tell(call, |call, now| call.handle_delivered(transfer(leg, number), kept, now));
    }
}

impl Core {
    fn command(&mut self, call: f64, command: f64, act: impl FnOnce(&mut Call, Command, Time)) {
        let (now, command) = (now(), named(command));
        self.client.with_call(CallId(call as u64), Some(command), now, |call| {
            act(call, command, now);
        });
    }

    fn tell(&mut self, call: f64, act: impl FnOnce(&mut Call, Time)) {
        let now = now();
        self.client.with_call(CallId(call as u64), None, now, |call| act(call, now));
    }

    /// A checked name, or none; refuses the command if it cannot be one.
    fn user_name(&mut self, command: f64, name: Option<String>) -> Option<Option<UserName>> {
        let parsed = name.as_deref().map(UserName::parse).transpose();
        parsed
            .map_err(|error| {
                let (line, _) = output::encode(Output::Done(named(command), Err(error)));
                self.first.push_back(line);
            })
            .ok()
    }
}

fn named(command: f64) -> Command {
    Command(command as u64)
}

fn transfer(leg: f64, number: f64) -> TransferId {
    TransferId::of_numbers(leg as u64, number as u64)
}

fn now() -> Time {
    Time::from_millis(performance_now() as u64)
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}
