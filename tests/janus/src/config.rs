//! The configuration that a test gateway runs with.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::JanusOptions;

/// Plugins, transports and event handlers of the Debian package that no test needs: a gateway without
/// them starts quicker and opens no port but its own.
const UNUSED_PLUGINS: &[&str] = &[
    "audiobridge",
    "duktape",
    "lua",
    "nosip",
    "recordplay",
    "sip",
    "streaming",
    "textroom",
    "videoroom",
    "voicemail",
];
const UNUSED_TRANSPORTS: &[&str] = &["mqtt", "nanomsg", "pfunix", "rabbitmq", "websockets"];
const UNUSED_EVENT_HANDLERS: &[&str] =
    &["gelfevh", "mqttevh", "nanomsgevh", "rabbitmqevh", "sampleevh", "wsevh"];

const ADMIN_SECRET: &str = "videortc-test";

/// Writes the configuration files into `folder`.
pub(crate) fn write(
    folder: &Path,
    name: &str,
    options: &JanusOptions,
    port: u16,
    admin_port: Option<u16>,
) -> Result<()> {
    fs::write(folder.join("janus.jcfg"), core(folder, name, options))?;
    fs::write(folder.join("janus.transport.http.jcfg"), http(port, admin_port))?;
    for plugin in ["videocall", "echotest"] {
        fs::write(folder.join(format!("janus.plugin.{plugin}.jcfg")), "general: {\n}\n")?;
    }
    Ok(())
}

/// The admin API's request that makes `token` a valid one.
pub(crate) fn add_token_request(token: &str) -> String {
    format!(
        r#"{{"janus":"add_token","transaction":"t","admin_secret":"{ADMIN_SECRET}","token":"{token}"}}"#
    )
}

/// A request of the admin API that needs no more than its name.
pub(crate) fn admin_request(name: &str) -> String {
    format!(r#"{{"janus":"{name}","transaction":"t","admin_secret":"{ADMIN_SECRET}"}}"#)
}

/// `full_trickle`: the gateway's candidates come as `trickle` events and not in its SDP, which is the
/// harder way for a client. `ignore_mdns`: browsers hide their addresses behind names that only they can
/// resolve, and Janus would wait for them; it finds the address when the first packet comes.
fn core(folder: &Path, name: &str, options: &JanusOptions) -> String {
    let session_timeout = options.session_timeout.as_secs();
    let folder = folder.display();
    let secret = options
        .api_secret
        .as_ref()
        .map(|secret| format!("\tapi_secret = \"{secret}\"\n"))
        .unwrap_or_default();
    let token_auth = !options.tokens.is_empty();
    let plugins = libraries(UNUSED_PLUGINS);
    let transports = libraries(UNUSED_TRANSPORTS);
    let events = libraries(UNUSED_EVENT_HANDLERS);
    format!(
        r#"general: {{
	configs_folder = "{folder}"
	debug_level = 3
	debug_timestamps = true
	server_name = "{name}"
	session_timeout = {session_timeout}
	admin_secret = "{ADMIN_SECRET}"
	token_auth = {token_auth}
{secret}}}
certificates: {{
}}
media: {{
}}
nat: {{
	full_trickle = true
	ignore_mdns = true
}}
plugins: {{
	disable = "{plugins}"
}}
transports: {{
	disable = "{transports}"
}}
loggers: {{
	disable = "libjanus_jsonlog.so"
}}
events: {{
	broadcast = false
	disable = "{events}"
}}
"#
    )
}

fn http(port: u16, admin_port: Option<u16>) -> String {
    let admin = admin_port.map_or_else(
        || "\tadmin_http = false\n".to_owned(),
        |port| {
            format!(
                "\tadmin_base_path = \"/admin\"\n\tadmin_http = true\n\tadmin_port = {port}\n\t\
                 admin_ip = \"127.0.0.1\"\n"
            )
        },
    );
    format!(
        r#"general: {{
	json = "compact"
	base_path = "/janus"
	http = true
	port = {port}
	ip = "127.0.0.1"
	https = false
}}
admin: {{
{admin}	admin_https = false
}}
"#
    )
}

fn libraries(names: &[&str]) -> String {
    names.iter().map(|name| format!("libjanus_{name}.so")).collect::<Vec<_>>().join(",")
}
