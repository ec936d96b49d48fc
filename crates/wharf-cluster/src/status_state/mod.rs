//! The status topic: what connectors and tasks report, and which topics connectors use.
//!
//! [`StatusState`] reads the topic and decides which writes may go out; [`Status`] and [`TopicStatus`] are what records say.
//! Which worker wrote last is all that readers know, so writers keep themselves back where another could know better.
//!
//! What must stay true:
//! - What was written is known only once it was read back.
//! - A safe put never replaces what a worker of a newer generation said.
//! - A field that Java workers look for is always written, `trace` and `version` as null when there is none.

mod key;
mod stale;
mod status;
mod store;
#[cfg(test)]
mod store_tests;
mod strangers;

pub use key::StatusKey;
pub use stale::stale_statuses;
pub use status::{State, Status, StatusIgnored, TopicStatus};
pub use store::{PendingWrite, PutMode, StatusState};
pub use strangers::{Stranger, Strangers};
