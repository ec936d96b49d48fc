//! Lines with the time in them on their way from the files of sources to a topic, or from there into the files of sinks: written,
//! read back, judged.
//!
//! Both ends are threads of this program, so all times come from one clock: milliseconds since a moment that both know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::LOOK_EVERY;
use crate::bare::native::{Consumer, Producer};

/// Between two lines of a file.
const WRITE_EVERY: Duration = Duration::from_millis(20);
/// Between two records of a partition.
const SEND_EVERY: Duration = Duration::from_millis(5);
/// For the records that are on their way when it is over.
const FLUSH_MS: i32 = 1000;
/// How long the reader waits for more before it notes what came: how exact arrivals are.
const READ_EVERY_MS: i32 = 10;
/// The same of the files of sinks.
const WATCH_EVERY: Duration = Duration::from_millis(10);

/// A line that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) source: String,
    pub(super) written_ms: u64,
    pub(super) arrived_ms: u64,
}

impl Arrival {
    fn of(line: &[u8], arrived_ms: u64) -> Option<Self> {
        let (source, written) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        Some(Self {
            source: source.to_owned(),
            written_ms: written.parse().ok()?,
            arrived_ms,
        })
    }
}

/// When a line written at this time or later had come from each of the sources; `None` while one is missing.
pub(super) fn all_arrived(arrivals: &[Arrival], sources: &BTreeSet<String>, since_ms: u64) -> Option<u64> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for arrival in arrivals.iter().filter(|arrival| arrival.written_ms >= since_ms) {
        let at = first.entry(&arrival.source).or_insert(arrival.arrived_ms);
        *at = arrival.arrived_ms.min(*at);
    }
    sources
        .iter()
        .map(|source| first.get(source.as_str()).copied())
        .try_fold(0, |latest, at| Some(latest.max(at?)))
}

/// The longest time without a line of one of the sources, of that which overlaps the window; `None` when a source sent none in it.
pub(super) fn largest_gap(
    arrivals: &[Arrival],
    sources: &BTreeSet<String>,
    from_ms: u64,
    to_ms: u64,
) -> Option<u64> {
    let mut largest = None;
    for source in sources {
        let mut times: Vec<u64> = arrivals
            .iter()
            .filter(|arrival| arrival.source == *source)
            .map(|arrival| arrival.arrived_ms)
            .collect();
        times.sort_unstable();
        if !times.iter().any(|time| (from_ms..=to_ms).contains(time)) {
            return None;
        }
        // Silence that lasts to the end of the window counts as far as it was watched.
        times.push(to_ms.max(*times.last()?));
        let gap = times
            .windows(2)
            .filter(|pair| pair[1] > from_ms && pair[0] < to_ms)
            .map(|pair| pair[1] - pair[0])
            .max();
        largest = largest.max(gap);
    }
    largest
}

/// The longest times without a line of one of some names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence {
    /// Length of either window.
    pub(super) window_ms: u64,
    /// While something happened.
    pub(super) gap_ms: u64,
    /// In the quiet time after it.
    pub(super) quiet_gap_ms: u64,
}

