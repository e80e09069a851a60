//! Clients, the core of the embedded gateway and a model of the browser's media, on a virtual
//! clock. A test performs the users' actions, lets time pass, and checks the events of the pages.

// Each test file uses a part of this module.
#![allow(dead_code, unreachable_pub)]

#[path = "../dice/mod.rs"]
pub(crate) mod dice;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use videortc::client::{Client, Outcome, Output, UseCaseId};
use videortc::config::{GatewayConfig, Secret, ServerUrl, Token, UserName};
use videortc::data::frame::Frame;
use videortc::data::{ChannelEvent, ChannelKind, ChannelMessage};
use videortc::error::Error;
use videortc::peer::{self, ConnectionId, ConnectionState, PeerCommand, PeerEvent};
use videortc::signaling::{
    Candidate, HttpId, HttpRequest, HttpResponse, Io, JsepKind, TokenRequest,
};
use videortc::time::Time;
use videortc::usecase::video_call::{CallConfig, Event, Reply, VideoCall};
use videortc::usecase::{self, Command, Plugin};
use videortc_gateway::{Gateway, Get, Options, Poll, PollTicket, Response, Timing};

/// The gateway's address.
pub const BASE: &str = "http://gateway.test/janus";
/// The latency between a client and the gateway, one way.
const TRIP: Duration = Duration::from_millis(5);
/// The time until the user has granted the devices and the browser has made a description.
const DEVICES: Duration = Duration::from_millis(30);
/// The time until the browser gives up a lost path.
const GIVE_UP: Duration = Duration::from_secs(10);
/// The time that ICE and DTLS take.
const CONNECT: Duration = Duration::from_millis(40);
/// The time that a page takes to get a token.
const TOKEN: Duration = Duration::from_millis(30);
/// The latency between the data channels of two peers, one way: shorter than the path over HTTP.
const CHANNEL: Duration = Duration::from_millis(2);

pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\na=rtpmap:111 opus/48000/2\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=rtpmap:96 VP8/90000\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=sctp-port:5000\r\n";
/// The prefix of an attribute that makes each description unique, as in a browser.
const NUMBER: &str = "a=x-number:";

/// Identifies a connection of any page.
type End = (usize, UseCaseId, ConnectionId);

/// The fault in the delivery of HTTP responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    #[default]
    None,
    /// The next response to a POST is lost.
    NextPost,
    /// The next response to a poll is lost, with its events.
    NextPoll,
    /// The next response to a poll contains its events twice.
    RepeatPoll,
    /// Responses to polls vanish with their events, and the polls stay pending.
    PollsHang,
    /// The next response to a poll is a web page of a firewall.
    NextPollForbidden,
    /// The next response to a poll exceeds the size limit.
    NextPollTooLong,
    /// The gateway lost the offer that is answered next, together with the previous connection.
    NextOffer,
}

/// One page.
pub struct Page {
    client: Client,
    /// The video call object, once attached.
    pub call: Option<UseCaseId>,
    /// Whether that object has ended.
    pub is_ended: bool,
    /// The events that the page received, in order.
    pub events: Vec<Event>,
    /// The results of its commands.
    pub done: BTreeMap<Command, Result<Outcome, Error>>,
    /// The commands without a result yet.
    pub open: Vec<Command>,
    /// The path of its session.
    session: String,
    /// Its last poll.
    poll: Option<HttpRequest>,
    /// The number of requests sent.
    pub asked: usize,
    /// Every plugin request sent, in order.
    pub requests: Vec<String>,
    /// When it last sent a call.
    pub called_at: Duration,
    /// When the gateway last reported that it has closed the page's media connection.
    pub closed_at: Duration,
    /// The open peer connections.
    pub connections: Vec<ConnectionId>,
    /// The remote candidates that were added to the connections.
    pub candidates: Vec<Candidate>,
    /// Whether the devices are open.
    pub devices: bool,
    /// Whether the user denies the devices.
    pub refuses_devices: bool,
    /// It uses another library: its descriptions do not announce the data protocol.
    pub is_foreign: bool,
    /// Whether a firewall blocks ICE.
    pub is_firewalled: bool,
    pub loss: Loss,
    /// Requests and responses do not arrive.
    pub is_offline: bool,
    /// The last connection that was reported as connected, and whether its path is broken.
    path: Option<(ConnectionId, bool)>,
    /// Counts the calls: devices that open too late are closed at once.
    generation: u32,
    /// Whether its token function throws.
    pub has_no_token: bool,
    /// Whether its token function never answers.
    pub never_gives_token: bool,
    /// The number of calls of its token function.
    pub token_requests: usize,
    aborted: Vec<HttpId>,
    last_command: u64,
}

