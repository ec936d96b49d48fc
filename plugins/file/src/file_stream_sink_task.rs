//! The sink task: one line of text for each record.
//!
//! The lines of a `put` are gathered in a buffer, which is written out when it is large and at the end of the `put`, so
//! that whoever follows the file sees them at once, as upstream. Only whole lines are given to the operating system, so
//! that lines of several tasks that append to one file do not mix. `flush`, after which the worker commits offsets, leaves
//! nothing in the buffer.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use tracing::debug;
use wharf_api::java_text::write_java_string;
use wharf_api::{
    ConfigMap, ConnectError, Offsets, RecordBatchRef, Result, SinkTask, SinkTaskContext, ValueRef,
};

use crate::file_stream_sink_connector::definition;

const LOG: &str = "org.apache.kafka.connect.file.FileStreamSinkTask";

/// The buffer is written out when it has this many bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// Appends to one file, or writes to standard output.
#[derive(Default)]
pub struct FileStreamSinkTask {
    output: Option<Output>,
}

struct Output {
    name: String,
    target: Target,
    /// Whole lines that were not written.
    buffer: Vec<u8>,
}

enum Target {
    File(File),
    Stdout(io::Stdout),
}

impl SinkTask for FileStreamSinkTask {
    fn start(&mut self, _context: SinkTaskContext, config: &ConfigMap) -> Result<()> {
        let parsed = definition().parse(config)?;
        let (name, target) = match crate::file(&parsed) {
            Some(path) => {
                let opened = OpenOptions::new().create(true).append(true).open(path);
                let file = opened.map_err(|error| {
                    ConnectError::connect(format!(
                        "Couldn't find or create file '{path}' for FileStreamSinkTask: {error}"
                    ))
                })?;
                (path.to_owned(), Target::File(file))
            }
            None => ("standard output".to_owned(), Target::Stdout(io::stdout())),
        };
        self.output = Some(Output {
            name,
            target,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        });
        Ok(())
    }

    fn put(&mut self, records: &RecordBatchRef<'_>) -> Result<()> {
        let output = self.output()?;
        for record in records.iter() {
            match record?.value() {
                ValueRef::String(text) => output.buffer.extend_from_slice(text.as_bytes()),
                value => write_java_string(&value, &mut output.buffer),
            }
            output.buffer.push(b'\n');
            if output.buffer.len() >= BUFFER_BYTES {
                output.write()?;
            }
        }
        output.write()
    }

    fn flush(&mut self, _offsets: &Offsets) -> Result<()> {
        let output = self.output()?;
        debug!(target: LOG, "Flushing output stream for {}", output.name);
        output.write()
    }

    fn stop(&mut self) -> Result<()> {
        match self.output.take() {
            Some(mut output) => output.write(),
            None => Ok(()),
        }
    }
}

impl FileStreamSinkTask {
    fn output(&mut self) -> Result<&mut Output> {
        self.output.as_mut().ok_or_else(wharf_api::source::not_started)
    }
}

impl Output {
    /// Writes out all lines of the buffer. What could be written before a failure is not written again.
    fn write(&mut self) -> Result<()> {
        let mut written = 0;
        let outcome = loop {
            if written == self.buffer.len() {
                break self.target.flush();
            }
            match self.target.write(&self.buffer[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.buffer.drain(..written);
        self.buffer.shrink_to(4 * BUFFER_BYTES);
        outcome.map_err(|error| {
            ConnectError::connect(format!(
                "{} cannot be written: {error}; make room or repair it",
                self.name
            ))
        })
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}
