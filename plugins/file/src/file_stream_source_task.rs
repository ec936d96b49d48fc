//! The source task: reads the file in large pieces and writes its lines into the batch where they lie.
//!
//! The position of a record is the number of bytes up to and including the end of its line, so reading goes on after it.
//! It moves only for whole lines: bytes of a half-written last line are read again after a restart.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::{debug, warn};
use wharf_api::batch::{Datum, NewOrigin, NewRecord};
use wharf_api::{
    ConfigMap, ConnectError, OffsetMap, RecordBatch, Result, Schema, SchemaRef, SourceTask,
    SourceTaskContext, Value, ValueRef, source,
};

use crate::file_stream_source_connector::{FILENAME_FIELD, POSITION_FIELD, definition};
use crate::input::Input;
use crate::line_buffer::LineBuffer;
use crate::stdin::Stdin;
use crate::{BATCH_SIZE_CONFIG, TOPIC_CONFIG};

const LOG: &str = "org.apache.kafka.connect.file.FileStreamSourceTask";

/// A batch ends when it has this many bytes, though it may have fewer records than allowed.
const BATCH_BYTES: usize = 1 << 20;

/// Waits for new lines begin with this and double up to [`LONGEST_WAIT`], so that a busy file is followed closely and a
/// quiet one costs nothing.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// How long a `poll` waits at most, and how often a missing file is looked for.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Reads one file, or standard input.
#[derive(Default)]
pub struct FileStreamSourceTask {
    running: Option<Running>,
}

struct Running {
    context: SourceTaskContext,
    /// `None` for standard input.
    file: Option<String>,
    topic: String,
    batch_size: usize,
    partition: OffsetMap,
    schema: SchemaRef,
    input: Option<Input>,
    lines: LineBuffer,
    /// Bytes of the file that were emitted; `None` for standard input.
    position: Option<u64>,
    wait: Duration,
    /// Whether the user was told that the file is missing.
    missing: bool,
}

impl SourceTask for FileStreamSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<()> {
        let parsed = definition().parse(config)?;
        // An empty path stays visible in the source partition, as upstream.
        let filename = parsed
            .get_string(crate::FILE_CONFIG)
            .map_or(Value::Null, Value::from);
        let file = crate::file(&parsed).map(str::to_owned);
        let input = match &file {
            Some(_) => None,
            None => Some(Input::Stdin(
                Stdin::shared().map_err(|error| failed("standard input", &error))?,
            )),
        };
        self.running = Some(Running {
            context,
            topic: parsed.string(TOPIC_CONFIG)?.to_owned(),
            batch_size: usize::try_from(parsed.int(BATCH_SIZE_CONFIG)?)
                .unwrap_or(0)
                .max(1),
            partition: OffsetMap::from([(FILENAME_FIELD, filename)]),
            schema: Schema::string(),
            file,
            input,
            lines: LineBuffer::default(),
            position: None,
            wait: SHORTEST_WAIT,
            missing: false,
        });
        Ok(())
    }

    fn poll(&mut self, batch: &mut RecordBatch) -> Result<()> {
        self.running.as_mut().ok_or_else(source::not_started)?.poll(batch)
    }

    fn stop(&mut self) -> Result<()> {
        if let Some(Running {
            input: Some(Input::Stdin(stdin)),
            lines,
            ..
        }) = self.running.take()
        {
            stdin.give_back(lines.rest());
        }
        Ok(())
    }
}

impl Running {
    fn poll(&mut self, batch: &mut RecordBatch) -> Result<()> {
        if self.input.is_none() && !self.open()? {
            self.context.wait(LONGEST_WAIT);
            return Ok(());
        }
        let Some(input) = self.input.as_mut() else {
            return Ok(());
        };
        let timestamp = now();
        loop {
            while let Some(line) = self.lines.next_line() {
                if let Some(position) = &mut self.position {
                    *position += line.length as u64;
                }
                push(
                    batch,
                    &self.topic,
                    &self.partition,
                    &self.schema,
                    self.position,
                    timestamp,
                    line.text,
                )?;
                if batch.len() >= self.batch_size || batch.byte_len() >= BATCH_BYTES {
                    self.wait = SHORTEST_WAIT;
                    return Ok(());
                }
            }
            match self.lines.fill(|space| input.read(space)) {
                Ok(0) => break,
                // A line may be so long that reading it takes a while.
                Ok(_) if self.context.is_stopping() => return Ok(()),
                Ok(_) => {}
                // The lines before the failure go out first; the next call fails again if it lasts.
                Err(_) if !batch.is_empty() => break,
                Err(error) => return Err(failed(self.file.as_deref().unwrap_or("standard input"), &error)),
            }
        }
        if batch.is_empty() {
            let source = self.file.as_deref().unwrap_or("standard input");
            input
                .wait(&self.context, self.wait)
                .map_err(|error| failed(source, &error))?;
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        } else {
            self.wait = SHORTEST_WAIT;
        }
        Ok(())
    }

    /// Opens the file where reading goes on. `false` when there is no such file yet.
    fn open(&mut self) -> Result<bool> {
        let Some(path) = self.file.as_deref() else {
            return Ok(false);
        };
        let position = match self.context.offset_reader().offset(&self.partition)? {
            None => 0,
            Some(offset) => stored_position(&offset)?,
        };
        match Input::open(path, position) {
            Ok(input) => {
                if let Input::File(file) = &input
                    && let Ok(length) = file.metadata().map(|metadata| metadata.len())
                    && length < position
                {
                    warn!(
                        target: LOG,
                        "File {path} has {length} bytes, fewer than the {position} that were read of it; \
                         reading goes on when it is longer. Reset the connector's offsets to read it again"
                    );
                }
                debug!(target: LOG, "Opened {path} for reading at position {position}");
                self.input = Some(input);
                self.position = Some(position);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !std::mem::replace(&mut self.missing, true) {
                    warn!(
                        target: LOG,
                        "Couldn't find file {path} for FileStreamSourceTask, sleeping to wait for it to be created"
                    );
                }
                Ok(false)
            }
            Err(error) => Err(failed(path, &error)),
        }
    }
}

/// The position in a stored offset; none in it means the beginning.
fn stored_position(offset: &OffsetMap) -> Result<u64> {
    match offset.get(POSITION_FIELD) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::Int64(position)) => Ok(u64::try_from(*position).unwrap_or(0)),
        Some(_) => Err(ConnectError::connect("Offset position is the incorrect type")),
    }
}

#[inline]
fn push(
    batch: &mut RecordBatch,
    topic: &str,
    partition: &OffsetMap,
    schema: &SchemaRef,
    position: Option<u64>,
    timestamp: i64,
    text: &[u8],
) -> Result<()> {
    // Bytes that are no UTF-8 become U+FFFD, as when Java decodes them. Only then is the line copied.
    let replaced;
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(_) => {
            replaced = String::from_utf8_lossy(text);
            replaced.as_ref()
        }
    };
    let position = position.map_or(ValueRef::Null, |position| ValueRef::Int64(position.cast_signed()));
    batch.push(&NewRecord {
        topic,
        kafka_partition: None,
        timestamp: Some(timestamp),
        key: Datum::default(),
        value: Datum::new(Some(schema), text),
        headers: &[],
        origin: NewOrigin::Source {
            partition: Some(partition),
            offset: Some(&[(POSITION_FIELD, position)]),
        },
    })
}

fn failed(source: &str, error: &io::Error) -> ConnectError {
    ConnectError::connect(format!(
        "{source} cannot be read: {error}; make it a file that the worker's user may read"
    ))
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