enum Work {
    Arrive(usize, HttpRequest),
    Respond(usize, HttpId, HttpResponse),
    Describe(usize, UseCaseId, ConnectionId, (JsepKind, u32)),
    Connect(usize, UseCaseId, ConnectionId),
    /// The browser gives up a lost path.
    GiveUp(usize, UseCaseId, ConnectionId),
    /// A data channel's message arrives.
    Receive(End, Vec<u8>),
    /// The peer's data channels closed.
    ChannelsClose(End),
    /// The DTLS alert of a page arrives at the gateway; the page by its session.
    DtlsAlert(String),
    /// The page's function returns a token or throws.
    Token(usize, TokenRequest),
    /// The beacon of a page that was left: path and body.
    Beacon(String, String),
}

/// All pages and the gateway.
pub struct World {
    pub gateway: Gateway,
    /// The number of the valid token, if the gateway requires one.
    token: Option<u64>,
    pub pages: Vec<Page>,
    pub now: Duration,
    work: BTreeMap<(Duration, u64), Work>,
    polls: Vec<(usize, HttpId, PollTicket, Duration)>,
    sequence: u64,
    /// The connection that made each description, by its number.
    described: BTreeMap<String, End>,
    /// The peer of each connection: the maker of its last remote description.
    joined: BTreeMap<End, End>,
    /// The connections whose channels are open.
    open: BTreeSet<End>,
    /// The data channels lose all messages.
    pub drops_messages: bool,
    /// The gateway does not relay candidates. Janus does not either, since it terminates the media
    /// connections.
    pub keeps_candidates: bool,
}

impl World {
    /// A world with pages that are registered under these names.
    pub fn with(names: &[&str]) -> Self {
        Self::with_timing(names, Timing::like_janus(), 1)
    }

