//! The handle of an object at the gateway. The clones of the API object share it, and the last one
//! closes the object.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use futures::channel::oneshot;

use super::video_rtc::Session;
use crate::browser::driver::Ended;
use crate::client::{Client, UseCaseId};
use crate::time::Time;
use crate::usecase::echo_test::EchoTest;
use crate::usecase::video_call::VideoCall;
use crate::usecase::{Command, Reply};

/// The access to a use case of the core by its type.
pub(crate) trait UseCase: Sized {
    /// Passes an input to the object.
    fn with(
        client: &mut Client,
        id: UseCaseId,
        command: Option<Command>,
        now: Time,
        act: impl FnOnce(&mut Self),
    );

    /// Ends the object.
    fn close(&mut self, command: Command, now: Time);
}

impl UseCase for VideoCall {
    fn with(
        client: &mut Client,
        id: UseCaseId,
        command: Option<Command>,
        now: Time,
        act: impl FnOnce(&mut Self),
    ) {
        client.with_video_call(id, command, now, act);
    }

    fn close(&mut self, command: Command, now: Time) {
        self.close(command, now);
    }
}

impl UseCase for EchoTest {
    fn with(
        client: &mut Client,
        id: UseCaseId,
        command: Option<Command>,
        now: Time,
        act: impl FnOnce(&mut Self),
    ) {
        client.with_echo_test(id, command, now, act);
    }

    fn close(&mut self, command: Command, now: Time) {
        self.close(command, now);
    }
}

/// An object at the gateway. Closed when dropped.
pub(crate) struct Handle<U: UseCase> {
    session: Rc<Session>,
    id: UseCaseId,
    is_kept: Cell<bool>,
    usecase: PhantomData<U>,
}

impl<U: UseCase> Handle<U> {
    pub(super) fn new(session: Rc<Session>, id: UseCaseId) -> Rc<Self> {
        Rc::new(Self { session, id, is_kept: Cell::new(false), usecase: PhantomData })
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn id(&self) -> UseCaseId {
        self.id
    }

    /// Dropping does not close the object any more.
    #[cfg(feature = "js")]
    pub(super) fn keep_alive(&self) {
        self.is_kept.set(true);
    }

    pub(super) fn command(&self, act: impl FnOnce(&mut U, Command, Time)) -> Ended<Reply> {
        let id = self.id;
        self.session.driver().command(|client, command, now| {
            U::with(client, id, Some(command), now, |usecase| act(usecase, command, now));
        })
    }

    /// Ends the object. Succeeds if it has ended already.
    pub(super) fn close(&self) -> Ended<Reply> {
        match self.session.driver().has_object(self.id) {
            true => self.command(U::close),
            false => {
                let (sender, ended) = oneshot::channel();
                let _ = sender.send(Ok(Reply::Done));
                ended
            }
        }
    }
}

impl<U: UseCase> Drop for Handle<U> {
    fn drop(&mut self) {
        if !self.is_kept.get() {
            drop(self.close());
        }
    }
}
