//! The converters and header converters that ship with Wharf, under the class names of Kafka Connect.
//!
//! [`BUILTIN`] is the catalogue. A worker looks a class up with [`converter`] or [`header_converter`], configures what it
//! gets, and asks [`fast_path`] whether it may skip it: a text or bytes that pass unchanged need no converter.
//!
//! Converters work on the borrowed [`ValueRef`](wharf_api::ValueRef), so that a record that crossed the plugin border is
//! written from where it lies. None of them panics on any bytes.
//!
//! # Deliberate differences from upstream
//!
//! - [`JsonConverter`] refuses values that upstream's alters silently; the table is in [`json`].
//! - [`StringConverter`] writes bytes as Base64, where Java prints an identity hash.
//! - Charsets are those of [`encoding_rs`] and Java's standard ones without UTF-32.

mod boolean_converter;
mod byte_array_converter;
pub mod cache;
mod charset;
pub mod config;
mod for_headers;
pub mod json;
mod number_converters;
mod simple_header_converter;
mod string_converter;
pub mod value_budget;

pub use boolean_converter::BooleanConverter;
pub use byte_array_converter::ByteArrayConverter;
pub use for_headers::ForHeaders;
pub use json::JsonConverter;
pub use number_converters::{
    DoubleConverter, FloatConverter, IntegerConverter, LongConverter, ShortConverter,
};
pub use simple_header_converter::SimpleHeaderConverter;
pub use string_converter::{ENCODING, StringConverter};

use wharf_api::{ConfigMap, ConnectError, Converter, HeaderConverter, PluginKind};

const SERIALIZATION_EXCEPTION: &str = "org.apache.kafka.common.errors.SerializationException";

/// A data error in upstream's words, with the reason as its cause.
#[cold]
fn serialization_error(message: impl Into<String>, reason: impl Into<String>) -> ConnectError {
    ConnectError::data(message).caused_by(ConnectError::data(reason).with_class(SERIALIZATION_EXCEPTION))
}

/// Makes a converter that is not configured yet.
pub type NewConverter = fn() -> Box<dyn Converter>;
/// Makes a header converter that is not configured yet.
pub type NewHeaderConverter = fn() -> Box<dyn HeaderConverter>;

/// One class of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinConverter {
    /// The Java class name, which is the canonical name of the plugin.
    pub class: &'static str,
    /// What it can be used as.
    pub kinds: &'static [PluginKind],
    /// Makes one for keys or values; `None` when it serves headers only.
    pub new_converter: Option<NewConverter>,
    /// Makes one for headers.
    pub new_header_converter: NewHeaderConverter,
}

/// `StringConverter`'s class.
pub const STRING_CONVERTER: &str = "org.apache.kafka.connect.storage.StringConverter";
/// `ByteArrayConverter`'s class.
pub const BYTE_ARRAY_CONVERTER: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
/// `JsonConverter`'s class.
pub const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";
/// `SimpleHeaderConverter`'s class, the worker's default for headers.
pub const SIMPLE_HEADER_CONVERTER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

macro_rules! both {
    ($class:expr, $type:ident) => {
        BuiltinConverter {
            class: $class,
            kinds: &[PluginKind::Converter, PluginKind::HeaderConverter],
            new_converter: Some(|| Box::new($type::default())),
            new_header_converter: || Box::new(ForHeaders($type::default())),
        }
    };
}

/// Every class that is built in.
pub const BUILTIN: &[BuiltinConverter] = &[
    both!(BYTE_ARRAY_CONVERTER, ByteArrayConverter),
    both!(
        "org.apache.kafka.connect.converters.BooleanConverter",
        BooleanConverter
    ),
    both!(
        "org.apache.kafka.connect.converters.DoubleConverter",
        DoubleConverter
    ),
    both!(
        "org.apache.kafka.connect.converters.FloatConverter",
        FloatConverter
    ),
    both!(
        "org.apache.kafka.connect.converters.IntegerConverter",
        IntegerConverter
    ),
    both!("org.apache.kafka.connect.converters.LongConverter", LongConverter),
    both!(
        "org.apache.kafka.connect.converters.ShortConverter",
        ShortConverter
    ),
    both!(JSON_CONVERTER, JsonConverter),
    both!(STRING_CONVERTER, StringConverter),
    BuiltinConverter {
        class: SIMPLE_HEADER_CONVERTER,
        kinds: &[PluginKind::HeaderConverter],
        new_converter: None,
        new_header_converter: || Box::new(SimpleHeaderConverter),
    },
];

