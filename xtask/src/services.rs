//! `cargo xtask services`: real services for work by hand, in the background until stopped.
//!
//! A service is remembered by a small state file in its own folder; before anything is sent to the process id in it,
//! the process must still be the one that was started, because ids are used again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wharf_test_services::bundle::Bundle;
use wharf_test_services::process::{is_alive, signal, wait_until};
use wharf_test_services::{KafkaBroker, KafkaOptions, Lifetime, target_dir};

use crate::flags::Services;

/// What the state file says, one `key=value` on each line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    pid: u32,
    bootstrap: String,
}

/// The verb.
pub(crate) fn run(action: &Services) -> Result<()> {
    match action {
        Services::Start { port } => start(*port),
        Services::Stop => stop(),
        Services::Status => status(),
        Services::Fetch(names) => fetch(names),
    }
}

fn folder() -> PathBuf {
    target_dir().join("services/kafka")
}

fn start(port: Option<u16>) -> Result<()> {
    let folder = folder();
    if let Some(state) = running(&folder) {
        println!(
            "kafka is running already: bootstrap.servers={} (process {})",
            state.bootstrap, state.pid
        );
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove the old {}", folder.display()))?;
    }
    if !Bundle::kafka().is_fetched() {
        println!("fetching the jars of kafka, once ...");
    }
    let options = KafkaOptions {
        port,
        lifetime: Lifetime::Detached,
        folder: Some(folder.clone()),
        ..KafkaOptions::default()
    };
    let kafka = KafkaBroker::start_with(&options)?;
    let state = State {
        pid: kafka.pid(),
        bootstrap: kafka.bootstrap(),
    };
    fs::write(folder.join("state"), render(&state)).context("cannot write the state of the service")?;
    println!(
        "kafka answers: bootstrap.servers={} (process {})",
        state.bootstrap, state.pid
    );
    println!(
        "its log is {}; stop it with: cargo xtask services stop",
        folder.join("broker.log").display()
    );
    Ok(())
}

fn stop() -> Result<()> {
    let folder = folder();
    let Some(state) = running(&folder) else {
        println!("kafka is not running");
        return Ok(());
    };
    signal(state.pid, "TERM")?;
    if !wait_until(Duration::from_secs(30), || !is_alive(state.pid)) {
        signal(state.pid, "KILL")?;
        bail!(
            "kafka (process {}) did not stop within 30 s and was killed; see {}/broker.log",
            state.pid,
            folder.display()
        );
    }
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    println!("kafka is stopped and its data removed");
    Ok(())
}

fn status() -> Result<()> {
    match running(&folder()) {
        Some(state) => println!(
            "kafka         running, bootstrap.servers={}, process {}",
            state.bootstrap, state.pid
        ),
        None => println!("kafka         not running"),
    }
    for bundle in Bundle::all() {
        let place = if bundle.is_fetched() {
            bundle.folder().display().to_string()
        } else {
            "not fetched".to_owned()
        };
        println!("jars of {:<13} {place} ({})", bundle.name, bundle.about);
    }
    Ok(())
}

fn fetch(names: &[String]) -> Result<()> {
    let all = Bundle::all();
    if let Some(unknown) = names
        .iter()
        .find(|name| !all.iter().any(|bundle| bundle.name == name.as_str()))
    {
        let known: Vec<_> = all.iter().map(|bundle| bundle.name).collect();
        bail!("nothing is called `{unknown}`; there is {}", known.join(", "));
    }
    for bundle in all
        .iter()
        .filter(|bundle| names.is_empty() || names.iter().any(|name| name == bundle.name))
    {
        let folder = bundle.fetch()?;
        println!(
            "{:<13} {} jars in {}",
            bundle.name,
            fs::read_dir(&folder)?.count(),
            folder.display()
        );
    }
    Ok(())
}

/// The state of the service in this folder, when its process is still the one that was started there.
fn running(folder: &Path) -> Option<State> {
    let state = parse(&fs::read_to_string(folder.join("state")).ok()?)?;
    let ours = match fs::read(format!("/proc/{}/cmdline", state.pid)) {
        Ok(cmdline) => String::from_utf8_lossy(&cmdline).contains(&*folder.to_string_lossy()),
        // Without /proc the process id is all there is to go by.
        Err(_) => !Path::new("/proc/self").exists(),
    };
    (ours && is_alive(state.pid)).then_some(state)
}

fn render(state: &State) -> String {
    format!("pid={}\nbootstrap={}\n", state.pid, state.bootstrap)
}

fn parse(text: &str) -> Option<State> {
    let get = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    Some(State {
        pid: get("pid")?.parse().ok()?,
        bootstrap: get("bootstrap")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written_and_a_broken_one_is_none() {
        let state = State {
            pid: 42,
            bootstrap: "127.0.0.1:9092".into(),
        };
        assert_eq!(parse(&render(&state)), Some(state));
        for broken in ["", "pid=x\nbootstrap=y\n", "pid=1\n"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_process_that_got_the_id_later_is_not_taken_for_the_service() {
        let folder = target_dir().join(format!("xtask-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // This test is alive, and its command line does not name the folder.
        let state = State {
            pid: std::process::id(),
            bootstrap: "127.0.0.1:1".into(),
        };
        fs::write(folder.join("state"), render(&state)).unwrap();
        assert_eq!(running(&folder), None);
        fs::remove_dir_all(folder).unwrap();
    }
}
