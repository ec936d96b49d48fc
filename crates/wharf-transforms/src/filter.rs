//! `Filter`: drops every record. With a predicate it drops those that match.

use wharf_api::config::ConfigDef;
use wharf_api::{Applied, ConfigMap, Record, Result, Transformation};

/// The transformation.
pub(crate) struct Filter;

impl Transformation for Filter {
    fn configure(&mut self, _config: &ConfigMap) -> Result<()> {
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn apply(&mut self, _record: &mut Record) -> Result<Applied> {
        Ok(Applied::Dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_dropped() {
        Filter.configure(&ConfigMap::new()).unwrap();
        assert_eq!(
            Filter
                .applied(Record::sink("t", 0, 0).with_value(None, 1))
                .unwrap(),
            None
        );
    }
}
