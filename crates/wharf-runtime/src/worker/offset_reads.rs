//! Reads of stored offsets that end when their task is given up.
//!
//! A store in Kafka reads what all workers have written before it answers, and waits as long as the network is cut. Upstream closes
//! a task's reader when it gives the task up; here the read is left to a thread of its own, and nobody waits for it any more.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use wharf_api::{ConnectError, Result};

use super::control::TaskControl;
use crate::offsets::{OffsetBackingStore, OffsetEntry, StoredEntry};

/// How soon a read notices that its task was given up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The worker's store, as one task reads it.
pub(crate) struct OffsetReads {
    store: Arc<dyn OffsetBackingStore>,
    control: Arc<TaskControl>,
}

impl OffsetReads {
    pub(crate) fn new(store: Arc<dyn OffsetBackingStore>, control: Arc<TaskControl>) -> Self {
        Self { store, control }
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn OffsetBackingStore) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        let (answer, outcome) = channel();
        std::thread::Builder::new()
            .name("offset-read".to_owned())
            .spawn(move || {
                // The task may have been given up meanwhile.
                let _ = answer.send(read(&*store));
            })
            .map_err(|error| ConnectError::connect(format!("no thread to read offsets: {error}")))?;
        loop {
            match outcome.recv_timeout(LOOK_EVERY) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Timeout) if !self.control.is_cancelled() => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ConnectError::connect(
                        "the task was given up while its offsets were being read; whoever runs it now reads them",
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ConnectError::panic(
                        "the offset store panicked; this is a defect of wharf",
                    ));
                }
            }
        }
    }
}

impl OffsetBackingStore for OffsetReads {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let keys = keys.to_vec();
        self.read(move |store| store.get(&keys))
    }

    fn set(&self, entries: Vec<OffsetEntry>) -> Result<()> {
        self.store.set(entries)
    }

    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        let connector = connector.to_owned();
        self.read(move |store| store.connector_entries(&connector))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender};

    use super::*;

    /// A store that answers when it is told to.
    struct Slow(Mutex<Receiver<()>>);

    impl OffsetBackingStore for Slow {
        fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
            let _ = self.0.lock().unwrap().recv();
            Ok(vec![Some(b"here".to_vec()); keys.len()])
        }

        fn set(&self, _: Vec<OffsetEntry>) -> Result<()> {
            Ok(())
        }

        fn connector_entries(&self, _: &str) -> Result<Vec<StoredEntry>> {
            panic!("out of order")
        }
    }

    fn reads() -> (Sender<()>, Arc<TaskControl>, OffsetReads) {
        let (go, wait) = channel();
        let control = Arc::new(TaskControl::new(false));
        let reads = OffsetReads::new(Arc::new(Slow(Mutex::new(wait))), Arc::clone(&control));
        (go, control, reads)
    }

    #[test]
    fn a_read_ends_when_its_task_is_given_up_and_not_when_it_is_to_stop() {
        let (go, control, reads) = reads();
        let keys = [b"key".to_vec()];
        std::thread::scope(|scope| {
            let read = scope.spawn(|| reads.get(&keys));
            control.stop();
            go.send(()).unwrap();
            assert_eq!(read.join().unwrap(), Ok(vec![Some(b"here".to_vec())]));
            let read = scope.spawn(|| reads.get(&keys));
            control.cancel();
            let error = read.join().unwrap().unwrap_err();
            assert!(error.message().contains("given up"), "{error}");
        });
    }

    #[test]
    fn a_store_that_panics_is_an_error_of_its_reader() {
        let (_go, _control, reads) = reads();
        assert!(reads.connector_entries("c").is_err());
    }
}