/// Writes lines and notes their arrival, until dropped.
pub(super) struct Traffic {
    epoch: Instant,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Traffic {
    fn new() -> Self {
        Self {
            epoch: Instant::now(),
            arrivals: Arc::default(),
            over: Arc::default(),
            threads: Vec::new(),
        }
    }

    /// Appends lines to files. `files` by the names that lines shall have; `settings` are those of a bare consumer of the topic; `sinks`
    /// are the files that sinks write, by their names: a line that is in one of them has arrived from that name.
    pub(super) fn through_sources(
        files: Vec<(String, PathBuf)>,
        settings: BTreeMap<String, String>,
        topic: &str,
        sinks: Vec<(String, PathBuf)>,
    ) -> Result<Self> {
        let mut traffic = Self::new();
        let mut open = Vec::new();
        for (name, path) in files {
            let file = OpenOptions::new().append(true).open(&path);
            open.push((
                name,
                file.with_context(|| format!("cannot open {}", path.display()))?,
            ));
        }
        let topic = topic.to_owned();
        traffic.spawn(move |epoch, over, _| write(open, epoch, over));
        traffic.spawn(move |epoch, over, noted| read(&settings, &topic, epoch, over, noted));
        traffic.spawn(move |epoch, over, noted| watch(&sinks, epoch, over, noted));
        Ok(traffic)
    }

    /// Sends lines to each partition of a topic, by a bare producer with these settings; `sinks` as above.
    pub(super) fn through_topic(
        settings: BTreeMap<String, String>,
        topic: &str,
        partitions: i32,
        sinks: Vec<(String, PathBuf)>,
    ) -> Self {
        let mut traffic = Self::new();
        let topic = topic.to_owned();
        traffic.spawn(move |epoch, over, _| send(&settings, &topic, partitions, epoch, over));
        traffic.spawn(move |epoch, over, noted| watch(&sinks, epoch, over, noted));
        traffic
    }

    fn spawn(
        &mut self,
        work: impl FnOnce(Instant, &AtomicBool, &Mutex<Vec<Arrival>>) -> Result<()> + Send + 'static,
    ) {
        let (epoch, over, arrivals) = (self.epoch, Arc::clone(&self.over), Arc::clone(&self.arrivals));
        self.threads
            .push(std::thread::spawn(move || work(epoch, &over, &arrivals)));
    }

    /// Now, on the clock of the lines.
    pub(super) fn now_ms(&self) -> u64 {
        since(self.epoch)
    }

    /// Waits until there is a judgement of what came.
    pub(super) fn wait<T>(
        &mut self,
        patience: Duration,
        judge: impl Fn(&[Arrival]) -> Option<T>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(judgement) = self.judge(&judge) {
                return Ok(judgement);
            }
            self.check()?;
            if began.elapsed() >= patience {
                bail!("lines do not come from all sources, or not into the files of all sinks");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Compares the time since `from_ms` with an equally long one in which nothing happens.
    pub(super) fn silence(&mut self, names: &BTreeSet<String>, from_ms: u64) -> Result<Silence> {
        let to_ms = self.now_ms();
        let window_ms = to_ms - from_ms;
        std::thread::sleep(Duration::from_millis(window_ms));
        self.check()?;
        let gap = |from, to| {
            self.judge(|arrivals| largest_gap(arrivals, names, from, to))
                .context("no line came of an unmoved task")
        };
        Ok(Silence {
            window_ms,
            gap_ms: gap(from_ms, to_ms)?,
            quiet_gap_ms: gap(to_ms, to_ms + window_ms)?,
        })
    }

    /// Judges what came so far.
    fn judge<T>(&self, judge: impl FnOnce(&[Arrival]) -> T) -> T {
        judge(&self.arrivals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fails once writing or reading has.
    fn check(&mut self) -> Result<()> {
        let Some(ended) = self.threads.iter().position(JoinHandle::is_finished) else {
            return Ok(());
        };
        match self.threads.remove(ended).join() {
            Ok(outcome) => outcome.and_then(|()| bail!("the lines stopped")),
            Err(_) => bail!("a thread that writes or reads lines panicked"),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // What went wrong in it was told by `check` where it mattered.
            let _ = thread.join();
        }
    }
}

fn since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn write(mut files: Vec<(String, File)>, epoch: Instant, over: &AtomicBool) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        for (name, file) in &mut files {
            let line = format!("{name} {}\n", since(epoch));
            file.write_all(line.as_bytes())
                .context("cannot append to the file of a source")?;
        }
        std::thread::sleep(WRITE_EVERY);
    }
    Ok(())
}

/// Sends lines with the name of their partition.
fn send(
    settings: &BTreeMap<String, String>,
    topic: &str,
    partitions: i32,
    epoch: Instant,
    over: &AtomicBool,
) -> Result<()> {
    let mut producer = Producer::new(settings, topic)?;
    while !over.load(Ordering::Relaxed) {
        for partition in 0..partitions {
            let line = format!("partition-{partition} {}", since(epoch));
            if !producer.send_to(partition, line.as_bytes())? {
                bail!("lines are not taken by Kafka as fast as they are written");
            }
        }
        producer.take_reports(0);
        if producer.failed > 0 {
            bail!("a line was not acknowledged: {}", producer.failure());
        }
        std::thread::sleep(SEND_EVERY);
    }
    producer.flush(FLUSH_MS);
    Ok(())
}

fn read(
    settings: &BTreeMap<String, String>,
    topic: &str,
    epoch: Instant,
    over: &AtomicBool,
    noted: &Mutex<Vec<Arrival>>,
) -> Result<()> {
    let mut consumer = Consumer::new(settings, topic)?;
    while !over.load(Ordering::Relaxed) {
        let mut fresh = Vec::new();
        consumer.take(READ_EVERY_MS, |line| {
            fresh.extend(Arrival::of(line, since(epoch)));
            Ok(())
        })?;
        noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(&mut fresh);
    }
    Ok(())
}

/// Notes the lines that come into the files of sinks.
fn watch(
    sinks: &[(String, PathBuf)],
    epoch: Instant,
    over: &AtomicBool,
    noted: &Mutex<Vec<Arrival>>,
) -> Result<()> {
    let mut files: Vec<(&str, &PathBuf, Option<File>, Vec<u8>)> = sinks
        .iter()
        .map(|(name, path)| (name.as_str(), path, None, Vec::new()))
        .collect();
    while !over.load(Ordering::Relaxed) {
        let mut fresh = Vec::new();
        for (name, path, file, rest) in &mut files {
            if file.is_none() {
                *file = File::open(&**path).ok();
            }
            let Some(file) = file else { continue };
            file.read_to_end(rest)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let now = since(epoch);
            let whole = rest
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1);
            let lines = rest[..whole].split(|byte| *byte == b'\n');
            fresh.extend(
                lines
                    .filter_map(|line| Arrival::of(line, now))
                    .map(|arrival| Arrival {
                        source: (*name).to_owned(),
                        ..arrival
                    }),
            );
            rest.drain(..whole);
        }
        noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(&mut fresh);
        std::thread::sleep(WATCH_EVERY);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(list: &[(&str, u64, u64)]) -> Vec<Arrival> {
        list.iter()
            .map(|(source, written_ms, arrived_ms)| Arrival {
                source: (*source).to_owned(),
                written_ms: *written_ms,
                arrived_ms: *arrived_ms,
            })
            .collect()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        assert_eq!(Arrival::of(b"a 12", 20), came(&[("a", 12, 20)]).pop());
        for line in ["", "a", "a x"] {
            assert_eq!(Arrival::of(line.as_bytes(), 20), None, "{line}");
        }
    }

    #[test]
    fn the_slowest_source_decides_and_old_lines_that_come_again_do_not_count() {
        let arrivals = came(&[("a", 90, 95), ("b", 90, 300), ("a", 100, 110), ("a", 120, 125)]);
        assert_eq!(all_arrived(&arrivals, &names(&["a"]), 100), Some(110));
        assert_eq!(all_arrived(&arrivals, &names(&["a", "b"]), 100), None);
        assert_eq!(all_arrived(&arrivals, &names(&["a", "b"]), 90), Some(300));
    }

    #[test]
    fn a_gap_belongs_to_one_source_and_counts_whole_when_the_window_begins_in_it() {
        let arrivals = came(&[
            ("a", 0, 10),
            ("a", 0, 60),
            ("b", 0, 40),
            ("a", 0, 70),
            ("b", 0, 75),
        ]);
        assert_eq!(largest_gap(&arrivals, &names(&["a"]), 50, 80), Some(50));
        assert_eq!(largest_gap(&arrivals, &names(&["a"]), 60, 80), Some(10));
        assert_eq!(largest_gap(&arrivals, &names(&["a", "b"]), 65, 80), Some(35));
    }

    #[test]
    fn silence_at_the_end_counts_and_silence_throughout_is_no_figure() {
        let arrivals = came(&[("a", 0, 10), ("a", 0, 20)]);
        assert_eq!(largest_gap(&arrivals, &names(&["a"]), 0, 100), Some(80));
        assert_eq!(largest_gap(&arrivals, &names(&["a"]), 30, 100), None);
        assert_eq!(largest_gap(&arrivals, &names(&["a", "b"]), 0, 100), None);
    }

    #[test]
    fn a_wait_ends_with_a_judgement_or_with_what_went_wrong() {
        let nothing = |_: &[Arrival]| None::<()>;
        let mut traffic = Traffic::new();
        let error = traffic.wait(Duration::ZERO, nothing).unwrap_err();
        assert!(error.to_string().contains("files of all sinks"), "{error:#}");
        let (end, ended) = std::sync::mpsc::channel::<()>();
        traffic.spawn(move |_, _, noted| {
            noted.lock().unwrap().extend(came(&[("a", 1, 2)]));
            let _ = ended.recv();
            bail!("the disk is full")
        });
        let last = traffic.wait(Duration::from_secs(60), |arrivals| arrivals.last().cloned());
        assert_eq!(last.unwrap(), came(&[("a", 1, 2)])[0]);
        drop(end);
        let error = traffic.wait(Duration::from_secs(60), nothing).unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error:#}");
    }

    #[test]
    fn lines_in_the_file_of_a_sink_are_the_sink_s_when_they_are_whole() {
        let path = std::env::temp_dir().join(format!("wharf-bench-sink-{}", std::process::id()));
        std::fs::write(&path, "a 1\nb 2\nc").unwrap();
        let (over, noted) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let sinks = [("s".to_owned(), path.clone())];
        let times = || -> Vec<(String, u64)> {
            let noted: &Vec<Arrival> = &noted.lock().unwrap();
            noted
                .iter()
                .map(|came| (came.source.clone(), came.written_ms))
                .collect()
        };
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&sinks, Instant::now(), &over, &noted));
            let until = |count: usize| {
                while times().len() < count && !watcher.is_finished() {
                    std::thread::yield_now();
                }
            };
            until(2);
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(b" 3\n").unwrap();
            until(3);
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(times(), [1, 2, 3].map(|written| ("s".to_owned(), written)));
        std::fs::remove_file(path).unwrap();
    }
}
