//! The boundary of the module: what JavaScript calls. It decides nothing, and calls nothing of the browser but its
//! clock and its dice, so nobody is called back in the middle of something.
//!
//! An input and an output alike is a JSON array of its name and its parts, with the bytes that belong to it. Calls
//! and commands, peer connections, transfers and requests are known by their numbers; those of commands are chosen
//! by JavaScript. The one rule is the core's: after every input, take the outputs until there are no more, then set
//! one timer.

pub mod exports;
mod input;
mod output;

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use crate::client::Client;
use crate::queue::Queue;
use crate::time::{Time, millis};

#[wasm_bindgen]
extern "C" {
    /// The monotonic clock (High Resolution Time).
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    /// The browser's cryptographic source.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);
}

/// A client, by lines of JSON and bytes.
pub struct Core {
    client: Client,
    /// What comes before the client's next output.
    first: Queue<String>,
    /// The bytes of the last output.
    bytes: Vec<u8>,
}

impl Core {
    /// Takes servers and options as a JSON object.
    pub fn new(setup: Vec<u8>) -> Self {
        let client = Client::new(input::gateway(&text(setup)), Rc::new(random));
        Self { client, first: Queue::default(), bytes: Vec::new() }
    }

    /// A command of the page, whose number is its first part, or news of the world.
    pub fn input(&mut self, is_command: bool, line: Vec<u8>, bytes: Option<Vec<u8>>) {
        let line = text(line);
        match is_command {
            true => input::command(&mut self.client, &mut self.first, &line, now()),
            false => input::tell(&mut self.client, &line, bytes, now()),
        }
    }

    /// What to do next, if anything.
    pub fn poll_output(&mut self) -> Option<String> {
        if let Some(line) = self.first.pop_front() {
            return Some(line);
        }
        let (line, bytes) = output::encode(self.client.poll_output()?);
        self.bytes = bytes;
        Some(line)
    }

    /// The bytes that belong to the last output.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// In how many milliseconds `timeout` must be told; infinite for never.
    pub fn poll_timeout(&self) -> f64 {
        let deadline = self.client.poll_timeout();
        deadline.map_or(f64::INFINITY, |deadline| millis(deadline.since(now())) as f64)
    }

    /// Whether the page's presence and its network must be told.
    pub fn is_present(&self) -> bool {
        self.client.is_present()
    }
}

/// Text comes as UTF-8: so the glue needs one way in for all.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

fn now() -> Time {
    Time::from_millis(performance_now() as u64)
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}
