//! What the border costs: the same lines through the plugin library and without it, in one process and without Kafka.
//!
//! Through the border: the library loaded by the worker's own loader, `poll` over the border, the batch parsed and walked,
//! the value to the `StringConverter`; for a sink a batch filled and put. Without it: the plugin's own line reading
//! compiled into this program, each line straight to the converter, or straight to the sink's buffer. The difference is
//! everything that the border adds: writing a record into a batch, the call, reading it back.
//!
//! A program of its own (`wharf-bench border`), so that neither side finds a heap that other rows have used.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use wharf_abi::host::{Module, SinkTaskHandle, SinkTaskServices, SourceTaskHandle, SourceTaskServices};
use wharf_abi::module::Role;
use wharf_api::batch::{Datum, NewOrigin, NewRecord, OriginRef};
use wharf_api::flat::SchemaCache;
use wharf_api::{
    Converter, Headers, RecordBatch, RecordBatchRef, Schema, SchemaRef, TimestampType, ValueRef,
};
use wharf_testkit::{FakeWorker, config};

use crate::line_buffer::LineBuffer;

const SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const SINK: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";
const TOPIC: &str = "bench";

/// Records of a `poll` and of a `put`, as a worker with default settings has them.
const POLL_RECORDS: usize = 2000;
const PUT_RECORDS: usize = 500;

/// Lines that sinks get again and again; together larger than a processor's second-level cache.
const SINK_LINES: u64 = 50_000;

/// Each side is measured so often, in turn; the median counts.
const REPEATS: usize = 5;

/// Processor nanoseconds per record.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) plugin_ns: f64,
    pub(crate) static_ns: f64,
}

/// Both directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Costs {
    pub(crate) source: Cost,
    pub(crate) sink: Cost,
}

/// Measures with the lines of this file.
pub(crate) fn measure(library: &Path, lines: &Path, records: u64) -> Result<Costs> {
    let module = wharf_runtime::plugins::load(library).map_err(|refused| anyhow::anyhow!("{refused}"))?;
    let mut some = vec![0; usize::try_from(SINK_LINES.min(records) * crate::lines::LINE_BYTES)?];
    File::open(lines)?.read_exact(&mut some)?;
    let values: Vec<&[u8]> = some
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    Ok(Costs {
        source: compare(
            records,
            || source_through_the_border(&module, lines, records),
            || source_without(lines, records),
        )?,
        sink: compare(
            records,
            || sink_through_the_border(&module, &values, records),
            || sink_without(&values, records),
        )?,
    })
}

fn compare(
    records: u64,
    mut plugin: impl FnMut() -> Result<()>,
    mut plain: impl FnMut() -> Result<()>,
) -> Result<Cost> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..REPEATS {
        times[0].push(timed(&mut plugin)?);
        times[1].push(timed(&mut plain)?);
    }
    let [plugin_ns, static_ns] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] / records as f64
    });
    Ok(Cost { plugin_ns, static_ns })
}

/// Nanoseconds of processor time that this thread had so far.
fn thread_nanoseconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")
        .context("this system does not say what processor time a thread had")?;
    let first = text.split_whitespace().next().unwrap_or_default();
    Ok(first.parse()?)
}

fn timed(work: &mut impl FnMut() -> Result<()>) -> Result<f64> {
    let before = thread_nanoseconds()?;
    work()?;
    Ok(thread_nanoseconds()? - before)
}

fn class(module: &Module, name: &str) -> Result<usize> {
    let classes = &module.manifest().classes;
    classes
        .iter()
        .position(|class| class.as_ref().is_some_and(|class| class.class == name))
        .with_context(|| format!("the library has no {name}"))
}

/// What a worker makes of a record before the producer copies it.
struct Conversion {
    converter: Box<dyn Converter>,
    headers: Headers,
    out: Vec<u8>,
}

impl Conversion {
    fn new() -> Self {
        Self {
            converter: Box::new(wharf_converters::StringConverter::default()),
            headers: Headers::new(),
            out: Vec::new(),
        }
    }

    #[inline]
    fn value(&mut self, topic: &str, schema: Option<&SchemaRef>, value: ValueRef<'_>) -> Result<&[u8]> {
        self.out.clear();
        self.converter
            .encode(topic, &mut self.headers, schema, value, &mut self.out)?;
        Ok(&self.out)
    }
}

