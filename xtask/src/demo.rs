//! `cargo xtask demo`: a file through a topic into another file, by a real worker process with plugins loaded from
//! `plugin.path`, managed over REST, and checked byte for byte.
//!
//! Nothing here waits a fixed time: every step has a condition and a deadline.

mod config;
mod rest;
mod stage;

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use wharf_test_services::{ports, process};

use crate::build::{self, Scope};
use crate::flags::Demo;
use crate::project;
use config::{SINK, SOURCE, TOPIC};
use rest::Rest;
use stage::{Folder, Process};

const LINES: u64 = 100_000;
/// Appended while the source is paused.
const MORE_LINES: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// The verb.
pub(crate) fn run(options: &Demo) -> Result<()> {
    step("building the worker, its plugins and the embedded broker");
    build::build(options.profile, Scope::ProductAnd("wharf-embedded-broker"))?;
    let folder = Folder::new(options.keep)?;
    let path = folder.path().to_owned();
    let show = Show::set_up(options, folder)?;
    let rest = show.rest.clone();
    let pids = [show.worker.pid(), show.broker.pid()];
    show.play(options.keep)?;
    if options.keep {
        return Ok(());
    }
    for pid in pids {
        if process::is_alive(pid) {
            bail!("process {pid} of the demo is still running");
        }
    }
    if TcpStream::connect(rest.url().trim_start_matches("http://")).is_ok() {
        bail!("something still answers at {}", rest.url());
    }
    if path.exists() {
        bail!("{} is left behind", path.display());
    }
    step("nothing is left: no process, no open port, no file");
    println!("\nThe demo passed. `cargo xtask demo --keep` leaves it running for you to look at.");
    Ok(())
}

/// Everything that is on the stage. Fields are dropped in order: the worker ends before its broker and its files.
struct Show {
    worker: Process,
    broker: Process,
    folder: Folder,
    rest: Rest,
    input: PathBuf,
    output: PathBuf,
}

impl Show {
    fn set_up(options: &Demo, folder: Folder) -> Result<Self> {
        let at = folder.path().to_owned();
        let (input, output) = (at.join("input.txt"), at.join("output.txt"));
        append_lines(&input, 0, LINES)?;
        step(&format!("an input file with {LINES} lines, {}", size(&input)));

        let broker = project::binary(options.profile, "wharf-embedded-broker");
        let (broker, bootstrap) = Process::broker(&broker, &at.join("broker.log"), options.keep)?;
        step(&format!("an embedded broker at {bootstrap}"));

        let [port] = ports::free().context("cannot find a free port")?;
        let plugins = project::plugin_dir(options.profile);
        let files = [
            folder.write(
                "worker.properties",
                &config::worker(&bootstrap, port, &plugins, &at.join("offsets")),
            )?,
            folder.write("source.properties", &config::source(&input))?,
            folder.write("sink.properties", &config::sink(&output))?,
        ];
        let binary = project::binary(options.profile, "wharf");
        let worker = Process::worker(&binary, &files, &at.join("worker.log"), options.keep)?;
        step("wharf standalone worker.properties source.properties sink.properties");
        let rest = Rest::new(format!("127.0.0.1:{port}"));
        Ok(Self {
            worker,
            broker,
            folder,
            rest,
            input,
            output,
        })
    }

    /// Runs the acts; on failure the worker's last words are shown and nothing is kept.
    fn play(mut self, keep: bool) -> Result<()> {
        if let Err(error) = self.acts() {
            eprintln!("\nend of the worker's log:\n{}\n", self.worker.tail());
            if keep {
                self.hand_over();
            }
            return Err(error);
        }
        if keep {
            self.hand_over();
            return Ok(());
        }
        step("SIGTERM to the worker");
        let begun = Instant::now();
        let status = self.worker.terminate(PATIENCE)?;
        if let Err(error) = stage::orderly(status) {
            eprintln!("\nend of the worker's log:\n{}\n", self.worker.tail());
            return Err(error);
        }
        println!("    {status} after {} ms", begun.elapsed().as_millis());
        // Once more at the very end: a line delivered twice while stopping would show here.
        compare(&fs::read(&self.input)?, &fs::read(&self.output)?)?;
        self.broker.close(PATIENCE)
    }

