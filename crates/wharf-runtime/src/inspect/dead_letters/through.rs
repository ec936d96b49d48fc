//! Lets a sink connector alone have what is replayed: topics of its own, and a connector that stands in for it, made and removed
//! over the REST API of a worker of either kind.
//!
//! What must stay true: nothing is removed before its records are consumed, and whatever a run that was cut off left behind is
//! found and used by the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use wharf_kafka::{Admin, KafkaError, NewTopic, OffsetSpec, PartitionOffset};

use super::DeadLetterError;
use super::names::{replay_connector, replay_topic};
use super::queue::{DeadLetterTopic, Offsets, REQUEST, TICK, patiently};
use super::replay::Replay;
use super::selection::Selection;
use super::stand_in::{Config, harm, stand_in, topics_of};
use crate::http_client::{WorkerRequest, ask};

/// For one request to a worker; validation may ask other systems.
const TIMEOUT: Duration = Duration::from_secs(90);
/// For a group that rebalances.
const PATIENCE: Duration = Duration::from_secs(120);
/// In which a topic that was deleted may come back.
const SETTLE: Duration = Duration::from_secs(2);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A sink connector that is to get letters.
#[derive(Debug)]
pub struct ThroughConnector {
    url: String,
    connector: String,
    config: Config,
}

/// What became of what was sent to the stand-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// Whether everything was consumed; otherwise the stand-in was left to go on.
    pub is_complete: bool,
    /// How many records failed again, and are dead letters again.
    pub came_back: u64,
}

impl ThroughConnector {
    /// Asks a worker for the connector.
    ///
    /// # Errors
    /// When the worker does not answer, there is no such connector, it is no sink, or records cannot be sent through it without
    /// doing harm.
    pub fn find(url: &str, connector: &str) -> Result<Self, DeadLetterError> {
        let worker = Rest { url };
        let info = worker.ok(Method::GET, &path(connector, ""), None)?;
        if info["type"] != "sink" {
            return Err(DeadLetterError::Worker(format!(
                "connector {connector} is no sink: nothing can be sent through it"
            )));
        }
        let config = config_of(&info["config"]);
        if let Some(harm) = harm(connector, &config) {
            return Err(DeadLetterError::Worker(harm));
        }
        Ok(Self {
            url: url.to_owned(),
            connector: connector.to_owned(),
            config,
        })
    }

