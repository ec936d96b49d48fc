//! Where the work of a group is, as `GET /connectors?expand=status` tells it.
//!
//! Invariant: work counts as running on a worker only if the answer names that worker. A worker that died without a word is
//! still named by the last status it wrote.

use std::collections::BTreeSet;

use serde_json::Value;

/// The answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work(Vec<Part>);

/// A connector or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    connector: String,
    is_task: bool,
    state: String,
    worker: String,
}

impl Work {
    pub(super) fn of(answer: &Value) -> Self {
        let part = |connector: &str, is_task: bool, status: &Value| Part {
            connector: connector.to_owned(),
            is_task,
            state: status["state"].as_str().unwrap_or_default().to_owned(),
            worker: status["worker_id"].as_str().unwrap_or_default().to_owned(),
        };
        let mut parts = Vec::new();
        for (name, entry) in answer.as_object().into_iter().flatten() {
            let status = &entry["status"];
            parts.push(part(name, false, &status["connector"]));
            let tasks = status["tasks"].as_array().into_iter().flatten();
            parts.extend(tasks.map(|task| part(name, true, task)));
        }
        Self(parts)
    }

    /// Whether there are so many connectors, each with one task, and all of it is RUNNING on these workers.
    pub(super) fn runs_on(&self, connectors: usize, workers: &[&str]) -> bool {
        let tasks = self.0.iter().filter(|part| part.is_task).count();
        tasks == connectors
            && self.0.len() == 2 * connectors
            && self
                .0
                .iter()
                .all(|part| part.state == "RUNNING" && workers.contains(&part.worker.as_str()))
    }

    /// The connectors whose tasks a worker runs.
    pub(super) fn tasks_of(&self, worker: &str) -> BTreeSet<String> {
        let is_its = |part: &&Part| part.is_task && part.state == "RUNNING" && part.worker == worker;
        self.0
            .iter()
            .filter(is_its)
            .map(|part| part.connector.clone())
            .collect()
    }

    /// Something that does not run, for a message.
    pub(super) fn excuse(&self) -> String {
        let unfit = self.0.iter().filter(|part| part.state != "RUNNING").count();
        let example = self.0.iter().find(|part| part.state != "RUNNING");
        let example = example.map_or_else(String::new, |part| {
            format!(", {} is {} on {}", part.connector, part.state, part.worker)
        });
        format!(
            "{} connectors and tasks, {unfit} of them not RUNNING{example}",
            self.0.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(worker: &str, tasks: &[(&str, &str)]) -> Value {
        let tasks: Vec<Value> = tasks
            .iter()
            .map(|(state, worker)| json!({"id": 0, "state": state, "worker_id": worker}))
            .collect();
        json!({"status": {"connector": {"state": "RUNNING", "worker_id": worker}, "tasks": tasks}})
    }

    #[test]
    fn work_that_a_dead_worker_last_spoke_of_does_not_count() {
        let work = Work::of(&json!({
            "x": entry("a:1", &[("RUNNING", "a:1")]),
            "y": entry("a:1", &[("RUNNING", "b:1")]),
        }));
        assert!(work.runs_on(2, &["a:1", "b:1"]));
        assert!(!work.runs_on(2, &["a:1"]));
        assert_eq!(work.tasks_of("b:1"), ["y".to_owned()].into());
    }

    #[test]
    fn a_connector_without_its_task_or_with_an_idle_one_does_not_count() {
        for tasks in [&[][..], &[("UNASSIGNED", "a:1")], &[("FAILED", "a:1")]] {
            let work = Work::of(&json!({"x": entry("a:1", tasks)}));
            assert!(!work.runs_on(1, &["a:1"]), "{tasks:?}");
            assert!(work.tasks_of("a:1").is_empty(), "{tasks:?}");
        }
        let whole = Work::of(&json!({"x": entry("a:1", &[("RUNNING", "a:1")])}));
        assert!(whole.runs_on(1, &["a:1"]));
        assert!(!whole.runs_on(2, &["a:1"]), "one is not known yet");
    }
}
