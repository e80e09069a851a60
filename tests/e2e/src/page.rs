//! One browser page: runs JavaScript in it, waits for its events, asks it for proofs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use fantoccini::Client;
use serde_json::{Value, json};

use crate::Result;
use crate::browser::Browser;
use crate::browser::chromium::Devtools;
use crate::browser::firefox::run_inside;

/// How long an event may take to come.
const EVENT_LIMIT: Duration = Duration::from_secs(20);

/// A page of its own browser, with its own fake camera and microphone.
#[derive(Debug)]
pub struct Page {
    name: String,
    browser: Browser,
    client: Client,
    /// For each event, the index from which the next one is looked for: an event is read once.
    read: Mutex<HashMap<String, u64>>,
}

/// The rejection of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// `error.name`.
    pub name: String,
    /// `error.code`, empty when there is none.
    pub code: String,
    /// `error.message`.
    pub message: String,
}

impl Page {
    pub(crate) fn new(name: &str, browser: Browser, client: Client) -> Self {
        Self { name: name.to_owned(), browser, client, read: Mutex::default() }
    }

    /// The name that this page goes by in a test's messages, and mostly at the gateway.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn browser(&self) -> Browser {
        self.browser
    }

    /// The WebDriver session, for clicking and typing.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Downloads of this page go to `folder`, without a question.
    pub async fn download_to(&self, folder: &Path) -> Result {
        match self.browser {
            Browser::Chromium => {
                let params = json!({ "behavior": "allow", "downloadPath": folder });
                self.devtools("Browser.setDownloadBehavior", params).await?;
            }
            Browser::Firefox => {
                let set = "Services.prefs.setStringPref('browser.download.dir', arguments[0])";
                run_inside(&self.client, set, vec![json!(folder)]).await?;
            }
        }
        Ok(())
    }

    /// A command of the DevTools protocol, with its parameters, and what it returns.
    pub async fn devtools(&self, command: &'static str, params: Value) -> Result<Value> {
        ensure!(self.browser == Browser::Chromium, "only Chromium has the command {command}");
        Ok(self.client.issue_cmd(Devtools(command, params)).await?)
    }

    /// Runs the body of an async function in the page and returns what it returns. A rejection is
    /// an error here.
    pub async fn run(&self, body: impl AsRef<str>) -> Result<Value> {
        let body = body.as_ref();
        match self.settle(body).await? {
            Ok(value) => Ok(value),
            Err(refusal) => {
                let history = self.history().await;
                bail!(
                    "{}: `{body}` was rejected with {}: {}\n{history}",
                    self.name,
                    refusal.code,
                    refusal.message
                )
            }
        }
    }

    /// Runs the body of an async function that must reject, and returns its error.
    pub async fn refusal(&self, body: &str) -> Result<Refusal> {
        match self.settle(body).await? {
            Err(refusal) => Ok(refusal),
            Ok(value) => bail!(
                "{}: `{body}` ought to be rejected, and gave {value}\n{}",
                self.name,
                self.history().await
            ),
        }
    }

    /// As [`refusal`](Self::refusal), and the error must be a `VideoRTCError` with this code, which
    /// says something.
    pub async fn refused(&self, body: &str, code: &str) -> Result<Refusal> {
        let refusal = self.refusal(body).await?;
        ensure!(
            refusal.code == code && refusal.name == "VideoRTCError" && refusal.message.len() > 10,
            "{}: `{body}` ought to be rejected with {code}, and was with {refusal:?}\n{}",
            self.name,
            self.history().await
        );
        Ok(refusal)
    }

    async fn settle(&self, body: &str) -> Result<std::result::Result<Value, Refusal>> {
        let main = format!("async () => {{ {body} }}");
        let main = match self.browser {
            Browser::Chromium => main,
            // geckodriver's scripts have arrays, promises and errors of their own; the page's own
            // eval() gives them the page's. Where the page's policy forbids that, theirs have to
            // do.
            Browser::Firefox => format!(
                "(() => {{ try {{ return window.eval({}) }} catch {{ return {main} }} }})()",
                quote(&main)
            ),
        };
        let script = format!(
            "const done = arguments[arguments.length - 1];
             ({main})().then(
               (value) => done({{ value: value === undefined ? null : value }}),
               (error) => done({{ name: String(error?.name ?? ''), code: String(error?.code ?? ''),
                                  message: String(error?.message ?? error) }}));"
        );
        let answer = self
            .client
            .execute_async(&script, Vec::new())
            .await
            .with_context(|| format!("{}: `{body}` did not settle", self.name))?;
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        if answer.get("message").is_some() {
            let (name, code, message) = (text("name"), text("code"), text("message"));
            return Ok(Err(Refusal { name, code, message }));
        }
        Ok(Ok(answer["value"].clone()))
    }

    /// The arguments of the next event of this name that no test step has read yet.
    pub async fn event(&self, event: &str) -> Result<Vec<Value>> {
        self.event_within(event, EVENT_LIMIT).await
    }

    /// As [`event`](Self::event), with another limit.
    pub async fn event_within(&self, event: &str, limit: Duration) -> Result<Vec<Value>> {
        let from = self.cursor(event);
        let wait =
            format!("return await harness.next({}, {from}, {})", quote(event), limit.as_millis());
        let found = match self.settle(&wait).await? {
            Ok(found) => found,
            Err(refusal) => {
                bail!("{}: {}\n{}", self.name, refusal.message, self.history().await)
            }
        };
        let index = found["index"].as_u64().context("an event has an index")?;
        self.read_up_to(event, index + 1);
        Ok(found["args"].as_array().cloned().unwrap_or_default())
    }

    /// Reads events of this name until one fits.
    pub async fn wait_event(
        &self,
        event: &str,
        fits: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>> {
        let search = async {
            loop {
                let args = self.event(event).await?;
                if fits(&args) {
                    return Ok(args);
                }
            }
        };
        match tokio::time::timeout(EVENT_LIMIT, search).await {
            Ok(found) => found,
            Err(_) => bail!("{}: no {event} that fits\n{}", self.name, self.history().await),
        }
    }

    /// The next event of this name must have exactly these arguments.
    pub async fn expect(&self, event: &str, args: Value) -> Result {
        let found = self.event(event).await?;
        ensure!(
            Some(&found) == args.as_array(),
            "{}: {event} came with {}, expected {args}\n{}",
            self.name,
            json!(found),
            self.history().await
        );
        Ok(())
    }

    /// The call with `peer` ended here with this reason.
    pub async fn ended(&self, peer: &str, reason: &str) -> Result {
        self.expect("onHangUp", json!([peer, reason])).await
    }

    /// Waits until the gateway's list has no such name any more.
    pub async fn gone_from_the_list(&self, name: &str, limit: Duration) -> Result {
        let end = Instant::now() + limit;
        let wait = format!(
            "return await harness.until('', async () => !(await action.getPeers()).includes({}), 10000)
                .catch(() => false)",
            quote(name)
        );
        while self.run(&wait).await? != json!(true) {
            ensure!(Instant::now() < end, "{name} is still in the list");
        }
        self.skip("onGotPeers").await
    }

    /// How many events of this name there have been, read or not.
    pub async fn count(&self, event: &str) -> Result<usize> {
        let named = self.events(event).await?;
        Ok(named.len())
    }

    /// All events of this name: their arguments.
    pub async fn events(&self, event: &str) -> Result<Vec<Value>> {
        let all = format!(
            "return harness.events.filter((e) => e.name === {}).map((e) => e.args)",
            quote(event)
        );
        let found = self.run(&all).await?;
        Ok(found.as_array().cloned().unwrap_or_default())
    }

    /// Marks every event of this name as read: the test does not look at them.
    pub async fn skip(&self, event: &str) -> Result {
        let now = self.run("return harness.events.length").await?;
        self.read_up_to(event, now.as_u64().context("a length is a number")?);
        Ok(())
    }

    /// Forgets every event, read or not, and every transfer; each must have come to its one end.
    pub async fn forget(&self) -> Result {
        self.audit().await?;
        self.run("harness.events = []; harness.arrived = []; harness.transfers = []").await?;
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// The page's script has begun anew, and with it its events.
    pub(crate) fn begin_anew(&self) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Proves that the picture in an element is decoded: new frames, a size, colour.
    pub async fn sees(&self, selector: &str) -> Result<Value> {
        let picture =
            self.run(&format!("return await harness.picture({})", quote(selector))).await?;
        ensure!(
            picture["contrast"].as_f64().is_some_and(|span| span > 60.0),
            "{}: the picture in {selector} is grey: {picture}",
            self.name
        );
        Ok(picture)
    }

    /// Proves that both pictures are there.
    pub async fn sees_both(&self) -> Result {
        tokio::try_join!(self.sees(".is-local-video"), self.sees(".is-remote-video"))?;
        Ok(())
    }

    /// Proves that sound arrives: audio packets, and energy in what was decoded from them.
    pub async fn hears(&self) -> Result<Value> {
        self.run("return await harness.sound()").await
    }

    /// Waits until every device is closed and every peer connection gone; there must have been
    /// `devices` tracks at least.
    pub async fn released(&self, devices: u64) -> Result {
        let had = self.run("return await harness.released()").await?;
        ensure!(
            had["tracks"].as_u64() >= Some(devices),
            "{}: {had} devices had been opened, expected {devices} at least\n{}",
            self.name,
            self.history().await
        );
        Ok(())
    }

    /// Takes an unhandled rejection or window error that the test provoked off the list of faults.
    pub async fn pardon(&self, text: &str) -> Result {
        let strike = format!(
            "harness.faults = harness.faults.filter((fault) => !fault.includes({}))",
            quote(text)
        );
        self.run(&strike).await.map(|_| ())
    }

    /// The conditions at the end of every test: no faults, nothing open, every transfer ended once,
    /// no call end unchecked.
    pub(crate) async fn inspect(&self) -> Result {
        // A page that never made a VideoRTC has nothing to disconnect.
        self.run("await window.rtc?.disconnect()").await?;
        self.released(0).await?;
        let faults = self.run("return harness.faults").await?;
        ensure!(faults == json!([]), "{}: {faults}\n{}", self.name, self.history().await);
        self.audit().await?;
        for event in ["onHangUp", "onError"] {
            let from = self.cursor(event);
            let unread = self
                .run(&format!(
                    "return harness.events.filter((e, at) => at >= {from} && e.name === {})",
                    quote(event)
                ))
                .await?;
            ensure!(
                unread == json!([]),
                "{}: nobody asked for {unread}\n{}",
                self.name,
                self.history().await
            );
        }
        Ok(())
    }

    async fn audit(&self) -> Result {
        let wrong = self.run("return harness.audit()").await?;
        ensure!(wrong == json!([]), "{}: {wrong}\n{}", self.name, self.history().await);
        Ok(())
    }

    /// Ends the session, as a person closes the browser.
    pub(crate) async fn close(self) -> Result {
        self.client.close().await.map_err(|cause| anyhow!("closing {}: {cause}", self.name))
    }

    /// Everything the page reported, for the message of a failed test.
    pub async fn history(&self) -> String {
        let script = "
            const lines = harness.events.map((e) => `  ${e.name} ${JSON.stringify(e.args)}`);
            return [`events of ${location.pathname}:`, ...lines, 'faults:', ...harness.faults,
                    'text:', document.body.innerText.replaceAll('\\n\\n', '\\n'),
                    'console:', ...harness.console, `connections: ${harness.peers.map((p) =>
                      `${p.signalingState} ${p.iceConnectionState} ${p.connectionState}`)}`,
                    `requests: ${harness.requests.length}`].join('\\n');";
        match self.client.execute(script, Vec::new()).await {
            Ok(Value::String(text)) => format!("--- {}: {text}\n---", self.name),
            Ok(other) => format!("--- {}: {other}", self.name),
            Err(cause) => format!("--- {}: the page says nothing: {cause}", self.name),
        }
    }

    fn cursor(&self, event: &str) -> u64 {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.get(event).copied().unwrap_or(0)
    }

    fn read_up_to(&self, event: &str, index: u64) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(event.to_owned(), index);
    }
}

/// A text as a JavaScript literal.
fn quote(text: &str) -> String {
    Value::from(text).to_string()
}
