//! A command that is under way.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;

use crate::browser::driver::Ended;
use crate::error::Error;
use crate::usecase::Reply;

/// A command that is under way: a future that is ready when the command has succeeded or failed.
/// Dropping it does not cancel the command.
#[must_use = "the command is under way, and only this future returns its result"]
pub struct Pending<T> {
    ended: Result<Ended<Reply>, Option<Error>>,
    value: fn(Reply) -> T,
}

impl<T> Pending<T> {
    pub(super) fn new(ended: Result<Ended<Reply>, Error>, value: fn(Reply) -> T) -> Self {
        Self { ended: ended.map_err(Some), value }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let value = self.value;
        match &mut self.ended {
            Ok(ended) => ended
                .poll_unpin(context)
                .map(|ended| ended.unwrap_or(Err(Error::Dropped)).map(value)),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(Error::Dropped))),
        }
    }
}
