//! What the herder tells a running connector or task, and how its thread hears of it.
//!
//! A [`TaskControl`] is shared between the herder and one task's thread. Everything a task waits for ends when the herder
//! wants something: stop, pause, resume, or nothing more to do with it (cancelled).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wharf_membership::HeldLease;

/// What the user asked of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    /// It runs.
    Started,
    /// Allocated, doing nothing.
    Paused,
    /// Doing nothing, without tasks.
    Stopped,
}

impl TargetState {
    /// Upstream's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}

#[derive(Debug)]
struct State {
    paused: bool,
    stopping: bool,
    done: bool,
}

/// Ends a wait of the task's thread that is not on its control.
#[derive(Default)]
pub(crate) struct Waker(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl Waker {
    pub(crate) fn set(&self, wake: impl Fn() + Send + Sync + 'static) {
        // A thread waits for one thing all its life.
        let _ = self.0.set(Box::new(wake));
    }

    pub(crate) fn wake(&self) {
        if let Some(wake) = self.0.get() {
            wake();
        }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

/// The herder's hand on a task.
#[derive(Debug)]
pub struct TaskControl {
    state: Mutex<State>,
    changed: Condvar,
    /// Mirrors `stopping || paused`, for checks on the hot path.
    interrupted: AtomicBool,
    cancelled: AtomicBool,
    /// The lease under which the task runs, in a group of workers.
    lease: OnceLock<HeldLease>,
    /// Ends what else the task's thread may be waiting for.
    waker: Waker,
    /// Which method of the plugin is being called, and since when.
    call: Mutex<Option<(&'static str, Instant)>>,
}

/// Ends the note of a call into the plugin when dropped.
#[derive(Debug)]
pub struct CallNote<'c>(&'c TaskControl);

impl Drop for CallNote<'_> {
    fn drop(&mut self) {
        *self.0.call.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl TaskControl {
    /// Notes that the thread is about to call this method of the plugin.
    #[must_use = "the note ends when it is dropped"]
    pub fn calling(&self, method: &'static str) -> CallNote<'_> {
        *self.call.lock().unwrap_or_else(PoisonError::into_inner) = Some((method, Instant::now()));
        CallNote(self)
    }

    /// The method of the plugin that has not returned for at least this long, and for how long.
    #[must_use]
    pub fn hanging_call(&self, at_least: Duration) -> Option<(&'static str, Duration)> {
        let (method, since) = (*self.call.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some((method, since.elapsed())).filter(|(_, time)| *time >= at_least)
    }

    /// A task that starts running, or paused.
    #[must_use]
    pub fn new(paused: bool) -> Self {
        Self {
            state: Mutex::new(State {
                paused,
                stopping: false,
                done: false,
            }),
            changed: Condvar::new(),
            interrupted: AtomicBool::new(paused),
            cancelled: AtomicBool::new(false),
            lease: OnceLock::new(),
            waker: Waker::default(),
            call: Mutex::new(None),
        }
    }

    /// A panic elsewhere must not make a task deaf.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        self.interrupted
            .store(state.stopping || state.paused, Ordering::Release);
        self.changed.notify_all();
        drop(state);
        self.waker.wake();
    }

    /// The task's thread waits for more than this control: it is to be woken, too, when something is asked of it.
    pub fn wakes(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.waker.set(wake);
    }

    /// Asks the task to stop.
    pub fn stop(&self) {
        self.change(|state| state.stopping = true);
    }

    /// Asks the task to pause or to go on.
    pub fn set_paused(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    /// Gives the task up: it may still run, but nothing it reports counts any more.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.stop();
    }

    /// Lets the task run under this lease only: when it is over, the task counts as given up.
    pub fn run_under(&self, lease: HeldLease) {
        // A task is started once.
        let _ = self.lease.set(lease);
    }

    fn has_lapsed(&self) -> bool {
        self.lease.get().is_some_and(|lease| !lease.is_valid())
    }

    /// Whether the task was given up, or has lost the lease under which it was started: then another worker may run it, and
    /// nothing that this one does may be seen any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire) || self.has_lapsed()
    }

    /// Whether the task is to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        (self.is_interrupted() && self.lock().stopping) || self.has_lapsed()
    }

    /// Whether the task is to pause.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_interrupted() && self.lock().paused
    }

    /// Whether the task is to stop or pause.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }

    /// Waits until the task is to stop or pause, at most this long. Says whether it is.
    #[must_use]
    pub fn wait_interrupted(&self, time: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(time), |state| {
            state.stopping || state.paused
        })
    }

    /// Waits until the task is to stop, at most this long. Says whether it is.
    #[must_use]
    pub fn wait_stopping(&self, time: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(time), |state| state.stopping)
    }

    /// Waits while the task is paused and not stopping, at most this long. Says whether it may go on or must stop.
    #[must_use]
    pub fn wait_resumed(&self, time: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(time), |state| {
            state.stopping || !state.paused
        })
    }

