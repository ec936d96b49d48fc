//! The transformations and predicates that ship with Wharf, under the class names of Kafka Connect.
//!
//! [`TRANSFORMATIONS`] and [`PREDICATES`] are the catalogues; [`transformation`] and [`predicate`] make one by its class
//! name. Each class has a file of its own. Results, error kinds and the short texts of errors are those of Kafka Connect
//! 4.3, its quirks included; the oracle in `tests/oracle` compares them.
//!
//! What must stay true: a record that is refused was not seen by anyone else, so transforms work on the record they own
//! and move values instead of copying them; a schema that has to change is built once and kept by identity
//! ([`schema_cache`]); nothing panics on any record.

mod drop_headers;
mod filter;
mod hoist_field;
mod java_regex;
mod options;
mod predicates;
mod requirements;
mod schema_cache;
mod schema_util;
mod side;

pub use java_regex::JavaRegex;

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
    class!("DropHeaders", drop_headers::DropHeaders::default()),
    class!("Filter", filter::Filter),
    class!("HoistField$Key", hoist_field::HoistField::new(Side::Key)),
    class!("HoistField$Value", hoist_field::HoistField::new(Side::Value)),
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