    fn worker(&self) -> Rest<'_> {
        Rest { url: &self.url }
    }

    /// Makes the topics and the connector that stands in, or takes up those that are there.
    ///
    /// # Errors
    /// When Kafka or the worker refuses.
    pub fn prepare(&self, replay: &Replay<'_>) -> Result<(), DeadLetterError> {
        let (name, worker) = (replay_connector(&self.connector), self.worker());
        let prefix = replay_topic(&self.connector, "");
        let mut topics: BTreeSet<String> = replay
            .targets()
            .filter_map(|target| target.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        let existing = worker.found(&path(&name, "/config"))?;
        if let Some(existing) = &existing {
            topics.extend(topics_of(&self.connector, &config_of(existing)));
        }
        if topics.is_empty() {
            return Ok(());
        }
        let admin = &replay.queue.admin;
        let mut beginnings = Vec::new();
        for topic in &topics {
            let topic = NewTopic {
                name: replay_topic(&self.connector, topic),
                partitions: Some(1),
                replication_factor: None,
                configs: BTreeMap::new(),
            };
            admin.create_topic(&topic, REQUEST)?;
            beginnings.push(PartitionOffset::new(topic.name.as_str(), 0, 0));
        }
        if existing.is_none() {
            // A consumer that a worker file lets start at the end would miss what comes before it is there.
            let known = patiently(|| admin.group_offsets(&group(&name), REQUEST))?;
            beginnings.retain(|at| !known.iter().any(|known| known.partition == at.partition));
            retried(|| admin.alter_group_offsets(&group(&name), &beginnings, REQUEST))?;
        }
        let body = serde_json::to_value(stand_in(&self.connector, &self.config, &topics))
            .map_err(|error| DeadLetterError::Worker(error.to_string()))?;
        worker.ok(Method::PUT, &path(&name, "/config"), Some(&body))?;
        if existing.is_some() {
            // What failed in an earlier run is tried once more.
            let restart = path(&name, "/restart?includeTasks=true&onlyFailed=true");
            // One that has no status yet has not been started since, so nothing of it has failed.
            worker.unless_absent(Method::POST, &restart)?;
        }
        Ok(())
    }

    /// Waits until everything was consumed, counts what came back, and removes what [`prepare`](Self::prepare) has made. When it
    /// is told to stop it leaves all as it is. `tell` gets the number of records that are left.
    ///
    /// # Errors
    /// When the connector fails, or Kafka or the worker does not answer.
    pub fn drain(
        &self,
        replay: &Replay<'_>,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Drained, DeadLetterError> {
        let (name, worker, queue) = (replay_connector(&self.connector), self.worker(), replay.queue);
        let Some(config) = worker.found(&path(&name, "/config"))? else {
            return Ok(Drained {
                is_complete: true,
                came_back: 0,
            });
        };
        let topics: Vec<String> = topics_of(&self.connector, &config_of(&config))
            .iter()
            .map(|topic| replay_topic(&self.connector, topic))
            .collect();
        loop {
            let left = lag(queue, &group(&name), &topics)?;
            if left == 0 {
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(Drained {
                    is_complete: false,
                    came_back: self.came_back(replay)?,
                });
            }
            tell(left);
            if let Some(status) = worker.found(&path(&name, "/status"))?
                && let Some(trace) = failed(&status)
            {
                return Err(DeadLetterError::Worker(format!(
                    "connector {name}, which stands in for {}, has failed with {left} record(s) left: {trace}; it is left as it is: \
                     mend the cause in the configuration of {} and run the same command again, or delete {name}",
                    self.connector, self.connector
                )));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let came_back = self.came_back(replay)?;
        worker.ok(Method::DELETE, &path(&name, ""), None)?;
        let admin = &queue.admin;
        retried(|| admin.delete_group(&group(&name), REQUEST))?;
        for topic in &topics {
            delete_for_good(admin, topic)?;
        }
        Ok(Drained {
            is_complete: true,
            came_back,
        })
    }

    /// How many letters the stand-in has written since the replay was planned.
    fn came_back(&self, replay: &Replay<'_>) -> Result<u64, DeadLetterError> {
        let queue = replay.queue;
        let own = Selection {
            connector: Some(self.connector.clone()),
            ..Selection::default()
        };
        let mut count = 0;
        queue.scan(&replay.ends, &queue.offsets(OffsetSpec::Latest)?, |letter| {
            count += u64::from(letter.failure.through_replay && own.matches(&letter));
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(count)
    }
}

/// Deletes a topic, and once more where it came back: a consumer that is about to end may still ask for it, and brokers that make
/// topics by themselves then make it anew.
fn delete_for_good(admin: &Admin, topic: &str) -> Result<(), DeadLetterError> {
    let deadline = Instant::now() + REQUEST;
    loop {
        admin.delete_topic(topic, REQUEST)?;
        std::thread::sleep(SETTLE);
        if admin.describe_topic(topic, REQUEST)?.is_none() || Instant::now() >= deadline {
            return Ok(());
        }
    }
}

/// The group of a connector's consumers.
fn group(connector: &str) -> String {
    format!("connect-{connector}")
}

/// Offsets of these topics, of one partition each, that a group has not committed.
fn lag(queue: &DeadLetterTopic, group: &str, topics: &[String]) -> Result<u64, DeadLetterError> {
    let committed = patiently(|| queue.admin.group_offsets(group, REQUEST))?;
    let mut left = 0;
    for topic in topics {
        let ends: Offsets = queue.offsets_of(topic, 1, OffsetSpec::Latest)?;
        let at = committed.iter().find(|at| *at.partition.topic == **topic);
        let done = at.map_or(0, |at| at.offset);
        left += ends
            .values()
            .map(|end| (end - done).max(0).unsigned_abs())
            .sum::<u64>();
    }
    Ok(left)
}

/// Makes a request again while the group that it concerns still has members.
fn retried<T>(mut request: impl FnMut() -> Result<T, KafkaError>) -> Result<T, DeadLetterError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match request() {
            Err(error)
                if (Admin::is_group_in_use(&error) || error.is_retriable()) && Instant::now() < deadline =>
            {
                std::thread::sleep(TICK);
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// The first line of the trace of what has failed.
fn failed(status: &Value) -> Option<String> {
    let tasks = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(&status["connector"])
        .chain(tasks)
        .find(|part| part["state"] == "FAILED")
        .map(|part| {
            let trace = part["trace"].as_str().unwrap_or("it does not say why");
            trace.lines().next().unwrap_or_default().to_owned()
        })
}

fn config_of(value: &Value) -> Config {
    let entries = value.as_object().into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn path(connector: &str, rest: &str) -> String {
    format!(
        "connectors/{}{rest}",
        utf8_percent_encode(connector, NON_ALPHANUMERIC)
    )
}

/// A worker's REST API.
struct Rest<'u> {
    url: &'u str,
}

impl Rest<'_> {
    /// A request that has to succeed.
    fn ok(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, DeadLetterError> {
        let what = format!("{method} {path}");
        let (status, answer) = self.settled(method, path, body)?;
        if status.is_success() {
            return Ok(answer);
        }
        let message = answer["message"].as_str().unwrap_or("no message");
        Err(DeadLetterError::Worker(format!(
            "the worker at {} answers {what} with {status}: {message}",
            self.url
        )))
    }

    /// What is there; `None` when it is not.
    fn found(&self, path: &str) -> Result<Option<Value>, DeadLetterError> {
        self.unless_absent(Method::GET, path)
    }

    /// The answer to a request that may find nothing there.
    fn unless_absent(&self, method: Method, path: &str) -> Result<Option<Value>, DeadLetterError> {
        match self.settled(method.clone(), path, None)? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, answer) if status.is_success() => Ok(Some(answer)),
            _ => self.ok(method, path, None).map(Some),
        }
    }

    /// An answer that is not "the group rebalances".
    fn settled(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), DeadLetterError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = WorkerRequest {
                method: method.clone(),
                url: format!("{}/{path}", self.url.trim_end_matches('/')),
                headers: Vec::new(),
                body: body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())),
            };
            let told = |error: &dyn std::fmt::Display| {
                DeadLetterError::Worker(format!("{error}; --url names another worker of the group"))
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| told(&error))?;
            let answer = runtime
                .block_on(ask(request, TIMEOUT))
                .map_err(|error| told(&error))?;
            if answer.status != StatusCode::CONFLICT || Instant::now() >= deadline {
                let body = serde_json::from_slice(&answer.body).unwrap_or_default();
                return Ok((answer.status, body));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_failed_is_told_by_the_first_line_of_its_trace() {
        let status = |connector: &str, task: &str| {
            serde_json::json!({
                "connector": {"state": connector, "trace": "of the connector\nat x"},
                "tasks": [{"state": "RUNNING"}, {"state": task, "trace": "of the task\nat y"}],
            })
        };
        assert_eq!(failed(&status("RUNNING", "RUNNING")), None);
        assert_eq!(
            failed(&status("RUNNING", "FAILED")).as_deref(),
            Some("of the task")
        );
        assert_eq!(
            failed(&status("FAILED", "FAILED")).as_deref(),
            Some("of the connector")
        );
    }

    #[test]
    fn names_are_safe_in_paths() {
        assert_eq!(path("a b/c", "/config"), "connectors/a%20b%2Fc/config");
    }
}
