//! Decides which transfers to accept, and cleans file names that come from the peer.

use super::frame::Verdict;
use super::{LONGEST_TEXT, Meta};

/// The longest type and file name, in bytes of UTF-8.
pub(super) const LONGEST_NAME: usize = 255;

/// Which messages and files are accepted from the peer.
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
            // `image/*` or `*`.
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

/// Whether a text is a valid type: not blank, no control characters, not too long.
pub fn is_kind(kind: &str) -> bool {
    !kind.trim().is_empty() && kind.len() <= LONGEST_NAME && !kind.chars().any(is_invisible)
}

/// Removes the path, control characters and bidirectional controls from a file name, and truncates
/// it to a length that file systems accept.
pub fn clean_filename(name: &str) -> Option<String> {
    let mut clean = String::new();
    for c in name.chars() {
        if matches!(c, '/' | '\\') {
            clean.clear();
        } else if !is_invisible(c) {
            clean.push(c);
        }
    }
    while clean.len() > LONGEST_NAME {
        clean.pop();
    }
    // A leading dot hides the file or names a folder. Windows drops trailing dots and spaces.
    while clean.chars().next().is_some_and(is_trimmed) {
        clean.remove(0);
    }
    while clean.chars().next_back().is_some_and(is_trimmed) {
        clean.pop();
    }
    Some(clean).filter(|clean| !clean.is_empty())
}

fn is_trimmed(c: char) -> bool {
    c.is_whitespace() || c == '.'
}

/// Control characters, zero-width characters and bidirectional controls (Unicode UAX #9).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}
