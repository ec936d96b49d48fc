//! The config topic: what its records mean, and which ones an operation writes.
//!
//! All workers of a group read one partition, so all see the same records in the same order; what they make of them must
//! be the same too, on a JVM worker and here. [`ConfigState::apply`] is that function: bytes in, [`ConfigEvent`]s out.
//! [`ConfigState::snapshot`] is what it knows at one moment, cheap to hand out. [`mod@write`] has the other direction.
//!
//! What must stay true:
//! - The config offset moves by one rule alone: it is one more than the offset of the last record whose value could be
//!   decoded, known key or not. It is compared across the group, and a worker that counts otherwise makes the group
//!   rebalance for ever.
//! - New task configurations are seen by nobody before the commit record that completes them.
//! - No record is skipped in silence: what is not understood becomes [`ConfigEvent::Ignored`], with a reason that holds no
//!   value of any configuration.

mod ignored;
mod key;
mod properties;
mod reconfiguration;
mod record;
mod snapshot;
mod state;
#[cfg(test)]
mod state_tests;
pub mod write;

pub use ignored::{IgnoreReason, Severity};
pub use key::ConfigKey;
pub(crate) use key::task_in_key;
pub use properties::Properties;
pub use reconfiguration::{
    has_placeholder, publication_backoff_ms, restore_placeholders, task_configs_changed, with_framework_keys,
};
pub use record::ConfigRecord;
pub(crate) use record::{integer as integer_field, text as text_field};
pub use snapshot::{ConfigSnapshot, ConnectorState, NO_OFFSET};
pub use state::{ConfigEvent, ConfigState, Ignored};
