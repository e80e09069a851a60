//! Errors as a page sees them: documented codes, one sentence each, and no secret.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use videortc::client::{Client, Output};
use videortc::config::{GatewayConfig, Secret, ServerUrl, Token, UserName};
use videortc::data;
use videortc::error::{Code, Error};
use videortc::peer::{self, Step};
use videortc::signaling::{self, CoreCode, HttpResponse, InvalidAnswer, Io};
use videortc::time::Time;
use videortc::usecase::video_call::{self, End, Misuse, PluginCode};
use videortc::usecase::{Closed, Command, echo_test};

fn words<'a>(text: &'a str, begin: &str, end: &str) -> BTreeSet<&'a str> {
    let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let lines = text.lines().filter_map(|line| line.strip_prefix(begin)?.split_once(end));
    lines.map(|(word, _)| word).filter(|word| !word.is_empty()).filter(is_word).collect()
}

#[test]
fn declarations_and_reference_list_every_code() {
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), Code::ALL.len(), "a word stands for two codes");
    let declared = include_str!("../pkg-template/index.d.ts").replace(';', "\"");
    assert_eq!(words(&declared, "  | \"", "\""), codes, "index.d.ts");
    let documented = words(include_str!("../docs/reference.md"), "| `", "` | ");
    assert_eq!(documented.intersection(&codes).count(), codes.len(), "docs/reference.md");
}

