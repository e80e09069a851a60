//! The objects that a page passes: name, type and default of each key. The classes of `js/` read
//! the page's objects by these tables, and `tests/table.rs` compares `pkg-template/index.d.ts` and
//! `docs/reference.md` with them.

use std::borrow::Cow;

use crate::log::Level;

/// An object of the page.
#[derive(Debug)]
pub struct Table {
    /// The object's name in errors.
    pub name: &'static str,
    /// Its keys, in the order in which they are read.
    pub fields: &'static [Field],
}

/// A key of such an object.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// The default as the reference states it; empty if there is none.
    pub default: &'static str,
}

/// The type of a value.
#[derive(Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// A string, or a function that returns one or a promise of one.
    Credential,
    /// A boolean.
    Flag,
    /// A function.
    Function,
    /// An object with a table of its own.
    Object,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// A number within these limits, both included.
    Number {
        /// The unit.
        unit: &'static str,
        /// The minimum.
        least: u32,
        /// The maximum.
        most: u32,
    },
    /// A whole number of bytes.
    Size,
    /// An array of MIME types.
    Types,
    /// Width and height, or a word of [`RESOLUTIONS`].
    Resolution,
    /// An element, or a selector or jQuery object that finds one.
    Place,
    /// A `<video>` element.
    Video,
    /// An `AbortSignal`.
    Signal,
    /// Anything: the key is known but has no effect yet, for this reason.
    Later(&'static str),
}

/// The largest width or height of a video, in pixels.
pub const LONGEST_SIDE: u32 = 8192;

/// The words for a resolution: width and height in pixels.
pub const RESOLUTIONS: [(&str, (u32, u32)); 7] = [
    ("qvga", (320, 240)),
    ("vga", (640, 480)),
    ("fwvga", (854, 480)),
    ("hd", (1280, 720)),
    ("full-hd", (1920, 1080)),
    ("4k", (3840, 2160)),
    ("8k", (7680, 4320)),
];

/// The words for the bitrate limit of a video, in bits per second; 0 removes the limit.
pub const QUALITIES: [(&str, u32); 5] =
    [("low", 128_000), ("medium", 512_000), ("high", 2_000_000), ("ultra", 512_000), ("max", 0)];

/// The highest bitrate limit, in bits per second.
pub const HIGHEST_BITRATE: u32 = 1_000_000_000;

/// The longest time that a page can set, in milliseconds: one hour.
const LONGEST: u32 = 3_600_000;

impl Kind {
    /// The words that follow "must be" in an error.
    pub fn wanted(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Text | Self::Credential => "a string",
            Self::Flag => "true or false",
            Self::Function => "a function",
            Self::Object => "an object",
            Self::Word(words) => return format!("one of \"{}\"", words.join("\", \"")).into(),
            Self::Number { unit, least, most } => {
                return format!("a number of {unit} from {least} to {most}").into();
            }
            Self::Size => "a whole number of bytes from 0 to 2^53 - 1",
            Self::Types => "an array of MIME types such as \"text/plain\" or \"image/*\"",
            Self::Resolution => {
                return format!(
                    "like \"640x480\" or {{ width: 640, height: 480 }}, with sides of 1 to \
                     {LONGEST_SIDE} pixels, or one of \"{}\"",
                    RESOLUTIONS.map(|(word, _)| word).join("\", \"")
                )
                .into();
            }
            Self::Place => "an element",
            Self::Video => "a <video> element",
            Self::Signal => "an AbortSignal",
            Self::Later(_) => "anything",
        })
    }

    /// The limits of a number as the documentation states them.
    pub fn range(&self) -> Option<String> {
        match self {
            Self::Number { least, most, .. } => Some(format!("{least} to {most}")),
            Self::Resolution => Some(format!("1 to {LONGEST_SIDE}")),
            _ => None,
        }
    }
}

/// Parses width and height from a text such as `640x480` or a word.
pub fn resolution(text: &str) -> Option<(u32, u32)> {
    let word = RESOLUTIONS.into_iter().find(|(word, _)| *word == text);
    word.map(|(_, sides)| sides).or_else(|| {
        let (width, height) = text.split_once('x')?;
        Some((side(width)?, side(height)?))
    })
}

fn side(text: &str) -> Option<u32> {
    let digits = text.trim();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|side| is_number && (1..=LONGEST_SIDE).contains(side))
}

/// The words that follow "must be" for `debugLevel`.
pub fn wanted_level() -> String {
    format!("{}, or an array of them", Kind::Word(&Level::WORDS).wanted())
}

/// The words that follow "must be" for the quality of `setCall()`.
pub fn wanted_quality() -> String {
    let words = QUALITIES.map(|(word, _)| word).join("\", \"");
    format!("\"{words}\" or bits per second from 0 to {HIGHEST_BITRATE}")
}

/// Defines a module for each object, with its table and a constant for each key. So no key is
/// written twice.
macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $module:ident = $name:literal {
            $($field:ident = $key:literal, $kind:expr, $default:literal;)*
        }
    )*) => {$(
        $(#[$doc])*
        pub mod $module {
            use super::*;

            $(
                #[doc = concat!("`", $key, "`.")]
                pub const $field: Field =
                    Field { name: $key, kind: $kind, default: $default };
            )*

            /// The keys above.
            pub const TABLE: Table = Table { name: $name, fields: &[$($field),*] };
        }
    )*};
}

const fn millis(least: u32) -> Kind {
    Kind::Number { unit: "milliseconds", least, most: LONGEST }
}

