//! The driver: passes inputs to the core and executes its outputs. It makes no decisions.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use vecmap::VecMap;

use futures::channel::oneshot;
use gloo_timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;

use super::clock;
use super::console::Console;
use super::echo_test::{EchoTest, OnEvent as OnEchoEvent};
use super::event::{Direction, TransferState, TransferStatus};
use super::http::{self, Exchange};
use super::media::Media;
use super::options::{CallSetup, EchoSetup, Setup, Source as TokenSource};
use super::page_lifecycle::{PageEvent, PageLifecycle};
use super::peer_connection::PeerSetup;
use super::thrown;
use super::transfers::{Source, Transfers};
use super::video_call::{OnEvent, VideoCall};
use crate::client::{Client, Outcome, Output, UseCaseId};
use crate::config::Secret;
use crate::data::Meta;
use crate::error::Error;
use crate::log::Level;
use crate::signaling::{HttpId, HttpRequest, HttpResponse, Io, TokenRequest};
use crate::time::Time;
use crate::usecase::video_call::TransferId;
use crate::usecase::{Command, Event, Reply};

/// The longest delay of a browser's timer. Longer ones fire at once.
const LONGEST_DELAY: u32 = i32::MAX as u32;

/// The driver of one client. Requests under way and the timer hold a reference, so a page may drop
/// its objects and keep its call.
pub(crate) struct Driver {
    client: RefCell<Client>,
    console: Console,
    peer_setup: PeerSetup,
    with_credentials: bool,
    token: Option<TokenSource<String>>,
    /// The outputs are being drained further up the stack, and a listener has called a method.
    is_draining: Cell<bool>,
    timer: RefCell<Option<(Time, Timeout)>>,
    page_lifecycle: RefCell<Option<PageLifecycle>>,
    requests: RefCell<VecMap<HttpId, Exchange>>,
    objects: RefCell<VecMap<UseCaseId, Object>>,
    commands: RefCell<VecMap<Command, Settle>>,
    last_command: Cell<u64>,
}

/// The page's side of a use case.
#[derive(Clone)]
enum Object {
    VideoCall(Rc<VideoCall>),
    EchoTest(Rc<EchoTest>),
}

impl Object {
    fn media(&self) -> &Rc<Media> {
        match self {
            Self::VideoCall(call) => &call.media,
            Self::EchoTest(test) => &test.media,
        }
    }
}

/// Receives the result of a command.
type Settle = Box<dyn FnOnce(Result<Outcome, Error>)>;

