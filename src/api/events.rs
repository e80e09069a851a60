//! The events of one object as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::{Stream, StreamExt};

use crate::browser::event::CallEvent;

/// The events of one object, in order; of a video call, unless it says otherwise.
#[derive(Debug)]
pub struct Events<E = CallEvent>(mpsc::UnboundedReceiver<E>);

impl<E: 'static> Events<E> {
    /// A stream, and what fills it.
    pub(super) fn new() -> (Self, impl Fn(E) + 'static) {
        let (tell, events) = mpsc::unbounded();
        // An app that dropped the stream hears nothing.
        (Self(events), move |event| drop(tell.unbounded_send(event)))
    }
}

impl<E> Stream for Events<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<E>> {
        self.0.poll_next_unpin(context)
    }
}
