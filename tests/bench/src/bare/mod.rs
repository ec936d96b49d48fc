//! The bare loops: what librdkafka itself costs, with the settings that Wharf gives it.
//!
//! Each is a program of its own (`wharf-bench bare-source`, `bare-sink`), so that its processor time and memory are those
//! of a process, as with every other engine. They do what the promise asks for and nothing else: the source looks at
//! the delivery report of each record, the sink writes each record. No plugin, no converter, no offsets, no group.

pub(crate) mod native;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Bytes read or written at once, as much as the file connectors take.
const CHUNK: usize = 256 * 1024;

/// Delivery reports are taken after so many records.
const REPORTS_EVERY: u64 = 1024;

/// Nothing moved for this long: something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends each line of a file, waits for all reports, and says how many records there were.
pub(crate) fn source(settings: &BTreeMap<String, String>, topic: &str, path: &Path) -> Result<u64> {
    let mut producer = native::Producer::new(settings, topic)?;
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut buffer = vec![0; CHUNK];
    let (mut filled, mut sent) = (0, 0_u64);
    loop {
        let count = file.read(&mut buffer[filled..])?;
        if count == 0 {
            break;
        }
        filled += count;
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &buffer[start..filled]) {
            while !producer.send(&buffer[start..start + length])? {
                producer.take_reports(100);
            }
            start += length + 1;
            sent += 1;
            if sent.is_multiple_of(REPORTS_EVERY) {
                producer.take_reports(0);
            }
        }
        if start == 0 && filled == buffer.len() {
            bail!("{} has a line of more than {CHUNK} bytes", path.display());
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
    let deadline = Instant::now() + PATIENCE;
    while producer.flush(20) > 0 {
        if Instant::now() >= deadline {
            bail!("kafka does not acknowledge the last records");
        }
    }
    if producer.failed > 0 || producer.delivered != sent {
        bail!(
            "{} of {sent} records were delivered; the first failure: {}",
            producer.delivered,
            producer.failure()
        );
    }
    Ok(sent)
}

/// Writes the first `records` records of a topic to a file, each as a line.
pub(crate) fn sink(
    settings: &BTreeMap<String, String>,
    topic: &str,
    path: &Path,
    records: u64,
) -> Result<u64> {
    let mut settings = settings.clone();
    // Membership of a group is the worker's affair; leaving one would cost time.
    settings.remove("group.id");
    let mut consumer = native::Consumer::new(&settings, topic)?;
    let mut file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * CHUNK);
    let mut taken = 0;
    let mut deadline = Instant::now() + PATIENCE;
    while taken < records {
        let count = consumer.take(100, |value| -> io::Result<()> {
            buffer.extend_from_slice(value);
            buffer.push(b'\n');
            if buffer.len() >= CHUNK {
                file.write_all(&buffer)?;
                buffer.clear();
            }
            Ok(())
        })?;
        taken += count;
        let now = Instant::now();
        if count > 0 {
            deadline = now + PATIENCE;
        } else if now >= deadline {
            bail!("{taken} of {records} records came");
        }
    }
    file.write_all(&buffer)?;
    Ok(taken)
}
