//! The transformations and predicates that ship with Wharf, under the class names of Kafka Connect.
//!
//! [`TRANSFORMATIONS`] and [`PREDICATES`] are the catalogues; [`transformation`] and [`predicate`] make one by its class
//! name. Each class has a file of its own. Results, error kinds and the short texts of errors are those of Kafka Connect
//! 4.3, its quirks included; the oracle in `tests/oracle` compares them.
//!
//! What must stay true: a record that is refused was not seen by anyone else, so transforms work on the record they own
//! and move values instead of copying them; a schema that has to change is built once and kept by identity
//! ([`schema_cache`]); nothing panics on any record.

mod cast;
mod drop_headers;
mod extract_field;
mod field_path;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod java_number;
mod java_regex;
mod mask_field;
mod options;
mod predicates;
mod regex_replacement;
mod regex_router;
mod replace_field;
mod requirements;
mod schema_cache;
mod schema_util;
mod set_schema_metadata;
mod side;
mod simple_date_format;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

pub use java_regex::JavaRegex;

/// What transformations of plugins need as well: schemas that are made from others and kept, and refusals in upstream's
/// words.
pub mod support {
    pub use crate::options::valid_regex;
    pub use crate::regex_replacement::Replacement;
    pub use crate::requirements::{no_map, no_struct};
    pub use crate::schema_cache::SchemaCache;
    pub use crate::schema_util::{copy_null, copy_schema_basics};
}

use side::Side;
use wharf_api::{Predicate, Transformation};

/// One transformation of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinTransformation {
    /// The Java class name, which is the canonical name of the plugin.
    pub class: &'static str,
    /// Makes one that is not configured yet.
    pub new: fn() -> Box<dyn Transformation>,
}

/// One predicate of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinPredicate {
    /// The Java class name, which is the canonical name of the plugin.
    pub class: &'static str,
    /// Makes one that is not configured yet.
    pub new: fn() -> Box<dyn Predicate>,
}

macro_rules! class {
    ($name:literal, $make:expr) => {
        BuiltinTransformation {
            class: concat!("org.apache.kafka.connect.transforms.", $name),
            new: || Box::new($make),
        }
    };
}

macro_rules! predicate_class {
    ($type:ident) => {
        BuiltinPredicate {
            class: concat!(
                "org.apache.kafka.connect.transforms.predicates.",
                stringify!($type)
            ),
            new: || Box::new(predicates::$type::default()),
        }
    };
}

/// Every transformation that is built in, by class name.
pub const TRANSFORMATIONS: &[BuiltinTransformation] = &[
    class!("Cast$Key", cast::Cast::new(Side::Key)),
    class!("Cast$Value", cast::Cast::new(Side::Value)),
    class!("DropHeaders", drop_headers::DropHeaders::default()),
    class!("ExtractField$Key", extract_field::ExtractField::new(Side::Key)),
    class!(
        "ExtractField$Value",
        extract_field::ExtractField::new(Side::Value)
    ),
    class!("Filter", filter::Filter),
    class!("Flatten$Key", flatten::Flatten::new(Side::Key)),
    class!("Flatten$Value", flatten::Flatten::new(Side::Value)),
    class!("HeaderFrom$Key", header_from::HeaderFrom::new(Side::Key)),
    class!("HeaderFrom$Value", header_from::HeaderFrom::new(Side::Value)),
    class!("HoistField$Key", hoist_field::HoistField::new(Side::Key)),
    class!("HoistField$Value", hoist_field::HoistField::new(Side::Value)),
    class!("InsertField$Key", insert_field::InsertField::new(Side::Key)),
    class!("InsertField$Value", insert_field::InsertField::new(Side::Value)),
    class!("InsertHeader", insert_header::InsertHeader::default()),
    class!("MaskField$Key", mask_field::MaskField::new(Side::Key)),
    class!("MaskField$Value", mask_field::MaskField::new(Side::Value)),
    class!("RegexRouter", regex_router::RegexRouter::default()),
    class!("ReplaceField$Key", replace_field::ReplaceField::new(Side::Key)),
    class!(
        "ReplaceField$Value",
        replace_field::ReplaceField::new(Side::Value)
    ),
    class!(
        "SetSchemaMetadata$Key",
        set_schema_metadata::SetSchemaMetadata::new(Side::Key)
    ),
    class!(
        "SetSchemaMetadata$Value",
        set_schema_metadata::SetSchemaMetadata::new(Side::Value)
    ),
    class!(
        "TimestampConverter$Key",
        timestamp_converter::TimestampConverter::new(Side::Key)
    ),
    class!(
        "TimestampConverter$Value",
        timestamp_converter::TimestampConverter::new(Side::Value)
    ),
    class!("TimestampRouter", timestamp_router::TimestampRouter::default()),
    class!("ValueToKey", value_to_key::ValueToKey::default()),
];

/// Every predicate that is built in, by class name.
pub const PREDICATES: &[BuiltinPredicate] = &[
    predicate_class!(HasHeaderKey),
    predicate_class!(RecordIsTombstone),
    predicate_class!(TopicNameMatches),
];

/// A transformation by its full class name, not configured yet; `None` when no such class is built in.
#[must_use]
pub fn transformation(class: &str) -> Option<Box<dyn Transformation>> {
    TRANSFORMATIONS
        .iter()
        .find(|entry| entry.class == class)
        .map(|entry| (entry.new)())
}

/// A predicate by its full class name, not configured yet; `None` when no such class is built in.
#[must_use]
pub fn predicate(class: &str) -> Option<Box<dyn Predicate>> {
    PREDICATES
        .iter()
        .find(|entry| entry.class == class)
        .map(|entry| (entry.new)())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_listed_once_and_in_order_and_their_definitions_hold() {
        for list in [
            TRANSFORMATIONS
                .iter()
                .map(|entry| entry.class)
                .collect::<Vec<_>>(),
            PREDICATES.iter().map(|entry| entry.class).collect(),
        ] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
        for entry in TRANSFORMATIONS {
            let made = transformation(entry.class).unwrap();
            made.config().check().unwrap();
            assert!(
                made.config()
                    .keys()
                    .iter()
                    .all(|key| !key.info().documentation.is_empty())
            );
        }
        for entry in PREDICATES {
            predicate(entry.class).unwrap().config().check().unwrap();
        }
        assert!(transformation("HoistField").is_none());
        assert!(predicate("").is_none());
    }
}