    /// Tom (page 0) calls Jack (page 1), whose side is ringing.
    pub fn ringing() -> Self {
        let mut world = Self::with(&["Tom", "Jack"]);
        world.call(0, "Jack");
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.told(0), ["calling Jack"]);
        assert_eq!(world.told(1), ["incoming Tom"]);
        world
    }

    /// Tom (page 0) and Jack (page 1) are in a call.
    pub fn in_call() -> Self {
        let mut world = Self::ringing();
        world.accept(1);
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.told(0), ["accepted Jack"]);
        assert_eq!(world.told(1), ["accepted Tom"]);
        world
    }

    pub fn with_timing(names: &[&str], timing: Timing, seed: u64) -> Self {
        Self::empty(timing, seed).with_pages(names)
    }

    /// A world whose gateway requires a token, which expires by [`World::revoke_token`].
    pub fn with_tokens(names: &[&str], timing: Timing, seed: u64) -> Self {
        let mut world = Self::empty(timing, seed);
        world.token = Some(0);
        world.revoke_token();
        world.with_pages(names)
    }

    fn with_pages(mut self, names: &[&str]) -> Self {
        let world = &mut self;
        for name in names {
            let page = world.page(CallConfig::default());
            world.register(page, name);
        }
        world.run_for(Duration::from_secs(1));
        for page in &mut world.pages {
            assert_eq!(page.open, [], "registering works");
            page.events.clear();
            page.requests.clear();
        }
        self
    }

    /// The current token expires, and another one becomes valid.
    pub fn revoke_token(&mut self) {
        if let Some(token) = &mut self.token {
            *token += 1;
            self.gateway.set_tokens(vec![format!("token {token}")]);
        }
    }

    pub fn empty(timing: Timing, seed: u64) -> Self {
        Self {
            gateway: Gateway::new(Options { timing, seed, ..Options::default() }),
            token: None,
            pages: Vec::new(),
            now: Duration::from_secs(1),
            work: BTreeMap::new(),
            polls: Vec::new(),
            sequence: 0,
            described: BTreeMap::new(),
            joined: BTreeMap::new(),
            open: BTreeSet::new(),
            drops_messages: false,
            keeps_candidates: false,
        }
    }

    /// A world whose gateway has this session timeout.
    pub fn with_session_timeout(session_timeout: Duration) -> Self {
        let mut world = Self::empty(Timing::like_janus(), 1);
        let options =
            Options { timing: Timing::like_janus(), session_timeout, ..Options::default() };
        world.gateway = Gateway::new(options);
        world
    }

    /// A new page, connected and attached.
    pub fn page(&mut self, config: CallConfig) -> usize {
        let index = self.pages.len();
        let servers = vec![ServerUrl::new(BASE)];
        let random = dice::loaded(0x9E37_79B9_7F4A_7C15u64.wrapping_mul(index as u64 + 1));
        let mut gateway = GatewayConfig::new(servers);
        gateway.token = self.token.map_or(Token::None, |_| Token::Asked);
        self.pages.push(Page::new(Client::new(gateway, random)));
        self.command(index, |client, command, now| client.connect(command, now));
        self.run_for(Duration::from_millis(100));
        self.attach(index, config);
        index
    }

    /// Attaches a video call object to a connected page.
    pub fn attach(&mut self, page: usize, config: CallConfig) {
        let attach =
            self.command(page, |client, command, now| client.video_call(command, config, now));
        self.run_for(Duration::from_millis(100));
        match self.pages[page].done.get(&attach) {
            Some(Ok(Outcome::Attached(id))) => self.pages[page].call = Some(*id),
            other => panic!("not attached: {other:?}"),
        }
    }

    // Actions of the users.

    pub fn command(
        &mut self,
        page: usize,
        act: impl FnOnce(&mut Client, Command, Time),
    ) -> Command {
        let now = self.time();
        let this = &mut self.pages[page];
        this.last_command += 1;
        let command = Command(this.last_command);
        this.open.push(command);
        act(&mut this.client, command, now);
        self.drain(page);
        command
    }

    pub fn act(&mut self, page: usize, act: impl FnOnce(&mut VideoCall, Command, Time)) -> Command {
        let id = self.pages[page].call.unwrap();
        self.command(page, |client, command, now| {
            client.with_video_call(id, Some(command), now, |call| act(call, command, now));
        })
    }

    pub fn register(&mut self, page: usize, name: &str) -> Command {
        let name = UserName::parse(name).unwrap();
        self.act(page, |call, command, now| call.register(command, Some(name), now))
    }

    pub fn call(&mut self, page: usize, peer: &str) -> Command {
        let peer = UserName::parse(peer).unwrap();
        self.act(page, |call, command, now| call.call(command, Some(peer), now))
    }

    pub fn accept(&mut self, page: usize) -> Command {
        self.act(page, |call, command, now| call.accept(command, now))
    }

    pub fn hang_up(&mut self, page: usize) -> Command {
        self.act(page, |call, command, now| call.hang_up(command, None, now))
    }

    pub fn close(&mut self, page: usize) -> Command {
        self.act(page, |call, command, now| call.close(command, now))
    }

    pub fn disconnect(&mut self, page: usize) -> Command {
        self.command(page, |client, command, now| client.disconnect(command, now))
    }

    /// Breaks the media path of a page. A negotiation restores it, unless the page is firewalled.
    pub fn cut_media(&mut self, page: usize) {
        let this = &mut self.pages[page];
        let (Some(id), Some((connection, _))) = (this.call, this.path) else { return };
        if this.connections.contains(&connection) {
            self.schedule(GIVE_UP, Work::GiveUp(page, id, connection));
            self.pages[page].path = Some((connection, true));
            self.tell(page, id, |call, now| {
                call.handle_peer(connection, PeerEvent::State(ConnectionState::Disconnected), now);
            });
        }
    }

    /// Cuts all HTTP connections of a page. The browser repeats the poll on a new one, as Chromium
    /// does if the old one was used before. The gateway does not notice, and keeps the old poll.
    pub fn cut_connections(&mut self, page: usize, back: Duration) {
        let open = self.polls.iter().position(|(of, ..)| *of == page);
        if let (Some(at), Some(poll)) = (open, self.pages[page].poll.clone()) {
            self.polls.remove(at);
            self.schedule(back + TRIP, Work::Arrive(page, poll));
        }
    }

    /// The page becomes visible again.
    pub fn visible(&mut self, page: usize) {
        let now = self.time();
        self.pages[page].client.handle_visible(now);
        self.drain(page);
    }

    /// The gateway restarts, without its sessions.
    pub fn restart_gateway(&mut self) {
        self.gateway.restart(self.now);
        self.answer_polls();
    }

    /// Wedges the handle of a user: the gateway never closes its next media connection.
    pub fn wedge(&mut self, name: &str) {
        self.gateway.wedge(name);
    }

    /// The browser fires `online`.
    pub fn online(&mut self, page: usize) {
        let now = self.time();
        self.pages[page].client.handle_online(now);
        self.drain(page);
    }

    /// The page is left, into the back/forward cache.
    pub fn hide(&mut self, page: usize) {
        let now = self.time();
        self.pages[page].client.handle_hide(now);
        self.drain(page);
    }

    /// The page comes back from the back/forward cache.
    pub fn show(&mut self, page: usize) {
        let now = self.time();
        self.pages[page].client.handle_show(now);
        self.drain(page);
    }

    /// The page receives a BYE, whether or not the peer has hung up.
    pub fn say_bye(&mut self, page: usize, reason: &str) {
        let (Some(id), Some((connection, _))) = (self.pages[page].call, self.pages[page].path)
        else {
            return;
        };
        let message = Frame::Bye { reason: reason.into() }.encode();
        self.tell(page, id, |call, now| {
            call.handle_channel(connection, ChannelEvent::Binary(message), now)
        });
    }

    /// The page's last peer connection fails.
    pub fn fail_media(&mut self, page: usize) {
        if let (Some(id), Some(connection)) =
            (self.pages[page].call, self.pages[page].connections.last().copied())
        {
            self.tell(page, id, |call, now| {
                call.handle_peer(connection, PeerEvent::State(ConnectionState::Failed), now)
            });
        }
    }

    // Results.

    /// The result of a command: `"done"`, an error code, or `"open"`.
    pub fn outcome(&self, page: usize, command: Command) -> &str {
        match self.pages[page].done.get(&command) {
            Some(Ok(_)) => "done",
            Some(Err(error)) => error.code().as_str(),
            None => "open",
        }
    }

    pub fn name_of(&self, page: usize, command: Command) -> String {
        match self.pages[page].done.get(&command) {
            Some(Ok(Outcome::Reply(usecase::Reply::VideoCall(Reply::Name(name))))) => {
                name.to_string()
            }
            other => panic!("no name: {other:?}"),
        }
    }

    /// The events of a page since the last call, by [`short`].
    pub fn told(&mut self, page: usize) -> Vec<String> {
        std::mem::take(&mut self.pages[page].events).iter().map(short).collect()
    }

    // Time.

    pub fn time(&self) -> Time {
        Time::from_millis(u64::try_from(self.now.as_millis()).unwrap())
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            steps = if next > self.now { 0 } else { steps + 1 };
            assert!(steps < 10_000, "somebody is busy for ever at {:?}", self.now);
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next_moment(&self) -> Option<Duration> {
        let clients = self.pages.iter().filter_map(|page| page.client.poll_timeout());
        let clients = clients.map(|time| Duration::from_millis(time.as_millis()));
        let work = self.work.first_key_value().map(|((due, _), _)| *due);
        let polls = self.polls.iter().map(|(_, _, _, until)| *until);
        clients.chain(work).chain(self.gateway.next_timeout()).chain(polls).min()
    }

    fn step(&mut self) {
        self.gateway.handle_timeout(self.now);
        while let Some(entry) = self.work.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let work = entry.remove();
            self.handle(work);
        }
        let now = self.time();
        for page in 0..self.pages.len() {
            if self.pages[page].client.poll_timeout().is_some_and(|due| due <= now) {
                self.pages[page].client.handle_timeout(now);
                self.drain(page);
            }
        }
        self.answer_polls();
    }

    fn handle(&mut self, work: Work) {
        match work {
            Work::Arrive(page, request) => self.arrive(page, request),
            Work::Respond(page, id, response) => {
                let now = self.time();
                if !self.pages[page].aborted.contains(&id) {
                    if let HttpResponse::Answered { body, .. } = &response
                        && body.contains("\"janus\":\"hangup\"")
                    {
                        self.pages[page].closed_at = self.now;
                    }
                    self.pages[page].client.handle_http(id, response, now);
                    self.drain(page);
                }
            }
            Work::Token(page, request) => {
                let (now, token) = (self.time(), self.token.unwrap_or_default());
                let this = &mut self.pages[page];
                let result = match this.has_no_token {
                    false => Ok(Secret::new(format!("token {token}"))),
                    true => Err("Error: not signed in".to_owned()),
                };
                this.client.handle_token(request, result, now);
                self.drain(page);
            }
            Work::Describe(page, id, connection, (kind, generation)) => {
                let sequence = self.sequence;
                let this = &mut self.pages[page];
                if !this.connections.contains(&connection) || this.generation != generation {
                    return;
                }
                let result = match this.refuses_devices {
                    false => Ok(format!("{SDP}{NUMBER}{sequence}\r\n")),
                    true => Err(peer::Error::PermissionDenied { cause: "refused".into() }),
                };
                this.devices |= result.is_ok();
                self.described.insert(sequence.to_string(), (page, id, connection));
                let is_ok = result.is_ok();
                self.tell(page, id, |call, now| {
                    call.handle_peer(connection, PeerEvent::Description(kind, result), now)
                });
                if is_ok {
                    self.tell(page, id, |call, now| {
                        let candidate = "candidate:1 1 udp 1 127.0.0.1 4000 typ host".to_owned();
                        let found =
                            Candidate::Found { candidate, mid: Some("0".into()), line: Some(0) };
                        call.handle_peer(connection, PeerEvent::Candidate(found), now);
                        call.handle_peer(connection, PeerEvent::Candidate(Candidate::End), now);
                    });
                }
            }
            Work::DtlsAlert(session) => {
                if let Some(name) = self.gateway.user(&session).map(str::to_owned) {
                    self.gateway.hear_goodbye(&name, self.now);
                    self.answer_polls();
                }
            }
            Work::Beacon(path, body) => {
                self.gateway.post(&path, &body, self.now);
                self.answer_polls();
            }
            Work::GiveUp(page, id, connection) => {
                if self.pages[page].path == Some((connection, true)) {
                    self.tell(page, id, |call, now| {
                        call.handle_peer(connection, PeerEvent::State(ConnectionState::Failed), now)
                    });
                }
            }
            Work::Connect(page, id, connection) => {
                let this = &mut self.pages[page];
                if this.connections.contains(&connection) && !this.is_firewalled {
                    this.path = Some((connection, false));
                    self.tell(page, id, |call, now| {
                        call.handle_peer(
                            connection,
                            PeerEvent::State(ConnectionState::Connected),
                            now,
                        )
                    });
                    if self.open.insert((page, id, connection)) {
                        self.tell(page, id, |call, now| {
                            call.handle_channel(
                                connection,
                                ChannelEvent::Open(ChannelKind::Messages),
                                now,
                            );
                            call.handle_channel(
                                connection,
                                ChannelEvent::Open(ChannelKind::Bulk),
                                now,
                            );
                        });
                    }
                }
            }
            Work::ChannelsClose((page, id, connection)) => {
                if self.open.remove(&(page, id, connection))
                    && self.pages[page].connections.contains(&connection)
                {
                    self.tell(page, id, |call, now| {
                        call.handle_channel(connection, ChannelEvent::Closed, now)
                    });
                }
            }
            Work::Receive(end, message) => {
                let (page, id, connection) = end;
                // Messages before the channels are open are dropped, as by the gateway.
                if self.open.contains(&end) && self.pages[page].receives(connection) {
                    self.tell(page, id, |call, now| {
                        call.handle_channel(connection, ChannelEvent::Binary(message), now)
                    });
                }
            }
        }
    }

    fn arrive(&mut self, page: usize, request: HttpRequest) {
        let path = request.url.strip_prefix(BASE).unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match &request.body {
            Some(body) => {
                let response = match self.forgotten_offer(page, body) {
                    Some(refusal) => refusal,
                    None if self.keeps_candidates && body.contains("\"janus\":\"trickle\"") => {
                        Response {
                            status: 200,
                            body: r#"{"janus":"ack","transaction":"0"}"#.into(),
                        }
                    }
                    None => self.gateway.post(path, body, self.now),
                };
                self.respond(page, request.id, response);
            }
            None => match self.gateway.get(path, query, self.now) {
                Get::Answer(response) => self.respond_to_poll(page, request.id, response),
                Get::Wait(ticket) => {
                    self.polls.push((page, request.id, ticket, self.now + Duration::from_secs(30)));
                }
            },
        }
        self.answer_polls();
    }

    fn forgotten_offer(&mut self, page: usize, body: &str) -> Option<Response> {
        let body: Value = serde_json::from_str(body).unwrap();
        let is_accept = body.pointer("/body/request").is_some_and(|request| request == "accept");
        let is_answer = body.pointer("/jsep/type").is_some_and(|kind| kind == "answer");
        if self.pages[page].loss != Loss::NextOffer || !is_accept || !is_answer {
            return None;
        }
        self.pages[page].loss = Loss::None;
        let error = json!({ "code": 469, "reason": "Unexpected ANSWER (did we offer?)" });
        let transaction = &body["transaction"];
        let body = json!({ "janus": "error", "transaction": transaction, "error": error });
        Some(Response { status: 200, body: body.to_string() })
    }

    fn answer_polls(&mut self) {
        for (page, id, ticket, until) in std::mem::take(&mut self.polls) {
            match self.gateway.collect(&ticket, self.now) {
                Poll::Events(events) => {
                    let response = Response::events(events, ticket.max_events());
                    self.respond_to_poll(page, id, response);
                }
                Poll::Wait(_) if until <= self.now => {
                    self.respond_to_poll(page, id, Response::keepalive(ticket.max_events()));
                }
                Poll::Wait(ticket) => self.polls.push((page, id, ticket, until)),
                Poll::UnknownSession => {
                    self.respond_to_poll(page, id, Response { status: 404, body: String::new() });
                }
            }
        }
    }

    fn respond_to_poll(&mut self, page: usize, id: HttpId, mut response: Response) {
        let this = &mut self.pages[page];
        match this.loss {
            Loss::NextPoll => {
                this.loss = Loss::None;
                return self.schedule(TRIP, Work::Respond(page, id, lost()));
            }
            Loss::NextPollForbidden => {
                this.loss = Loss::None;
                response = Response { status: 403, body: "<html><title>Denied</title>".into() };
            }
            Loss::NextPollTooLong => {
                this.loss = Loss::None;
                response.body.push_str(&" ".repeat(videortc::signaling::LONGEST_BODY));
            }
            Loss::PollsHang => return,
            Loss::RepeatPoll => {
                this.loss = Loss::None;
                if let Ok(Value::Array(mut events)) = serde_json::from_str(&response.body) {
                    events.extend(events.clone());
                    response.body = Value::Array(events).to_string();
                }
            }
            Loss::None | Loss::NextPost | Loss::NextOffer => {}
        }
        self.respond_now(page, id, response);
    }

    fn respond(&mut self, page: usize, id: HttpId, response: Response) {
        let this = &mut self.pages[page];
        if this.loss == Loss::NextPost {
            this.loss = Loss::None;
            return self.schedule(TRIP, Work::Respond(page, id, lost()));
        }
        self.respond_now(page, id, response);
    }

    fn respond_now(&mut self, page: usize, id: HttpId, response: Response) {
        let response = match self.pages[page].is_offline {
            true => lost(),
            false => HttpResponse::Answered { status: response.status, body: response.body },
        };
        self.schedule(TRIP, Work::Respond(page, id, response));
    }

    fn schedule(&mut self, delay: Duration, work: Work) {
        self.sequence += 1;
        self.work.insert((self.now + delay, self.sequence), work);
    }

    fn tell(&mut self, page: usize, id: UseCaseId, act: impl FnOnce(&mut VideoCall, Time)) {
        let now = self.time();
        self.pages[page].client.with_video_call(id, None, now, |call| act(call, now));
        self.drain(page);
    }

    /// Executes the client's outputs, as the browser's driver does.
    fn drain(&mut self, page: usize) {
        while let Some(output) = self.pages[page].client.poll_output() {
            match output {
                Output::Io(Io::Fetch(request)) => self.send(page, request),
                Output::Io(Io::Abort(id)) => self.pages[page].aborted.push(id),
                Output::AskToken(request) => {
                    self.pages[page].token_requests += 1;
                    if !self.pages[page].never_gives_token {
                        self.schedule(TOKEN, Work::Token(page, request));
                    }
                }
                Output::Io(Io::Beacon { url, body }) => {
                    if !self.pages[page].is_offline {
                        let path = url.strip_prefix(BASE).unwrap().to_owned();
                        self.schedule(TRIP, Work::Beacon(path, body));
                    }
                }
                Output::Peer(id, connection, command) => {
                    self.handle_peer_command(page, id, connection, command);
                }
                Output::Release(_) => {
                    let this = &mut self.pages[page];
                    this.devices = false;
                    this.generation += 1;
                }
                Output::Send(id, connection, ChannelMessage::Binary(_, message)) => {
                    let is_open = self.open.contains(&(page, id, connection));
                    assert!(is_open, "messages are sent on open channels only");
                    let other = self.joined.get(&(page, id, connection)).copied();
                    if let Some(other) = other
                        .filter(|_| !self.drops_messages && self.pages[page].receives(connection))
                    {
                        self.schedule(CHANNEL, Work::Receive(other, message));
                    }
                }
                // `transfer.rs` tests the transfers.
                Output::Send(..) | Output::Transfer(..) => {}
                Output::Event(_, usecase::Event::VideoCall(event)) => {
                    self.pages[page].events.push(event);
                }
                Output::Event(_, usecase::Event::EchoTest(_)) => {}
                Output::Done(command, result) => {
                    let this = &mut self.pages[page];
                    let at = this.open.iter().position(|open| *open == command);
                    assert!(
                        at.is_some(),
                        "command {command:?} ended twice, or was never sent: {result:?}"
                    );
                    this.open.remove(at.unwrap());
                    this.done.insert(command, result);
                }
                Output::Ended(id) => {
                    if self.pages[page].call == Some(id) {
                        self.pages[page].is_ended = true;
                        assert_eq!(
                            self.pages[page].connections,
                            [],
                            "a call object ends without a connection left open"
                        );
                        assert!(
                            !self.pages[page].devices,
                            "a call object ends with its devices closed"
                        );
                    }
                }
                Output::Log(_, line) => assert!(!line.contains("token 1"), "{line}"),
            }
        }
    }

    fn send(&mut self, page: usize, mut request: HttpRequest) {
        let this = &mut self.pages[page];
        this.asked += 1;
        if let Some(body) = request.body.as_mut().filter(|_| this.is_foreign) {
            *body = body.replace("a=x-videortc-data:1\\r\\n", "");
        }
        if request.body.is_none() {
            request.url.strip_prefix(BASE).unwrap().clone_into(&mut this.session);
            this.poll = Some(request.clone());
        }
        if let Some(body) = &request.body {
            let body: Value = serde_json::from_str(body).unwrap();
            if let Some(kind) = body.pointer("/body/request").and_then(Value::as_str) {
                let user =
                    body.pointer("/body/username").and_then(Value::as_str).unwrap_or_default();
                this.requests.push(format!("{kind} {user}").trim_end().to_owned());
                if kind == "call" {
                    this.called_at = self.now;
                }
            }
        }
        let work = match this.is_offline {
            true => Work::Respond(page, request.id, lost()),
            false => Work::Arrive(page, request),
        };
        self.schedule(TRIP, work);
    }

    fn handle_peer_command(
        &mut self,
        page: usize,
        id: UseCaseId,
        connection: ConnectionId,
        command: PeerCommand,
    ) {
        if let PeerCommand::Answer(sdp)
        | PeerCommand::AcceptAnswer(sdp)
        | PeerCommand::AnswerAgain(sdp) = &command
            && let Some(other) = sdp.lines().find_map(|line| line.strip_prefix(NUMBER))
        {
            self.joined.insert((page, id, connection), self.described[other]);
        }
        let this = &mut self.pages[page];
        let generation = this.generation;
        match command {
            PeerCommand::Offer => {
                this.connections.push(connection);
                self.schedule(
                    DEVICES,
                    Work::Describe(page, id, connection, (JsepKind::Offer, generation)),
                );
            }
            PeerCommand::Answer(offer) => {
                assert!(offer.starts_with(SDP));
                this.connections.push(connection);
                self.schedule(
                    DEVICES,
                    Work::Describe(page, id, connection, (JsepKind::Answer, generation)),
                );
                self.schedule(DEVICES + CONNECT, Work::Connect(page, id, connection));
            }
            PeerCommand::AcceptAnswer(answer) => {
                assert!(answer.starts_with(SDP));
                self.schedule(CONNECT, Work::Connect(page, id, connection));
            }
            PeerCommand::AddCandidates(candidates) => {
                assert!(
                    this.connections.contains(&connection),
                    "candidates go to an existing connection"
                );
                this.candidates.extend(candidates);
            }
            PeerCommand::Measure => {}
            PeerCommand::Close => {
                let at = this.connections.iter().position(|open| *open == connection);
                assert!(at.is_some(), "connection {connection:?} was closed twice");
                let alert =
                    this.receives(connection).then(|| Work::DtlsAlert(this.session.clone()));
                this.connections.remove(at.unwrap());
                if let Some(alert) = alert {
                    self.schedule(CHANNEL, alert);
                }
                self.open.remove(&(page, id, connection));
                if let Some(other) = self.joined.get(&(page, id, connection)).copied() {
                    self.schedule(CHANNEL, Work::ChannelsClose(other));
                }
            }
            PeerCommand::Restart => {
                assert!(
                    this.connections.contains(&connection),
                    "only an existing connection is restarted"
                );
                self.schedule(
                    TRIP,
                    Work::Describe(page, id, connection, (JsepKind::Offer, generation)),
                );
            }
            PeerCommand::AnswerAgain(offer) => {
                assert!(offer.starts_with(SDP));
                assert!(
                    this.connections.contains(&connection),
                    "only an existing connection is renegotiated"
                );
                self.schedule(
                    TRIP,
                    Work::Describe(page, id, connection, (JsepKind::Answer, generation)),
                );
            }
        }
    }
}

