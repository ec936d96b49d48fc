//! Transformations and predicates: one record in, one or none out.

use crate::ConfigMap;
use crate::config::ConfigDef;
use crate::error::Result;
use crate::record::Record;

/// Changes records between connector and converter. Each task has its own instance.
pub trait Transformation: Send {
    /// Sets it up. The configuration holds its keys without prefix, and neither `type`, `predicate` nor `negate`.
    ///
    /// # Errors
    /// A config error fails the start of the task.
    fn configure(&mut self, config: &ConfigMap) -> Result<()>;

    /// Its configuration keys.
    fn config(&self) -> ConfigDef;

    /// The changed record, or `None` to drop it.
    ///
    /// # Errors
    /// Handled by the connector's error tolerance.
    fn apply(&mut self, record: Record) -> Result<Option<Record>>;
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
