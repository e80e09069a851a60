//! What must hold of any text that a stranger sends: for the tests, and for the fuzzers.

// Each target uses its own part of this.
#![allow(dead_code, unreachable_pub)]

pub mod gateway;
pub mod sdp;