tables! {
    /// The options of `new VideoRTC`.
    options = "options" {
        API_SECRET = "apiSecret", Kind::Text, "none";
        TOKEN = "token", Kind::Credential, "none";
        ACCOUNT = "account", Kind::Text, "none";
        WITH_CREDENTIALS = "withCredentials", Kind::Flag, "false";
        ICE_TRANSPORT_POLICY = "iceTransportPolicy", Kind::Word(&["all", "relay"]), "the browser's";
        BUNDLE_POLICY =
            "bundlePolicy", Kind::Word(&["balanced", "max-compat", "max-bundle"]), "\"max-bundle\"";
        REQUEST_TIMEOUT = "requestTimeout", millis(100), "10000";
        RETRY_LIMIT = "retryLimit", millis(0), "120000";
        POLL_EVENTS = "pollEvents", Kind::Number { unit: "events", least: 1, most: 100 }, "10";
    }

    /// The argument of `getDevices()`.
    devices = "config" {
        KIND = "kind", Kind::Word(&["audioinput", "videoinput", "audiooutput"]), "all";
        LABELS = "labels", Kind::Flag, "false";
    }

    /// The listeners of `videoCall()`.
    events = "onEvents" {
        REGISTERED = "onRegistered", Kind::Function, "";
        GOT_PEERS = "onGotPeers", Kind::Function, "";
        CALLING = "onCalling", Kind::Function, "";
        INCOMING_CALL = "onIncomingCall", Kind::Function, "";
        ACCEPTED = "onAccepted", Kind::Function, "";
        HANG_UP = "onHangUp", Kind::Function, "";
        DATA_RECEIVED = "onDataReceived", Kind::Function, "";
        SET_CALL = "onSetCall", Kind::Function, "";
        READY_LOCAL_STREAM = "onReadyLocalStream", Kind::Function, "";
        REMOTE_STREAM_READY = "onRemoteStreamReady", Kind::Function, "";
        SLOW_LINK = "onSlowLink", Kind::Function, "";
        FILE_TRANSFER_OK = "onFileTransferOk", Kind::Function, "";
        FILE_TRANSFER_KO = "onFileTransferKo", Kind::Function, "";
        TRANSFER_PROGRESS = "onTransferProgress", Kind::Function, "";
        RECONNECTING = "onReconnecting", Kind::Function, "";
        RECONNECTED = "onReconnected", Kind::Function, "";
        ERROR = "onError", Kind::Function, "";
    }

    /// The elements of `videoCall()`.
    elements = "domElements" {
        VIDEOS = "videos", Kind::Place, "";
        LOCAL_VIDEO = "localVideo", Kind::Video, "";
        LOCAL = "local", Kind::Video, "";
        REMOTE_VIDEO = "remoteVideo", Kind::Video, "";
        REMOTE = "remote", Kind::Video, "";
        SCREEN_LOCAL = "screenLocal", Kind::Later("screens cannot be shared yet"), "";
        SCREEN_REMOTE = "screenRemote", Kind::Later("screens cannot be shared yet"), "";
    }

    /// The options of `videoCall()`.
    call = "options" {
        RING_TIMEOUT = "ringTimeout", millis(1000), "60000";
        CONNECT_TIMEOUT = "connectTimeout", millis(1000), "30000";
        ACCOUNT = "account", Kind::Text, "that of the connection";
        DATA_CHANNEL = "dataChannel", Kind::Object, "{}";
        STREAM = "stream", Kind::Object, "{}";
    }

    /// `dataChannel` in the options of `videoCall()`.
    data_channel = "options.dataChannel" {
        DATA_ENABLED = "dataEnabled", Kind::Flag, "true";
        ALLOWED_TYPES = "allowedTypes", Kind::Types, "every type";
        MAX_SIZE = "maxSize", Kind::Size, "1073741824";
    }

    /// `stream` in the options of `videoCall()`.
    stream = "options.stream" {
        AUDIO_ENABLED = "audioEnabled", Kind::Flag, "true";
        VIDEO_ENABLED = "videoEnabled", Kind::Flag, "true";
        DATA_ENABLED = "dataEnabled", Kind::Flag, "true";
        AUDIO_DEVICE = "aDeviceId", Kind::Text, "the browser's choice";
        VIDEO_DEVICE = "vDeviceId", Kind::Text, "the browser's choice";
        RESOLUTION = "resolution", Kind::Resolution, "the browser's choice";
        FRAME_RATE =
            "frameRate",
            Kind::Number { unit: "frames per second", least: 1, most: 240 },
            "the browser's choice";
        VOICE_PROCESSOR = "voiceProcessor", Kind::Flag, "true";
    }

    /// The listeners of `echoTest()`.
    echo_events = "onEvents" {
        READY_LOCAL_STREAM = "onReadyLocalStream", Kind::Function, "";
        REMOTE_STREAM_READY = "onRemoteStreamReady", Kind::Function, "";
        SLOW_LINK = "onSlowLink", Kind::Function, "";
        ERROR = "onError", Kind::Function, "";
    }

    /// The options of `echoTest()`.
    echo = "options" {
        CONNECT_TIMEOUT = "connectTimeout", millis(1000), "30000";
        ACCOUNT = "account", Kind::Text, "that of the connection";
        STREAM = "stream", Kind::Object, "{}";
    }

    /// The last argument of `sendData()`.
    sending = "optional" {
        FILENAME = "filename", Kind::Text, "the name of the File";
        ON_PROGRESS = "onProgress", Kind::Function, "";
        SIGNAL = "signal", Kind::Signal, "";
    }
}
