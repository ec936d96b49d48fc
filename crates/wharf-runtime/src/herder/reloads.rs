//! Restarts of connectors when values of config providers expire.
//!
//! Each start of a connector says how long the values it got hold. One restart waits for each connector and place that
//! values came from; a newer lease on the same place takes the turn of the older one, and a connector that stops running
//! here is waited for no longer.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::config_providers::Resolved;
use crate::sync::lock;

/// The key that says whether a connector restarts.
const RELOAD_ACTION: &str = "config.action.reload";

/// Provider and path.
type Place = (String, String);
type Waiting = BTreeMap<(String, Place), AbortHandle>;

/// The restarts that wait. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Reloads(Arc<Mutex<Waiting>>);

impl Reloads {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.0)
    }

    /// Sees to it that a connector is restarted when values that it got expire, unless its configuration says otherwise.
    pub(super) fn schedule<R>(
        &self,
        runtime: &Handle,
        connector: &str,
        resolved: &Resolved,
        restart: impl Fn() -> R + Clone + Send + 'static,
    ) where
        R: Future<Output = ()> + Send,
    {
        let action = resolved.config.get(RELOAD_ACTION).map(|action| action.trim());
        if action.is_some_and(|action| action.eq_ignore_ascii_case("none")) {
            return;
        }
        for (place, ttl) in &resolved.ttls {
            self.schedule_one(runtime, connector, place, *ttl, restart.clone());
        }
    }

    fn schedule_one<R>(
        &self,
        runtime: &Handle,
        connector: &str,
        place: &Place,
        ttl: Duration,
        restart: impl Fn() -> R + Send + 'static,
    ) where
        R: Future<Output = ()> + Send,
    {
        tracing::info!(
            "connector {connector} is restarted in {} ms, when values of config provider {} expire",
            ttl.as_millis(),
            place.0
        );
        let id = (connector.to_owned(), place.clone());
        let (reloads, of_task) = (self.clone(), id.clone());
        // Held until the entry is there, so that the task finds itself in it.
        let mut waiting = self.waiting();
        let task = runtime.spawn(async move {
            tokio::time::sleep(ttl).await;
            // Stopping the connector forgets what waits for it, and must not end this.
            reloads.waiting().remove(&of_task);
            restart().await;
        });
        if let Some(older) = waiting.insert(id, task.abort_handle()) {
            older.abort();
        }
    }

    /// A connector does not run here any more.
    pub(super) fn forget(&self, connector: &str) {
        self.waiting().retain(|(name, _), task| {
            let stays = name != connector;
            if !stays {
                task.abort();
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(1);

    fn lease(ttl: Duration, action: &str) -> Resolved {
        let mut resolved = Resolved::default();
        resolved
            .config
            .insert(RELOAD_ACTION.to_owned(), action.to_owned());
        resolved.ttls.insert(("v".to_owned(), "p".to_owned()), ttl);
        resolved
    }

    fn restarts() -> (UnboundedReceiver<()>, impl Fn() -> std::future::Ready<()> + Clone) {
        let (sender, receiver) = unbounded_channel();
        let restart = move || {
            let _ = sender.send(());
            std::future::ready(())
        };
        (receiver, restart)
    }

    #[tokio::test]
    async fn a_newer_lease_takes_the_turn_of_the_older_one() {
        let (mut restarted, restart) = restarts();
        let reloads = Reloads::default();
        let runtime = Handle::current();
        reloads.schedule(&runtime, "c", &lease(LONG, "restart"), restart.clone());
        reloads.schedule(&runtime, "c", &lease(SHORT, "RESTART"), restart);
        assert_eq!(restarted.recv().await, Some(()));
        assert!(reloads.waiting().is_empty());
        // Neither of the two is left to restart it again.
        assert_eq!(restarted.recv().await, None);
    }

    #[tokio::test]
    async fn nothing_waits_that_was_forgotten_or_does_not_want_it() {
        let (mut restarted, restart) = restarts();
        let reloads = Reloads::default();
        let runtime = Handle::current();
        reloads.schedule(&runtime, "a", &lease(LONG, "none"), restart.clone());
        assert!(reloads.waiting().is_empty());
        reloads.schedule(&runtime, "b", &lease(LONG, "restart"), restart);
        reloads.forget("other");
        assert_eq!(reloads.waiting().len(), 1);
        reloads.forget("b");
        assert!(reloads.waiting().is_empty());
        assert_eq!(restarted.recv().await, None);
    }
}
