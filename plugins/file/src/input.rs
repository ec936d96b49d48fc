//! Where a source task reads from: a file that may grow, or standard input.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use wharf_api::SourceTaskContext;

use crate::stdin::{Stdin, Waited};

/// A wait for standard input looks this often whether the task is to stop.
const STDIN_SLICE: Duration = Duration::from_millis(50);

/// An opened input.
pub(crate) enum Input {
    /// A file, at the position where reading goes on.
    File(File),
    /// Standard input.
    Stdin(Arc<Stdin>),
}

impl Input {
    /// Opens a file at this position, which may lie beyond its present end.
    pub(crate) fn open(path: &str, position: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(position))?;
        Ok(Self::File(file))
    }

    /// The bytes that are there now; 0 when there are none.
    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stdin(stdin) => stdin.read(space),
            Self::File(file) => loop {
                match file.read(space) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    outcome => return outcome,
                }
            },
        }
    }

    /// Waits for more, at most this long, less when the task is to stop.
    pub(crate) fn wait(&self, context: &SourceTaskContext, mut time: Duration) -> io::Result<()> {
        if let Self::Stdin(stdin) = self {
            let mut left = time;
            while !left.is_zero() && !context.is_stopping() {
                let slice = left.min(STDIN_SLICE);
                match stdin.wait(slice)? {
                    Waited::Bytes => return Ok(()),
                    Waited::Nothing => left -= slice,
                    Waited::End => break,
                }
            }
            time = left;
        }
        if !time.is_zero() {
            context.wait(time);
        }
        Ok(())
    }
}