/// One error of each kind, from every layer.
fn all() -> Vec<Error> {
    let (name, cause) =
        (|| UserName::parse("Tom").unwrap(), || "NotReadableError: in use".to_owned());
    let (kind, body) = (|| "text/plain".to_owned(), || "<html>".to_owned());
    let request = "Attach";
    let unreachable = || signaling::Error::Unreachable { cause: cause() };
    let core = |code| signaling::Error::Refused { code: CoreCode(code), reason: "No".into() };
    let plugin = |code| video_call::Error::Refused {
        code: PluginCode(code),
        reason: "No".into(),
        name: Some(name()),
    };
    let gateway = [
        unreachable(),
        signaling::Error::Timeout { request, limit: Duration::from_secs(10) },
        InvalidAnswer::Status { status: 502, body: body() }.into(),
        InvalidAnswer::NotFound.into(),
        InvalidAnswer::NotJson { body: body() }.into(),
        InvalidAnswer::NotJson { body: String::new() }.into(),
        InvalidAnswer::NotAnObject { body: body() }.into(),
        InvalidAnswer::TooLong { length: 9, most: 8 }.into(),
        InvalidAnswer::Unexpected { request }.into(),
        InvalidAnswer::UnusableId { id: None }.into(),
        InvalidAnswer::UnusableId { id: Some(0) }.into(),
        signaling::Error::NoServer { failures: vec![(ServerUrl::new("http://a.test"), core(403))] },
        signaling::Error::OutOfReach { cause: Box::new(unreachable()) },
        core(403),
        core(458),
        core(460),
        core(490),
        signaling::Error::Forbidden { body: String::new() },
        signaling::Error::NoToken { cause: cause() },
        signaling::Error::TokenTimeout { limit: Duration::from_secs(10) },
        signaling::Error::SessionTimedOut,
        signaling::Error::NotConnected,
        signaling::Error::ConnectCancelled,
        signaling::Error::Disconnected,
        signaling::Error::PageLeft,
    ];
    let calls = [
        plugin(473),
        plugin(476),
        plugin(477),
        plugin(478),
        plugin(479),
        plugin(480),
        plugin(481),
        plugin(499),
        video_call::Error::UnexpectedAnswer { event: "list".into() },
        video_call::Error::MissingAnswer,
        video_call::Error::AnswerLost,
        video_call::Error::Timeout,
        video_call::Error::WedgedHandle,
        video_call::Error::Busy { peer: name() },
        End::HangUp.into(),
        End::CloseUsecase.into(),
        End::Disconnect.into(),
        Closed::ByDisconnect.into(),
        End::ByPeer { reason: "Hung up".into() }.into(),
        End::NoAnswer.into(),
        End::ByGateway { reason: None }.into(),
        End::ByGateway { reason: Some("Hung up") }.into(),
        Closed::ByGateway.into(),
        End::LostTooOften.into(),
        End::CrossedTooOften.into(),
        End::NotRedialed.into(),
        Closed::ByPage.into(),
        Misuse::Restoring.into(),
        Misuse::NotRegistered.into(),
        Misuse::AlreadyRegistered { name: name() }.into(),
        Misuse::Registering { name: name() }.into(),
        Misuse::NobodyToCall.into(),
        Misuse::CallingSelf.into(),
        Misuse::InCall { peer: name() }.into(),
        Misuse::NothingToAccept.into(),
        Misuse::NothingToHangUp.into(),
        Misuse::NothingToSendThrough.into(),
        Misuse::NothingToMute.into(),
    ];
    let transfers = [
        data::Error::Disabled,
        data::Error::DisabledByPeer,
        data::Error::NoChannel,
        data::Error::NotSupportedByPeer { kind: kind(), size: 7 },
        data::Error::TypeRefused { kind: kind() },
        data::Error::TooLargeForPeer { size: 7 },
        data::Error::TypeNotAllowed { kind: kind() },
        data::Error::TooLarge { kind: kind(), size: 7 },
        data::Error::Cancelled,
        data::Error::CancelledByPeer,
        data::Error::Aborted,
        data::Error::Unreadable { cause: cause() },
        data::Error::Changed,
        data::Error::NotKept,
        data::Error::NotKeptByPeer,
        data::Error::PeerMisbehaved,
        data::Error::NotUnderstoodByPeer,
        data::Error::NotTakenByPeer,
        data::Error::Damaged,
        data::Error::PeerNeverSpoke,
        data::Error::PeerSilent,
        data::Error::ChannelClosed,
        data::Error::CallEnded { reason: "Hung up".into() },
    ];
    let echo = [
        echo_test::Error::Refused { code: 414, reason: cause() },
        echo_test::Error::UnexpectedAnswer { result: "done".into() },
        echo_test::Error::MissingAnswer,
        echo_test::Error::NoMedia,
        echo_test::Error::NoData,
        echo_test::Error::PathLost,
        echo_test::Error::ByGateway { reason: cause() },
        echo_test::Error::Stopped,
        Closed::ByPage.into(),
        echo_test::Misuse::Running.into(),
        echo_test::Misuse::NotRunning.into(),
        echo_test::Misuse::Restoring.into(),
    ];
    let exceptions = ["NotAllowedError", "NotFoundError", "OverconstrainedError", "AbortError", ""];
    let devices = exceptions.map(|name| peer::Error::from_exception(name, cause()));
    let steps = [Step::Open, Step::Offer, Step::ApplyRemote, Step::Other];
    let failed = steps.map(|step| peer::Error::Failed { step, cause: cause() });
    let media = [
        peer::Error::PermissionTimeout,
        peer::Error::NotSupported,
        peer::Error::NotSent { kind: "audio" },
        peer::Error::NoIceServers { cause: cause() },
        peer::Error::Closed,
        peer::Error::NotConnected,
        peer::Error::PathLost,
    ];
    let page = [
        Error::invalid_argument("servers must be a gateway address"),
        Error::unreadable_argument("options.token threw when it was read", cause()),
        Error::not_supported("this browser has no fetch"),
        Error::Dropped,
    ];
    gateway
        .into_iter()
        .map(Error::from)
        .chain(calls.into_iter().map(Error::from))
        .chain(transfers.into_iter().map(Error::from))
        .chain(echo.into_iter().map(Error::from))
        .chain(devices.into_iter().chain(failed).chain(media).map(Error::from))
        .chain(page)
        .collect()
}

#[test]
fn every_error_has_a_code_and_a_message() {
    let mut missing: Vec<Code> = Code::ALL.to_vec();
    for error in all() {
        missing.retain(|code| *code != error.code());
        let message = error.message();
        assert!(message.len() > 15 && !message.ends_with('.'), "{error:?}: {message}");
        assert!(message.starts_with(|c: char| !c.is_uppercase() || message.starts_with("HTTP")));
        assert_eq!(error.to_string(), format!("{}: {message}", error.code()));
        assert_ne!(error.cause().as_deref(), Some(""), "{error:?}");
    }
    // The loader and the guard of the page create these two.
    assert_eq!(missing, [Code::LoadFailed, Code::InternalError]);
}

