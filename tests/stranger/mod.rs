//! Properties of untrusted text, for the tests and the fuzzers.

// Each target uses a part of this module.
#![allow(dead_code, unreachable_pub)]

pub mod gateway;
pub mod sdp;
