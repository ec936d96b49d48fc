//! Who really runs what, seen from outside: by the threads and open files of worker processes, beside what their REST APIs say.
//!
//! It knows workers that run file connectors of one task each, because an open file tells which task a process runs. Linux only,
//! as the tests' other looks at processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wharf_test_services::http;

use crate::group::workers_of;
use crate::worker::{Worker, has_state};

/// What the kernel calls threads of tasks and of connectors: the first 15 bytes of their names.
const TASK_THREAD: &str = "task-thread-";
const CONNECTOR_THREAD: &str = "connector-threa";

/// A connector with one task, which holds this file open while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConnector {
    /// The connector's name.
    pub name: String,
    /// What its task reads or writes.
    pub file: PathBuf,
}

/// What a worker process runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runs {
    /// Files of these connectors that it has open, each as often as it is.
    pub files: BTreeMap<PathBuf, usize>,
    /// Threads of connector instances.
    pub connectors: usize,
    /// Threads of tasks.
    pub tasks: usize,
}

impl Runs {
    /// Looks at a process.
    pub fn of(pid: u32, connectors: &[FileConnector]) -> Self {
        let known: BTreeSet<&Path> = connectors.iter().map(|one| one.file.as_path()).collect();
        let mut runs = Self::default();
        for entry in entries(&format!("/proc/{pid}/fd")) {
            // One that was closed meanwhile is none.
            if let Ok(path) = fs::read_link(entry)
                && known.contains(path.as_path())
            {
                *runs.files.entry(path).or_default() += 1;
            }
        }
        for entry in entries(&format!("/proc/{pid}/task")) {
            let name = fs::read_to_string(entry.join("comm")).unwrap_or_default();
            runs.tasks += usize::from(name.starts_with(TASK_THREAD));
            runs.connectors += usize::from(name.starts_with(CONNECTOR_THREAD));
        }
        runs
    }
}

fn entries(folder: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// Whether every connector and its task run exactly once among these workers, and every worker says so.
///
/// # Errors
/// With the first thing that is otherwise.
pub fn runs_exactly_once(workers: &[&Worker], connectors: &[FileConnector]) -> Result<(), String> {
    let mut expected: BTreeMap<String, Runs> = workers
        .iter()
        .map(|worker| (worker.address().to_owned(), Runs::default()))
        .collect();
    for connector in connectors {
        let owners = agreed_owners(workers, &connector.name)?;
        let [instance, task] = owners.as_slice() else {
            return Err(format!("{} has not one task: {owners:?}", connector.name));
        };
        let unknown = |id: &String| format!("{} runs on {id}, which is no living worker", connector.name);
        expected
            .get_mut(instance)
            .ok_or_else(|| unknown(instance))?
            .connectors += 1;
        let of_task = expected.get_mut(task).ok_or_else(|| unknown(task))?;
        of_task.tasks += 1;
        of_task.files.insert(connector.file.clone(), 1);
    }
    for worker in workers {
        let runs = Runs::of(worker.pid(), connectors);
        let said = &expected[worker.address()];
        if runs != *said {
            return Err(format!(
                "worker {} runs {runs:?}, but the statuses say {said:?}",
                worker.address()
            ));
        }
    }
    Ok(())
}

/// On which workers a connector and its tasks run, when all workers say the same and that all of it is RUNNING.
///
/// # Errors
/// With what else they say.
pub fn agreed_owners(workers: &[&Worker], name: &str) -> Result<Vec<String>, String> {
    let path = format!("/connectors/{name}/status");
    let mut agreed: Option<Value> = None;
    for worker in workers {
        let address = worker.address();
        let answer = http::request(address, "GET", &path, None)
            .map_err(|error| format!("worker {address} does not answer GET {path}: {error}"))?;
        let status: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status != 200 || !has_state(&status, "RUNNING") {
            return Err(format!(
                "worker {address} says of {name}: {} {}",
                answer.status, answer.body
            ));
        }
        match &agreed {
            Some(agreed) if *agreed != status => {
                return Err(format!("workers do not agree on {name}: {agreed} and {status}"));
            }
            _ => agreed = Some(status),
        }
    }
    Ok(agreed.as_ref().map(workers_of).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_and_threads_of_a_process_are_seen() {
        let file = std::env::current_exe().unwrap().canonicalize().unwrap();
        let one = FileConnector {
            name: "one".into(),
            file: file.clone(),
        };
        let _open = fs::File::open(&file).unwrap();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("task-thread-one-0".into())
            .spawn(move || {
                // A thread has its name when it runs.
                ready.send(()).unwrap();
                wait.recv()
            })
            .unwrap();
        is_ready.recv().unwrap();
        let pid = std::process::id();
        let runs = Runs::of(pid, std::slice::from_ref(&one));
        assert_eq!(runs.files, BTreeMap::from([(file, 1)]));
        assert_eq!((runs.tasks, runs.connectors), (1, 0));
        drop(done);
        let _ = thread.join().unwrap();
        assert_eq!(Runs::of(pid, &[]).files, BTreeMap::new());
    }
}
