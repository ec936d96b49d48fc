//! `RecordIsTombstone`: true for records whose value is null, whatever their schema.

use wharf_api::config::ConfigDef;
use wharf_api::{ConfigMap, Predicate, Record, Result};

/// The predicate.
#[derive(Default)]
pub(crate) struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn configure(&mut self, _config: &ConfigMap) -> Result<()> {
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        Ok(record.value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, Value};

    use super::*;

    #[test]
    fn only_a_null_value_is_a_tombstone() {
        let record = Record::sink("t", 0, 0).with_key(None, 1);
        for (record, expected) in [
            (record.clone(), true),
            (
                record
                    .clone()
                    .with_value(Some(Schema::optional_int32()), Value::Null),
                true,
            ),
            (record.with_value(None, ""), false),
        ] {
            assert_eq!(RecordIsTombstone.test(&record).unwrap(), expected);
        }
    }
}
