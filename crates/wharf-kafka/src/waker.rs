//! Ends a consumer's wait from another thread, so that its owner need not look up every few milliseconds.
//!
//! What must stay true: the library's queue is given back before its client is destroyed, however long wakers are kept.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::native::client::Queue;

/// Wakes a [`Consumer`](crate::Consumer) that waits in a poll, or lets its next poll return at once. Without effect when the
/// consumer is gone.
#[derive(Clone)]
pub struct ConsumerWaker(Arc<Mutex<Option<Queue>>>);

impl fmt::Debug for ConsumerWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerWaker").finish_non_exhaustive()
    }
}

impl ConsumerWaker {
    pub(crate) fn new(queue: Option<Queue>) -> Self {
        Self(Arc::new(Mutex::new(queue)))
    }

    /// Ends the present wait, or the next one.
    pub fn wake(&self) {
        if let Some(queue) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            queue.end_wait();
        }
    }
}

/// The consumer's own end of its waker: lets go of the queue when dropped.
pub(crate) struct WakerOwner(pub(crate) ConsumerWaker);

impl Drop for WakerOwner {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
