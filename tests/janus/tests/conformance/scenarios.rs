//! The script: what people do with a gateway, well and badly.

use serde_json::json;

use crate::sdp;
use crate::stage::{Stage, Who};

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&mut Stage),
}

const fn scenario(name: &'static str, play: fn(&mut Stage)) -> Scenario {
    Scenario { name, play }
}

pub(crate) const ALL: &[Scenario] = &[
    scenario("the server", the_server),
    scenario("bad requests", bad_requests),
    scenario("session and handle", session_and_handle),
    scenario("wrong places", wrong_places),
    scenario("polls", polls),
    scenario("names", names),
    scenario("calls that cannot ring", calls_that_cannot_ring),
    scenario("a call", a_call),
    scenario("hang-up by the callee", hang_up_by_the_callee),
    scenario("decline", decline),
    scenario("cancel", cancel),
    scenario("busy", busy),
    scenario("a call in a call", a_call_in_a_call),
    scenario("crossing calls", crossing_calls),
    scenario("redial", redial),
    scenario("the caller leaves while ringing", the_caller_leaves_while_ringing),
    scenario("the callee leaves while ringing", the_callee_leaves_while_ringing),
    scenario("leaving in a call", leaving_in_a_call),
    scenario("the core's hang-up", the_cores_hang_up),
    scenario("settings", settings),
    scenario("renegotiation", renegotiation),
    scenario("renegotiation of both at once", renegotiation_of_both_at_once),
    scenario("accept as a question", accept_as_a_question),
    scenario("accept twice", accept_twice),
    scenario("a name after its session", a_name_after_its_session),
    scenario("candidates", candidates),
    scenario("descriptions", descriptions),
    scenario("claim", claim),
];

pub(crate) const WITH_SECRET: &[Scenario] = &[scenario("secret and token", secret_and_token)];

pub(crate) const WITH_SHORT_TIMEOUT: &[Scenario] = &[scenario("idle", idle)];

/// The events of Janus' threads at the end of a connection, in any order.
const CLOSED: [&str; 2] = ["core hangup (Close PC)", "hangup (Remote WebRTC hangup)"];

/// The events on both sides of a call when `hanger` hangs up. The plugin's own thread takes part in
/// the race.
fn both_hear_the_end(stage: &mut Stage, hanger: Who, other: Who) {
    both_hear_the_end_with(stage, hanger, other, "hangup (We did the hangup)");
}

fn both_hear_the_end_with(stage: &mut Stage, hanger: Who, other: Who, told: &str) {
    let [core, plugin] = CLOSED;
    stage.expect_in_any_order(hanger, &["hangup (Explicit hangup)", core, plugin]);
    stage.expect_in_any_order(other, &[told, core, plugin]);
}

fn the_server(stage: &mut Stage) {
    stage.request("", &json!({ "janus": "info" }));
    stage.request("", &json!({ "janus": "ping" }));
    stage.request("", &json!({ "janus": "PING" }));
    stage.raw("POST to info", "POST", "/info", "", "{}");
    let preflight = "Origin: http://page.example\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: content-type\r\n";
    stage.raw("a preflight", "OPTIONS", "", preflight, "");
    stage.raw("from another origin", "POST", "", "Origin: http://page.example\r\n", "{}");
    let ping = r#"{"janus":"ping","transaction":"plain"}"#;
    stage.raw("a body that is plain text", "POST", "", "Content-Type: text/plain\r\n", ping);
    stage.raw("a body of no type", "POST", "", "", ping);
    stage.raw("PUT", "PUT", "", "", ping);
}

