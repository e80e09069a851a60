//! Messages of the real Janus, written to files for the library's own tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::stage::Named;

/// The traffic so far, if it is to be written.
pub(crate) struct Capture {
    wanted: bool,
    messages: BTreeMap<String, Value>,
}

impl Capture {
    pub(crate) fn from_env() -> Self {
        let wanted = std::env::var("VIDEORTC_CAPTURE").is_ok_and(|value| value == "1");
        Self { wanted, messages: BTreeMap::new() }
    }

    /// Keeps the first message of each name.
    pub(crate) fn keep(&mut self, messages: Vec<Named>) {
        for (name, message) in messages {
            self.messages.entry(file_name(&name)).or_insert(message);
        }
    }

    pub(crate) fn write(&self) {
        if !self.wanted {
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire");
        fs::create_dir_all(&folder).unwrap();
        for (name, message) in &self.messages {
            let text = serde_json::to_string_pretty(message).unwrap();
            fs::write(folder.join(name), text + "\n").unwrap();
        }
    }
}

/// `event hangup (User busy)` becomes `event-hangup-user-busy.json`.
fn file_name(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    format!("{}.json", words.join("-"))
}
