//! The events of one object as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::{Stream, StreamExt};

use crate::browser::event::CallEvent;

/// The events of one object, in order: by default, those of a video call.
#[derive(Debug)]
pub struct Events<E = CallEvent>(mpsc::UnboundedReceiver<E>);

impl<E: 'static> Events<E> {
    /// A stream and the function that fills it.
    pub(super) fn new() -> (Self, impl Fn(E) + 'static) {
        let (sender, events) = mpsc::unbounded();
        // Sending fails if the app has dropped the stream.
        (Self(events), move |event| drop(sender.unbounded_send(event)))
    }
}

impl<E> Stream for Events<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<E>> {
        self.0.poll_next_unpin(context)
    }
}
