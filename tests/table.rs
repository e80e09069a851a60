//! Compares the tables of the page's keys with `index.d.ts` and the reference: keys, ranges, words
//! and defaults must not drift apart.

#![cfg(not(target_family = "wasm"))]
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used
)]

use std::fmt::Write;

use videortc::config::GatewayConfig;
use videortc::log::Level;
use videortc::table::{
    self, HIGHEST_BITRATE, Kind, QUALITIES, RESOLUTIONS, Table, call, data_channel, devices, echo,
    echo_events, elements, events, options, sending, stream,
};
use videortc::usecase::video_call::CallConfig;

const DECLARATIONS: &str = include_str!("../pkg-template/index.d.ts");
const REFERENCE: &str = include_str!("../docs/reference.md");

/// Each table, its interface in the declarations, and the head of its table in the reference's
/// section.
const DOCUMENTED: [(Table, &str, &str, &str); 10] = [
    (options::TABLE, "VideoRTCOptions", "### `new VideoRTC(", "option"),
    (devices::TABLE, "DeviceListConfig", "### Methods", "`config`"),
    (events::TABLE, "VideoCallEvents", "### Events", "event"),
    (elements::TABLE, "DomElements", "### Elements", "in `domElements`"),
    (call::TABLE, "VideoCallOptions", "### Options", "option"),
    (stream::TABLE, "StreamOptions", "### Options", "in `stream`"),
    (data_channel::TABLE, "DataChannelOptions", "### Options", "in `dataChannel`"),
    (echo_events::TABLE, "EchoTestEvents", "## `usecases.echoTest(", "event"),
    (echo::TABLE, "EchoTestOptions", "## `usecases.echoTest(", "option"),
    (sending::TABLE, "SendDataOptions", "### `sendData(", "in `optional`"),
];

/// A key of an interface, its documentation and its type.
struct Member {
    key: String,
    documentation: String,
    kind: String,
}

fn members(interface: &str) -> Vec<Member> {
    let (_, body) = DECLARATIONS.split_once(&format!("export interface {interface} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let mut members = Vec::new();
    let mut documentation = String::new();
    for line in body.lines().map(str::trim) {
        if line.starts_with(['/', '*']) {
            write!(documentation, "{} ", line.trim_matches(['/', '*', ' '])).unwrap();
        } else if let Some((key, kind)) = line.split_once('?') {
            let (key, kind) = (key.to_owned(), kind.to_owned());
            members.push(Member { key, documentation: std::mem::take(&mut documentation), kind });
        } else if let Some(member) = members.last_mut() {
            member.kind.push_str(line);
        }
    }
    members
}

/// A table of the reference, by section and head: each row by the names of its columns.
fn rows(section: &str, head: &str) -> Vec<Vec<(String, String)>> {
    let (_, text) = REFERENCE.split_once(&format!("\n{section}")).expect(section);
    let (_, text) = text.split_once(&format!("\n| {head} |")).expect(head);
    let mut lines = text.lines().take_while(|line| line.contains('|'));
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let columns = [vec!["key".to_owned()], cells(lines.next().unwrap())].concat();
    lines.skip(1).map(|line| columns.iter().cloned().zip(cells(&line[1..])).collect()).collect()
}

fn cell<'a>(row: &'a [(String, String)], column: &str) -> Option<&'a str> {
    row.iter().find(|(name, _)| name == column).map(|(_, text)| text.as_str())
}

/// The limits of a value that both documents have to name.
fn limits(kind: &Kind) -> Vec<String> {
    let words = match kind {
        Kind::Word(words) => words.to_vec(),
        Kind::Resolution => RESOLUTIONS.map(|(word, _)| word).to_vec(),
        _ => Vec::new(),
    };
    kind.range().into_iter().chain(words.iter().map(|word| format!("\"{word}\""))).collect()
}

/// Whether a text has these words. A number in them is no part of a longer one.
fn says(text: &str, words: &str) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    text.match_indices(words).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + words.len()..]);
        !is_digit(before.chars().next_back()) && !is_digit(after.chars().next())
    })
}

#[test]
fn declarations_list_every_key_and_its_range() {
    for (table, interface, ..) in DOCUMENTED {
        let members = members(interface);
        let declared: Vec<_> = members.iter().map(|member| member.key.as_str()).collect();
        let mut sorted = [declared, table.fields.iter().map(|field| field.name).collect()];
        sorted.iter_mut().for_each(|keys| keys.sort_unstable());
        assert_eq!(sorted[0], sorted[1], "{interface}");
        for field in table.fields {
            let member = members.iter().find(|member| member.key == field.name).unwrap();
            let said = format!("{}{}", member.documentation, member.kind);
            // The words of these are the browser's own, and have types of its own.
            let is_typed_elsewhere =
                ["MediaDeviceKind", "RTCIceTransportPolicy", "RTCBundlePolicy"]
                    .iter()
                    .any(|name| member.kind.contains(name));
            for limit in limits(&field.kind).iter().filter(|_| !is_typed_elsewhere) {
                assert!(says(&said, limit), "{interface}.{}: no {limit} in {said}", field.name);
            }
            if is_literal(field.default) {
                let default = format!("Default {}", field.default);
                let said = said.replace('`', "");
                assert!(says(&said, &default), "{interface}.{}: {said}", field.name);
            }
        }
    }
}

