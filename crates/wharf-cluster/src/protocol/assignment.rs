//! What the leader gives a member, and what a member says it owns.

use std::collections::HashMap;

use super::codec::{ProtocolError, Reader, Writer};
use super::{ConnectProtocol, ConnectorsAndTasks};
use crate::ids::ConnectorTaskId;
use crate::java_hash::{self, Filled};

const MESSAGE: &str = "assignment";

/// Stands for the connector instance where task numbers are listed.
const CONNECTOR_TASK: i32 = -1;

/// An assignment.
///
/// Under the eager protocol `assigned` is everything and there is neither `revoked` nor `delay`. Under the others `assigned`
/// is only what is new. A member publishes the same type with its next join, then with everything that it owns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment {
    /// [`Assignment::NO_ERROR`], or why there is no work in it.
    pub error: i16,
    /// Member id of the leader.
    pub leader: String,
    /// URL of the leader's REST API, with a slash at its end.
    pub leader_url: String,
    /// Offset of the config topic that all members must have read up to before they start anything.
    pub config_offset: i64,
    /// What to run.
    pub assigned: ConnectorsAndTasks,
    /// What to stop now.
    pub revoked: ConnectorsAndTasks,
    /// Milliseconds after which the member has to join again; 0 when it has not.
    pub delay: i32,
}

impl Assignment {
    /// All is well.
    pub const NO_ERROR: i16 = 0;

    /// The leader was behind another member with the config topic and could not assign anything.
    pub const CONFIG_MISMATCH: i16 = 1;

    /// Whether the leader could not assign.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error != Self::NO_ERROR
    }

    /// The bytes for a member of a group under this protocol.
    ///
    /// # Errors
    /// When a text is longer than the protocol can carry.
    pub fn encode(&self, protocol: ConnectProtocol) -> Result<Vec<u8>, ProtocolError> {
        let mut out = Writer::new(MESSAGE, protocol.version());
        out.i16(self.error);
        out.string("leader", &self.leader)?;
        out.string("leader url", &self.leader_url)?;
        out.i64(self.config_offset);
        // Java goes through a hash set here, and only here.
        let mut connectors: Vec<&str> = self.assigned.connectors.iter().map(String::as_str).collect();
        java_hash::sort(&mut connectors, Filled::ByCopy, |name| name);
        write_entries(&mut out, "assignment", &connectors, &self.assigned.tasks)?;
        if protocol.is_cooperative() {
            let connectors: Vec<&str> = self.revoked.connectors.iter().map(String::as_str).collect();
            write_entries(&mut out, "revoked", &connectors, &self.revoked.tasks)?;
            out.i32(self.delay);
        }
        Ok(out.finish())
    }

    /// Reads an assignment of any version.
    ///
    /// # Errors
    /// When the bytes are no assignment; no bytes at all are none either, which is what a member gets that its leader forgot.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut input = Reader::new(MESSAGE, bytes);
        input.version()?;
        Ok(Self {
            error: input.i16("error")?,
            leader: input.string("leader")?,
            leader_url: input.string("leader url")?,
            config_offset: input.i64("config offset")?,
            assigned: read_entries(&mut input, "assignment")?,
            revoked: read_entries(&mut input, "revoked")?,
            delay: if input.is_at_end() { 0 } else { input.i32("delay")? },
        })
    }
}

/// One entry for each connector: first those whose instance is meant, then those of which only tasks are.
fn write_entries(
    out: &mut Writer,
    field: &'static str,
    connectors: &[&str],
    tasks: &[ConnectorTaskId],
) -> Result<(), ProtocolError> {
    let mut entries: Vec<(&str, Vec<i32>)> = Vec::with_capacity(connectors.len());
    let mut places = HashMap::with_capacity(connectors.len());
    for connector in connectors {
        places.entry(*connector).or_insert_with(|| {
            entries.push((connector, vec![CONNECTOR_TASK]));
            entries.len() - 1
        });
    }
    for id in tasks {
        let place = *places.entry(id.connector.as_str()).or_insert_with(|| {
            entries.push((&id.connector, Vec::new()));
            entries.len() - 1
        });
        entries[place].1.push(id.task);
    }
    out.count(field, entries.len())?;
    for (connector, tasks) in entries {
        out.string("connector", connector)?;
        out.count("tasks", tasks.len())?;
        for task in tasks {
            out.i32(task);
        }
    }
    Ok(())
}

/// A list of entries; a missing list is an empty one.
fn read_entries(input: &mut Reader<'_>, field: &'static str) -> Result<ConnectorsAndTasks, ProtocolError> {
    let mut work = ConnectorsAndTasks::default();
    if input.is_at_end() {
        return Ok(work);
    }
    for _ in 0..input.nullable_count(field)?.unwrap_or_default() {
        let connector = input.string("connector")?;
        for _ in 0..input.count("tasks")? {
            match input.i32("tasks")? {
                CONNECTOR_TASK => work.connectors.push(connector.clone()),
                task => work.tasks.push(ConnectorTaskId::new(connector.as_str(), task)),
            }
        }
    }
    work.remove_duplicates();
    Ok(work)
}