fn source_through_the_border(module: &Arc<Module>, lines: &Path, records: u64) -> Result<()> {
    let services = SourceTaskServices(Arc::new(FakeWorker::default()));
    let handle = module.create(class(module, SOURCE)?, Role::Task, Box::new(services))?;
    let mut task = SourceTaskHandle::new(handle)?;
    let batch_size = POLL_RECORDS.to_string();
    let file = lines.display().to_string();
    task.start(&config([
        ("file", file.as_str()),
        ("topic", TOPIC),
        ("batch.size", batch_size.as_str()),
    ]))?;
    let mut conversion = Conversion::new();
    let mut schemas = SchemaCache::default();
    let mut seen = 0;
    while seen < records {
        let answer = task.poll()?;
        if answer.bytes().is_empty() {
            bail!("the file ended after {seen} of {records} records");
        }
        let batch = RecordBatchRef::parse(answer.bytes(), &mut schemas)?;
        for record in batch.iter() {
            let record = record?;
            let OriginRef::Source(origin) = record.origin() else {
                bail!("a record does not come from a source");
            };
            let value = conversion.value(record.topic(), record.value_schema(), record.value())?;
            black_box((
                value,
                record.topic_index(),
                origin.partition_index(),
                origin.offset_bytes(),
                record.timestamp(),
                record.key(),
                record.headers().is_empty(),
            ));
            seen += 1;
        }
    }
    task.stop()?;
    Ok(())
}

fn source_without(lines: &Path, records: u64) -> Result<()> {
    let mut file = File::open(lines)?;
    let mut buffer = LineBuffer::default();
    let schema = Schema::string();
    let mut conversion = Conversion::new();
    let (mut seen, mut position) = (0, 0_u64);
    while seen < records {
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let before = seen;
        let mut in_poll = 0;
        while in_poll < POLL_RECORDS {
            let Some(line) = buffer.next_line() else {
                if buffer.fill(|space| file.read(space))? == 0 {
                    break;
                }
                continue;
            };
            position += line.length as u64;
            // As the plugin does it: the lossy way is slow and only for bytes that are no UTF-8, which are not here.
            let text = std::str::from_utf8(line.text)?;
            let value = conversion.value(TOPIC, Some(&schema), ValueRef::String(text))?;
            black_box((value, position, timestamp));
            seen += 1;
            in_poll += 1;
        }
        if seen == before {
            bail!("the file ended after {seen} of {records} records");
        }
    }
    Ok(())
}

/// The values of one `put` after another, until there were enough.
fn puts<'v>(values: &'v [&'v [u8]], records: u64) -> impl Iterator<Item = &'v [&'v [u8]]> {
    let mut left = records;
    values.chunks(PUT_RECORDS).cycle().map_while(move |chunk| {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        left -= count as u64;
        (count > 0).then(|| &chunk[..count])
    })
}

fn sink_through_the_border(module: &Arc<Module>, values: &[&[u8]], records: u64) -> Result<()> {
    let services = SinkTaskServices(Arc::new(FakeWorker::default()));
    let mut task =
        SinkTaskHandle::new(module.create(class(module, SINK)?, Role::Task, Box::new(services))?);
    task.start(&config([("file", "/dev/null"), ("topics", TOPIC)]))?;
    let schema = Schema::optional_string();
    let mut batch = RecordBatch::new();
    let mut offset = 0;
    for put in puts(values, records) {
        batch.clear();
        for value in put {
            let text = std::str::from_utf8(value)?;
            batch.push(&NewRecord {
                topic: TOPIC,
                kafka_partition: Some(0),
                timestamp: Some(1_700_000_000_000),
                key: Datum::default(),
                value: Datum::new(Some(&schema), text),
                headers: &[],
                origin: NewOrigin::Sink {
                    offset,
                    timestamp_type: TimestampType::CreateTime,
                    original: None,
                },
            })?;
            offset += 1;
        }
        task.put(batch.finish()?)?;
    }
    task.stop()?;
    Ok(())
}

fn sink_without(values: &[&[u8]], records: u64) -> Result<()> {
    let mut file = File::options().append(true).open("/dev/null")?;
    let mut buffer = Vec::with_capacity(256 * 1024);
    let mut offset = 0_i64;
    for put in puts(values, records) {
        for value in put {
            let text = black_box(std::str::from_utf8(value)?);
            buffer.extend_from_slice(text.as_bytes());
            buffer.push(b'\n');
            offset += 1;
        }
        black_box(offset);
        file.write_all(&buffer)?;
        buffer.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_give_as_many_values_as_asked_for() {
        let values = [&b"a"[..]; 1200];
        for records in [0, 1, 499, 500, 501, 1200, 1201, 5000] {
            let sizes: Vec<_> = puts(&values, records).map(<[&[u8]]>::len).collect();
            assert_eq!(sizes.iter().sum::<usize>() as u64, records);
            assert!(
                sizes.iter().all(|size| (1..=PUT_RECORDS).contains(size)),
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let path = std::env::temp_dir().join(format!("wharf-bench-border-{}", std::process::id()));
        crate::lines::write(&path, 10).unwrap();
        source_without(&path, 10).unwrap();
        assert!(source_without(&path, 11).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
