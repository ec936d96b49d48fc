//! `InsertHeader`: adds a header with a fixed value, whose type is guessed from its text.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
use wharf_api::values::parse_string;
use wharf_api::{Applied, ConfigMap, Record, Result, SchemaAndValue, Transformation};

use crate::options::text;

const HEADER: &str = "header";
const VALUE_LITERAL: &str = "value.literal";

/// The transformation.
#[derive(Default)]
pub(crate) struct InsertHeader {
    header: String,
    literal: SchemaAndValue,
}

impl Transformation for InsertHeader {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.header = text(&config, HEADER)?;
        self.literal = parse_string(config.string(VALUE_LITERAL)?);
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(HEADER, Type::String)
                    .validator(Validator::NonNull)
                    .importance(Importance::High)
                    .doc("Name of the header."),
            )
            .define(
                ConfigKey::new(VALUE_LITERAL, Type::String)
                    .validator(Validator::NonNull)
                    .importance(Importance::High)
                    .doc("Value of the header, as text; numbers, booleans, dates, lists and maps are recognised."),
            )
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let SchemaAndValue { schema, value } = self.literal.clone();
        record.headers.add(self.header.as_str(), schema, value)?;
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, Value};

    use super::*;
    use crate::options::config;

    #[test]
    fn the_header_follows_those_that_are_there() {
        let mut insert = InsertHeader::default();
        for (literal, schema, value) in [
            ("5", Some(Schema::int8()), Value::from(5_i8)),
            ("abc", Some(Schema::string()), Value::from("abc")),
            ("null", None, Value::Null),
        ] {
            insert
                .configure(&config([("header", "h"), ("value.literal", literal)]))
                .unwrap();
            let mut record = Record::sink("t", 0, 0);
            record.headers.add_string("h", "before");
            let changed = insert.applied(record).unwrap().unwrap();
            let last = changed.headers.last_with_name("h").unwrap();
            assert_eq!((last.schema().cloned(), last.value().clone()), (schema, value));
            assert_eq!(changed.headers.len(), 2);
        }
        assert!(insert.configure(&config([("header", "h")])).is_err());
    }
}