/// The future result of a command.
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
            objects: RefCell::default(),
            commands: RefCell::default(),
            last_command: Cell::default(),
        })
    }

    pub(crate) fn log(&self, level: Level, line: &str) {
        self.console.write(level, line);
    }

    /// The page's side of a video call, while the object exists.
    pub(crate) fn video_call(&self, id: UseCaseId) -> Option<Rc<VideoCall>> {
        match self.object(id)? {
            Object::VideoCall(call) => Some(call),
            Object::EchoTest(_) => None,
        }
    }

    /// The page's side of an echo test, while the object exists.
    pub(crate) fn echo_test(&self, id: UseCaseId) -> Option<Rc<EchoTest>> {
        match self.object(id)? {
            Object::EchoTest(test) => Some(test),
            Object::VideoCall(_) => None,
        }
    }

    pub(crate) fn has_object(&self, id: UseCaseId) -> bool {
        self.objects.borrow().contains_key(&id)
    }

    fn object(&self, id: UseCaseId) -> Option<Object> {
        self.objects.borrow().get(&id).cloned()
    }

    /// The setup of peer connections.
    pub(crate) fn peer_setup(&self) -> &PeerSetup {
        &self.peer_setup
    }

    /// The other side of a call, if there is a call.
    pub(crate) fn peer(&self, id: UseCaseId) -> Option<String> {
        self.client.borrow().peer(id).map(ToString::to_string)
    }

    /// Passes an input to the core, and executes all outputs.
    pub(crate) fn input(self: &Rc<Self>, act: impl FnOnce(&mut Client, Time)) {
        self.enter(act);
        self.drain();
    }

    /// Borrows the client for an input, which is pure code of the core.
    fn enter<T>(&self, act: impl FnOnce(&mut Client, Time) -> T) -> T {
        let now = clock::now();
        act(&mut self.client.borrow_mut(), now)
    }

    // Commands.

    /// Passes a command of the page to the core. It is under way when this returns.
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

    /// Attaches a video call object. Returns the result of `made` for its id.
    pub(crate) fn attach_video_call<T: 'static>(
        self: &Rc<Self>,
        setup: CallSetup,
        on_event: OnEvent,
        made: impl FnOnce(UseCaseId) -> T + 'static,
    ) -> Ended<T> {
        let config = setup.config.clone();
        let (command, ended) = self.expect_object(
            move |id, driver| Object::VideoCall(VideoCall::new(id, driver, setup, on_event)),
            made,
        );
        self.input(|client, now| client.video_call(command, config, now));
        ended
    }

    /// Attaches an echo test object. Returns the result of `made` for its id.
    pub(crate) fn attach_echo_test<T: 'static>(
        self: &Rc<Self>,
        setup: EchoSetup,
        on_event: OnEchoEvent,
        made: impl FnOnce(UseCaseId) -> T + 'static,
    ) -> Ended<T> {
        let config = setup.config.clone();
        let (command, ended) = self.expect_object(
            move |id, driver| Object::EchoTest(EchoTest::new(id, driver, setup, on_event)),
            made,
        );
        self.input(|client, now| client.echo_test(command, config, now));
        ended
    }

    /// A new command that attaches an object, and the future result of `made` for its id.
    fn expect_object<T: 'static>(
        self: &Rc<Self>,
        page: impl FnOnce(UseCaseId, &Rc<Self>) -> Object + 'static,
        made: impl FnOnce(UseCaseId) -> T + 'static,
    ) -> (Command, Ended<T>) {
        let driver = Rc::downgrade(self);
        self.expect(move |outcome| {
            let id = match outcome {
                Outcome::Attached(id) => id,
                Outcome::Reply(_) => UseCaseId::default(),
            };
            if let Some(driver) = Weak::upgrade(&driver) {
                let object = page(id, &driver);
                driver.objects.borrow_mut().insert(id, object);
            }
            made(id)
        })
    }

    /// Sends a message or file. `begun` receives its status before any event fires.
    pub(crate) fn send(
        self: &Rc<Self>,
        id: UseCaseId,
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
        let (sender, ended) = oneshot::channel();
        let call = self.video_call(id);
        let (target, mut last) = (call.clone(), status.clone());
        self.settle_by(command, move |result| {
            let result = result.map(|_| ());
            let finished = target.as_ref().and_then(|call| {
                call.transfers.finish(command, result.as_ref().copied(), |event| call.emit(event))
            });
            let _ = sender.send(result.map(|()| {
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
            // Without a call or without data channels, the core refuses it, and no events fire.
            if status.peer.is_some() && call.has_data() {
                call.transfers.begin(status, source);
            }
        }
        self.input(|client, now| {
            client.with_video_call(id, Some(command), now, |call| match text {
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

    /// A new command and its future result.
    fn expect<T: 'static>(
        &self,
        value: impl FnOnce(Outcome) -> T + 'static,
    ) -> (Command, Ended<T>) {
        let command = self.next_command();
        let (sender, ended) = oneshot::channel();
        self.settle_by(command, move |result| {
            let _ = sender.send(result.map(value));
        });
        (command, ended)
    }

    // Outputs.

    /// Executes the core's outputs until there are none, then sets the timer.
    fn drain(self: &Rc<Self>) {
        if self.is_draining.replace(true) {
            return;
        }
        loop {
            // The borrow ends here: `handle` may call listeners, and they may call methods.
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
            Output::Peer(id, connection, command) => {
                if let Some(object) = self.object(id) {
                    object.media().handle(connection, command);
                }
            }
            Output::Send(id, connection, message) => {
                if let Some(object) = self.object(id) {
                    object.media().send(connection, message);
                }
            }
            Output::Release(id) => {
                if let Some(object) = self.object(id) {
                    object.media().release();
                }
            }
            Output::Transfer(id, data) => {
                if let Some(call) = self.video_call(id) {
                    Transfers::handle(&call, data);
                }
            }
            Output::Event(id, event) => match (self.object(id), event) {
                (Some(Object::VideoCall(call)), Event::VideoCall(event)) => {
                    call.handle_event(event);
                }
                (Some(Object::EchoTest(test)), Event::EchoTest(event)) => test.handle_event(event),
                _ => {}
            },
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
                let object = self.objects.borrow_mut().remove(&id);
                if let Some(object) = object {
                    object.media().end();
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
            // Calls the page's function outside of the drain, like any listener.
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
            // An aborted request is not in the map any more.
            let exchange = driver.requests.borrow_mut().remove(&id);
            if exchange.is_some() {
                driver.input(|client, now| client.handle_http(id, response, now));
            }
        });
    }

    /// Sets one timer for the core's next deadline.
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
        // It has fired, so `set_timer` must set another one.
        let fired = self.timer.take();
        drop(fired);
        self.input(|client, now| client.handle_timeout(now));
    }

    /// Listens to the page's lifecycle events while there is a session.
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
