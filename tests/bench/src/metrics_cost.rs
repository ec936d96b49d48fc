//! `cargo xtask bench --metrics`: how many of a worker's instructions are its metrics.
//!
//! The worker runs under callgrind, which counts every instruction, so the load of the machine changes nothing. What starts and
//! ends a worker falls out by the difference of two runs; what counts as metrics are their functions and every reading of a clock,
//! whoever reads it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::bench::in_own_folder;
use crate::kafka::Kafka;
use crate::rows::{Direction, Engine, Handling, Row};
use crate::worker::{Programs, Worker};
use crate::{lines, machine};

/// Lines of the two runs.
pub(crate) const LINES: [u64; 2] = [20_000, 120_000];
/// Under callgrind everything takes fifty times as long.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whose instructions count as those of metrics.
const FUNCTIONS: [&str; 6] = [
    "wharf_runtime::metrics",
    "Timespec",
    "Instant",
    "SystemTime",
    "clock_gettime",
    "rd_clock",
];

/// Measures; all rows.
pub(crate) fn run(root: &Path) -> Result<Vec<Row>> {
    for program in ["valgrind", "callgrind_annotate"] {
        if Command::new(program).arg("--version").output().is_err() {
            bail!("{program} is needed to count instructions; install the package valgrind");
        }
    }
    let programs = Programs::of(&[Engine::Wharf])?;
    in_own_folder(|folder| measure(programs, folder, root))
}

fn measure(programs: Programs, folder: &Path, root: &Path) -> Result<Vec<Row>> {
    let amount = machine::Amount {
        mode: "full",
        work: Handling::Text,
        rounds: 1,
        records: LINES[1],
    };
    let about = machine::about(amount, root, &programs.wharf, Vec::new());
    let mut rows = vec![Row::About(about)];
    let kafka = Kafka::start()?;
    for lines in LINES {
        let input = folder.join(format!("{lines}.txt"));
        let expected = lines::write(&input, lines)?;
        let topic = format!("lines-{lines}");
        kafka.create_topic(&topic, true)?;
        for direction in Direction::ALL {
            let run = Counted {
                programs: &programs,
                kafka: &kafka,
                folder: folder.join(format!("{direction:?}-{lines}")),
            };
            let (total, metrics) = match direction {
                Direction::FileToTopic => {
                    run.count(direction, &input, &topic, || Ok(kafka.end(&topic)? >= lines))?
                }
                Direction::TopicToFile => {
                    let output = folder.join(format!("{lines}.copy"));
                    let length = || fs::metadata(&output).map_or(0, |file| file.len());
                    run.count(direction, &output, &topic, || Ok(length() >= expected.bytes))?
                }
            };
            let row = Row::Instructions {
                direction,
                lines,
                total,
                metrics,
            };
            println!("{row}");
            rows.push(row);
        }
    }
    Ok(rows)
}

/// One worker that is counted.
struct Counted<'a> {
    programs: &'a Programs,
    kafka: &'a Kafka,
    folder: PathBuf,
}

impl Counted<'_> {
    /// Lets a worker move lines until all are there; all of its instructions and those of its metrics.
    fn count(
        self,
        direction: Direction,
        file: &Path,
        topic: &str,
        is_done: impl FnMut() -> Result<bool>,
    ) -> Result<(u64, u64)> {
        fs::create_dir_all(&self.folder)?;
        let counts = self.folder.join("callgrind.out");
        let script = self.folder.join("wharf");
        let text = format!(
            "#!/bin/sh\nexec valgrind --tool=callgrind --callgrind-out-file='{}' '{}' \"$@\"\n",
            counts.display(),
            self.programs.wharf.display()
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let programs = Programs {
            wharf: script,
            ..self.programs.clone()
        };
        let worker = Worker::start(Engine::Wharf, &programs, &self.kafka.bootstrap(), &self.folder)?;
        worker.create("counted", direction, file, topic)?;
        worker.wait_for("counted", PATIENCE, is_done)?;
        // The counts are written when the process ends.
        worker.stop()?;
        let output = Command::new("callgrind_annotate")
            .args(["--threshold=100", "--auto=no"])
            .arg(&counts)
            .output()
            .context("cannot run callgrind_annotate")?;
        read(&String::from_utf8_lossy(&output.stdout))
            .with_context(|| format!("callgrind_annotate printed nothing about {}", counts.display()))
    }
}

/// All instructions and those of metrics, as `callgrind_annotate` lists them: a count, its share, then file and function.
fn read(listing: &str) -> Option<(u64, u64)> {
    let mut total = None;
    let mut metrics = 0;
    for line in listing.lines() {
        let line = line.trim_start();
        let digits: String = line
            .chars()
            .take_while(|sign| sign.is_ascii_digit() || *sign == ',')
            .filter(char::is_ascii_digit)
            .collect();
        let Ok(count) = digits.parse::<u64>() else {
            continue;
        };
        if line.contains("PROGRAM TOTALS") {
            total = Some(count);
        } else if FUNCTIONS.iter().any(|name| line.contains(name)) {
            metrics += count;
        }
    }
    Some((total?, metrics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_metrics_and_of_clocks_are_summed() {
        let listing = "Profile data file 'x'\n\n\
             10,000 (100.0%)  PROGRAM TOTALS\n\n\
             1,000 (10.0%)  ???:wharf_runtime::metrics::task::Batch::note [/x/wharf]\n  \
             20 ( 0.2%)  ???:<std::sys::pal::unix::time::Timespec>::now [/x/wharf]\n  \
             3 ( 0.0%)  ./time/clock_gettime.c:clock_gettime@@GLIBC_2.17 [/lib/libc.so.6]\n  \
             500 ( 5.0%)  ???:wharf_runtime::worker::run [/x/wharf]\n";
        assert_eq!(read(listing), Some((10_000, 1_023)));
        assert_eq!(read("nothing"), None);
    }
}
