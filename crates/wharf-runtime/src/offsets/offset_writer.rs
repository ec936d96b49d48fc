//! Gathers a task's offsets and flushes them to the store within a time limit.
//!
//! The store is written by one thread of its own, so that a slow store cannot hold a task longer than its limit; what waits
//! there is stored together, so that a thousand tasks that commit at once cost one write. A flush that
//! ends after its limit is ignored: its offsets are still here and go with the next one, which is right because writing an
//! offset twice does no harm. What must stay true: an offset leaves this object only when the store said it has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use wharf_api::{ConnectError, Result};

use super::store::{OffsetBackingStore, OffsetEntry};

/// Why offsets were not flushed. They are kept for the next attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// A flush is under way.
    #[error("offsets are being flushed already")]
    Busy,
    /// The store did not answer in time.
    #[error("the offset store did not answer within {} ms; offsets are kept and flushed again", .0.as_millis())]
    TimedOut(Duration),
    /// The store failed.
    #[error("the offset store failed: {0:#}")]
    Store(ConnectError),
}

/// Jobs that are stored together at most.
const TOGETHER: usize = 1024;

struct Job {
    entries: Vec<OffsetEntry>,
    done: Done,
}

/// Who hears of the outcome.
enum Done {
    /// A writer, and which of its flushes it was.
    Writer(u64, Sender<(u64, Result<()>)>),
    /// Somebody who waits.
    Caller(Sender<Result<()>>),
    /// The log, if it failed.
    Log,
}

impl Done {
    fn tell(self, result: Result<()>) {
        match self {
            // The writer may be gone: its task ended.
            Self::Writer(flush_id, done) => drop(done.send((flush_id, result))),
            Self::Caller(done) => drop(done.send(result)),
            Self::Log => {
                if let Err(error) = result {
                    tracing::error!("offsets were not copied to the worker's offset store: {error:#}");
                }
            }
        }
    }
}

fn run(store: &dyn OffsetBackingStore, work: &Receiver<Job>) {
    while let Ok(first) = work.recv() {
        let jobs: Vec<Job> = std::iter::once(first)
            .chain(work.try_iter().take(TOGETHER - 1))
            .collect();
        if jobs.len() > 1 {
            let entries = jobs.iter().flat_map(|job| job.entries.iter().cloned()).collect();
            match store.set(entries) {
                Ok(()) => {
                    jobs.into_iter().for_each(|job| job.done.tell(Ok(())));
                    continue;
                }
                // What waiting would mend fails the others as well.
                Err(error) if error.is_retriable() => {
                    jobs.into_iter().for_each(|job| job.done.tell(Err(error.clone())));
                    continue;
                }
                // It may be the fault of one, and the others' offsets can be stored.
                Err(_) => {}
            }
        }
        for job in jobs {
            job.done.tell(store.set(job.entries));
        }
    }
}

fn ended() -> ConnectError {
    ConnectError::connect("its thread has ended")
}

/// The thread that writes to a store. Cheap to clone; it ends with the last clone, after what it was given.
#[derive(Debug, Clone)]
pub struct OffsetStoreThread {
    jobs: Sender<Job>,
}

impl OffsetStoreThread {
    /// Starts the thread of a store.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<dyn OffsetBackingStore>) -> Result<Self> {
        let (jobs, work) = channel::<Job>();
        thread::Builder::new()
            .name("offset-store".to_owned())
            .spawn(move || run(&*store, &work))?;
        Ok(Self { jobs })
    }

    /// Stores entries after what was given before, and waits for it, however long the store takes.
    ///
    /// # Errors
    /// As [`OffsetBackingStore::set`].
    pub fn store(&self, entries: Vec<OffsetEntry>) -> Result<()> {
        let (done, result) = channel();
        let done = Done::Caller(done);
        self.jobs.send(Job { entries, done }).map_err(|_| ended())?;
        result.recv().map_err(|_| ended())?
    }

    /// Stores entries after what was given before. A failure is logged.
    pub fn store_later(&self, entries: Vec<OffsetEntry>) {
        let done = Done::Log;
        if self.jobs.send(Job { entries, done }).is_err() {
            Done::Log.tell(Err(ended()));
        }
    }
}

/// Offsets by key; values as stored.
type Offsets = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Offsets of one task on their way to the store.
#[derive(Debug)]
pub struct OffsetStorageWriter {
    thread: OffsetStoreThread,
    /// Newer than the snapshot.
    data: Offsets,
    /// What is being flushed.
    snapshot: Option<Offsets>,
    flush_id: u64,
    /// Jobs given to the thread that it has not finished.
    outstanding: usize,
    done: Sender<(u64, Result<()>)>,
    results: Receiver<(u64, Result<()>)>,
}

