//! Differences between two gateways that do not matter.

use serde_json::{Value, json};

/// Members of Janus' description of itself that the library or a person may rely on. The others
/// tell of its build, its machine and the modules it has loaded.
const INFO: &[&str] = &[
    "janus",
    "name",
    "version",
    "version_string",
    "data_channels",
    "accepting-new-sessions",
    "session-timeout",
    "reclaim-session-timeout",
    "candidates-timeout",
    "full-trickle",
    "ice-lite",
    "ice-tcp",
    "api_secret",
    "auth_token",
];

/// Events that are left out, and why.
pub(crate) fn is_left_out(event: &Value) -> bool {
    match event["janus"].as_str().unwrap_or_default() {
        // Janus sends candidates of its own, the embedded gateway those of the peer.
        "trickle" => true,
        // Janus tells what its connections do, and there is nobody behind ours; the embedded
        // gateway sees no media and says `webrtcup` when it has handed over the answer.
        "webrtcup" | "media" | "slowlink" => true,
        // Janus tells a handle that leaves of its connection's end if one thread is quicker than
        // the other; the embedded gateway never does.
        "hangup" => event["reason"] == "Detach",
        _ => false,
    }
}

/// A name for what an event tells, to wait for it and to order it by.
pub(crate) fn tag(event: &Value) -> String {
    let kind = event["janus"].as_str().unwrap_or_default();
    if kind != "event" {
        let reason = event["reason"].as_str().map(|reason| format!(" ({reason})"));
        let end = if event["candidate"]["completed"].is_null() { "" } else { " (completed)" };
        return format!("core {kind}{end}{}", reason.unwrap_or_default());
    }
    let data = &event["plugindata"]["data"];
    if let Some(code) = data["error_code"].as_u64() {
        return format!("error {code}");
    }
    let result = &data["result"];
    let name = result["event"].as_str().unwrap_or("list");
    let reason = result["reason"].as_str().map(|reason| format!(" ({reason})"));
    format!("{name}{}", reason.unwrap_or_default())
}

/// A message with ids, descriptions and free text replaced by what they stand for.
pub(crate) fn message(message: &Value, ids: &[(u64, String)]) -> Value {
    let mut message = replaced(message, ids);
    if message["janus"] == "server_info"
        && let Value::Object(members) = &mut message
    {
        members.retain(|name, _| INFO.contains(&name.as_str()));
    }
    if let Some(sdp) = message.pointer_mut("/jsep/sdp") {
        // Janus puts its own address and keys into it.
        *sdp = json!("a description");
    }
    if let Some(names) = message.pointer_mut("/plugindata/data/result/list")
        && let Value::Array(names) = names
    {
        // The order is that of a hash table.
        names.sort_by_key(ToString::to_string);
    }
    if [454, 465].iter().any(|code| message["error"]["code"] == *code) {
        // The words of a JSON or SDP parser.
        message["error"]["reason"] = json!("malformed");
    }
    message
}

fn replaced(value: &Value, ids: &[(u64, String)]) -> Value {
    match value {
        Value::Number(number) => {
            let name = ids.iter().find(|(id, _)| number.as_u64() == Some(*id));
            name.map_or_else(|| value.clone(), |(_, name)| json!(name))
        }
        Value::String(text) => {
            // Only long numbers: a short one may mean something else.
            let long = ids.iter().filter(|(id, _)| *id > 1_000_000_000);
            json!(long.fold(text.clone(), |text, (id, name)| text.replace(&id.to_string(), name)))
        }
        Value::Array(values) => values.iter().map(|value| replaced(value, ids)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), replaced(value, ids))).collect()
        }
        _ => value.clone(),
    }
}