impl Page {
    fn new(client: Client) -> Self {
        Self {
            client,
            call: None,
            is_ended: false,
            events: Vec::new(),
            done: BTreeMap::new(),
            open: Vec::new(),
            session: String::new(),
            poll: None,
            asked: 0,
            requests: Vec::new(),
            called_at: Duration::ZERO,
            closed_at: Duration::ZERO,
            connections: Vec::new(),
            candidates: Vec::new(),
            devices: false,
            refuses_devices: false,
            is_foreign: false,
            is_firewalled: false,
            loss: Loss::None,
            is_offline: false,
            has_no_token: false,
            never_gives_token: false,
            token_requests: 0,
            path: None,
            generation: 0,
            aborted: Vec::new(),
            last_command: 0,
        }
    }
}

impl Page {
    /// Whether this connection receives anything.
    fn receives(&self, connection: ConnectionId) -> bool {
        self.connections.contains(&connection) && self.path == Some((connection, false))
    }
}

fn lost() -> HttpResponse {
    HttpResponse::Failed("TypeError: Failed to fetch".into())
}

/// A short text for an event: `calling Jack`, `hang-up Jack: Call declined`.
pub fn short(event: &Event) -> String {
    match event {
        Event::Registered { name, is_registered: true } => format!("registered {name}"),
        Event::Registered { name, is_registered: false } => format!("refused {name}"),
        Event::Calling(name) => format!("calling {name}"),
        Event::IncomingCall(name) => format!("incoming {name}"),
        Event::Accepted(name) => format!("accepted {name}"),
        Event::HangUp { peer, reason } => format!("hang-up {peer}: {reason}"),
        Event::Reconnecting(cause) => format!("reconnecting {}", cause.code().as_str()),
        Event::Reconnected => "reconnected".to_owned(),
        Event::Error(error) => format!("error {}", error.code().as_str()),
        other => format!("{other:?}"),
    }
}
