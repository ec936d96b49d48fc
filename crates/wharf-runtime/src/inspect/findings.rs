//! What is wrong with a group, by what its members were given, what the config topic asks for and what statuses say.
//!
//! Pure: the same facts always give the same findings. A status comes a moment after the assignment that it follows, so a
//! contradiction that is gone at the next look was none.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wharf_cluster::config_state::ConfigSnapshot;
use wharf_cluster::herder::WorkId;
use wharf_cluster::status_state::{State, Status, StatusState};
use wharf_cluster::target_state::TargetState;

use super::group::{DEAD, Group};

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Nobody is in the group.
    NoMembers,
    /// The group is deciding who runs what.
    Rebalancing,
    /// A member's words cannot be read.
    MemberUnreadable,
    /// A member does not answer at its URL.
    MemberSilent,
    /// The leader could not assign anything.
    AssignmentFailed,
    /// More than one worker has to run it.
    RunsTwice,
    /// It is configured, and no worker has to run it.
    NotAssigned,
    /// A worker has to run it, and it is not configured.
    NotConfigured,
    /// Its status says something else than the assignment.
    Contradiction,
    /// It is assigned, and its worker has not said anything of it.
    NoStatus,
    /// It has failed.
    Failed,
    /// It is not what it shall be.
    NotAsWanted,
    /// The task configurations of a connector are incomplete.
    IncompleteTasks,
    /// An internal topic is not there.
    TopicMissing,
    /// An internal topic is not kept as it has to be.
    TopicSettings,
    /// A record of an internal topic means nothing.
    UnreadableRecord,
}

/// One thing that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of trouble it is.
    pub kind: FindingKind,
    /// Whether something does not run as it should; a note otherwise.
    pub is_problem: bool,
    /// The connector, task, worker or topic.
    pub subject: String,
    /// What is wrong, in a sentence.
    pub message: String,
}

impl Finding {
    pub(super) fn problem(kind: FindingKind, subject: &str, message: String) -> Self {
        Self {
            kind,
            is_problem: true,
            subject: subject.to_owned(),
            message,
        }
    }

    pub(super) fn note(kind: FindingKind, subject: &str, message: String) -> Self {
        Self {
            is_problem: false,
            ..Self::problem(kind, subject, message)
        }
    }
}

/// Who has to run what: ids of workers for everything that is assigned.
pub(super) type Owners = BTreeMap<WorkId, BTreeSet<String>>;

pub(super) fn owners(group: &Group) -> Owners {
    let mut owners = Owners::new();
    for member in &group.members {
        for id in member.work() {
            owners.entry(id).or_default().insert(member.name());
        }
    }
    owners
}

/// What is known.
pub(super) struct Facts<'a> {
    pub(super) group_id: &'a str,
    pub(super) group: &'a Group,
    pub(super) configs: &'a ConfigSnapshot,
    pub(super) statuses: &'a StatusState,
    /// Why members do not answer, by URL.
    pub(super) silent: &'a BTreeMap<String, String>,
}

