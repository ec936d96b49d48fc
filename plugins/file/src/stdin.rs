//! Standard input, read by one thread of the process.
//!
//! A read of a console or pipe blocks until somebody writes, and a task that sits in one can be neither paused nor
//! stopped. So a thread reads, for as long as the process lives, and tasks take what it has read; a bounded channel
//! keeps it from running ahead. What a task took but did not emit it gives back when it stops.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

const CHUNK: usize = 64 * 1024;
/// Chunks read ahead of the tasks.
const AHEAD: usize = 4;

type Chunk = io::Result<Vec<u8>>;

/// What a wait was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// There are bytes.
    Bytes,
    /// There are none yet.
    Nothing,
    /// There will be no more.
    End,
}

/// What was read and not yet emitted.
pub(crate) struct Stdin {
    state: Mutex<State>,
}

struct State {
    chunks: Receiver<Chunk>,
    /// Bytes taken from the channel, or given back, that come next.
    pending: VecDeque<u8>,
    ended: bool,
}

impl Stdin {
    /// The process's standard input.
    pub(crate) fn shared() -> io::Result<Arc<Self>> {
        static SHARED: OnceLock<Arc<Stdin>> = OnceLock::new();
        static START: Mutex<()> = Mutex::new(());
        let _guard = START.lock().unwrap_or_else(PoisonError::into_inner);
        match SHARED.get() {
            Some(shared) => Ok(Arc::clone(shared)),
            None => {
                let started = Self::over(io::stdin())?;
                Ok(Arc::clone(SHARED.get_or_init(|| started)))
            }
        }
    }

    /// Starts a thread that reads from here.
    pub(crate) fn over(stream: impl Read + Send + 'static) -> io::Result<Arc<Self>> {
        let (sender, chunks) = sync_channel(AHEAD);
        std::thread::Builder::new()
            .name("file-source-stdin".to_owned())
            .spawn(move || pump(stream, &sender))?;
        Ok(Arc::new(Self {
            state: Mutex::new(State {
                chunks,
                pending: VecDeque::new(),
                ended: false,
            }),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two of its statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that are there now; 0 when there are none, also at the end of the input.
    pub(crate) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.pending.is_empty() {
            match state.chunks.try_recv() {
                Ok(chunk) => state.pending = chunk?.into(),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => state.ended = true,
            }
        }
        state.pending.read(space)
    }

    /// Waits until there are bytes, at most this long; at the end of the input not at all.
    pub(crate) fn wait(&self, time: Duration) -> io::Result<Waited> {
        let mut state = self.state();
        if state.pending.is_empty() && !state.ended {
            match state.chunks.recv_timeout(time) {
                Ok(chunk) => state.pending = chunk?.into(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => state.ended = true,
            }
        }
        Ok(match (state.pending.is_empty(), state.ended) {
            (false, _) => Waited::Bytes,
            (true, false) => Waited::Nothing,
            (true, true) => Waited::End,
        })
    }

    /// Puts bytes back that were read and not used; they come first at the next read.
    pub(crate) fn give_back(&self, bytes: &[u8]) {
        let mut state = self.state();
        for byte in bytes.iter().rev() {
            state.pending.push_front(*byte);
        }
    }
}

fn pump(mut stream: impl Read, chunks: &SyncSender<Chunk>) {
    loop {
        let mut bytes = vec![0; CHUNK];
        let chunk = match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => {
                bytes.truncate(count);
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if chunks.send(chunk).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_given_back_come_first() {
        let stdin = Stdin::over(&b"cd"[..]).unwrap();
        stdin.give_back(b"ab");
        let mut text = Vec::new();
        let mut space = [0; 3];
        while stdin.wait(Duration::from_secs(60)).unwrap() == Waited::Bytes {
            let count = stdin.read(&mut space).unwrap();
            text.extend_from_slice(&space[..count]);
        }
        assert_eq!(text, b"abcd");
    }

    #[test]
    fn a_silent_input_neither_blocks_a_read_nor_ends() {
        let (_open, silent) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let stdin = Stdin::over(silent).unwrap();
        assert_eq!(stdin.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(stdin.wait(Duration::ZERO).unwrap(), Waited::Nothing);
    }

    #[test]
    fn a_failing_input_says_so() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("no console"))
            }
        }
        let stdin = Stdin::over(Broken).unwrap();
        assert_eq!(
            stdin.wait(Duration::from_secs(60)).unwrap_err().to_string(),
            "no console"
        );
    }
}
