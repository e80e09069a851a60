//! Checks the members of a request for presence and type, with Janus' messages.

use serde_json::{Map, Value};

/// The required type of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Object,
    Boolean,
    /// An integer of 0 or more, which Janus calls positive.
    PositiveInteger,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Object => value.is_object(),
            Self::Boolean => value.is_boolean(),
            Self::PositiveInteger => value.is_u64(),
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Object => "an object",
            Self::Boolean => "a boolean",
            Self::PositiveInteger => "a positive integer",
        }
    }
}

/// A member of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    name: &'static str,
    kind: Kind,
    required: bool,
}

pub(crate) const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: true }
}

pub(crate) const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: false }
}

/// The error of a request: the first invalid member.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Misfit {
    Missing(Member),
    WrongType(Member),
}

/// Checks the members in this order and stops at the first error.
pub(crate) fn members(object: &Map<String, Value>, members: &[Member]) -> Result<(), Misfit> {
    for member in members {
        match object.get(member.name) {
            None if member.required => return Err(Misfit::Missing(*member)),
            None => {}
            Some(value) if member.kind.fits(value) => {}
            Some(_) => return Err(Misfit::WrongType(*member)),
        }
    }
    Ok(())
}

impl Misfit {
    /// The code is one of the two, the first for a missing member.
    pub(crate) fn code(self, missing: u16, wrong_type: u16) -> u16 {
        match self {
            Self::Missing(_) => missing,
            Self::WrongType(_) => wrong_type,
        }
    }

    pub(crate) fn in_words(self) -> String {
        match self {
            Self::Missing(member) => format!("Missing mandatory element ({})", member.name),
            Self::WrongType(Member { name, kind, .. }) => {
                format!("Invalid element type ({name} should be {})", kind.in_words())
            }
        }
    }

    /// The same for a session description, which Janus words another way.
    pub(crate) fn in_words_of_jsep(self) -> String {
        match self {
            Self::Missing(member) => {
                format!("JSEP error: missing mandatory element ({})", member.name)
            }
            Self::WrongType(Member { name, kind, .. }) => {
                format!("JSEP error: invalid element type ({name} should be {})", kind.in_words())
            }
        }
    }
}