impl Facts<'_> {
    /// Everything that is wrong.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.of_group().into_iter().collect();
        found.extend(self.of_members());
        let owners = owners(self.group);
        let configured = self.configured();
        // While the group rebalances, the coordinator tells of no assignment.
        if self.group.is_settled() {
            for id in &configured {
                found.extend(self.of_work(id, owners.get(id)));
            }
            for (id, workers) in owners.iter().filter(|(id, _)| !configured.contains(id)) {
                found.push(Finding::problem(
                    FindingKind::NotConfigured,
                    &id.to_string(),
                    format!(
                        "{} is assigned to {}, but the config topic does not have it",
                        what(id),
                        list(workers)
                    ),
                ));
            }
        }
        found.extend(self.of_left_statuses(&configured));
        for name in self
            .configs
            .inconsistent_connectors()
            .filter(|name| self.configs.contains(name))
        {
            found.push(Finding::problem(
                FindingKind::IncompleteTasks,
                name,
                format!(
                    "connector {name} has no tasks: the config topic has only some of the configurations that belong together; \
                     restart the connector, which publishes them again"
                ),
            ));
        }
        found
    }

    fn configured(&self) -> BTreeSet<WorkId> {
        self.configs
            .connectors()
            .flat_map(|name| {
                let tasks = self.configs.tasks(name).into_iter().map(WorkId::Task);
                std::iter::once(WorkId::Connector(name.to_owned())).chain(tasks)
            })
            .collect()
    }

    fn of_group(&self) -> Option<Finding> {
        let id = self.group_id;
        if self.group.members.is_empty() {
            let what = if self.group.state == DEAD {
                format!("there is no group {id}")
            } else {
                format!("group {id} has no members")
            };
            return Some(Finding::problem(
                FindingKind::NoMembers,
                id,
                format!("{what}: no worker is running, and nothing of what is configured runs"),
            ));
        }
        (!self.group.is_settled()).then(|| {
            Finding::problem(
                FindingKind::Rebalancing,
                id,
                format!(
                    "group {id} is rebalancing (state {}), so who runs what is not decided; look again when it is over",
                    self.group.state
                ),
            )
        })
    }

    fn of_members(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for member in &self.group.members {
            let name = member.name();
            if let Some(reason) = &member.unreadable {
                found.push(Finding::problem(
                    FindingKind::MemberUnreadable,
                    &name,
                    format!("what worker {name} and its group told each other is not understood: {reason}"),
                ));
            }
            if let Some(reason) = member.url().and_then(|url| self.silent.get(url)) {
                found.push(Finding::problem(
                    FindingKind::MemberSilent,
                    &name,
                    format!(
                        "worker {name} is a member of the group and does not answer: {reason}; if its process is gone, its work \
                         stands still until its session.timeout.ms is over"
                    ),
                ));
            }
            if member.assignment.as_ref().is_some_and(|it| it.failed()) {
                found.push(Finding::problem(
                    FindingKind::AssignmentFailed,
                    &name,
                    format!(
                        "worker {name} got no work, because the leader had read less of the config topic than others; the group \
                         rebalances again by itself"
                    ),
                ));
            }
        }
        found
    }

    /// What is wrong with something that is configured.
    fn of_work(&self, id: &WorkId, workers: Option<&BTreeSet<String>>) -> Vec<Finding> {
        let subject = id.to_string();
        let what = what(id);
        let problem = |kind, message| vec![Finding::problem(kind, &subject, message)];
        let status = self.status(id);
        let Some(workers) = workers.filter(|workers| !workers.is_empty()) else {
            if self.group.members.is_empty() {
                // Said once, of the group; a status that claims otherwise is told by itself.
                return status
                    .filter(|status| claims_a_worker(status))
                    .map(|status| {
                        let says = self.says(status);
                        Finding::problem(
                            FindingKind::Contradiction,
                            &subject,
                            format!("{what} runs nowhere, but {says}"),
                        )
                    })
                    .into_iter()
                    .collect();
            }
            let mut message = format!("{what} is assigned to no worker, so it does not run");
            if let Some(delay) = self.group.delay_ms() {
                message.push_str(&format!(
                    ": the leader waits up to {delay} ms for a worker that left (scheduled.rebalance.max.delay.ms)"
                ));
            }
            if let Some(status) = status.filter(|status| claims_a_worker(status)) {
                message.push_str(&format!("; {}", self.says(status)));
            }
            return problem(FindingKind::NotAssigned, message);
        };
        if workers.len() > 1 {
            return problem(
                FindingKind::RunsTwice,
                format!(
                    "{what} is assigned to {} workers at once: {}",
                    workers.len(),
                    list(workers)
                ),
            );
        }
        let owner = list(workers);
        let Some(status) = status else {
            return problem(
                FindingKind::NoStatus,
                format!("{what} is assigned to {owner}, which has not reported its state"),
            );
        };
        if !workers.contains(&status.worker_id) || status.state == State::Unassigned {
            return problem(
                FindingKind::Contradiction,
                format!("{what} is assigned to {owner}, but {}", self.says(status)),
            );
        }
        if status.state == State::Failed {
            let reason = status.trace.as_deref().and_then(|trace| trace.lines().next());
            return problem(
                FindingKind::Failed,
                format!(
                    "{what} has failed on {owner}: {}",
                    reason.unwrap_or("no reason is given")
                ),
            );
        }
        let wanted = self.configs.target_state(id.connector()).unwrap_or_default();
        let is_as_wanted = match status.state {
            State::Restarting => true,
            State::Running => wanted == TargetState::Started,
            State::Paused => wanted == TargetState::Paused,
            State::Stopped => wanted == TargetState::Stopped,
            _ => false,
        };
        if is_as_wanted {
            return Vec::new();
        }
        problem(
            FindingKind::NotAsWanted,
            format!(
                "{what} shall be {wanted}, but its status says {} on {owner}",
                status.state
            ),
        )
    }

    /// Statuses of what is not configured, as far as they claim that it runs.
    fn of_left_statuses(&self, configured: &BTreeSet<WorkId>) -> Vec<Finding> {
        let ids = self.statuses.connectors().flat_map(|name| {
            let tasks = self
                .statuses
                .tasks(name)
                .map(move |(task, _)| WorkId::task(name, task));
            std::iter::once(WorkId::Connector(name.to_owned())).chain(tasks)
        });
        ids.filter(|id| !configured.contains(id))
            .filter_map(|id| {
                let status = self.status(&id).filter(|status| status.state == State::Running)?;
                Some(Finding::problem(
                    FindingKind::Contradiction,
                    &id.to_string(),
                    format!("{} is not configured, but {}", what(&id), self.says(status)),
                ))
            })
            .collect()
    }

    fn status(&self, id: &WorkId) -> Option<&Status> {
        match id {
            WorkId::Connector(name) => self.statuses.connector(name),
            WorkId::Task(task) => self.statuses.task(task),
        }
    }

    fn says(&self, status: &Status) -> String {
        let worker = &status.worker_id;
        let stranger = if self.group.worker_ids().contains(worker) {
            ""
        } else {
            ", which is not in the group"
        };
        format!("its status says {} on {worker}{stranger}", status.state)
    }
}

/// Whether a status says that some worker takes care of it.
fn claims_a_worker(status: &Status) -> bool {
    !matches!(status.state, State::Unassigned | State::Destroyed)
}

fn what(id: &WorkId) -> String {
    match id {
        WorkId::Connector(name) => format!("connector {name}"),
        WorkId::Task(task) => format!("task {task}"),
    }
}

fn list(workers: &BTreeSet<String>) -> String {
    workers.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
