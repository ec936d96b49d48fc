//! Restarts what has failed, where `wharf.restart.policy` says so: off unless a worker or a connector asks for it, since some
//! failures want a person to look at them first.
//!
//! A task whose producer was fenced is restarted in any case, some times in a row: a worker that sleeps while it claims the
//! task's transactional id and wakes when the task runs elsewhere fences the rightful one, which is not the task's fault.
//!
//! Between two restarts of the same thing the wait doubles; after a while without failure it begins anew. What somebody has
//! restarted, stopped or moved meanwhile is left alone: only the failure that was seen is acted on.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_api::ConfigMap;

use super::{Herder, HerderError};
use crate::worker::{FailedWork, Failure, StatusStore};

/// The key, of a worker and of a connector.
pub const RESTART_POLICY: &str = "wharf.restart.policy";
/// Its value by which failed connectors and tasks are restarted.
pub const ON_FAILURE: &str = "on-failure";
/// Its value by which they are not.
pub const NEVER: &str = "never";

/// What a worker does about failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Whether connectors that do not say themselves are restarted.
    pub on_failure: bool,
    /// The first wait.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl RestartPolicy {
    /// Whether this connector is to be restarted: it decides itself, or leaves it to the worker.
    fn applies_to(&self, connector: &ConfigMap) -> bool {
        own(connector).unwrap_or(self.on_failure)
    }

    /// How many restarts in a row follow a failure.
    fn most(&self, connector: &ConfigMap, was_fenced: bool) -> u32 {
        match own(connector) {
            _ if self.applies_to(connector) => u32::MAX,
            None if was_fenced => MOST_AFTER_FENCING,
            _ => 0,
        }
    }
}

/// What a connector says itself.
fn own(connector: &ConfigMap) -> Option<bool> {
    let text = connector.get(RESTART_POLICY)?.trim();
    let is = |value: &str| text.eq_ignore_ascii_case(value);
    (is(ON_FAILURE) || is(NEVER)).then(|| is(ON_FAILURE))
}

/// How often in a row a task is restarted only because it was fenced. One that is fenced again and again, for example because its
/// transactions take too long, wants to be looked at.
const MOST_AFTER_FENCING: u32 = 3;

/// How often something failed lately.
#[derive(Debug, Clone, Copy)]
struct Past {
    attempts: u32,
    wait: Duration,
    at: Instant,
}

/// What has failed lately, for as long as it matters.
#[derive(Debug, Default)]
struct Attempts(HashMap<FailedWork, Past>);

impl Attempts {
    /// The number of the next restart, and how long it waits.
    fn next(&mut self, policy: &RestartPolicy, work: &FailedWork, now: Instant) -> (u32, Duration) {
        // It ran for longer than it was waited for: that is another story.
        let is_recent = |past: &Past| now.duration_since(past.at) <= past.wait + policy.backoff_max;
        self.0.retain(|_, past| is_recent(past));
        let past = self.0.get(work);
        let attempts = past.map_or(1, |past| past.attempts.saturating_add(1));
        let wait = past
            .map_or(policy.backoff, |past| past.wait * 2)
            .min(policy.backoff_max);
        self.0.insert(
            work.clone(),
            Past {
                attempts,
                wait,
                at: now,
            },
        );
        (attempts, wait)
    }
}

impl fmt::Display for FailedWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connector(name) => write!(f, "connector {name}"),
            Self::Task(task) => write!(f, "task {task}"),
        }
    }
}