/// The entry of a class, by its full name.
#[must_use]
pub fn builtin(class: &str) -> Option<&'static BuiltinConverter> {
    BUILTIN.iter().find(|entry| entry.class == class)
}

/// A converter for keys or values, not configured yet; `None` when no such class is built in.
#[must_use]
pub fn converter(class: &str) -> Option<Box<dyn Converter>> {
    builtin(class)?.new_converter.map(|new| new())
}

/// A converter for header values, not configured yet; `None` when no such class is built in.
#[must_use]
pub fn header_converter(class: &str) -> Option<Box<dyn HeaderConverter>> {
    builtin(class).map(|entry| (entry.new_header_converter)())
}

/// What a worker may do with a value instead of calling its converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FastPath {
    /// Texts are UTF-8 both ways. Writing: a STRING's bytes are the message. Reading: the message is an optional STRING,
    /// once [`std::str::from_utf8`] has accepted it; what that refuses still goes through the converter, which replaces
    /// malformed parts.
    Utf8String,
    /// Bytes are the message both ways. Writing: a BYTES value of a BYTES schema, or of none. Reading: the message is an
    /// optional BYTES.
    RawBytes,
    /// Every value goes through the converter. So do values of other classes on the other two paths; null is null on
    /// all.
    None,
}

/// The fast path of a converter with this class and configuration (its keys without prefix).
#[must_use]
pub fn fast_path(class: &str, config: &ConfigMap) -> FastPath {
    match class {
        STRING_CONVERTER if string_converter::is_utf8(config) => FastPath::Utf8String,
        BYTE_ARRAY_CONVERTER => FastPath::RawBytes,
        _ => FastPath::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_the_catalogue_can_be_made_and_configured() {
        for entry in BUILTIN {
            let is_converter = entry.kinds.contains(&PluginKind::Converter);
            assert_eq!(converter(entry.class).is_some(), is_converter, "{}", entry.class);
            assert!(entry.kinds.contains(&PluginKind::HeaderConverter));
            if let Some(mut converter) = converter(entry.class) {
                converter
                    .configure(&ConfigMap::new(), wharf_api::ConverterType::Key)
                    .unwrap();
                converter.config().check().unwrap();
                assert!(
                    converter.config().key("converter.type").is_some(),
                    "{}",
                    entry.class
                );
            }
            let mut header_converter = header_converter(entry.class).unwrap();
            header_converter.configure(&ConfigMap::new()).unwrap();
            header_converter.config().check().unwrap();
        }
        assert!(converter("JsonConverter").is_none());
        assert!(header_converter("").is_none());
    }

    #[test]
    fn classes_are_listed_once() {
        for (position, entry) in BUILTIN.iter().enumerate() {
            assert_eq!(
                BUILTIN.iter().position(|other| other.class == entry.class),
                Some(position)
            );
        }
    }

    #[test]
    fn fast_path_is_offered_only_where_values_pass_unchanged() {
        let encoding = |name: &str| ConfigMap::from([(ENCODING.to_owned(), name.to_owned())]);
        for (class, config, path) in [
            (STRING_CONVERTER, ConfigMap::new(), FastPath::Utf8String),
            (STRING_CONVERTER, encoding("utf8"), FastPath::Utf8String),
            (STRING_CONVERTER, encoding("UTF-16"), FastPath::None),
            (STRING_CONVERTER, encoding("no-such"), FastPath::None),
            (BYTE_ARRAY_CONVERTER, ConfigMap::new(), FastPath::RawBytes),
            (JSON_CONVERTER, ConfigMap::new(), FastPath::None),
            (SIMPLE_HEADER_CONVERTER, ConfigMap::new(), FastPath::None),
        ] {
            assert_eq!(fast_path(class, &config), path, "{class}");
        }
    }
}
