//! What the kernel says of a process: processor time, memory, instructions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wharf_test_services::process::{on_path, signal};

/// Ticks a second of the times in `/proc`; fixed for every program by Linux, whatever the kernel's own clock is.
const TICKS: f64 = 100.0;

/// User and system time of a process and of those children it has waited for, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let times = times(&stat).with_context(|| format!("{path} is not understood"))?;
    Ok(times.own + times.children)
}

/// Processor time of all children that this process has waited for, in seconds.
pub(crate) fn finished_children_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    Ok(times(&stat)
        .context("/proc/self/stat is not understood")?
        .children)
}

#[derive(Debug, PartialEq)]
struct Times {
    own: f64,
    children: f64,
}

fn times(stat: &str) -> Option<Times> {
    // The name, in parentheses, may hold anything, also blanks; fields are counted from behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Times {
        own: (ticks(11)? + ticks(12)?) / TICKS,
        children: (ticks(13)? + ticks(14)?) / TICKS,
    })
}

/// A line of `/proc/PID/status` in bytes, as in `VmHWM` (most resident memory ever) and `VmRSS` (now).
pub(crate) fn memory(pid: u32, line: &str) -> Option<u64> {
    kibibytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, line)
}

/// How many threads a process has.
pub(crate) fn threads(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = |text: &str| text.strip_prefix("Threads:")?.trim().parse().ok();
    status.lines().find_map(line)
}

fn kibibytes(status: &str, line: &str) -> Option<u64> {
    let rest = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    let number = rest.trim().strip_suffix("kB")?.trim();
    Some(number.parse::<u64>().ok()? * 1024)
}

/// Why instructions cannot be counted here; `None` when they can.
pub(crate) fn why_not_counted() -> Option<String> {
    if !on_path("perf") {
        return Some("there is no `perf`".to_owned());
    }
    let tried = Command::new("perf")
        .args(["stat", "-x", ",", "-e", "instructions:u", "true"])
        .stdin(Stdio::null())
        .output();
    match tried {
        Err(error) => Some(format!("perf cannot be run: {error}")),
        Ok(output) if counted(&String::from_utf8_lossy(&output.stderr)).is_some() => None,
        Ok(_) => Some("its processor gives no instruction counter to this system".to_owned()),
    }
}

/// The number in the machine-readable output of `perf stat`.
fn counted(output: &str) -> Option<u64> {
    output.lines().find_map(|line| {
        line.contains("instructions")
            .then(|| line.split(',').next()?.parse().ok())?
    })
}

/// Counts the instructions of a running process until it is asked.
pub(crate) struct Counter {
    perf: Child,
    output: PathBuf,
}

impl Counter {
    /// Attaches to the process.
    pub(crate) fn attach(pid: u32, folder: &Path) -> Result<Self> {
        let output = folder.join("perf.csv");
        let perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", "instructions:u", "-o"])
            .arg(&output)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run perf")?;
        Ok(Self { perf, output })
    }

    /// Detaches; the number since then.
    pub(crate) fn finish(mut self) -> Result<u64> {
        // After the end of the process perf has ended by itself, which is no failure.
        let _ = signal(self.perf.id(), "INT");
        self.perf.wait()?;
        let text = fs::read_to_string(&self.output).context("perf wrote nothing")?;
        counted(&text).context("perf counted nothing")
    }
}

/// What a program used from its start to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) instructions: Option<u64>,
}

/// Runs a program to its end. No other child of this process may end meanwhile: its time would count.
pub(crate) fn run(command: &mut Command, count_in: Option<&Path>) -> Result<Usage> {
    let name = command.get_program().to_string_lossy().into_owned();
    let cannot = || format!("cannot run {name}");
    let before = finished_children_seconds()?;
    let started = std::time::Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(cannot)?;
    let counter = count_in
        .map(|folder| Counter::attach(child.id(), folder))
        .transpose()?;
    let mut peak_rss_bytes = 0;
    let status = loop {
        if let Some(peak) = memory(child.id(), "VmHWM") {
            peak_rss_bytes = peak;
        }
        if let Some(status) = child.try_wait().with_context(cannot)? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall_s = started.elapsed().as_secs_f64();
    let cpu_s = finished_children_seconds()? - before;
    let instructions = counter.map(Counter::finish).transpose()?;
    if !status.success() {
        let mut text = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            use std::io::Read as _;
            stderr.read_to_string(&mut text)?;
        }
        bail!("{name} ended with {status}: {}", text.trim());
    }
    Ok(Usage {
        wall_s,
        cpu_s,
        peak_rss_bytes,
        instructions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 5 6 7 8 150 50 20 5 20 0 1 0 9 10 11";
        assert_eq!(
            times(stat),
            Some(Times {
                own: 2.0,
                children: 0.25
            })
        );
        assert_eq!(times("7 (cut) S 1"), None);
    }

    #[test]
    fn memory_is_read_by_the_whole_name_of_the_line() {
        let status = "Name:\tx\nVmHWMx:\t1 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\n";
        assert_eq!(kibibytes(status, "VmHWM"), Some(2 << 20));
        assert_eq!(kibibytes(status, "VmRSS"), Some(1 << 20));
        assert_eq!(kibibytes(status, "VmSwap"), None);
    }

    #[test]
    fn an_event_that_is_not_supported_is_no_number() {
        assert_eq!(counted("123456,,instructions:u,1000,100.00,,\n"), Some(123_456));
        assert_eq!(counted("<not supported>,,instructions:u,0,100.00,,\n"), None);
        assert_eq!(counted(""), None);
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_words() {
        let error = run(
            Command::new("sh").args(["-c", "echo no such topic >&2; exit 3"]),
            None,
        )
        .unwrap_err();
        assert!(error.to_string().contains("no such topic"), "{error:#}");
        let used = run(&mut Command::new("true"), None).unwrap();
        assert!(used.wall_s < 5.0 && used.cpu_s < 5.0, "{used:?}");
    }
}
