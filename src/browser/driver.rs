//! Feeds the core, and does what it says. No decision is made here.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use vecmap::VecMap;

use futures::channel::oneshot;
use gloo_timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;

use super::clock;
use super::console::Console;
use super::event::{Direction, TransferState, TransferStatus};
use super::http::{self, Exchange};
use super::options::{CallSetup, Setup, Source as TokenSource};
use super::page_lifecycle::{PageEvent, PageLifecycle};
use super::peer_connection::PeerSetup;
use super::thrown;
use super::transfers::Source;
use super::video_call::{OnEvent, VideoCall};
use crate::client::{CallId, Client, Outcome, Output};
use crate::config::Secret;
use crate::data::Meta;
use crate::error::Error;
use crate::log::Level;
use crate::signaling::{HttpId, HttpRequest, HttpResponse, Io, TokenRequest};
use crate::time::Time;
use crate::usecase::video_call::{Command, Reply, TransferId};

/// The longest delay that browsers take; longer ones fire at once.
const LONGEST_DELAY: u32 = i32::MAX as u32;

/// The machinery of one connection. It is alive as long as somebody holds it, a request is under way or the timer is
/// set: a page may drop its objects and keep its call.
pub(crate) struct Driver {
    client: RefCell<Client>,
    console: Console,
    peer_setup: PeerSetup,
    with_credentials: bool,
    token: Option<TokenSource<String>>,
    /// The outputs are being taken, further up on the stack: a listener called us.
    is_draining: Cell<bool>,
    timer: RefCell<Option<(Time, Timeout)>>,
    page_lifecycle: RefCell<Option<PageLifecycle>>,
    requests: RefCell<VecMap<HttpId, Exchange>>,
    calls: RefCell<VecMap<CallId, Rc<VideoCall>>>,
    commands: RefCell<VecMap<Command, Settle>>,
    last_command: Cell<u64>,
}

/// Hears how a command ended.
type Settle = Box<dyn FnOnce(Result<Outcome, Error>)>;

/// How a command will have ended.
pub(crate) type Ended<T> = oneshot::Receiver<Result<T, Error>>;

impl Driver {
    pub(crate) fn new(setup: Setup) -> Rc<Self> {
        Rc::new(Self {
            console: setup.console,
            peer_setup: PeerSetup::new(&setup),
            with_credentials: setup.with_credentials,
            token: setup.token,
            client: RefCell::new(Client::new(setup.gateway, Rc::new(clock::random))),
            is_draining: Cell::default(),
            timer: RefCell::default(),
            page_lifecycle: RefCell::default(),
            requests: RefCell::default(),
            calls: RefCell::default(),
            commands: RefCell::default(),
            last_command: Cell::default(),
        })
    }

    pub(crate) fn log(&self, level: Level, line: &str) {
        self.console.write(level, line);
    }

    /// The page's side of a call, while the call object exists.
    pub(crate) fn call(&self, id: CallId) -> Option<Rc<VideoCall>> {
        self.calls.borrow().get(&id).cloned()
    }

    /// Who the other side of a call is.
    pub(crate) fn peer(&self, id: CallId) -> Option<String> {
        self.client.borrow().peer(id).map(ToString::to_string)
    }

    /// Feeds the core, and does all that it says.
    pub(crate) fn input(self: &Rc<Self>, act: impl FnOnce(&mut Client, Time)) {
        self.enter(act);
        self.drain();
    }

    /// The one place that borrows the client: for pure code of the core.
    fn enter<T>(&self, act: impl FnOnce(&mut Client, Time) -> T) -> T {
        let now = clock::now();
        act(&mut self.client.borrow_mut(), now)
    }

    // Commands.

    /// Gives the core a command of the page. It is under way when this returns.
    pub(crate) fn command(
        self: &Rc<Self>,
        act: impl FnOnce(&mut Client, Command, Time),
    ) -> Ended<Reply> {
        let (command, ended) = self.expect(|outcome| match outcome {
            Outcome::Reply(reply) => reply,
            Outcome::Attached(_) => Reply::Done,
        });
        self.input(|client, now| act(client, command, now));
        ended
    }

