//! Searching in short texts. What the standard library brings for that is made for long ones, and would be
//! 8 kB of the module.

/// Where `part` first is in `text`, in bytes.
fn find(text: &str, part: &str) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.as_bytes().windows(part.len()).position(|window| window == part.as_bytes())
}

/// Whether `part` is in `text`.
pub(crate) fn contains(text: &str, part: &str) -> bool {
    find(text, part).is_some()
}

/// What stands before and after the first `separator`.
pub(crate) fn split_once<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let (before, rest) = text.split_at_checked(find(text, separator)?)?;
    Some((before, rest.strip_prefix(separator)?))
}

/// The lines of a text, without their ends.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text).filter(|text| !text.is_empty());
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (line, after) = match split_once(text, "\n") {
            Some((line, after)) => (line.strip_suffix("\r").unwrap_or(line), after),
            None => (text, ""),
        };
        rest = Some(after).filter(|after| !after.is_empty());
        Some(line)
    })
}

/// The text with every `part` replaced.
pub(crate) fn replace(mut text: &str, part: &str, by: &str) -> String {
    let mut replaced = String::new();
    if !part.is_empty() {
        while let Some((before, rest)) = split_once(text, part) {
            replaced.push_str(before);
            replaced.push_str(by);
            text = rest;
        }
    }
    replaced.push_str(text);
    replaced
}

/// The texts, with `separator` between them.
pub(crate) fn join<T: AsRef<str>>(texts: &[T], separator: &str) -> String {
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            joined.push_str(separator);
        }
        joined.push_str(text.as_ref());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_wherever_it_stands() {
        for (text, part, wanted) in
            [("abc", "abc", true), ("aab", "ab", true), ("ab", "abc", false), ("", "a", false)]
        {
            assert_eq!(contains(text, part), wanted, "{text} {part}");
        }
        assert!(contains("", "") && contains("a", ""));
        assert!(contains("naïve", "ï") && !contains("é", "è"));
    }

    #[test]
    fn a_text_is_split_at_the_first_separator() {
        assert_eq!(split_once("a://b://c", "://"), Some(("a", "b://c")));
        assert_eq!(split_once("://", "://"), Some(("", "")));
        assert_eq!(split_once("a:/", "://"), None);
    }

    #[test]
    fn lines_are_those_of_the_standard_library() {
        for text in ["", "a", "a\n", "a\r\nb", "\n\nb\r\n", "\r", "a\rb\n\r\n"] {
            assert_eq!(
                lines(text).collect::<Vec<_>>(),
                text.lines().collect::<Vec<_>>(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn texts_are_joined() {
        assert_eq!(join(&["a", "b", "c"], ", "), "a, b, c");
        assert_eq!(join::<String>(&[], ", "), "");
    }

    #[test]
    fn every_part_is_replaced() {
        assert_eq!(replace("a-b--c", "-", "…"), "a…b……c");
        assert_eq!(replace("aaa", "aa", "b"), "ba");
        assert_eq!(replace("abc", "", "x"), "abc");
    }
}
