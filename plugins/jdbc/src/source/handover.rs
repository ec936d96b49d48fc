//! Between the thread that reads and the task that is polled: at most two batches.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wharf_api::{ConnectError, RecordBatch};

use crate::session::Stop;

const MOST_BATCHES: usize = 2;
/// How often it is looked whether the task is to stop.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Default)]
struct State {
    full: VecDeque<RecordBatch>,
    empty: Vec<RecordBatch>,
    failure: Option<ConnectError>,
}

/// Batches on their way.
#[derive(Default)]
pub(crate) struct Handover {
    state: Mutex<State>,
    changed: Condvar,
}

impl Handover {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch to be filled.
    pub(crate) fn empty(&self) -> RecordBatch {
        self.state().empty.pop().unwrap_or_default()
    }

    /// Waits until there is room. `false` when the task is to stop first.
    pub(crate) fn has_room(&self, stop: &Stop) -> bool {
        self.has_room_within(self.state(), None, stop)
    }

    fn has_room_within(
        &self,
        mut state: MutexGuard<'_, State>,
        patience: Option<Duration>,
        stop: &Stop,
    ) -> bool {
        let began = Instant::now();
        while state.full.len() >= MOST_BATCHES {
            if stop(Duration::ZERO) || patience.is_some_and(|patience| began.elapsed() >= patience) {
                return false;
            }
            state = self.waited(state, STOP_INTERVAL);
        }
        true
    }

    fn waited<'s>(&self, state: MutexGuard<'s, State>, time: Duration) -> MutexGuard<'s, State> {
        let (state, _) = self
            .changed
            .wait_timeout(state, time)
            .unwrap_or_else(PoisonError::into_inner);
        state
    }

    /// Gives a batch, and waits until there is room for another one. `false` when that takes longer than `patience`, or the task is
    /// to stop.
    pub(crate) fn give(&self, batch: RecordBatch, patience: Option<Duration>, stop: &Stop) -> bool {
        let mut state = self.state();
        state.full.push_back(batch);
        self.changed.notify_all();
        self.has_room_within(state, patience, stop)
    }

    /// Nothing comes any more.
    pub(crate) fn fail(&self, error: ConnectError) {
        self.state().failure = Some(error);
        self.changed.notify_all();
    }

    /// Puts the next batch in place of an empty one; waits for it at most this long.
    ///
    /// # Errors
    /// Why nothing comes any more, once all that came before was taken.
    pub(crate) fn take(&self, batch: &mut RecordBatch, wait: Duration) -> Result<bool, ConnectError> {
        let until = Instant::now() + wait;
        let mut state = self.state();
        loop {
            if let Some(full) = state.full.pop_front() {
                let empty = std::mem::replace(batch, full);
                if state.empty.len() < MOST_BATCHES {
                    state.empty.push(empty);
                }
                self.changed.notify_all();
                return Ok(true);
            }
            if let Some(error) = &state.failure {
                return Err(error.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            state = self.waited(state, left);
        }
    }
}
