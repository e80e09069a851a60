//! Bytes as a JavaScript string of printable ASCII, such that a web server's compressor still finds what
//! repeats: each byte is always the same one or two characters. In Base64 three bytes share four
//! characters, and the same bytes look different from place to place.

/// Where printable ASCII begins.
const FIRST: u8 = b' ';
const SINGLE: usize = 89;

/// The body of a JavaScript function that has the bytes, as `module`.
pub(crate) fn decoder(bytes: &[u8]) -> String {
    let order = by_frequency(bytes);
    let characters = characters();
    let (singles, prefixes) = characters.split_at(SINGLE);
    let mut codes = vec![String::new(); 256];
    for (rank, &byte) in order.iter().enumerate() {
        let single = char::from(singles.get(rank % SINGLE).copied().unwrap_or(FIRST));
        let prefix = (rank / SINGLE).checked_sub(1).and_then(|row| prefixes.get(row));
        let code =
            prefix.map_or(single.into(), |&prefix| format!("{}{single}", char::from(prefix)));
        if let Some(slot) = codes.get_mut(usize::from(byte)) {
            *slot = code;
        }
    }
    let text: String =
        bytes.iter().filter_map(|&byte| codes.get(usize::from(byte))).map(String::as_str).collect();
    let singles: String = singles.iter().copied().map(char::from).collect();
    let prefixes: String = prefixes.iter().copied().map(char::from).collect();
    let length = bytes.len();
    format!(
        r#"    const text = "{text}";
    const order = {order:?};
    const ranks = new Uint8Array(128);
    [..."{singles}{prefixes}"].forEach((character, rank) => (ranks[character.charCodeAt()] = rank));
    const module = new Uint8Array({length});
    for (let i = 0, at = 0; i < {length}; i++) {{
        let rank = ranks[text.charCodeAt(at++)];
        if (rank >= {SINGLE}) rank = (rank - {SINGLE} + 1) * {SINGLE} + ranks[text.charCodeAt(at++)];
        module[i] = order[rank];
    }}
"#
    )
}

/// Every byte, the most frequent first.
fn by_frequency(bytes: &[u8]) -> Vec<u8> {
    let mut order: Vec<u8> = (0..=u8::MAX).collect();
    let mut counts = vec![0_usize; 256];
    for &byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
    order.sort_by_key(|&byte| std::cmp::Reverse(counts.get(usize::from(byte)).copied()));
    order
}

/// What stands for bytes: 89 characters alone, and then two that need another. No `<`, so that a page may
/// hold the script itself.
fn characters() -> Vec<u8> {
    (FIRST..=b'~').filter(|c| !matches!(c, b'"' | b'\\' | b'$' | b'<')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_or_two_of_its_own() {
        assert_eq!(characters().len(), SINGLE + 2);
        let bytes: Vec<u8> = (0..=u8::MAX).chain([7; 9]).collect();
        let script = decoder(&bytes);
        let text = script.split('"').nth(1).unwrap_or_default();
        assert_eq!(text.len(), SINGLE + 2 * (256 - SINGLE) + 9);
        assert!(text.is_ascii());
        assert!(text.ends_with("         "), "the most frequent byte is the first character");
    }
}