fn bad_requests(stage: &mut Stage) {
    for (what, body) in [
        ("POST with an empty body", ""),
        ("no JSON", "nonsense"),
        ("half a JSON", r#"{"janus":"create","#),
        ("HTML", "<html></html>"),
        ("a string", r#""create""#),
        ("a number", "5"),
        ("an array", "[]"),
        ("an empty object", "{}"),
        ("no transaction", r#"{"janus":"create"}"#),
        ("a transaction that is a number", r#"{"janus":"create","transaction":5}"#),
        ("no request", r#"{"transaction":"t"}"#),
        ("a request that is a number", r#"{"janus":5,"transaction":"t"}"#),
        ("an id below 0", r#"{"janus":"create","transaction":"t","id":-1}"#),
        ("an id that is a string", r#"{"janus":"create","transaction":"t","id":"x"}"#),
        ("an unknown request", r#"{"janus":"nonsense","transaction":"t"}"#),
        ("a handle without a session", r#"{"janus":"detach","transaction":"t","handle_id":5}"#),
        ("a session that is a string", r#"{"janus":"attach","transaction":"t","session_id":"x"}"#),
    ] {
        stage.raw(what, "POST", "", "", body);
    }
}

fn session_and_handle(stage: &mut Stage) {
    const CHOSEN: u64 = 4_503_599_627_370_497;
    stage.know(CHOSEN, "the chosen session");
    let create = json!({ "janus": "create", "id": CHOSEN });
    stage.request("", &create);
    stage.request("", &create);
    let path = format!("/{CHOSEN}");
    stage.request(&path, &json!({ "janus": "keepalive" }));
    stage.request(&path, &json!({ "janus": "attach", "plugin": "janus.plugin.nonsense" }));
    stage.request(&path, &json!({ "janus": "attach", "plugin": 5 }));
    stage.request(&path, &json!({ "janus": "attach" }));
    stage.request(&path, &json!({ "janus": "destroy" }));
    stage.request(&path, &json!({ "janus": "keepalive" }));
    stage.request(&path, &json!({ "janus": "destroy" }));
    stage.raw("a poll on a session that was destroyed", "GET", &path, "", "");
    stage.request("", &create);
    stage.request(&path, &json!({ "janus": "destroy" }));

    let a = stage.nobody("Ada");
    let handle = stage.handle(a);
    stage.request(&handle, &json!({ "janus": "keepalive" }));
    stage.request(&handle, &json!({ "janus": "detach" }));
    stage.expect(a, &["core detached"]);
    stage.request(&handle, &json!({ "janus": "detach" }));
    stage.request(&handle, &json!({ "janus": "message", "body": {} }));
    stage.end(a);
}

fn wrong_places(stage: &mut Stage) {
    let a = stage.nobody("Ada");
    let (session, handle) = (stage.session(a), stage.handle(a));
    for request in ["message", "trickle", "hangup", "detach", "nonsense", "create", "info"] {
        stage.request(&session, &json!({ "janus": request }));
    }
    for request in ["attach", "destroy", "nonsense", "create"] {
        stage.request(&handle, &json!({ "janus": request }));
    }
    for request in ["attach", "message", "destroy", "keepalive", "nonsense"] {
        stage.request("", &json!({ "janus": request }));
    }
    stage.request("/77", &json!({ "janus": "create" }));
    stage.request("/77/5", &json!({ "janus": "message", "body": {} }));
    stage.request(&format!("{session}/5"), &json!({ "janus": "message", "body": {} }));
    stage.request(&format!("{session}/x"), &json!({ "janus": "message", "body": {} }));
    stage.request(&session, &json!({ "janus": "keepalive", "session_id": 5 }));
    stage.request(&handle, &json!({ "janus": "keepalive", "handle_id": 5 }));
    let id = stage.session_id(a);
    stage.request("", &json!({ "janus": "keepalive", "session_id": id }));
    stage.request(&session, &json!({ "janus": "keepalive", "handle_id": "x" }));
    stage.request("/nonsense", &json!({ "janus": "ping" }));
    stage.raw("POST to a path that is too long", "POST", "/1/2/3", "", "{}");
    stage.raw("GET of the base", "GET", "", "", "");
    stage.raw("GET of the base with a slash", "GET", "/", "", "");
    stage.raw("GET of nonsense", "GET", "/nonsense", "", "");
    stage.raw("GET of an unknown session", "GET", "/77", "", "");
    stage.raw("GET of a handle", "GET", &handle, "", "");
}

fn polls(stage: &mut Stage) {
    let a = stage.nobody("Ada");
    let path = stage.session(a);
    let list = json!({ "request": "nonsense" });
    for query in ["", "?maxev=1", "?maxev=0", "?maxev=x", "?maxev=2"] {
        stage.plugin(a, &list);
        stage.raw(&format!("a poll with {query:?}"), "GET", &format!("{path}{query}"), "", "");
    }
    for _ in 0..3 {
        stage.plugin(a, &list);
    }
    stage.expect(a, &["error 472", "error 472", "error 472"]);
    stage.expect_keepalive_for_the_second_poll(a);
}

fn names(stage: &mut Stage) {
    let a = stage.nobody("Ada");
    let b = stage.nobody("Bob");
    let name = stage.name(a);
    stage.plugin(a, &json!({ "request": "list" }));
    stage.expect(a, &["list"]);
    for body in [
        json!({ "request": "register" }),
        json!({ "request": "register", "username": 5 }),
        json!({ "request": "register", "username": name }),
        json!({ "request": "register", "username": name }),
        json!({ "request": "register", "username": "another" }),
        json!({ "request": "list" }),
        json!({ "request": "LIST" }),
        json!({ "request": "nonsense" }),
        json!({ "request": 5 }),
        json!({}),
    ] {
        stage.plugin(a, &body);
    }
    let tags = ["error 475", "error 474", "registered", "error 477", "error 477", "list", "list"];
    stage.expect(a, &tags);
    stage.expect(a, &["error 472", "error 474", "error 475"]);
    stage.plugin(b, &json!({ "request": "register", "username": name }));
    stage.expect(b, &["error 476"]);
    // Leaving frees the name.
    let handle = stage.handle(a);
    stage.request(&handle, &json!({ "janus": "detach" }));
    stage.expect(a, &["core detached"]);
    stage.end(a);
    stage.plugin(b, &json!({ "request": "register", "username": name }));
    stage.expect(b, &["registered"]);
}

fn calls_that_cannot_ring(stage: &mut Stage) {
    let a = stage.nobody("Ada");
    let b = stage.client("Bob");
    let (ada, bob) = (stage.name(a), stage.name(b));
    // First of all: for a moment after a connection, Janus words this in another way.
    stage.accept(a);
    stage.call(a, &bob);
    stage.expect_in_any_order(a, &["error 473", "core hangup (Close PC)"]);
    stage.plugin(a, &json!({ "request": "accept" }));
    stage.expect(a, &["error 481"]);
    stage.hang_up(a);
    stage.expect(a, &["hangup (Explicit hangup)"]);
    stage.plugin(a, &json!({ "request": "register", "username": ada }));
    stage.expect(a, &["registered"]);
    stage.hang_up(a);
    stage.expect(a, &["hangup (Explicit hangup)"]);
    for (whom, error) in [("nobody at all", "error 478"), (ada.as_str(), "error 479")] {
        stage.settle(a);
        stage.call(a, whom);
        stage.expect_in_any_order(a, &[error, "core hangup (Close PC)"]);
    }
    stage.settle(a);
    stage.plugin_with(a, &json!({ "request": "call" }), Some(sdp::offer()));
    stage.expect_in_any_order(a, &["error 475", "core hangup (Close PC)"]);
    stage.plugin(a, &json!({ "request": "call", "username": bob }));
    stage.expect(a, &["error 482"]);
    // All of that leaves no trace.
    stage.ring(a, b);
}

fn a_call(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.connect(a, b);
    stage.hang_up(a);
    both_hear_the_end(stage, a, b);
}

fn hang_up_by_the_callee(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.connect(a, b);
    stage.plugin(b, &json!({ "request": "hangup", "reason": "I must go" }));
    both_hear_the_end_with(stage, b, a, "hangup (I must go)");
    stage.hang_up(a);
    stage.expect(a, &["hangup (Explicit hangup)"]);
}

fn decline(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.ring(a, b);
    stage.hang_up(b);
    both_hear_the_end(stage, b, a);
    // There is nothing left to accept.
    stage.plugin(b, &json!({ "request": "accept" }));
    stage.expect(b, &["error 481"]);
    stage.ring(b, a);
}

fn cancel(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.ring(a, b);
    stage.hang_up(a);
    both_hear_the_end(stage, a, b);
    stage.ring(a, b);
}

fn busy(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    let c = stage.client("Cid");
    stage.ring(a, b);
    for who in [a, b] {
        let name = stage.name(who);
        stage.settle(c);
        stage.call(c, &name);
        stage.expect_in_any_order(c, &["hangup (User busy)", "core hangup (Close PC)"]);
    }
    stage.accept(b);
    stage.expect(a, &["accepted"]);
    stage.expect(b, &["accepted"]);
    let name = stage.name(a);
    stage.settle(c);
    stage.call(c, &name);
    stage.expect_in_any_order(c, &["hangup (User busy)", "core hangup (Close PC)"]);
}

fn a_call_in_a_call(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    let c = stage.client("Cid");
    let cid = stage.name(c);
    // While it rings, the core refuses at both ends and the call goes on.
    stage.ring(a, b);
    stage.call(a, &cid);
    stage.call(b, &cid);
    stage.accept(b);
    stage.expect(a, &["accepted"]);
    stage.expect(b, &["accepted"]);
    // In the call it is the plugin that refuses, and the call dies.
    stage.call(a, &cid);
    let [core, plugin] = CLOSED;
    stage.expect_in_any_order(a, &["error 480", core, plugin]);
    stage.expect_in_any_order(b, &CLOSED);
}

/// The order that one can bring about: the second call comes when the first has rung. How two calls
/// cross in the plugin itself is a race that the core of the embedded gateway is tested with.
fn crossing_calls(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.ring(a, b);
    let ada = stage.name(a);
    stage.call(b, &ada);
    stage.accept(b);
    stage.expect(b, &["accepted"]);
    stage.expect(a, &["accepted"]);
    stage.hang_up(b);
    both_hear_the_end(stage, b, a);
}

fn redial(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    for _ in 0..2 {
        stage.connect(a, b);
        stage.hang_up(b);
        both_hear_the_end(stage, b, a);
        stage.connect(b, a);
        stage.hang_up(b);
        both_hear_the_end(stage, b, a);
    }
}

fn the_caller_leaves_while_ringing(stage: &mut Stage) {
    let b = stage.client("Bob");
    for (name, request) in [("Ada", "detach"), ("Eve", "destroy")] {
        let a = stage.client(name);
        stage.ring(a, b);
        if request == "detach" {
            let handle = stage.handle(a);
            stage.request(&handle, &json!({ "janus": "detach" }));
            stage.expect_among_others(a, "core detached");
        }
        stage.end(a);
        stage.expect_in_any_order(b, &CLOSED);
    }
    let c = stage.client("Cid");
    stage.ring(c, b);
}

fn the_callee_leaves_while_ringing(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.ring(a, b);
    let handle = stage.handle(b);
    stage.request(&handle, &json!({ "janus": "detach" }));
    stage.expect_among_others(b, "core detached");
    stage.end(b);
    stage.expect_in_any_order(a, &CLOSED);
    let c = stage.client("Cid");
    stage.ring(c, a);
}

fn leaving_in_a_call(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.connect(a, b);
    stage.end(a);
    stage.expect_in_any_order(b, &CLOSED);
    let c = stage.client("Cid");
    stage.connect(c, b);
    let handle = stage.handle(b);
    stage.request(&handle, &json!({ "janus": "detach" }));
    stage.expect_among_others(b, "core detached");
    stage.end(b);
    stage.expect_in_any_order(c, &CLOSED);
}

fn the_cores_hang_up(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    let handle = stage.handle(a);
    // Without a connection nothing happens.
    stage.request(&handle, &json!({ "janus": "hangup" }));
    for rings_only in [true, false] {
        if rings_only {
            stage.ring(a, b);
        } else {
            stage.connect(a, b);
        }
        stage.request(&handle, &json!({ "janus": "hangup" }));
        let tags = ["core hangup (Janus API)", "hangup (Remote WebRTC hangup)"];
        stage.expect_in_any_order(a, &tags);
        stage.expect_in_any_order(b, &CLOSED);
    }
}

fn settings(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    let wrong = [
        json!({ "audio": "yes" }),
        json!({ "video": 1 }),
        json!({ "bitrate": -1 }),
        json!({ "bitrate": "fast" }),
        json!({ "bitrate": 1.5 }),
        json!({ "record": 1 }),
        json!({ "filename": 1 }),
        json!({ "restart": 1 }),
        json!({ "substream": 3 }),
        json!({ "temporal": "x" }),
        json!({ "fallback": -1 }),
    ];
    for mut settings in wrong {
        settings["request"] = json!("set");
        stage.plugin(a, &settings);
        stage.expect(a, &["error 474"]);
    }
    let set = json!({ "request": "set", "audio": false, "video": true, "bitrate": 128_000 });
    stage.plugin(a, &set);
    stage.expect(a, &["set"]);
    stage.connect(a, b);
    stage.plugin(a, &set);
    stage.expect(a, &["set"]);
    stage.plugin(b, &json!({ "request": "set" }));
    stage.expect(b, &["set"]);
}

fn renegotiation(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.connect(a, b);
    stage.plugin_with(a, &json!({ "request": "set", "restart": true }), Some(sdp::offer()));
    stage.expect(b, &["update"]);
    stage.expect(a, &["set"]);
    stage.plugin_with(b, &json!({ "request": "set" }), Some(sdp::answer()));
    stage.expect(a, &["update"]);
    stage.expect(b, &["set"]);
}

/// Both offers and both answers pass: the gateway decides nothing.
fn renegotiation_of_both_at_once(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.connect(a, b);
    for (who, other) in [(a, b), (b, a)] {
        stage.plugin_with(who, &json!({ "request": "set" }), Some(sdp::offer()));
        stage.expect(other, &["update"]);
        stage.expect(who, &["set"]);
    }
    for (who, other) in [(a, b), (b, a)] {
        stage.plugin_with(who, &json!({ "request": "set" }), Some(sdp::answer()));
        stage.expect(other, &["update"]);
        stage.expect(who, &["set"]);
    }
    stage.hang_up(a);
    both_hear_the_end(stage, a, b);
}

/// An `accept` without a description tells whether there is a call (482) or none (481), and harms
/// neither.
fn accept_as_a_question(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    let ask = |stage: &mut Stage, tag| {
        for who in [a, b] {
            stage.plugin(who, &json!({ "request": "accept" }));
            stage.expect(who, &[tag]);
        }
    };
    ask(stage, "error 481");
    stage.ring(a, b);
    ask(stage, "error 482");
    stage.accept(b);
    stage.expect(a, &["accepted"]);
    stage.expect(b, &["accepted"]);
    ask(stage, "error 482");
    // The call goes on: what one end says still reaches the other.
    stage.plugin_with(a, &json!({ "request": "set" }), Some(sdp::offer()));
    stage.expect(b, &["update"]);
    stage.expect(a, &["set"]);
    stage.plugin_with(b, &json!({ "request": "set" }), Some(sdp::answer()));
    stage.expect(a, &["update"]);
    stage.expect(b, &["set"]);
    stage.hang_up(a);
    both_hear_the_end(stage, a, b);
    ask(stage, "error 481");
}

/// Whoever does not know whether an `accept` arrived may say it again: the caller hears it twice.
fn accept_twice(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.connect(a, b);
    stage.accept(b);
    stage.expect(a, &["accepted"]);
    stage.expect(b, &["accepted"]);
    stage.hang_up(b);
    both_hear_the_end(stage, b, a);
}

/// A session that is destroyed in a call takes its name with it, and the peer hears of it.
fn a_name_after_its_session(stage: &mut Stage) {
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    stage.connect(a, b);
    stage.end(a);
    stage.expect_in_any_order(b, &CLOSED);
    let c = stage.client("Ada");
    stage.connect(b, c);
}

fn candidates(stage: &mut Stage) {
    const LINE: &str = "candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host";
    let a = stage.client("Ada");
    let b = stage.client("Bob");
    let forms = [
        json!({ "candidate": { "candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0 } }),
        json!({ "candidate": { "candidate": LINE, "sdpMid": "0" } }),
        json!({ "candidates": [{ "candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0 }] }),
        json!({ "candidates": [{ "candidate": LINE, "sdpMid": "0" }, { "completed": true }] }),
        json!({ "candidates": [] }),
        json!({ "candidates": [5] }),
        json!({ "candidates": 5 }),
        json!({ "candidate": { "completed": true } }),
        json!({ "candidate": null }),
        json!({ "candidate": "x" }),
        json!({ "candidate": {} }),
        json!({ "candidate": { "candidate": "", "sdpMid": "0" } }),
        json!({ "candidate": { "candidate": 5, "sdpMid": "0" } }),
        json!({ "candidate": { "sdpMid": "0" } }),
        json!({ "candidate": { "candidate": LINE, "sdpMid": 0 } }),
        json!({ "candidate": { "candidate": LINE, "sdpMLineIndex": -1 } }),
        json!({ "candidate": {}, "candidates": [] }),
        json!({ "completed": true }),
        json!({}),
    ];
    let send_all = |stage: &mut Stage, who| {
        let handle = stage.handle(who);
        for mut form in forms.clone() {
            form["janus"] = json!("trickle");
            stage.request(&handle, &form);
        }
    };
    send_all(stage, a);
    stage.ring(a, b);
    send_all(stage, a);
    send_all(stage, b);
    stage.accept(b);
    stage.expect(a, &["accepted"]);
    stage.expect(b, &["accepted"]);
    send_all(stage, a);
    send_all(stage, b);
}

fn descriptions(stage: &mut Stage) {
    let a = stage.client("Ada");
    let handle = stage.handle(a);
    for jsep in [
        json!(5),
        json!(null),
        json!({}),
        json!({ "type": "offer" }),
        json!({ "sdp": "v=0" }),
        json!({ "type": 5, "sdp": "v=0" }),
        json!({ "type": "offer", "sdp": 5 }),
        json!({ "type": "offer", "sdp": "" }),
        json!({ "type": "offer", "sdp": "nonsense" }),
        json!({ "type": "offer", "sdp": "v=0\r\nnonsense" }),
        json!({ "type": "nonsense", "sdp": "v=0" }),
        json!({ "type": "offer", "sdp": "v=0", "trickle": 5 }),
    ] {
        stage.request(&handle, &json!({ "janus": "message", "body": {}, "jsep": jsep }));
    }
    stage.request(&handle, &json!({ "janus": "message" }));
    stage.request(&handle, &json!({ "janus": "message", "body": 5 }));
}

fn claim(stage: &mut Stage) {
    let a = stage.nobody("Ada");
    let path = stage.session(a);
    stage.plugin(a, &json!({ "request": "nonsense" }));
    stage.expect(a, &["error 472"]);
    stage.request(&path, &json!({ "janus": "claim" }));
    // The session goes on.
    stage.plugin(a, &json!({ "request": "nonsense" }));
    stage.expect(a, &["error 472"]);
}

fn secret_and_token(stage: &mut Stage) {
    for with in [
        json!({}),
        json!({ "apisecret": "wrong" }),
        json!({ "apisecret": 5 }),
        json!({ "token": "wrong" }),
    ] {
        let mut create = with;
        create["janus"] = json!("create");
        stage.request("", &create);
        create["janus"] = json!("keepalive");
        stage.request("/77", &create);
        create["janus"] = json!("ping");
        stage.request("", &create);
    }
    const CHOSEN: u64 = 4_503_599_627_370_498;
    stage.know(CHOSEN, "the chosen session");
    let create = json!({ "janus": "create", "id": CHOSEN, "apisecret": "sesame" });
    stage.request("", &create);
    let path = format!("/{CHOSEN}");
    for (member, value) in [("apisecret", "sesame"), ("token", "ticket")] {
        stage.request(&path, &json!({ "janus": "keepalive", member: value }));
        stage.request("", &json!({ "janus": "info", member: value }));
    }
    stage.raw("a poll without a secret", "GET", &path, "", "");
    stage.raw("a poll with the wrong one", "GET", &format!("{path}?apisecret=wrong"), "", "");
    stage.request(&path, &json!({ "janus": "detach", "apisecret": "sesame" }));
    stage.request(&path, &json!({ "janus": "destroy", "token": "ticket" }));
    for query in ["apisecret=sesame", "token=ticket"] {
        let what = format!("a poll with {query} on no session");
        stage.raw(&what, "GET", &format!("{path}?{query}"), "", "");
    }
}

fn idle(stage: &mut Stage) {
    let a = stage.client("Ada");
    stage.expect_gone(a);
    let path = stage.session(a);
    stage.request(&path, &json!({ "janus": "keepalive" }));
    let b = stage.nobody("Bob");
    let name = stage.name(a);
    stage.plugin(b, &json!({ "request": "register", "username": name }));
    stage.expect(b, &["registered"]);
}
