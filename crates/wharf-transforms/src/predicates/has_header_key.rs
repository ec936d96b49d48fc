//! `HasHeaderKey`: true for records with at least one header of a name.

use wharf_api::config::{ConfigDef, ConfigKey, Type, Validator};
use wharf_api::{ConfigMap, Predicate, Record, Result};

use crate::options::text;

const NAME: &str = "name";

/// The predicate.
#[derive(Default)]
pub(crate) struct HasHeaderKey {
    name: String,
}

impl Predicate for HasHeaderKey {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.name = text(&self.config().parse(config)?, NAME)?;
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::new(NAME, Type::String)
                .validator(Validator::NonEmptyString)
                .doc("Name of the header that a record must have."),
        )
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        Ok(record.headers.all_with_name(&self.name).next().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::config;

    #[test]
    fn one_header_of_the_name_is_enough() {
        let mut predicate = HasHeaderKey::default();
        predicate.configure(&config([("name", "h")])).unwrap();
        let mut record = Record::sink("t", 0, 0);
        assert!(!predicate.test(&record).unwrap());
        record.headers.add_string("other", "x").add_string("h", None);
        assert!(predicate.test(&record).unwrap());
        assert!(predicate.configure(&config([("name", " ")])).is_err());
    }
}
