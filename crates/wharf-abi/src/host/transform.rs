//! Transformations and predicates of a plugin, as the worker calls them: a batch in one crossing, or one record.

use wharf_api::config::{ConfigDef, ConfigKeyInfo};
use wharf_api::flat::SchemaCache;
use wharf_api::{
    Applied, ConfigMap, ConnectError, Predicate, Record, RecordBatch, RecordBatchRef, Result, Transformation,
    Value,
};

use super::Handle;
use crate::message::{BatchResult, Message, errors_from_value, part};
use crate::method::plugin as method;

fn definition(handle: &mut Handle) -> Result<ConfigDef> {
    Ok(ConfigDef::from_infos(
        handle.ask::<Vec<ConfigKeyInfo>>(method::CONFIG, &Value::Null)?,
    ))
}

fn single(record: &Record) -> Result<RecordBatch> {
    let mut batch = RecordBatch::new();
    batch.push_record(record)?;
    Ok(batch)
}

/// A transformation.
#[derive(Debug)]
pub struct RemoteTransformation {
    handle: Handle,
    definition: ConfigDef,
    schemas: SchemaCache,
}

impl RemoteTransformation {
    /// The transformation behind this instance.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn new(mut handle: Handle) -> Result<Self> {
        Ok(Self {
            definition: definition(&mut handle)?,
            handle,
            schemas: SchemaCache::default(),
        })
    }

    /// Applies it to each record of a finished batch. Dropped records are missing from the result's positions.
    ///
    /// # Errors
    /// When the plugin fails as a whole; failures of single records are in the result.
    pub fn apply_batch(&mut self, batch: &[u8]) -> Result<BatchResult> {
        BatchResult::from_bytes(self.handle.call_raw(method::APPLY, batch)?.bytes())
    }
}

impl Transformation for RemoteTransformation {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.handle
            .tell(method::CONFIGURE, &(config.clone(), String::new()))
    }

    fn config(&self) -> ConfigDef {
        self.definition.clone()
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let mut result = self.apply_batch(single(record)?.finish()?)?;
        if let Some((_, error)) = result.errors.pop() {
            return Err(error);
        }
        let batch = RecordBatchRef::parse(&result.batch, &mut self.schemas)?;
        let Some(changed) = batch.iter().next() else {
            return Ok(Applied::Dropped);
        };
        *record = changed?.to_record(&batch)?;
        Ok(Applied::Kept)
    }
}

/// A predicate.
#[derive(Debug)]
pub struct RemotePredicate {
    handle: Handle,
    definition: ConfigDef,
}

impl RemotePredicate {
    /// The predicate behind this instance.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn new(mut handle: Handle) -> Result<Self> {
        Ok(Self {
            definition: definition(&mut handle)?,
            handle,
        })
    }

    /// Decides on each record of a finished batch.
    ///
    /// # Errors
    /// When the plugin fails as a whole.
    pub fn test_batch(&mut self, batch: &[u8]) -> Result<Vec<Result<bool>>> {
        let answer = Value::from_bytes(self.handle.call_raw(method::TEST, batch)?.bytes())?;
        let mut decisions: Vec<Result<bool>> = part(&answer, "decisions")
            .as_array()
            .unwrap_or_default()
            .iter()
            .map(|decision| {
                decision
                    .as_bool()
                    .ok_or_else(|| ConnectError::data("the predicate did not decide"))
            })
            .collect();
        for (position, error) in errors_from_value(part(&answer, "errors"))? {
            if let Some(decision) = decisions.get_mut(position) {
                *decision = Err(error);
            }
        }
        Ok(decisions)
    }
}

impl Predicate for RemotePredicate {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.handle
            .tell(method::CONFIGURE, &(config.clone(), String::new()))
    }

    fn config(&self) -> ConfigDef {
        self.definition.clone()
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        self.test_batch(single(record)?.finish()?)?
            .pop()
            .unwrap_or_else(|| Err(ConnectError::data("the predicate did not decide")))
    }
}