    fn acts(&mut self) -> Result<()> {
        self.introduce()?;
        self.follow(LINES)?;
        self.pause_and_resume()?;
        self.show_offsets()
    }

    fn introduce(&mut self) -> Result<()> {
        let begun = Instant::now();
        let rest = self.rest.clone();
        let worker = &mut self.worker;
        rest.until(
            "/",
            "the worker answers",
            PATIENCE,
            || worker.check_alive(),
            |_| Ok(true),
        )?;
        println!(
            "    the first answer came after {} ms",
            begun.elapsed().as_millis()
        );
        rest.call("GET", "/connector-plugins?connectorsOnly=true", 200)?;
        for name in [SOURCE, SINK] {
            self.until_state(name, "RUNNING")?;
        }
        rest.call("GET", "/connectors", 200)?;
        Ok(())
    }

    /// Waits until the connector and all of its tasks, at least one, are in this state.
    fn until_state(&mut self, name: &str, state: &str) -> Result<()> {
        let worker = &mut self.worker;
        let what = format!("{name} is {state}");
        self.rest.until(
            &format!("/connectors/{name}/status"),
            &what,
            PATIENCE,
            || worker.check_alive(),
            |status| has_state(status, state),
        )?;
        Ok(())
    }

    /// Watches the output grow until it has as many lines as the input, then compares the bytes.
    fn follow(&mut self, lines: u64) -> Result<()> {
        let begun = Instant::now();
        let wanted = fs::metadata(&self.input)?.len();
        let mut seen = 0;
        let mut last_growth = Instant::now();
        loop {
            self.worker.check_alive()?;
            let now = fs::metadata(&self.output).map_or(0, |file| file.len());
            if now != seen {
                (seen, last_growth) = (now, Instant::now());
                progress(&format!(
                    "{:3} % of the output",
                    (seen * 100).checked_div(wanted).unwrap_or(100)
                ));
            }
            if seen >= wanted {
                break;
            }
            if last_growth.elapsed() > PATIENCE {
                bail!(
                    "the output stopped growing at {seen} of {wanted} bytes for {} s",
                    PATIENCE.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        compare(&fs::read(&self.input)?, &fs::read(&self.output)?)?;
        let took = begun.elapsed();
        progress("");
        step(&format!(
            "{lines} lines went through topic {TOPIC} and came out byte for byte the same ({took:.1?})"
        ));
        Ok(())
    }

    fn pause_and_resume(&mut self) -> Result<()> {
        self.rest
            .call("PUT", &format!("/connectors/{SOURCE}/pause"), 202)?;
        self.until_state(SOURCE, "PAUSED")?;
        append_lines(&self.input, LINES, MORE_LINES)?;
        step(&format!("{MORE_LINES} lines more while the source is paused"));
        self.rest
            .call("PUT", &format!("/connectors/{SOURCE}/resume"), 202)?;
        self.until_state(SOURCE, "RUNNING")?;
        self.follow(LINES + MORE_LINES)
    }

    /// The committed offsets must reach exactly what was read and written.
    fn show_offsets(&mut self) -> Result<()> {
        let bytes = fs::metadata(&self.input)?.len();
        let expected = [
            (SOURCE, "position", bytes),
            (SINK, "kafka_offset", LINES + MORE_LINES),
        ];
        for (name, key, expected) in expected {
            let worker = &mut self.worker;
            self.rest.until(
                &format!("/connectors/{name}/offsets"),
                &format!("{name} has committed {key} {expected}"),
                PATIENCE,
                || worker.check_alive(),
                |offsets| Ok(sum_of(offsets, key) == expected),
            )?;
        }
        self.rest
            .call("GET", &format!("/connectors/{SINK}/topics"), 200)?;
        Ok(())
    }

    fn hand_over(&self) {
        println!("\nStill running:");
        println!(
            "    REST      {}  (try: curl {}/connectors?expand=status)",
            self.rest.url(),
            self.rest.url()
        );
        println!("    files     {}", self.folder.path().display());
        println!("    append    echo hello >> {}", self.input.display());
        println!("Stop it with:");
        println!(
            "    kill {} {} && rm -r {}",
            self.worker.pid(),
            self.broker.pid(),
            self.folder.path().display()
        );
    }
}

fn step(what: &str) {
    println!("==> {what}");
}

/// One line that is written over, and only where somebody looks.
fn progress(what: &str) {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[2K{}{what}", if what.is_empty() { "" } else { "    " });
        let _ = std::io::stdout().flush();
    }
}

fn append_lines(path: &Path, first: u64, count: u64) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(OpenOptions::new().create(true).append(true).open(path)?);
        for number in first..first + count {
            file.write_all(config::line(number).as_bytes())?;
        }
        file.flush()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn size(path: &Path) -> String {
    let bytes = fs::metadata(path).map_or(0, |file| file.len());
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// Whether connector and tasks have this state; a failed one is an error with its trace.
fn has_state(status: &Value, state: &str) -> Result<bool> {
    let tasks = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    for part in tasks.iter().chain([&status["connector"]]) {
        if part["state"] == "FAILED" {
            bail!(
                "{} failed: {}",
                status["name"],
                part["trace"].as_str().unwrap_or("no trace")
            );
        }
    }
    Ok(!tasks.is_empty()
        && tasks
            .iter()
            .chain([&status["connector"]])
            .all(|part| part["state"] == state))
}

/// The sum over all partitions of one number in their offsets.
fn sum_of(offsets: &Value, key: &str) -> u64 {
    offsets["offsets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["offset"][key].as_u64())
        .sum()
}

/// Says which line differs first.
fn compare(input: &[u8], output: &[u8]) -> Result<()> {
    if input == output {
        return Ok(());
    }
    let lines = |bytes: &[u8]| {
        bytes
            .split(|b| *b == b'\n')
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let (input, output) = (lines(input), lines(output));
    let at = input.iter().zip(&output).take_while(|(a, b)| a == b).count();
    let text =
        |line: Option<&Vec<u8>>| line.map_or("nothing".into(), |l| String::from_utf8_lossy(l).into_owned());
    bail!(
        "output differs from input at line {}: expected `{}`, found `{}` ({} and {} lines)",
        at + 1,
        text(input.get(at)),
        text(output.get(at)),
        input.len() - 1,
        output.len() - 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_connector_is_in_a_state_when_all_of_its_parts_are() {
        let status = |connector: &str, tasks: &[&str]| {
            let tasks: Vec<_> = tasks
                .iter()
                .map(|state| json!({"state": state, "trace": "boom"}))
                .collect();
            json!({"name": "c", "connector": {"state": connector}, "tasks": tasks})
        };
        assert!(has_state(&status("RUNNING", &["RUNNING"]), "RUNNING").unwrap());
        assert!(!has_state(&status("RUNNING", &[]), "RUNNING").unwrap());
        assert!(!has_state(&status("PAUSED", &["RUNNING"]), "PAUSED").unwrap());
        let error = has_state(&status("RUNNING", &["FAILED"]), "RUNNING")
            .unwrap_err()
            .to_string();
        assert!(error.contains("boom"), "{error}");
    }

    #[test]
    fn offsets_are_summed_over_partitions() {
        let offsets = json!({"offsets": [
            {"partition": {}, "offset": {"kafka_offset": 3}},
            {"partition": {}, "offset": {"kafka_offset": 4}},
            {"partition": {}, "offset": null},
        ]});
        assert_eq!(sum_of(&offsets, "kafka_offset"), 7);
        assert_eq!(sum_of(&json!({"offsets": []}), "position"), 0);
    }

    #[test]
    fn a_difference_is_named_by_its_line() {
        assert!(compare(b"a\nb\n", b"a\nb\n").is_ok());
        let cases: [(&[u8], &[u8], &str); 3] = [
            (b"a\nb\nc\n", b"a\nx\nc\n", "line 2: expected `b`, found `x`"),
            (b"a\nb\n", b"a\nb\nb\n", "line 3: expected ``, found `b`"),
            (b"a\nb\n", b"a\n", "line 2: expected `b`, found ``"),
        ];
        for (input, output, part) in cases {
            let error = compare(input, output).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
