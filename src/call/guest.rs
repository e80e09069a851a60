//! Names for those who did not choose one.

use crate::config::UserName;

const KINDS: [&str; 16] = [
    "amber", "brave", "calm", "clever", "gentle", "golden", "happy", "jolly", "kind", "lively",
    "lucky", "merry", "quick", "quiet", "sunny", "witty",
];
const ANIMALS: [&str; 16] = [
    "badger", "beaver", "crane", "dolphin", "finch", "fox", "hare", "heron", "lynx", "marten",
    "otter", "owl", "raven", "robin", "seal", "wren",
];

/// A readable name such as `calm-otter-417`, from random bits.
pub(super) fn guest_name(random: u64) -> UserName {
    let pick = |words: &[&'static str; 16], shift: u32| {
        usize::try_from((random >> shift) & 15)
            .ok()
            .and_then(|i| words.get(i).copied())
            .unwrap_or("guest")
    };
    let number = (random >> 8) & 0x3ff;
    UserName::of_stranger(&format!("{}-{}-{number}", pick(&KINDS, 0), pick(&ANIMALS, 4)))
}