/// Watches for failures until the herder is gone. Has to be called within a tokio runtime, once for a worker.
pub(super) fn watch(
    herder: impl Fn() -> Option<Arc<dyn Herder>> + Send + Sync + 'static,
    statuses: &Arc<StatusStore>,
    policy: RestartPolicy,
) {
    let Some(mut failures) = statuses.watch_failures() else {
        return;
    };
    let statuses = Arc::clone(statuses);
    let herder = Arc::new(herder);
    tokio::spawn(async move {
        let mut attempts = Attempts::default();
        while let Some(failure) = failures.recv().await {
            let Some(now_herder) = herder() else { return };
            let most = now_herder
                .connector_info(failure.work.connector())
                .map_or(0, |info| policy.most(&info.config, failure.was_fenced));
            if most == 0 {
                continue;
            }
            let (attempt, wait) = attempts.next(&policy, &failure.work, Instant::now());
            if attempt > most {
                continue;
            }
            let why = if most == u32::MAX {
                format!("as {RESTART_POLICY} says")
            } else {
                "since it was fenced while it is this worker's to run".to_owned()
            };
            tracing::warn!(
                "{} has failed and is restarted in {} ms (restart {attempt} in a row), {why}",
                failure.work,
                wait.as_millis()
            );
            tokio::spawn(restart(Arc::clone(&herder), Arc::clone(&statuses), failure, wait));
        }
    });
}

async fn restart(
    herder: Arc<impl Fn() -> Option<Arc<dyn Herder>> + Send + Sync + 'static>,
    statuses: Arc<StatusStore>,
    failure: Failure,
    wait: Duration,
) {
    tokio::time::sleep(wait).await;
    if !statuses.is_current(&failure) {
        return;
    }
    let Some(herder) = herder() else { return };
    let reply = match &failure.work {
        FailedWork::Connector(name) => herder.restart_connector(name),
        FailedWork::Task(task) => herder.restart_task(task),
    };
    match reply.await {
        // It was moved a moment ago.
        Ok(()) | Err(HerderError::Elsewhere(_) | HerderError::NotFound(_)) => {}
        // A failure to start is a failure that is seen again.
        Err(error) => tracing::warn!("{} was not restarted: {error}", failure.work),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestartPolicy = RestartPolicy {
        on_failure: true,
        backoff: Duration::from_secs(1),
        backoff_max: Duration::from_secs(5),
    };

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_while_without_failure() {
        let mut attempts = Attempts::default();
        let work = FailedWork::Connector("c".to_owned());
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..4 {
            let (attempt, wait) = attempts.next(&POLICY, &work, now);
            waits.push((attempt, wait.as_secs()));
            now += wait + Duration::from_millis(500);
        }
        assert_eq!(waits, [(1, 1), (2, 2), (3, 4), (4, 5)]);
        let other = FailedWork::Connector("d".to_owned());
        assert_eq!(attempts.next(&POLICY, &other, now), (1, Duration::from_secs(1)));
        now += Duration::from_secs(11);
        assert_eq!(attempts.next(&POLICY, &work, now), (1, Duration::from_secs(1)));
        assert_eq!(attempts.0.len(), 1, "what is long past takes no memory");
    }

    #[test]
    fn a_connector_decides_before_its_worker() {
        let off = RestartPolicy {
            on_failure: false,
            ..POLICY
        };
        for (own, by_worker, expected) in [
            (None, POLICY, true),
            (None, off, false),
            (Some(" On-Failure "), off, true),
            (Some("never"), POLICY, false),
            (Some("sometimes"), off, false),
        ] {
            let config = own
                .map(|own| (RESTART_POLICY.to_owned(), own.to_owned()))
                .into_iter()
                .collect();
            assert_eq!(by_worker.applies_to(&config), expected, "{own:?}");
            assert_eq!(by_worker.most(&config, false) > 0, expected, "{own:?}");
        }
    }

    #[test]
    fn what_was_fenced_is_restarted_some_times_unless_its_connector_forbids_it() {
        let off = RestartPolicy {
            on_failure: false,
            ..POLICY
        };
        let config = |own: &str| ConfigMap::from([(RESTART_POLICY.to_owned(), own.to_owned())]);
        assert_eq!(off.most(&ConfigMap::new(), true), MOST_AFTER_FENCING);
        assert_eq!(off.most(&config(NEVER), true), 0);
        assert_eq!(off.most(&config(ON_FAILURE), true), u32::MAX);
        assert_eq!(POLICY.most(&ConfigMap::new(), true), u32::MAX);
    }
}
