//! Names for users who did not choose one.

use crate::config::UserName;

const KINDS: [&str; 8] = ["amber", "brave", "calm", "happy", "kind", "lucky", "quick", "sunny"];
const ANIMALS: [&str; 8] = ["crane", "fox", "hare", "lynx", "otter", "owl", "seal", "wren"];

/// A readable name such as `calm-otter-417`, from random bits.
pub(super) fn guest_name(random: u64) -> UserName {
    let pick = |words: &[&'static str; 8], shift: u32| {
        usize::try_from((random >> shift) & 7)
            .ok()
            .and_then(|i| words.get(i).copied())
            .unwrap_or("guest")
    };
    let number = (random >> 8) & 0xfff;
    UserName::truncated(&format!("{}-{}-{number}", pick(&KINDS, 0), pick(&ANIMALS, 4)))
}
