//! Who coordinates the group, and the search for it.

use crate::time::Millis;

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coordinator {
    /// Its id.
    pub node_id: i32,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: i32,
}

/// What is known of it.
#[derive(Debug)]
pub(super) struct Discovery {
    pub(super) known: Option<Coordinator>,
    /// Since when it is unknown.
    pub(super) since: Millis,
    /// Failed searches since then.
    pub(super) failures: u32,
    /// When to ask next.
    pub(super) next: Millis,
    /// Whether the herder knows that it is unknown.
    pub(super) told: bool,
}

impl Discovery {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            known: None,
            since: now,
            failures: 0,
            next: now,
            told: false,
        }
    }

    pub(super) fn found(&mut self, coordinator: Coordinator) {
        self.known = Some(coordinator);
        self.failures = 0;
        self.told = false;
    }

    /// Says whether it was known.
    pub(super) fn forget(&mut self, now: Millis) -> bool {
        let known = self.known.take().is_some();
        if known {
            self.since = now;
            self.failures = 0;
            self.next = now;
        }
        known
    }
}
