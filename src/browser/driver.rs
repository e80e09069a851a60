//! The driver: feeds the core, and does what it says. No decision is made here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, RtcConfiguration};

use super::call::{CallOptions, CallShell};
use super::console::Console;
use super::{failure, http, system};
use crate::call::Command;
use crate::client::{CallId, Client, Outcome, Output};
use crate::config::{CallConfig, GatewayConfig};
use crate::error::Error;
use crate::log::Level;
use crate::proto::{HttpId, HttpRequest};
use crate::time::{Time, millis};
use crate::vec_map::VecMap;

/// One `VideoRTC` object's machinery. Alive as long as somebody holds it, a request is under way or
/// the timer is set: a page may drop its objects and keep its call.
pub(crate) struct Driver {
    client: RefCell<Client>,
    console: Console,
    configuration: RtcConfiguration,
    with_credentials: bool,
    /// The outputs are being drained, further up on the stack: a listener called us back.
    draining: Cell<bool>,
    timer: RefCell<Option<Timeout>>,
    requests: RefCell<VecMap<HttpId, AbortController>>,
    calls: RefCell<VecMap<CallId, Rc<CallShell>>>,
    /// What `videoCall()` was given, until the gateway has attached it.
    attaching: RefCell<VecMap<Command, CallOptions>>,
    commands: RefCell<VecMap<Command, Settler>>,
    last_command: Cell<u64>,
}

/// Makes of how a command ended what JavaScript gets.
type Value = Box<dyn FnOnce(Outcome) -> Result<JsValue, JsValue>>;

/// A promise of the page's, and how to make its value.
struct Settler {
    resolve: Function,
    reject: Function,
    value: Value,
}

impl Driver {
    pub(crate) fn new(
        gateway: GatewayConfig,
        console: Console,
        configuration: RtcConfiguration,
        with_credentials: bool,
    ) -> Rc<Self> {
        Rc::new(Self {
            client: RefCell::new(Client::new(gateway, Rc::new(system::random))),
            console,
            configuration,
            with_credentials,
            draining: Cell::default(),
            timer: RefCell::default(),
            requests: RefCell::default(),
            calls: RefCell::default(),
            attaching: RefCell::default(),
            commands: RefCell::default(),
            last_command: Cell::default(),
        })
    }

    pub(crate) fn console(&self) -> Console {
        self.console
    }

    /// The shell of a call, while the call exists.
    pub(crate) fn call(&self, id: CallId) -> Option<Rc<CallShell>> {
        self.calls.borrow().get(&id).cloned()
    }

    /// Gives the core a command of the page. The promise settles when the core says how it ended;
    /// `value` makes of that what JavaScript gets.
    pub(crate) fn command(
        self: &Rc<Self>,
        value: impl FnOnce(Outcome) -> Result<JsValue, JsValue> + 'static,
        act: impl FnOnce(&mut Client, Command, Time),
    ) -> Promise {
        let command = self.next_command();
        let promise = self.promise(command, Box::new(value));
        self.input(|client, now| act(client, command, now));
        promise
    }

    /// Attaches a video call object; `value` gets its id.
    pub(crate) fn video_call(
        self: &Rc<Self>,
        options: CallOptions,
        config: CallConfig,
        value: impl FnOnce(Outcome) -> Result<JsValue, JsValue> + 'static,
    ) -> Promise {
        let command = self.next_command();
        self.attaching.borrow_mut().insert(command, options);
        let promise = self.promise(command, Box::new(value));
        self.input(|client, now| client.video_call(command, config, now));
        promise
    }

    fn next_command(&self) -> Command {
        self.last_command.set(self.last_command.get().wrapping_add(1));
        Command(self.last_command.get())
    }

    fn promise(&self, command: Command, value: Value) -> Promise {
        let mut value = Some(value);
        Promise::new(&mut |resolve, reject| {
            if let Some(value) = value.take() {
                self.commands.borrow_mut().insert(command, Settler { resolve, reject, value });
            }
        })
    }

    /// Feeds the core, and does all it says.
    pub(crate) fn input(self: &Rc<Self>, act: impl FnOnce(&mut Client, Time)) {
        act(&mut self.client.borrow_mut(), system::now());
        self.drain();
    }

    /// Does what the core says, until it says no more.
    fn drain(self: &Rc<Self>) {
        if self.draining.replace(true) {
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
        self.draining.set(false);
        self.set_timer();
    }

    fn handle(self: &Rc<Self>, output: Output) {
        match output {
            Output::Http(request) => self.send(request),
            Output::Abort(id) => {
                if let Some(abort) = self.requests.borrow_mut().remove(&id) {
                    abort.abort();
                }
            }
            Output::Beacon { .. } => {}
            Output::Media(id, media) => {
                if let Some(call) = self.call(id) {
                    call.handle_media(self, id, media);
                }
            }
            Output::Data(id, data) => {
                if let Some(call) = self.call(id) {
                    call.handle_data(self, id, data);
                }
            }
            Output::Event(id, event) => {
                if let Some(call) = self.call(id) {
                    call.fire(&event);
                }
            }
            Output::Done(command, result) => self.settle(command, result),
            Output::Ended(id) => {
                let call = self.calls.borrow_mut().remove(&id);
                if let Some(call) = call {
                    call.close();
                }
            }
            Output::Log(level, line) => self.console.write(level, &line),
        }
    }

    fn send(self: &Rc<Self>, request: HttpRequest) {
        let Ok(abort) = AbortController::new() else { return };
        let id = request.id;
        self.requests.borrow_mut().insert(id, abort.clone());
        let driver = self.clone();
        spawn_local(async move {
            let response = http::send(request, abort, driver.with_credentials).await;
            // An aborted request is no longer listed, and nobody waits for it.
            let wanted = driver.requests.borrow_mut().remove(&id).is_some();
            if wanted {
                driver.input(|client, now| client.handle_http(id, response, now));
            }
        });
    }

    fn settle(&self, command: Command, result: Result<Outcome, Error>) {
        let options = self.attaching.borrow_mut().remove(&command);
        if let (Some(options), Ok(Outcome::Attached(id))) = (options, &result) {
            let shell = CallShell::new(options, self.configuration.clone());
            self.calls.borrow_mut().insert(*id, Rc::new(shell));
        }
        let calls: Vec<_> = self.calls.borrow().values().cloned().collect();
        for call in calls {
            call.finish_transfer(command, result.as_ref().map(|_| ()));
        }
        let Some(settler) = self.commands.borrow_mut().remove(&command) else { return };
        let result = match result {
            Ok(outcome) => (settler.value)(outcome),
            Err(error) => {
                self.console.write(Level::Warn, &error.to_string());
                Err(failure::to_js(&error))
            }
        };
        // Settling a promise runs nothing of the page's before we are done.
        let _ = match result {
            Ok(value) => settler.resolve.call1(&JsValue::UNDEFINED, &value),
            Err(error) => settler.reject.call1(&JsValue::UNDEFINED, &error),
        };
    }

    /// One timer, for the next of the core's deadlines.
    fn set_timer(self: &Rc<Self>) {
        let deadline = self.client.borrow().poll_timeout();
        let timer = deadline.map(|deadline| {
            let delay = millis(deadline.since(system::now()));
            let driver = self.clone();
            Timeout::new(u32::try_from(delay).unwrap_or(u32::MAX).min(MOST_DELAY), move || {
                driver.input(|client, now| client.handle_timeout(now));
            })
        });
        // Dropping the old one takes it off.
        drop(self.timer.replace(timer));
    }
}

/// The longest delay that browsers take; longer ones fire at once.
const MOST_DELAY: u32 = i32::MAX as u32;
