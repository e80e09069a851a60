//! A client and a gateway that sends anything at any time, both driven by bytes: a page that is
//! registered and perhaps in a call, and the steps that follow. One line of text is one step.

#[path = "../dice/mod.rs"]
mod dice;

use std::time::Duration;

use videortc::client::{Client, Outcome, Output, UseCaseId};
use videortc::config::{GatewayConfig, Secret, ServerUrl, Token, UserName};
use videortc::peer::{self, ConnectionId, ConnectionState, PeerCommand, PeerEvent};
use videortc::signaling::{
    Candidate, HttpId, HttpRequest, HttpResponse, Io, JsepKind, TokenRequest, parse_batch,
};
use videortc::time::Time;
use videortc::usecase::video_call::{CallConfig, Event, Settings, VideoCall};
use videortc::usecase::{self, Command, Plugin};

const BASE: &str = "https://gateway.test/janus";
const SECRET: &str = "s3cret";
/// The prefix of every token.
const TOKEN: &str = "t0ken-";
const HANDLE: &str = "7";
const SDP: &str = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";
/// A bound for the outputs of one input.
const MOST_OUTPUTS: usize = 100_000;
/// The longest line for the log, in characters.
const LONGEST_LINE: usize = 2000;

/// Plays one scenario. The first byte selects the state of the call at the start.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let stage = lines.next().and_then(|line| line.bytes().next()).unwrap_or_default();
    let mut rig = Rig::registered();
    match stage {
        b'o' => rig.rings_out(),
        b'i' => rig.rings_in(),
        b'u' => rig.is_up(),
        _ => {}
    }
    for line in lines {
        rig.step(line);
    }
    rig.ends();
}

