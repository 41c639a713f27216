//! A running pipe that can be dropped at a chosen moment, although a set of futures polls it.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use super::inbox::lock;

/// Ends with `None` if its work was dropped, whenever it is polled again.
pub(crate) struct Slot<'a, T>(Arc<Mutex<Option<BoxFuture<'a, T>>>>);

impl<'a, T> Slot<'a, T> {
    pub(crate) fn new(work: BoxFuture<'a, T>) -> Self {
        Self(Arc::new(Mutex::new(Some(work))))
    }

    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Drops the work, now.
    pub(crate) fn stop(&self) {
        let work = lock(&self.0).take();
        drop(work);
    }
}

impl<T> Future for Slot<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut work = lock(&self.0);
        let Some(running) = work.as_mut() else { return Poll::Ready(None) };
        let end = std::task::ready!(running.as_mut().poll(context));
        *work = None;
        Poll::Ready(Some(end))
    }
}