    /// Says that the task's thread has ended.
    pub fn set_done(&self) {
        self.change(|state| state.done = true);
    }

    /// Waits for the task's thread to end, until this time. Says whether it did.
    #[must_use]
    pub fn wait_done(&self, deadline: Instant) -> bool {
        self.wait_until(Some(deadline), |state| state.done)
    }

    /// Waits until the condition holds or the deadline has passed; no deadline is for ever.
    fn wait_until(&self, deadline: Option<Instant>, holds: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        loop {
            if holds(&state) {
                return true;
            }
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn a_wait_ends_when_the_task_is_to_stop() {
        let control = Arc::new(TaskControl::new(false));
        let waiting = Arc::clone(&control);
        let thread = std::thread::spawn(move || waiting.wait_interrupted(Duration::from_secs(60)));
        control.stop();
        assert!(thread.join().unwrap());
        assert!(control.is_stopping());
    }

    #[test]
    fn pausing_interrupts_but_does_not_stop() {
        let control = TaskControl::new(false);
        assert!(!control.wait_interrupted(Duration::ZERO));
        control.set_paused(true);
        assert!(control.is_interrupted() && control.is_paused() && !control.is_stopping());
        assert!(!control.wait_resumed(Duration::ZERO));
        control.set_paused(false);
        assert!(control.wait_resumed(Duration::ZERO) && !control.is_interrupted());
    }

    #[test]
    fn whatever_is_asked_wakes_the_thread_from_its_other_wait() {
        let control = TaskControl::new(false);
        control.stop();
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        control.wakes(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let asks: [&dyn Fn(); 4] = [
            &|| control.set_paused(true),
            &|| control.set_paused(false),
            &|| control.stop(),
            &|| control.cancel(),
        ];
        for (before, ask) in asks.iter().enumerate() {
            assert_eq!(wakes.load(Ordering::Relaxed), before);
            ask();
        }
        assert_eq!(wakes.load(Ordering::Relaxed), asks.len());
    }

    #[test]
    fn a_call_that_does_not_return_is_known_by_its_name() {
        let control = TaskControl::new(false);
        assert_eq!(control.hanging_call(Duration::ZERO), None);
        let note = control.calling("poll");
        assert_eq!(
            control.hanging_call(Duration::ZERO).map(|(method, _)| method),
            Some("poll")
        );
        assert_eq!(control.hanging_call(Duration::from_secs(3600)), None);
        drop(note);
        assert_eq!(control.hanging_call(Duration::ZERO), None);
    }

    #[test]
    fn a_cancelled_task_is_to_stop() {
        let control = TaskControl::new(true);
        control.cancel();
        assert!(control.is_cancelled() && control.is_stopping());
        assert!(!control.wait_done(Instant::now()));
        control.set_done();
        assert!(control.wait_done(Instant::now()));
    }
}