fn is_literal(default: &str) -> bool {
    ["true", "false"].contains(&default)
        || default.starts_with('"')
        || default.parse::<u64>().is_ok()
}

#[test]
fn reference_lists_every_key_with_its_range_and_default() {
    for (table, _, section, head) in DOCUMENTED {
        let rows = rows(section, head);
        let key = |row: &[(String, String)]| cell(row, "key").unwrap().trim_matches('`').to_owned();
        let mut sorted: [Vec<String>; 2] = [
            rows.iter().map(|row| key(row)).collect(),
            table.fields.iter().map(|field| field.name.to_owned()).collect(),
        ];
        sorted.iter_mut().for_each(|keys| keys.sort_unstable());
        assert_eq!(sorted[0], sorted[1], "{section} {head}");
        for field in table.fields {
            let row = rows.iter().find(|row| key(row) == field.name).unwrap();
            let all: String = row.iter().map(|(_, text)| format!("{text} ")).collect();
            for limit in limits(&field.kind) {
                assert!(says(&all, &limit), "{section} {}: no {limit} in {all}", field.name);
            }
            if let Some(default) = cell(row, "default") {
                let default = default.replace('`', "");
                let default = default.split(" (").next().unwrap();
                assert_eq!(default, field.default, "{section} {}", field.name);
            }
        }
    }
}

#[test]
fn documents_the_words_for_quality_and_resolution() {
    let quality = DECLARATIONS.split_once("quality?:").unwrap().1;
    let quality = quality.split_once('\n').unwrap().0;
    let rows = rows("**`setCall`**", "`quality`");
    let value = |word: &str| {
        let row = rows.iter().find(|row| cell(row, "key").unwrap().contains(word));
        cell(row.unwrap(), "bits per second").unwrap().to_owned()
    };
    for (word, bits) in QUALITIES {
        let word = format!("\"{word}\"");
        assert!(quality.contains(&word), "{word} in {quality}");
        let wanted = if bits == 0 { "no ceiling".to_owned() } else { bits.to_string() };
        assert_eq!(value(&word), wanted, "{word}");
    }
    assert_eq!(value("a number"), format!("from 0 to {HIGHEST_BITRATE}"));
    for (word, (width, height)) in RESOLUTIONS {
        let said = format!("`\"{word}\"` is {width}x{height}");
        assert!(REFERENCE.contains(&said), "no {said}");
    }
    for word in Level::WORDS {
        assert!(Level::parse(word).is_some(), "{word}");
        assert!(DECLARATIONS.contains(&format!("\"{word}\"")), "{word}");
        assert!(REFERENCE.contains(&format!("| `{word}` |")), "{word}");
    }
}

#[test]
fn documented_defaults_match_the_code() {
    let number = |field: &table::Field| field.default.parse::<u64>().unwrap();
    let gateway = GatewayConfig::new(Vec::new());
    assert_eq!(u128::from(number(&options::REQUEST_TIMEOUT)), gateway.request_timeout.as_millis());
    assert_eq!(u128::from(number(&options::RETRY_LIMIT)), gateway.retry_limit.as_millis());
    assert_eq!(number(&options::POLL_EVENTS), u64::from(gateway.poll_events));
    let config = CallConfig::default();
    assert_eq!(u128::from(number(&call::RING_TIMEOUT)), config.ring_timeout.as_millis());
    assert_eq!(u128::from(number(&call::CONNECT_TIMEOUT)), config.connect_timeout.as_millis());
    assert_eq!(number(&data_channel::MAX_SIZE), config.data.max_size);
}

#[test]
fn parses_resolutions() {
    for (text, sides) in [
        ("640x480", (640, 480)),
        (" 640 x 480 ", (640, 480)),
        ("1x8192", (1, 8192)),
        ("full-hd", (1920, 1080)),
        ("8k", (7680, 4320)),
    ] {
        assert_eq!(table::resolution(text), Some(sides), "{text:?}");
    }
    for text in [
        "",
        "640",
        "640x",
        "x480",
        "0x0",
        "640x-1",
        "640x+480",
        "640x8193",
        "640*480",
        "640x480x2",
        "1e3x480",
        "HD",
        "5k",
        "99999999999x1",
        "640.5x480",
    ] {
        assert_eq!(table::resolution(text), None, "{text:?}");
    }
    let widest = RESOLUTIONS.map(|(_, (width, _))| width).into_iter().max();
    assert!(widest.unwrap() <= table::LONGEST_SIDE);
}

#[test]
fn levels_are_ordered_by_verbosity() {
    let levels = Level::WORDS.map(|word| Level::parse(word).unwrap());
    assert!(levels.is_sorted());
    assert_eq!(Level::parse("loud"), None);
}
