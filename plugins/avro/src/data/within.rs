//! How far the types of an Avro schema are followed.
//!
//! Types have names and may be used many times, Connect schemas are trees: a few short records can describe billions of fields, and
//! records that use one another can lead deeper than a thread's stack has room for.

use wharf_api::{ConnectError, Result};

use crate::schema::NodeId;

/// The most schemas that one type may become, counted as often as they are used.
const MAX_NODES: usize = 100_000;
/// Types may stand in each other this deep, which is more than what crosses the plugin border.
const MAX_DEPTH: usize = 256;

/// The way from the root to a type, and how many types were met.
#[derive(Debug, Default)]
pub(super) struct Within {
    /// The records on the way.
    pub(super) records: Vec<NodeId>,
    depth: usize,
    nodes: usize,
}

impl Within {
    /// Follows one more type, which is left by [`leave`](Self::leave).
    ///
    /// # Errors
    /// A data error when it leads too deep, or there were too many.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        self.nodes += 1;
        if self.nodes > MAX_NODES || self.depth > MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "the Avro type becomes more than {MAX_NODES} schemas or {MAX_DEPTH} levels when the types in it are followed; make it \
                 smaller"
            )));
        }
        Ok(())
    }

    /// Back to the type that the last one stands in.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }
}