/// A peer that keeps requesting a redial. Returns the number of calls.
pub fn calls_of_a_peer_that_is_never_content() -> usize {
    let mut rig = Rig::registered();
    rig.rings_out();
    for _ in 0..50 {
        rig.step(
            r#"p[{"janus":"event","sender":$H,"plugindata":{"data":{"result":{"event":"hangup","username":"Jack","reason":"videortc: once more"}}}}]"#,
        );
        rig.step(r#"p[{"janus":"hangup","sender":$H,"reason":"Close PC"}]"#);
        rig.run_for(Duration::from_secs(3));
        rig.step("cd");
        rig.run_for(Duration::from_secs(1));
        rig.is_answered(r#"{"result":{"event":"calling"}}"#, "");
    }
    assert!(!rig.rings, "the call has an end");
    let dialed = rig.dialed;
    rig.ends();
    dialed
}

/// A page and its pending work.
struct Rig {
    client: Client,
    now: Time,
    id: Option<UseCaseId>,
    poll: Option<HttpRequest>,
    /// Unanswered requests, oldest first.
    posts: Vec<HttpRequest>,
    /// Their transaction numbers, for answers through the poll.
    transactions: Vec<String>,
    session: String,
    /// The session while it lives; its id authorizes.
    live: Option<String>,
    /// Descriptions that the browser is to make.
    wanted: Vec<(ConnectionId, JsepKind)>,
    connections: Vec<ConnectionId>,
    devices: bool,
    /// Pending requests to the page, while it delays them.
    tokens: Vec<TokenRequest>,
    is_slow: bool,
    given: u64,
    commands: Vec<Command>,
    last_command: u64,
    /// Calls of the page without an end yet, started or refused.
    begun: usize,
    rings: bool,
    /// The page called or accepted, and has not received an end.
    wished: bool,
    /// The number of sent calls.
    dialed: usize,
}

impl Rig {
    fn registered() -> Self {
        let mut config = GatewayConfig::new(vec![ServerUrl::new(BASE), ServerUrl::new(BASE)]);
        config.api_secret = Some(Secret::new(SECRET));
        config.token = Token::Asked;
        let mut rig = Self {
            client: Client::new(config, dice::loaded(1)),
            now: Time::from_millis(1),
            id: None,
            poll: None,
            posts: Vec::new(),
            transactions: Vec::new(),
            session: String::new(),
            live: None,
            wanted: Vec::new(),
            connections: Vec::new(),
            devices: false,
            tokens: Vec::new(),
            is_slow: false,
            given: 0,
            commands: Vec::new(),
            last_command: 0,
            begun: 0,
            rings: false,
            wished: false,
            dialed: 0,
        };
        rig.command(|client, command, now| client.connect(command, now));
        rig.answer(r#"{"janus":"success","transaction":"$T","data":{"id":$S}}"#);
        rig.command(|client, command, now| {
            client.video_call(command, CallConfig::default(), now);
        });
        rig.answer(r#"{"janus":"success","transaction":"$T","data":{"id":$H}}"#);
        assert!(rig.id.is_some(), "attached");
        rig.act(|call, command, now| call.register(command, UserName::parse("Tom"), now));
        rig.is_answered(r#"{"result":{"event":"registered","username":"Tom"}}"#, "");
        assert_eq!(rig.commands, [], "registered");
        rig
    }

    fn rings_out(&mut self) {
        self.step("cc");
        self.step("cd");
        self.is_answered(r#"{"result":{"event":"calling"}}"#, "");
    }

    fn rings_in(&mut self) {
        self.step(
            r#"p[{"janus":"event","sender":$H,"plugindata":{"data":{"result":{"event":"incomingcall","username":"Jack"}}},"jsep":{"type":"offer","sdp":"$D"}}]"#,
        );
    }

    fn is_up(&mut self) {
        self.rings_in();
        self.step("ca");
        self.step("cd");
        self.is_answered(r#"{"result":{"event":"accepted"}}"#, "");
        self.step("cu");
    }

    /// The oldest request is acknowledged, and answered through the poll.
    fn is_answered(&mut self, data: &str, jsep: &str) {
        self.answer(r#"{"janus":"ack","transaction":"$T"}"#);
        self.step(&format!(
            r#"p[{{"janus":"event","sender":$H,"transaction":"$L","plugindata":{{"data":{data}}}{jsep}}}]"#
        ));
    }

    /// Performs the step of a line.
    fn step(&mut self, line: &str) {
        let mut rest = line.chars();
        let first = rest.next().unwrap_or_default();
        let body = self.filled(rest.as_str());
        // The plugin has received neither.
        let is_told = [SECRET, TOKEN, self.session.as_str()].iter().any(|it| body.contains(it));
        if is_told && body.contains("plugindata") {
            return;
        }
        match first {
            'p' => {
                // Also tests the decoder alone, with input that no session would pass.
                let _ = parse_batch(&body);
                self.answer_poll(HttpResponse::Answered { status: 200, body });
            }
            'r' => self.answer(&body),
            'l' => {
                let at = self.posts.len().checked_sub(1);
                self.answer_post(at, HttpResponse::Answered { status: 200, body });
            }
            's' => {
                let mut rest = body.chars();
                let status = match rest.next() {
                    Some('3') => 403,
                    Some('4') => 404,
                    Some('9') => 429,
                    Some('2') => 502,
                    Some('0') => 0,
                    _ => 500,
                };
                let body = rest.as_str().to_owned();
                self.answer_poll(HttpResponse::Answered { status, body: body.clone() });
                self.answer_post(Some(0), HttpResponse::Answered { status, body });
            }
            // The text comes from the browser, not from the gateway.
            'f' => self.answer_poll(HttpResponse::Failed("TypeError".into())),
            'g' => self.answer_post(Some(0), HttpResponse::Failed("TypeError".into())),
            't' => {
                let n = u64::from(body.bytes().next().unwrap_or_default());
                self.run_for(Duration::from_millis(n * n * 10));
            }
            'k' => {
                self.is_slow = body.starts_with('s');
                self.give_tokens(body.starts_with('t'));
            }
            'c' => self.do_as_the_user_does(body.chars().next().unwrap_or_default()),
            _ => {}
        }
    }

    fn do_as_the_user_does(&mut self, what: char) {
        let now = self.now;
        let connection = self.connections.last().copied();
        match what {
            'r' => {
                self.act(|call, command, now| call.register(command, UserName::parse("Tom"), now));
            }
            'g' => {
                self.act(|call, command, now| call.register(command, None, now));
            }
            'l' => {
                self.act(|call, command, _| call.list(command));
            }
            'c' => {
                self.begun += 1;
                self.wished = true;
                self.act(|call, command, now| call.call(command, UserName::parse("Jack"), now));
            }
            'a' => {
                self.wished |= self.rings;
                self.act(|call, command, now| call.accept(command, now));
            }
            'h' => {
                self.act(|call, command, now| call.hang_up(command, None, now));
            }
            's' => {
                let settings = Settings { audio: Some(false), video: None, bitrate: Some(1) };
                self.act(|call, command, _| call.set(command, settings));
            }
            'x' => {
                self.act(|call, command, now| call.close(command, now));
            }
            'd' => {
                for (connection, kind) in std::mem::take(&mut self.wanted) {
                    self.devices = true;
                    self.tell(|call| {
                        call.handle_peer(
                            connection,
                            PeerEvent::Description(kind, Ok(SDP.to_owned())),
                            now,
                        )
                    });
                    self.tell(|call| {
                        call.handle_peer(connection, PeerEvent::Candidate(Candidate::End), now)
                    });
                }
            }
            'e' => {
                for (connection, kind) in std::mem::take(&mut self.wanted) {
                    let (step, cause) = (peer::Step::Other, "refused".to_owned());
                    let error = peer::Error::Failed { step, cause };
                    self.tell(|call| {
                        call.handle_peer(connection, PeerEvent::Description(kind, Err(error)), now)
                    });
                }
            }
            'u' | 'y' | 'z' => {
                let state = match what {
                    'u' => ConnectionState::Connected,
                    'y' => ConnectionState::Disconnected,
                    _ => ConnectionState::Failed,
                };
                if let Some(connection) = connection {
                    self.tell(|call| call.handle_peer(connection, PeerEvent::State(state), now));
                }
            }
            'o' => self.input(|client| client.handle_online(now)),
            'v' => self.input(|client| client.handle_visible(now)),
            'p' => self.input(|client| client.handle_hide(now)),
            'q' => self.input(|client| client.handle_show(now)),
            _ => {}
        }
    }

    /// The page disconnects, and the gateway is silent: everything must end in time.
    fn ends(&mut self) {
        self.command(|client, command, now| client.disconnect(command, now));
        self.run_for(Duration::from_secs(6));
        assert_eq!(self.commands, [], "commands that never end");
        assert_eq!(self.connections, [], "peer connections are left");
        assert!(!self.devices, "devices are left open");
        assert!(!self.rings, "a call without an end");
        assert_eq!(self.client.poll_timeout(), None, "a timer is left");
    }

    /// Replaces the placeholders that depend on the scenario.
    fn filled(&self, text: &str) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        let oldest = self.posts.first().and_then(|post| number_of(post, "transaction"));
        text.replace("$T", &oldest.unwrap_or_default())
            .replace("$L", self.transactions.last().map_or("", String::as_str))
            .replace("$S", &self.session)
            .replace("$H", HANDLE)
            .replace("$K", SECRET)
            .replace("$J", &token(self.given))
            .replace("$D", &SDP.replace("\r\n", "\\r\\n"))
    }

    // Inputs.

    fn answer(&mut self, body: &str) {
        let body = self.filled(body);
        self.answer_post(Some(0), HttpResponse::Answered { status: 200, body });
    }

    fn answer_post(&mut self, at: Option<usize>, response: HttpResponse) {
        if let Some(at) = at.filter(|at| *at < self.posts.len()) {
            let post = self.posts.remove(at);
            self.transactions.extend(number_of(&post, "transaction"));
            let now = self.now;
            self.input(|client| client.handle_http(post.id, response, now));
        }
    }

    fn answer_poll(&mut self, response: HttpResponse) {
        // A timer may be due.
        if self.poll.is_none() {
            self.run_for(Duration::from_millis(500));
        }
        if let Some(poll) = self.poll.take() {
            let now = self.now;
            self.input(|client| client.handle_http(poll.id, response, now));
        }
    }

    fn command(&mut self, act: impl FnOnce(&mut Client, Command, Time)) {
        self.last_command += 1;
        let (command, now) = (Command(self.last_command), self.now);
        self.commands.push(command);
        self.input(|client| act(client, command, now));
    }

    fn act(&mut self, act: impl FnOnce(&mut VideoCall, Command, Time)) {
        let Some(id) = self.id else { return };
        self.command(|client, command, now| {
            client.with_video_call(id, Some(command), now, |call| act(call, command, now));
        });
    }

    fn tell(&mut self, act: impl FnOnce(&mut VideoCall)) {
        let (Some(id), now) = (self.id, self.now) else { return };
        self.input(|client| client.with_video_call(id, None, now, act));
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            steps = if due > self.now { 0 } else { steps + 1 };
            assert!(steps < 1000, "busy for ever");
            self.now = self.now.max(due);
            let now = self.now;
            self.input(|client| client.handle_timeout(now));
        }
        self.now = end;
    }

    // Outputs.

    fn input(&mut self, act: impl FnOnce(&mut Client)) {
        act(&mut self.client);
        let mut count = 0;
        while let Some(output) = self.client.poll_output() {
            count += 1;
            assert!(count < MOST_OUTPUTS, "outputs without an end");
            self.take(output);
        }
        if !self.is_slow {
            self.give_tokens(false);
        }
    }

    /// Answers a request to the page, each time with another token; or throws.
    fn give_tokens(&mut self, throws: bool) {
        let now = self.now;
        for request in std::mem::take(&mut self.tokens) {
            self.given += 1;
            let token = Secret::new(token(self.given));
            let result = if throws { Err("Error: no".to_owned()) } else { Ok(token) };
            self.input(|client| client.handle_token(request, result, now));
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Io(Io::Fetch(request)) if request.body.is_none() => {
                assert!(self.poll.is_none(), "two polls at once");
                self.live = Some(self.session.clone());
                self.poll = Some(request);
            }
            Output::Io(Io::Fetch(request)) => {
                if let Some(session) = number_of(&request, "id") {
                    (self.session, self.live) = (session, None);
                }
                let body = request.body.as_deref().unwrap_or_default();
                self.dialed += usize::from(body.contains(r#""request":"call""#));
                self.posts.push(request);
            }
            Output::Io(Io::Abort(id)) => self.abort(id),
            Output::AskToken(request) => self.tokens.push(request),
            Output::Io(Io::Beacon { url, .. }) => assert!(url.starts_with(BASE)),
            Output::Peer(_, connection, command) => self.take_command(connection, &command),
            Output::Release(_) => {
                self.devices = false;
                // The browser closes at once what it opens for a call that is over.
                self.wanted.clear();
            }
            Output::Send(..) | Output::Transfer(..) => {}
            Output::Event(_, usecase::Event::VideoCall(event)) => self.take_event(&event),
            Output::Event(_, usecase::Event::EchoTest(_)) => {}
            Output::Done(command, result) => {
                let at = self.commands.iter().position(|open| *open == command);
                assert!(at.is_some(), "{command:?} ended twice: {result:?}");
                self.commands.retain(|open| *open != command);
                match result {
                    Ok(Outcome::Attached(id)) => self.id = Some(id),
                    Ok(_) => {}
                    Err(error) => self.tells_no_secret(&format!("{error:?}")),
                }
            }
            Output::Ended(_) => {}
            Output::Log(_, line) => {
                assert!(line.chars().count() <= LONGEST_LINE, "{line}");
                self.tells_no_secret(&line);
            }
        }
    }

    fn abort(&mut self, id: HttpId) {
        self.posts.retain(|post| post.id != id);
        self.poll.take_if(|poll| poll.id == id);
    }

    fn take_command(&mut self, connection: ConnectionId, command: &PeerCommand) {
        if let PeerCommand::Offer | PeerCommand::Answer(_) = command {
            assert!(self.wished, "devices open for a call that nobody wanted");
            // That of the call before is closed once the gateway knows of its end.
            assert!(self.connections.len() < 2, "{:?} are still there", self.connections);
            self.connections.push(connection);
        }
        assert!(self.connections.contains(&connection), "{connection:?} is closed");
        if let Some(kind) = command.describes() {
            self.wanted.push((connection, kind));
        }
        if *command == PeerCommand::Close {
            self.connections.retain(|open| *open != connection);
            self.wanted.retain(|(open, _)| *open != connection);
        }
    }

    fn take_event(&mut self, event: &Event) {
        let names = match event {
            Event::IncomingCall(name) => {
                assert!(!self.rings, "it rings during a call");
                self.rings = true;
                self.begun += 1;
                Some(name)
            }
            Event::Calling(name) | Event::Accepted(name) => {
                self.rings = true;
                Some(name)
            }
            Event::HangUp { peer, .. } => {
                assert!(self.begun > 0, "an end without a call");
                self.begun -= 1;
                (self.rings, self.wished) = (false, false);
                Some(peer)
            }
            Event::Reconnecting(error) | Event::Error(error) => {
                self.tells_no_secret(&format!("{error:?}"));
                None
            }
            _ => None,
        };
        let longest = names.map_or(0, |name| name.as_str().chars().count());
        assert!(longest <= UserName::LONGEST);
    }

    fn tells_no_secret(&self, text: &str) {
        assert!(!text.contains(SECRET), "a secret in {text}");
        // Old tokens that were replaced often are no longer echoed.
        for number in self.given.saturating_sub(30)..=self.given {
            assert!(!text.contains(&token(number)), "a token in {text}");
        }
        if let Some(session) = &self.live {
            assert!(!text.contains(session), "the session in {text}");
        }
    }
}

/// The token that the page supplies for its n-th request.
fn token(number: u64) -> String {
    format!("{TOKEN}{number}-")
}

/// A field of a request.
fn number_of(request: &HttpRequest, key: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(request.body.as_deref()?).ok()?;
    let value = body.get(key)?;
    value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
}
