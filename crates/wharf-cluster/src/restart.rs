//! Restarts of a connector together with its tasks (KIP-745): the request, which of two requests counts, and the plan.
//!
//! A restart is a record in the config topic. Every worker reads it, makes the same plan from the statuses it knows, and
//! carries out the part that concerns what it runs.

use std::cmp::Ordering;

use crate::ids::ConnectorTaskId;
use crate::status_state::{State, Status, StatusState};

/// What shall restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RestartRequest {
    /// Name of the connector.
    pub connector: String,
    /// Only what is FAILED.
    pub only_failed: bool,
    /// The tasks too, not the connector alone.
    pub include_tasks: bool,
}

impl RestartRequest {
    /// Whether this is the plain restart of a connector, which its owner does without a record in the config topic.
    #[must_use]
    pub const fn is_connector_only(&self) -> bool {
        !self.only_failed && !self.include_tasks
    }

    const fn impact(&self) -> u8 {
        match (self.only_failed, self.include_tasks) {
            (true, false) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (false, true) => 3,
        }
    }

    /// Compares by how much restarts, for requests of one connector.
    #[must_use]
    pub fn cmp_impact(&self, other: &Self) -> Ordering {
        self.impact().cmp(&other.impact())
    }

    /// Puts a new request in the place of the one that waits, if there is none or more would restart.
    pub fn replace_if_greater(self, waiting: &mut Option<Self>) {
        if waiting
            .as_ref()
            .is_none_or(|waiting| self.cmp_impact(waiting) == Ordering::Greater)
        {
            *waiting = Some(self);
        }
    }

    fn concerns(&self, status: &Status) -> bool {
        !self.only_failed || status.state == State::Failed
    }
}

/// Statuses of a connector and its tasks as they will be, what is to restart shown as RESTARTING.
#[derive(Debug, Clone, PartialEq)]
pub struct RestartPlan {
    /// What was asked for.
    pub request: RestartRequest,
    /// The connector's status.
    pub connector: Status,
    /// The statuses of all its tasks, by number.
    pub tasks: Vec<(i32, Status)>,
}

impl RestartPlan {
    /// Plans by the statuses that are known; none when the connector has no status, which is a 404 for who asked.
    #[must_use]
    pub fn build(request: RestartRequest, statuses: &StatusState) -> Option<Self> {
        let planned = |status: &Status, is_meant: bool| {
            let mut status = status.clone();
            if is_meant {
                status.state = State::Restarting;
            }
            status
        };
        let connector = statuses.connector(&request.connector)?;
        let connector = planned(connector, request.concerns(connector));
        let tasks = statuses
            .tasks(&request.connector)
            .map(|(task, status)| {
                let is_meant = request.include_tasks && request.concerns(status);
                (task, planned(status, is_meant))
            })
            .collect();
        Some(Self {
            request,
            connector,
            tasks,
        })
    }

    /// Whether the connector itself restarts. A status of RESTARTING counts, whoever wrote it.
    #[must_use]
    pub fn restarts_connector(&self) -> bool {
        self.connector.state == State::Restarting
    }

    /// The tasks that restart.
    pub fn tasks_to_restart(&self) -> impl Iterator<Item = ConnectorTaskId> {
        self.tasks
            .iter()
            .filter(|(_, status)| status.state == State::Restarting)
            .map(|(task, _)| ConnectorTaskId::new(&*self.request.connector, *task))
    }

    /// The part of the plan for a worker: whether it restarts the connector, and which tasks.
    #[must_use]
    pub fn part_of(&self, runs_connector: bool, runs_task: impl Fn(&ConnectorTaskId) -> bool) -> RestartPart {
        RestartPart {
            connector: runs_connector && self.restarts_connector(),
            tasks: self.tasks_to_restart().filter(runs_task).collect(),
        }
    }
}

/// What one worker does of a plan: stop the connector, say RESTARTING, stop the tasks, say RESTARTING, start the connector,
/// start the tasks one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPart {
    /// Whether it restarts the connector.
    pub connector: bool,
    /// The tasks that it restarts.
    pub tasks: Vec<ConnectorTaskId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(only_failed: bool, include_tasks: bool) -> RestartRequest {
        RestartRequest {
            connector: "c".to_owned(),
            only_failed,
            include_tasks,
        }
    }

    fn statuses(connector: &str, tasks: &[&str]) -> StatusState {
        let mut statuses = StatusState::new();
        let mut put = |key: String, state: &str| {
            let value = format!(r#"{{"state":"{state}","trace":null,"worker_id":"w:1","generation":1}}"#);
            statuses
                .apply(Some(key.as_bytes()), Some(value.as_bytes()))
                .unwrap();
        };
        put("status-connector-c".to_owned(), connector);
        for (task, state) in tasks.iter().enumerate() {
            put(format!("status-task-c-{task}"), state);
        }
        statuses
    }

    #[test]
    fn what_restarts_depends_on_the_flags_and_the_states() {
        let known = statuses("FAILED", &["RUNNING", "FAILED", "PAUSED"]);
        let healthy = statuses("RUNNING", &["RUNNING", "FAILED", "PAUSED"]);
        for (statuses, only_failed, include_tasks, connector, tasks) in [
            (&known, false, false, true, &[][..]),
            (&known, true, false, true, &[]),
            (&known, false, true, true, &[0, 1, 2]),
            (&known, true, true, true, &[1]),
            (&healthy, false, false, true, &[]),
            (&healthy, true, false, false, &[]),
            (&healthy, false, true, true, &[0, 1, 2]),
            (&healthy, true, true, false, &[1]),
        ] {
            let plan = RestartPlan::build(request(only_failed, include_tasks), statuses).unwrap();
            let restarted: Vec<i32> = plan.tasks_to_restart().map(|id| id.task).collect();
            assert_eq!((plan.restarts_connector(), &*restarted), (connector, tasks));
            assert_eq!(plan.tasks.len(), 3);
            let part = plan.part_of(false, |id| id.task != 1);
            assert!(!part.connector);
            assert!(
                part.tasks
                    .iter()
                    .all(|id| id.task != 1 && tasks.contains(&id.task))
            );
        }
    }

    #[test]
    fn without_a_status_of_the_connector_there_is_no_plan() {
        assert_eq!(
            RestartPlan::build(request(false, true), &StatusState::new()),
            None
        );
    }

    #[test]
    fn only_a_request_that_restarts_more_replaces_one_that_waits() {
        let by_impact = [
            request(true, false),
            request(true, true),
            request(false, false),
            request(false, true),
        ];
        for (i, new) in by_impact.iter().enumerate() {
            let mut waiting = None;
            new.clone().replace_if_greater(&mut waiting);
            assert_eq!(waiting.as_ref(), Some(new));
            for (j, old) in by_impact.iter().enumerate() {
                let mut waiting = Some(old.clone());
                new.clone().replace_if_greater(&mut waiting);
                assert_eq!(waiting.as_ref(), Some(if i > j { new } else { old }));
            }
        }
    }
}
