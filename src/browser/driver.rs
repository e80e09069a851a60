//! Feeds the core, and does what it says. No decision is made here.

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

    /// How peer connections are made.
    pub(crate) fn peer_setup(&self) -> &PeerSetup {
        &self.peer_setup
    }

    /// Who the other side of a call is.
    pub(crate) fn peer(&self, id: UseCaseId) -> Option<String> {
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

    /// Attaches an echo test object; gives what `made` makes of its number.
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

    /// A new command that attaches an object, and what `made` makes of the object's number.
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

    /// Sends a message or file. `begun` hears of it before anything else does.
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
        let (tell, ended) = oneshot::channel();
        let call = self.video_call(id);
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
