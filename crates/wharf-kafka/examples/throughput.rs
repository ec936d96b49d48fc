//! Measures what this crate costs per record against a real broker: `throughput BOOTSTRAP [RECORDS] [VALUE_BYTES]`.
//!
//! Prints rate and CPU time per record (all threads of the process) for sending with reports taken, and for reading.
#![allow(clippy::print_stdout, reason = "a command line tool prints its result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use wharf_kafka::{
    ClientKind, Consumer, ConsumerHandler, KafkaError, MessageRef, Producer, SendError, TopicPartition,
    translate,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Count {
    records: u64,
    bytes: u64,
}

impl ConsumerHandler for Count {
    fn message(&mut self, message: MessageRef<'_>) {
        self.records += 1;
        self.bytes += message.value().map_or(0, <[u8]>::len) as u64;
    }
    fn assigned(&mut self, _: &Consumer, _: &[TopicPartition]) {}
    fn revoked(&mut self, _: &Consumer, _: &[TopicPartition]) {}
    fn lost(&mut self, _: &Consumer, _: &[TopicPartition]) {}
    fn committed(&mut self, _: &Consumer, _: u64, _: Result<(), KafkaError>) {}
}

/// CPU time of this process so far, in seconds.
fn cpu() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // Ticks of user and system time, a hundredth of a second each on Linux.
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let bootstrap = args
        .next()
        .ok_or("usage: throughput BOOTSTRAP [RECORDS] [VALUE_BYTES] [KEY=VALUE ...]")?;
    let records: u64 = args.next().map_or(Ok(2_000_000), |text| text.parse())?;
    let size: usize = args.next().map_or(Ok(100), |text| text.parse())?;
    let extra: Vec<(String, String)> = args
        .filter_map(|pair| {
            pair.split_once('=')
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        })
        .collect();
    let name = format!("throughput-{}", std::process::id());
    let properties = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let base = [("bootstrap.servers", bootstrap.as_str())];
        base.iter()
            .chain(pairs)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let report = |what: &str, start: Instant, before: f64| -> Outcome<()> {
        let (elapsed, used) = (start.elapsed().as_secs_f64(), cpu()? - before);
        println!(
            "{what}: {:.0} records/s, {:.0} ns CPU per record",
            records as f64 / elapsed,
            used * 1e9 / records as f64
        );
        Ok(())
    };

    let mut all = properties(&[]);
    all.extend(extra);
    let producer =
        Producer::new(&translate(ClientKind::Producer, &all).map_err(|found| found[0].to_string())?)?;
    let topic = producer.topic(&name)?;
    let value = vec![b'x'; size];
    producer.send(&topic, Some(0), None, None, Some(b"the topic is there"), &[], 0)?;
    producer.flush(Duration::from_secs(30), |_| {});
    let (start, before) = (Instant::now(), cpu()?);
    let mut failed = 0_u64;
    let mut in_call = Duration::ZERO;
    for number in 0..records {
        let called = (number % 64 == 0).then(Instant::now);
        while let Err(error) = producer.send(&topic, Some(0), None, None, Some(&value), &[], number) {
            match error {
                SendError::QueueFull => {
                    producer.poll_acks(Duration::from_millis(100), |d| {
                        failed += u64::from(d.result.is_err())
                    });
                }
                other => return Err(other.into()),
            }
        }
        if let Some(called) = called {
            in_call += called.elapsed();
        }
        if number % 1024 == 0 {
            producer.poll_acks(Duration::ZERO, |d| failed += u64::from(d.result.is_err()));
        }
    }
    producer.flush(Duration::from_secs(60), |d| {
        failed += u64::from(d.result.is_err())
    });
    report("produce", start, before)?;
    println!(
        "  {failed} failed; send with waiting {} ns per call",
        in_call.as_nanos() as u64 / (records / 64).max(1)
    );

    let consumer = Consumer::new(
        &translate(ClientKind::Consumer, &properties(&[("group.id", &name)]))
            .map_err(|found| found[0].to_string())?,
    )?;
    consumer.subscribe(std::slice::from_ref(&name))?;
    let mut count = Count { records: 0, bytes: 0 };
    while count.records == 0 {
        consumer.poll_batch(Duration::from_millis(100), 1, 1, &mut count)?;
    }
    let (start, before) = (Instant::now(), cpu()?);
    while count.records < records {
        consumer.poll_batch(Duration::from_millis(100), 2000, 16 << 20, &mut count)?;
    }
    report("consume", start, before)?;
    println!("  {} bytes", count.bytes);
    consumer.close(Duration::from_secs(5), &mut count);
    Ok(())
}
