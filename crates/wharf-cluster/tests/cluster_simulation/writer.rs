//! What a leader writes to the config topic: one operation after the other, step by step, so that it can be interrupted
//! between any two.

use std::collections::VecDeque;

use wharf_cluster::config_state::{ConfigSnapshot, Properties, write, write::WriteStep};
use wharf_cluster::restart::RestartRequest;
use wharf_cluster::target_state::TargetState;
use wharf_cluster::time::Millis;

use super::requests::{Arrival, Request};

/// Names a request for task configurations that waits for its answer.
pub(crate) type Token = u64;

/// What somebody asks the leader for.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Put {
        name: String,
        tasks: u64,
        version: u64,
    },
    Delete(String),
    Target(String, TargetState),
    Restart(String),
    Level(u64),
    TaskConfigs {
        name: String,
        configs: Vec<Properties>,
        token: Token,
    },
}

impl Change {
    pub(crate) fn token(&self) -> Option<Token> {
        match self {
            Self::TaskConfigs { token, .. } => Some(*token),
            _ => None,
        }
    }

    /// Whether any worker may carry it out.
    pub(crate) fn is_for_anybody(&self) -> bool {
        matches!(self, Self::Level(_))
            || matches!(self, Self::Target(_, state) if *state != TargetState::Stopped)
    }

    /// Whether it makes sense to who has read this.
    fn is_possible(&self, view: &ConfigSnapshot) -> bool {
        match self {
            Self::TaskConfigs { name, configs, .. } => {
                let stopped = view.target_state(name) == Some(TargetState::Stopped);
                view.contains(name) && (!stopped || configs.is_empty())
            }
            Self::Delete(name) | Self::Target(name, _) | Self::Restart(name) => view.contains(name),
            Self::Put { .. } | Self::Level(_) => true,
        }
    }

    fn steps(self) -> Vec<WriteStep> {
        match self {
            Self::Put { name, tasks, version } => {
                write::put_connector_config(&name, config(tasks, version), None)
            }
            Self::Delete(name) => write::remove_connector_config(&name),
            Self::Target(name, TargetState::Stopped) => write::stop_connector(&name),
            Self::Target(name, state) => write::put_target_state(&name, state),
            Self::Restart(connector) => write::put_restart_request(RestartRequest {
                connector,
                only_failed: false,
                include_tasks: true,
            }),
            Self::Level(number) => write::put_logger_level(&format!("org.x{number}"), "DEBUG"),
            Self::TaskConfigs { name, configs, .. } => write::put_task_configs(&name, configs),
        }
    }
}

/// A connector's configuration, from which its tasks' follow.
pub(crate) fn config(tasks: u64, version: u64) -> Properties {
    let mut config = Properties::new();
    config.insert("tasks", Some(tasks.to_string()));
    config.insert("version", Some(version.to_string()));
    config
}

/// What a connector of this configuration proposes. Not every change of it changes them.
pub(crate) fn task_configs(config: &Properties) -> Vec<Properties> {
    let number = |key| {
        config
            .get(key)
            .and_then(|value| value.parse::<u64>().ok())
            .unwrap()
    };
    let (tasks, version) = (number("tasks"), number("version"));
    let task = |task: u64| {
        let mut config = Properties::new();
        config.insert("task", Some(task.to_string()));
        config.insert("of", Some((version / 2).to_string()));
        config
    };
    (0..tasks).map(task).collect()
}

pub(crate) struct Job {
    pub(crate) request: Request,
    has_begun: bool,
    steps: VecDeque<WriteStep>,
    /// Up to where it has to be read before it goes on.
    pub(crate) reads_to: Option<usize>,
    pub(crate) next_at: Millis,
    pub(crate) expires: Millis,
}

impl Job {
    /// Says whether it goes on.
    pub(crate) fn begin(&mut self, view: &ConfigSnapshot) -> bool {
        if std::mem::replace(&mut self.has_begun, true) {
            return true;
        }
        let change = self.request.change.clone();
        let possible = change.is_possible(view);
        self.steps.extend(change.steps());
        possible
    }

    pub(crate) fn next_step(&mut self) -> Option<WriteStep> {
        self.steps.pop_front()
    }
}

#[derive(Default)]
pub(crate) struct Writer(pub(crate) VecDeque<Job>);

impl Writer {
    pub(crate) fn push(&mut self, now: Millis, request: Request) {
        self.0.push_back(Job {
            request,
            has_begun: false,
            steps: VecDeque::new(),
            reads_to: None,
            next_at: now,
            expires: now + 3_000,
        });
    }

    /// The requests that it has not answered yet.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = Arrival> {
        self.0.iter().map(|job| job.request.arrival)
    }

    pub(crate) fn next_time(&self) -> Option<Millis> {
        self.0.front().map(|job| {
            if job.reads_to.is_some() {
                job.expires
            } else {
                job.next_at
            }
        })
    }
}