#[test]
fn interprets_gateway_codes_by_their_origin() {
    let reason = || "Unauthorized (wrong token)".to_owned();
    let core = signaling::Error::Refused { code: CoreCode::TOKEN_NOT_FOUND, reason: reason() };
    let core = Error::from(video_call::Error::from(core));
    let plugin = video_call::Error::Refused { code: PluginCode(470), reason: reason(), name: None };
    let plugin = Error::from(plugin);
    for (error, code) in [(core, Code::Unauthorized), (plugin, Code::GatewayError)] {
        assert_eq!(error.code(), code);
        assert_eq!(error.gateway_code(), Some(470));
        assert_eq!(error.cause(), Some(reason()));
    }
}

#[test]
fn error_of_several_servers_has_their_common_code() {
    let unreachable = || signaling::Error::Unreachable { cause: "TypeError".into() };
    let full = || signaling::Error::Refused { code: CoreCode(472), reason: "Full".into() };
    let of = |failures: Vec<signaling::Error>| {
        let name = |i| ServerUrl::new(format!("https://{i}.test"));
        let failures = failures.into_iter().enumerate();
        Error::from(signaling::Error::NoServer {
            failures: failures.map(|(i, error)| (name(i), error)).collect(),
        })
    };
    let one = of(vec![full()]);
    assert_eq!((one.code(), one.gateway_code()), (Code::GatewayError, Some(472)));
    assert_eq!(one.cause().as_deref(), Some("Full"));
    let same = of(vec![full(), full()]);
    assert_eq!((same.code(), same.gateway_code(), same.cause()), (Code::GatewayError, None, None));
    let mixed = of(vec![full(), unreachable()]);
    assert_eq!(mixed.code(), Code::GatewayUnreachable);
    for part in ["https://0.test: the gateway refused", " | https://1.test: nothing answered"] {
        assert!(mixed.message().contains(part), "{mixed}");
    }
}

#[test]
fn distinguishes_device_errors_of_the_browser() {
    for (name, code) in [
        ("NotAllowedError", Code::PermissionDenied),
        ("SecurityError", Code::PermissionDenied),
        ("NotFoundError", Code::DeviceNotFound),
        ("OverconstrainedError", Code::DeviceNotFound),
        ("NotReadableError", Code::DeviceInUse),
        ("AbortError", Code::DeviceInUse),
        ("TypeError", Code::DeviceError),
        ("", Code::DeviceError),
    ] {
        let error = Error::from(peer::Error::from_exception(name, format!("{name}: no")));
        assert_eq!(error.code(), code, "{name}");
        assert_eq!(error.cause(), Some(format!("{name}: no")));
    }
}

/// Results that are passed around mostly hold no error, so errors must be small.
#[test]
fn errors_are_small() {
    assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
}

/// A gateway and a browser that echo the secret in every text of theirs.
#[test]
fn errors_contain_no_secret() {
    let echo = "s3cret \"&\" more";
    for response in [
        HttpResponse::Failed(format!("TypeError: {echo}")),
        HttpResponse::Answered { status: 502, body: echo.into() },
        HttpResponse::Answered {
            status: 200,
            body: serde_json::json!({
                "janus": "error", "transaction": "1", "error": { "code": 472, "reason": echo },
            })
            .to_string(),
        },
    ] {
        let mut config = GatewayConfig::new(vec![ServerUrl::new("https://a.test/janus")]);
        config.token = Token::Fixed(Secret::new(echo));
        let count = Cell::new(1);
        let random = Rc::new(move || count.replace(count.get() + 1));
        let mut client = Client::new(config, random);
        client.connect(Command(1), Time::from_millis(0));
        let mut told = Vec::new();
        while let Some(output) = client.poll_output() {
            match output {
                Output::Io(Io::Fetch(request))
                    if request.url.starts_with("https://a.test/janus?") =>
                {
                    client.handle_http(request.id, response.clone(), Time::from_millis(1));
                }
                Output::Done(_, Err(error)) => told.push(error),
                Output::Log(_, line) => assert!(!line.contains("s3cret"), "{line}"),
                _ => {}
            }
        }
        let [error] = &told[..] else { panic!("{told:?}") };
        assert!(error.code() != Code::InternalError && !error.message().is_empty());
        assert!(!format!("{error:?} {error} {:?}", error.cause()).contains("s3cret"), "{error:?}");
    }
}
