//! The load: a thread that appends numbered lines to the files of all sources until it is told to stop.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::record;

/// Between two additions to each file, and so between two transactions of its source.
const EVERY: Duration = Duration::from_millis(200);
/// Lines of one addition: 200 in a second.
const LINES: u64 = 40;

/// The running load.
#[derive(Debug)]
pub(crate) struct Load {
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Begins to write to the file of each flow.
    pub(crate) fn start(files: &[PathBuf]) -> Self {
        let open = |path: &PathBuf| OpenOptions::new().create(true).append(true).open(path).unwrap();
        let mut files: Vec<File> = files.iter().map(open).collect();
        let (written, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, told) = (Arc::clone(&written), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Acquire) {
                let from = counter.load(Ordering::Acquire);
                for (flow, file) in files.iter_mut().enumerate() {
                    let lines = (from..from + LINES).map(|number| record::text(flow, number) + "\n");
                    file.write_all(lines.collect::<String>().as_bytes()).unwrap();
                }
                counter.store(from + LINES, Ordering::Release);
                std::thread::sleep(EVERY);
            }
        });
        Self {
            written,
            stop,
            thread: Some(thread),
        }
    }

    /// How many lines each file has at least.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Ends it; how many lines each file has.
    pub(crate) fn end(&mut self) -> u64 {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the files of the sources can be written");
        }
        self.written()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic of its own was told when it happened.
            let _ = thread.join();
        }
    }
}
