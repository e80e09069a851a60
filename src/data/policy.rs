//! What is taken from the other side, and what a stranger's file name may look like.

use super::frame::Verdict;
use super::{LONGEST_TEXT, Meta};

/// The longest type and the longest file name, in bytes of UTF-8.
pub(super) const LONGEST_NAME: usize = 255;

/// What the page takes from the other side on the data channel.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether there is a data channel at all. Default true.
    pub enabled: bool,
    /// The types that are taken; `image/*` stands for all that begin so. Default: every type.
    pub allowed: Option<Vec<String>>,
    /// The largest size that is taken, in bytes. Default 1 GiB.
    pub max_size: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { enabled: true, allowed: None, max_size: 1 << 30 }
    }
}

impl Policy {
    pub(super) fn judge(&self, meta: &Meta) -> Result<(), Verdict> {
        if !is_kind(&meta.kind) {
            return Err(Verdict::Malformed);
        }
        if !self.allows(&meta.kind) {
            return Err(Verdict::TypeRefused);
        }
        let most = if meta.is_text { self.max_size.min(LONGEST_TEXT) } else { self.max_size };
        if meta.size > most { Err(Verdict::TooLarge) } else { Ok(()) }
    }

    fn allows(&self, kind: &str) -> bool {
        let Some(allowed) = &self.allowed else { return true };
        let kind = essence(kind);
        allowed.iter().any(|entry| match entry.strip_suffix('*') {
            // `image/*` and `*`.
            Some(family) if family.is_empty() || family.ends_with('/') => {
                kind.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
            }
            _ => essence(entry).eq_ignore_ascii_case(kind),
        })
    }
}

/// A MIME type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split_once(';').map_or(kind, |(essence, _)| essence).trim()
}

/// Whether a text can be a type: something, on one line, and not too long.
pub fn is_kind(kind: &str) -> bool {
    !kind.trim().is_empty() && kind.len() <= LONGEST_NAME && !kind.chars().any(is_unseen)
}

/// A file name without path, control and direction characters, cut to what a file system takes.
pub fn clean_filename(name: &str) -> Option<String> {
    let mut clean = String::new();
    for c in name.chars() {
        if matches!(c, '/' | '\\') {
            clean.clear();
        } else if !is_unseen(c) {
            clean.push(c);
        }
    }
    while clean.len() > LONGEST_NAME {
        clean.pop();
    }
    // Leading dots hide a file or mean a folder; Windows drops dots and spaces at the end.
    while clean.chars().next().is_some_and(is_edge) {
        clean.remove(0);
    }
    while clean.chars().next_back().is_some_and(is_edge) {
        clean.pop();
    }
    Some(clean).filter(|clean| !clean.is_empty())
}

fn is_edge(c: char) -> bool {
    c.is_whitespace() || c == '.'
}

/// Controls, and the characters that turn the direction of the text around them (Unicode UAX #9).
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
