//! Transformations and predicates: a record is changed, left out, or judged.

use crate::ConfigMap;
use crate::batch::Datum;
use crate::config::ConfigDef;
use crate::error::Result;
use crate::record::Record;

/// What a transformation made of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    /// It goes on, changed or as it was.
    Kept,
    /// It goes no further.
    Dropped,
}

/// Changes records between connector and converter. Each task has its own instance.
pub trait Transformation: Send {
    /// Sets it up. The configuration holds its keys without prefix, and neither `type`, `predicate` nor `negate`.
    ///
    /// # Errors
    /// A config error fails the start of the task.
    fn configure(&mut self, config: &ConfigMap) -> Result<()>;

    /// Its configuration keys.
    fn config(&self) -> ConfigDef;

    /// Changes the record where it stands, or drops it.
    ///
    /// # Errors
    /// Handled by the connector's error tolerance. The record may then be half changed: the worker does not look at it any more.
    fn apply(&mut self, record: &mut Record) -> Result<Applied>;

    /// For a transformation that puts a part of the key or value in its place and changes nothing else: key and value as they are then,
    /// where they lie. The worker asks before it builds a record to change, and spares itself what would be thrown away. `None` when
    /// it is no such transformation, or when [`apply`](Self::apply) is to decide.
    fn project<'v>(&self, _key: Datum<'v>, _value: Datum<'v>) -> Option<(Datum<'v>, Datum<'v>)> {
        None
    }

    /// As [`apply`](Self::apply), for callers that have the record to give away: the changed record, or `None` when it is dropped.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    fn applied(&mut self, mut record: Record) -> Result<Option<Record>> {
        Ok(match self.apply(&mut record)? {
            Applied::Kept => Some(record),
            Applied::Dropped => None,
        })
    }
}

/// Decides whether a transformation applies to a record. Each task has its own instance.
pub trait Predicate: Send {
    /// Sets it up.
    ///
    /// # Errors
    /// A config error fails the start of the task.
    fn configure(&mut self, config: &ConfigMap) -> Result<()>;

    /// Its configuration keys.
    fn config(&self) -> ConfigDef;

    /// The decision.
    ///
    /// # Errors
    /// Handled by the connector's error tolerance.
    fn test(&mut self, record: &Record) -> Result<bool>;
}
