//! What the leader does beside assigning: it claims the config topic, clears the statuses of what is gone, and sees to the
//! key that workers sign their requests with.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wharf_cluster::config_state::{ConfigSnapshot, write};
use wharf_cluster::session_key::{HeldKey, SessionKey, rotation_needed};
use wharf_cluster::status_state::{StatusKey, Stranger, stale_statuses};

use super::Inner;
use super::running::task_id;
use crate::herder::standalone::now_millis;
use crate::sync::lock;

/// Between two attempts to claim, or to write a key.
const RETRY: Duration = Duration::from_millis(250);
/// How often the key's age is looked at.
const KEY_CHECK: Duration = Duration::from_millis(200);

impl Inner {
    /// This worker leads since a moment ago.
    pub(super) fn lead(self: &Arc<Self>, snapshot: ConfigSnapshot) {
        *lock(&self.leads_since) = Some(Instant::now());
        let herder = Arc::clone(self);
        self.runtime.spawn(async move {
            herder.claim().await;
            herder.clear_statuses(&snapshot);
            herder.see_to_session_key().await;
        });
    }

    /// This worker leads no longer. The store may be writing just now, so it is told elsewhere.
    pub(super) fn release_claim(self: &Arc<Self>) {
        let configs = Arc::clone(&self.configs);
        self.runtime.spawn_blocking(move || configs.release_claim());
    }

    /// The claim was lost; whoever leads makes it anew.
    pub(super) fn claim_again(self: &Arc<Self>) {
        let herder = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(RETRY).await;
            herder.claim().await;
        });
    }

    async fn claim(self: &Arc<Self>) {
        while self.view.borrow().is_leader || self.configs.needs_claim() {
            let configs = Arc::clone(&self.configs);
            match tokio::task::spawn_blocking(move || configs.claim()).await {
                Ok(Ok(())) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::warn!("the config topic is not claimed yet: {error}");
                    tokio::time::sleep(RETRY).await;
                }
            }
            if !self.view.borrow().is_leader {
                return;
            }
        }
    }

    /// Statuses of connectors and tasks that are configured no more.
    fn clear_statuses(&self, snapshot: &ConfigSnapshot) {
        let stale = self.statuses.with_state(|state| stale_statuses(state, snapshot));
        for key in stale {
            match key {
                StatusKey::Connector(name) => self.statuses.delete_connector(&name),
                StatusKey::Task(id) => self.statuses.delete_task(&task_id(&id)),
                _ => {}
            }
        }
    }

    /// Keeps an eye on the key for as long as the worker runs.
    pub(super) fn watch_session_key(self: &Arc<Self>) {
        let herder = Arc::downgrade(self);
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(KEY_CHECK).await;
                let Some(herder) = herder.upgrade() else { return };
                herder.see_to_session_key().await;
            }
        });
    }

    /// Writes a new key if this worker leads and one is due.
    async fn see_to_session_key(self: &Arc<Self>) {
        let due = {
            let view = self.view.borrow();
            view.is_leader
                && view.is_stable
                && view.protocol.is_some_and(|protocol| protocol.signs_requests())
        };
        if !due {
            return;
        }
        let config = &self.settings.inter_worker;
        let ttl = i64::try_from(config.key_ttl.as_millis()).unwrap_or(i64::MAX);
        let held = self.configs.snapshot().session_key().map(|key| {
            // A key that this worker found at its start counts as one that may have to be replaced.
            if self
                .found_key
                .as_ref()
                .is_some_and(|found| Arc::ptr_eq(found, key))
            {
                HeldKey::from_snapshot(Arc::clone(key), ttl)
            } else {
                HeldKey::received(Arc::clone(key), ttl)
            }
        });
        let Some(reason) = rotation_needed(held.as_ref(), &config.key_generator, now_millis()) else {
            return;
        };
        tracing::debug!("writing a new session key: {reason:?}");
        let key = match config.key_generator.generate(now_millis(), fill_random) {
            Ok(key) => key,
            Err(error) => return tracing::error!("no session key can be made: {error}"),
        };
        let _order = self.writes.lock().await;
        *lock(&self.written_key) = Some(key.clone());
        if let Err(error) = self.write(write::put_session_key(key)).await {
            tracing::warn!("the session key is not written yet: {error}");
        }
    }

    /// A session key came while this worker leads. Only leaders write them, so another one means another group, as far as can be
    /// told from here: which group that is stands nowhere.
    pub(super) fn check_session_key(&self, key: &SessionKey) {
        if lock(&self.written_key).as_ref() == Some(key) {
            return;
        }
        // The leader before this one may have written it in its last moments.
        let is_new = |since: Instant| since.elapsed() < self.settings.session_timeout;
        if lock(&self.leads_since).is_none_or(is_new) {
            return;
        }
        tracing::error!(
            "somebody else wrote a session key to topic {} while this worker leads group {}: either workers with another group.id use \
             the same config.storage.topic, and then both groups run all connectors, or this worker was replaced as leader and has \
             not heard of it yet; give each group its own config.storage.topic, offset.storage.topic and status.storage.topic",
            self.configs.topic(),
            self.settings.group_id
        );
    }

    /// Somebody else runs connectors and says so in this group's status topic. Said once: it goes on until somebody changes it.
    pub(super) fn tell_of_stranger(&self, stranger: &Stranger) {
        if self.has_told_of_stranger.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!(
            "worker {} writes to status topic {} what it runs, and was no member of group {} in generation {}, with which it \
             signs: workers with another group.id use the same status.storage.topic, and then the groups overwrite and delete \
             each other's statuses; give each group its own config.storage.topic, offset.storage.topic and status.storage.topic",
            stranger.worker_id,
            self.statuses.topic(),
            self.settings.group_id,
            stranger.generation
        );
    }
}

/// The operating system's own source, which every crate that needs randomness here uses in the end.
fn fill_random(bytes: &mut [u8]) -> std::io::Result<()> {
    use std::io::Read as _;
    std::fs::File::open("/dev/urandom")?.read_exact(bytes)
}