impl OffsetStorageWriter {
    /// A writer to the store of this thread.
    #[must_use]
    pub fn new(thread: OffsetStoreThread) -> Self {
        let (done, results) = channel();
        Self {
            thread,
            data: Offsets::new(),
            snapshot: None,
            flush_id: 0,
            outstanding: 0,
            done,
            results,
        }
    }

    /// Takes note of an offset; a later one of the same key replaces it.
    pub fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.data.insert(key, value);
    }

    /// Whether there is anything to flush.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.snapshot.is_none()
    }

    /// Whether a flush is under way.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Takes a snapshot of what is to be flushed. Says whether there is anything.
    ///
    /// # Errors
    /// [`FlushError::Busy`] when a flush is under way.
    pub fn begin(&mut self) -> Result<bool, FlushError> {
        if self.snapshot.is_some() {
            return Err(FlushError::Busy);
        }
        if self.data.is_empty() {
            return Ok(false);
        }
        self.snapshot = Some(std::mem::take(&mut self.data));
        Ok(true)
    }

    /// Gives the snapshot to the store and waits for it at most this long. On failure the snapshot is taken back.
    ///
    /// # Errors
    /// The store failed or did not answer in time.
    pub fn flush(&mut self, timeout: Duration) -> Result<(), FlushError> {
        let result = self.send_and_wait(timeout);
        match result {
            Ok(()) => {
                self.snapshot = None;
                self.flush_id += 1;
            }
            Err(_) => self.cancel(),
        }
        result
    }

    /// Takes the snapshot back: what was noted since wins over it. Its result no longer counts.
    pub fn cancel(&mut self) {
        if let Some(mut snapshot) = self.snapshot.take() {
            snapshot.append(&mut self.data);
            self.data = snapshot;
            self.flush_id += 1;
        }
    }

    /// [`begin`](Self::begin) and [`flush`](Self::flush) in one. Says whether there was anything.
    ///
    /// # Errors
    /// As both.
    pub fn commit(&mut self, timeout: Duration) -> Result<bool, FlushError> {
        let has_data = self.begin()?;
        if has_data {
            self.flush(timeout)?;
        }
        Ok(has_data)
    }

    fn send_and_wait(&mut self, timeout: Duration) -> Result<(), FlushError> {
        let deadline = Instant::now() + timeout;
        // A store that is late gets no more work from here: its queue would only grow.
        while self.outstanding > 0 {
            let _late = self.receive(deadline, timeout)?;
        }
        let Some(snapshot) = &self.snapshot else {
            return Ok(());
        };
        let entries = snapshot
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let job = Job {
            entries,
            done: Done::Writer(self.flush_id, self.done.clone()),
        };
        self.thread
            .jobs
            .send(job)
            .map_err(|_| FlushError::Store(ended()))?;
        self.outstanding += 1;
        loop {
            let (flush_id, result) = self.receive(deadline, timeout)?;
            if flush_id == self.flush_id {
                return result.map_err(FlushError::Store);
            }
        }
    }

    fn receive(&mut self, deadline: Instant, timeout: Duration) -> Result<(u64, Result<()>), FlushError> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.results.recv_timeout(left) {
            Ok(result) => {
                self.outstanding -= 1;
                Ok(result)
            }
            Err(RecvTimeoutError::Timeout) => Err(FlushError::TimedOut(timeout)),
            Err(RecvTimeoutError::Disconnected) => Err(FlushError::Store(ended())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;
    use crate::offsets::{MemoryOffsetBackingStore, StoredEntry};

    const LONG: Duration = Duration::from_secs(60);

    /// A store whose writes wait until they are let through, and fail when told so.
    #[derive(Default)]
    struct Gate {
        inner: MemoryOffsetBackingStore,
        state: Mutex<State>,
        changed: Condvar,
    }

    #[derive(Default)]
    struct State {
        closed: bool,
        failing: bool,
        /// A key that is refused.
        poison: Option<Vec<u8>>,
        written: Vec<Vec<OffsetEntry>>,
    }

    impl Gate {
        fn set_state(&self, closed: bool, failing: bool) {
            let mut state = self.state.lock().unwrap();
            state.closed = closed;
            state.failing = failing;
            self.changed.notify_all();
        }

        fn written(&self) -> Vec<Vec<OffsetEntry>> {
            self.state.lock().unwrap().written.clone()
        }
    }

    impl OffsetBackingStore for Gate {
        fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
            self.inner.get(keys)
        }

        fn set(&self, entries: Vec<OffsetEntry>) -> Result<()> {
            let mut state = self
                .changed
                .wait_while(self.state.lock().unwrap(), |state| state.closed)
                .unwrap();
            if state.failing {
                return Err(ConnectError::connect("disk full"));
            }
            if entries.iter().any(|(key, _)| Some(key) == state.poison.as_ref()) {
                return Err(ConnectError::connect("too large"));
            }
            state.written.push(entries.clone());
            self.inner.set(entries)
        }

        fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
            self.inner.connector_entries(connector)
        }
    }

    fn writer() -> (Arc<Gate>, OffsetStorageWriter) {
        let gate = Arc::new(Gate::default());
        let thread = OffsetStoreThread::start(Arc::clone(&gate) as _).unwrap();
        (gate, OffsetStorageWriter::new(thread))
    }

    fn entry(key: &str, value: &str) -> OffsetEntry {
        (key.into(), Some(value.into()))
    }

    fn put(writer: &mut OffsetStorageWriter, key: &str, value: &str) {
        writer.put(key.into(), Some(value.into()));
    }

    #[test]
    fn the_newest_offset_of_each_partition_is_flushed_once() {
        let (gate, mut writer) = writer();
        assert_eq!(writer.commit(LONG), Ok(false));
        put(&mut writer, "a", "1");
        put(&mut writer, "b", "1");
        put(&mut writer, "a", "2");
        writer.put(b"c".to_vec(), None);
        assert_eq!(writer.commit(LONG), Ok(true));
        assert_eq!(writer.commit(LONG), Ok(false));
        assert_eq!(
            gate.written(),
            [vec![entry("a", "2"), entry("b", "1"), (b"c".to_vec(), None)]]
        );
        assert!(writer.is_empty());
    }

    #[test]
    fn offsets_are_kept_when_the_store_fails() {
        let (gate, mut writer) = writer();
        gate.set_state(false, true);
        put(&mut writer, "a", "1");
        assert_eq!(
            writer.commit(LONG),
            Err(FlushError::Store(ConnectError::connect("disk full")))
        );
        gate.set_state(false, false);
        put(&mut writer, "b", "1");
        assert_eq!(writer.commit(LONG), Ok(true));
        assert_eq!(gate.written(), [vec![entry("a", "1"), entry("b", "1")]]);
    }

    #[test]
    fn newer_offsets_win_over_a_snapshot_taken_back() {
        let (gate, mut writer) = writer();
        put(&mut writer, "a", "1");
        put(&mut writer, "b", "1");
        assert_eq!(writer.begin(), Ok(true));
        assert_eq!(writer.begin(), Err(FlushError::Busy));
        put(&mut writer, "a", "2");
        writer.cancel();
        assert_eq!(writer.commit(LONG), Ok(true));
        assert_eq!(gate.written(), [vec![entry("a", "2"), entry("b", "1")]]);
    }

    #[test]
    fn what_waits_is_stored_together_and_one_bad_offset_fails_alone() {
        let gate = Arc::new(Gate::default());
        gate.state.lock().unwrap().poison = Some(b"bad".to_vec());
        let (jobs, work) = channel();
        let mut results = Vec::new();
        for key in ["a", "bad", "b"] {
            let (done, result) = channel();
            let done = Done::Caller(done);
            let entries = vec![entry(key, "1")];
            jobs.send(Job { entries, done }).unwrap();
            results.push(result);
        }
        drop(jobs);
        run(&*gate, &work);
        let outcomes: Vec<bool> = results
            .iter()
            .map(|result| result.recv().unwrap().is_ok())
            .collect();
        assert_eq!(outcomes, [true, false, true]);
        assert_eq!(gate.written(), [vec![entry("a", "1")], vec![entry("b", "1")]]);

        let (jobs, work) = channel();
        for key in ["a", "b", "a"] {
            let done = Done::Log;
            let entries = vec![entry(key, key)];
            jobs.send(Job { entries, done }).unwrap();
        }
        drop(jobs);
        run(&*gate, &work);
        assert_eq!(
            gate.written().last().unwrap(),
            &[entry("a", "a"), entry("b", "b"), entry("a", "a")]
        );
    }

    #[test]
    fn a_flush_that_ends_too_late_does_not_count() {
        let (gate, mut writer) = writer();
        gate.set_state(true, false);
        put(&mut writer, "a", "1");
        assert_eq!(
            writer.commit(Duration::ZERO),
            Err(FlushError::TimedOut(Duration::ZERO))
        );
        // While the store is stuck it gets no second job.
        assert_eq!(
            writer.commit(Duration::ZERO),
            Err(FlushError::TimedOut(Duration::ZERO))
        );
        gate.set_state(false, false);
        put(&mut writer, "a", "2");
        assert_eq!(writer.commit(LONG), Ok(true));
        assert_eq!(gate.written(), [vec![entry("a", "1")], vec![entry("a", "2")]]);
        assert_eq!(gate.get(&[b"a".to_vec()]), Ok(vec![Some(b"2".to_vec())]));
    }
}