    /// Attaches a video call object; gives what `made` makes of its number.
    pub(crate) fn video_call<T: 'static>(
        self: &Rc<Self>,
        setup: CallSetup,
        on_event: OnEvent,
        made: impl FnOnce(CallId) -> T + 'static,
    ) -> Ended<T> {
        let CallSetup { config, stream, elements } = setup;
        let (driver, has_data) = (Rc::downgrade(self), config.data.enabled);
        let (command, ended) = self.expect(move |outcome| {
            let id = match outcome {
                Outcome::Attached(id) => id,
                Outcome::Reply(_) => CallId::default(),
            };
            if let Some(driver) = Weak::upgrade(&driver) {
                let peers = driver.peer_setup.clone();
                let call =
                    VideoCall::new(id, &driver, peers, (stream, has_data), elements, on_event);
                driver.calls.borrow_mut().insert(id, call);
            }
            made(id)
        });
        self.input(|client, now| client.video_call(command, config, now));
        ended
    }

    /// Sends a message or file. `begun` hears of it before anything else does.
    pub(crate) fn send(
        self: &Rc<Self>,
        id: CallId,
        meta: Meta,
        source: Source,
        begun: impl FnOnce(&TransferStatus),
    ) -> Ended<TransferStatus> {
        let command = self.next_command();
        let mut status = TransferStatus {
            id: TransferId::Outgoing(command),
            direction: Direction::Outgoing,
            kind: meta.kind.clone(),
            filename: meta.filename.clone(),
            size: meta.size,
            transferred: 0,
            state: TransferState::Active,
            peer: self.peer(id),
        };
        let (tell, ended) = oneshot::channel();
        let call = self.call(id);
        let (told, mut last) = (call.clone(), status.clone());
        self.settle_by(command, move |result| {
            let result = result.map(|_| ());
            let finished = told.as_ref().and_then(|call| {
                call.transfers.finish(command, result.as_ref().copied(), |event| call.emit(event))
            });
            let _ = tell.send(result.map(|()| {
                last.state = TransferState::Done;
                finished.unwrap_or(last)
            }));
        });
        begun(&status);
        let text = match &source {
            Source::Text(text) => Some(text.clone()),
            Source::Blob { .. } => None,
        };
        if let Some(call) = call {
            status.peer = self.peer(id);
            // Without a call or without data it is refused, and has no events.
            if status.peer.is_some() && call.has_data() {
                call.transfers.begin(status, source);
            }
        }
        self.input(|client, now| {
            client.with_call(id, Some(command), now, |call| match text {
                Some(text) => call.send_text(command, meta, text, now),
                None => call.send_source(command, meta, now),
            });
        });
        ended
    }

    fn next_command(&self) -> Command {
        self.last_command.set(self.last_command.get().wrapping_add(1));
        Command(self.last_command.get())
    }

    fn settle_by(&self, command: Command, settle: impl FnOnce(Result<Outcome, Error>) + 'static) {
        self.commands.borrow_mut().insert(command, Box::new(settle));
    }

    /// A new command, and how it will have ended.
    fn expect<T: 'static>(
        &self,
        value: impl FnOnce(Outcome) -> T + 'static,
    ) -> (Command, Ended<T>) {
        let command = self.next_command();
        let (tell, ended) = oneshot::channel();
        self.settle_by(command, move |result| {
            let _ = tell.send(result.map(value));
        });
        (command, ended)
    }

    // Outputs.

    /// Does what the core says, until it says no more; then sets the timer.
    fn drain(self: &Rc<Self>) {
        if self.is_draining.replace(true) {
            return;
        }
        loop {
            // The borrow ends here: what follows may call listeners, and they may call us.
            let output = self.client.borrow_mut().poll_output();
            match output {
                Some(output) => self.handle(output),
                None => break,
            }
        }
        self.is_draining.set(false);
        self.set_timer();
        self.set_page_lifecycle();
    }

    fn handle(self: &Rc<Self>, output: Output) {
        match output {
            Output::Io(io) => self.handle_io(io),
            Output::AskToken(request) => self.ask_token(request),
            Output::Media(id, media) => {
                if let Some(call) = self.call(id) {
                    call.handle_media(media);
                }
            }
            Output::Data(id, data) => {
                if let Some(call) = self.call(id) {
                    call.handle_data(data);
                }
            }
            Output::Event(id, event) => {
                if let Some(call) = self.call(id) {
                    call.handle_event(event);
                }
            }
            Output::Done(command, result) => {
                if let Err(error) = &result {
                    self.log(Level::Warn, &error.to_string());
                }
                let settle = self.commands.borrow_mut().remove(&command);
                if let Some(settle) = settle {
                    settle(result);
                }
            }
            Output::Ended(id) => {
                let call = self.calls.borrow_mut().remove(&id);
                if let Some(call) = call {
                    call.end();
                }
            }
            Output::Log(level, line) => self.log(level, &line),
        }
    }

    fn handle_io(self: &Rc<Self>, io: Io) {
        match io {
            Io::Fetch(request) => self.exchange(request),
            Io::Abort(id) => {
                let exchange = self.requests.borrow_mut().remove(&id);
                drop(exchange);
            }
            Io::Beacon { url, body } => http::send_last(&url, &body, self.with_credentials),
        }
    }

    fn ask_token(self: &Rc<Self>, request: TokenRequest) {
        let Some(source) = self.token.clone() else { return };
        let driver = self.clone();
        spawn_local(async move {
            // The page's function is called here: outside of the drain, like any listener.
            let token = source().await.map(Secret::new);
            driver.input(|client, now| client.handle_token(request, token, now));
        });
    }

    fn exchange(self: &Rc<Self>, request: HttpRequest) {
        let id = request.id;
        let exchange = match Exchange::new() {
            Ok(exchange) => exchange,
            Err(thrown) => {
                let failed = HttpResponse::Failed(thrown::words(&thrown));
                return self.enter(|client, now| client.handle_http(id, failed, now));
            }
        };
        let signal = exchange.signal();
        self.requests.borrow_mut().insert(id, exchange);
        let driver = self.clone();
        spawn_local(async move {
            let response = http::send(request, signal, driver.with_credentials).await;
            // An aborted request is no longer listed, and nobody waits for it.
            let exchange = driver.requests.borrow_mut().remove(&id);
            if exchange.is_some() {
                driver.input(|client, now| client.handle_http(id, response, now));
            }
        });
    }

    /// One timer, for the next of the core's deadlines.
    fn set_timer(self: &Rc<Self>) {
        let deadline = self.client.borrow().poll_timeout();
        let set = self.timer.borrow().as_ref().map(|(deadline, _)| *deadline);
        if set == deadline {
            return;
        }
        let timer = deadline.map(|deadline| {
            let delay = deadline.since(clock::now()).as_millis();
            let driver = Rc::clone(self);
            let timer = Timeout::new(
                u32::try_from(delay).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY),
                move || driver.handle_timeout(),
            );
            (deadline, timer)
        });
        let before = self.timer.replace(timer);
        drop(before);
    }

    fn handle_timeout(self: &Rc<Self>) {
        // It has fired, and another must be set.
        let fired = self.timer.take();
        drop(fired);
        self.input(|client, now| client.handle_timeout(now));
    }

    /// Listens to the page's fate while there is a session.
    fn set_page_lifecycle(self: &Rc<Self>) {
        let is_wanted = self.client.borrow().is_present();
        if is_wanted == self.page_lifecycle.borrow().is_some() {
            return;
        }
        let lifecycle = is_wanted.then(|| {
            let driver = Rc::downgrade(self);
            PageLifecycle::new(Rc::new(move |event| {
                if let Some(driver) = Weak::upgrade(&driver) {
                    driver.handle_page_event(event);
                }
            }))
        });
        let before = self.page_lifecycle.replace(lifecycle.flatten());
        drop(before);
    }

    fn handle_page_event(self: &Rc<Self>, event: PageEvent) {
        self.input(|client, now| match event {
            PageEvent::Online => client.handle_online(now),
            PageEvent::Visible => client.handle_visible(now),
            PageEvent::Hide => client.handle_hide(now),
            PageEvent::Show => client.handle_show(now),
        });
    }
}
