//! A configuration after parsing: typed values for every defined key, and the texts they came from.

use std::collections::BTreeMap;

use super::{ParsedValue, Password};
use crate::{ConfigMap, ConnectError, Result};

/// Typed values by key.
///
/// Two families of getters: `get_…` give nothing for a null value, an unknown key or a value of another type;
/// the others (`string`, `int`, …) give an error in these cases, for keys that always have a value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedConfig {
    values: BTreeMap<String, ParsedValue>,
    originals: ConfigMap,
}

macro_rules! getters {
    ($($get:ident, $require:ident, $variant:ident($binding:ident) => $output:ty, $expr:expr, $what:literal;)*) => {$(
        #[doc = concat!("The value of ", $what, " key, or nothing when it is null, unknown or of another type.")]
        #[must_use]
        pub fn $get(&self, key: &str) -> Option<$output> {
            match self.values.get(key)? {
                ParsedValue::$variant($binding) => Some($expr),
                _ => None,
            }
        }

        #[doc = concat!("The value of ", $what, " key that always has one.")]
        ///
        /// # Errors
        ///
        /// The key is unknown, null or of another type.
        pub fn $require(&self, key: &str) -> Result<$output> {
            match self.get(key)? {
                ParsedValue::$variant($binding) => Ok($expr),
                other => Err(wrong_type(key, other, $what)),
            }
        }
    )*};
}

impl ParsedConfig {
    /// Puts values and the texts they came from together.
    #[must_use]
    pub fn new(values: BTreeMap<String, ParsedValue>, originals: ConfigMap) -> Self {
        Self { values, originals }
    }

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// `Unknown configuration '<key>'` when no definition named it.
    pub fn get(&self, key: &str) -> Result<&ParsedValue> {
        self.values
            .get(key)
            .ok_or_else(|| ConnectError::config(format!("Unknown configuration '{key}'")))
    }

    getters! {
        get_string, string, String(text) => &str, text.as_str(), "a STRING";
        get_class, class, Class(text) => &str, text.as_str(), "a CLASS";
        get_boolean, boolean, Boolean(value) => bool, *value, "a BOOLEAN";
        get_int, int, Int(number) => i32, *number, "an INT";
        get_short, short, Short(number) => i16, *number, "a SHORT";
        get_long, long, Long(number) => i64, *number, "a LONG";
        get_double, double, Double(number) => f64, *number, "a DOUBLE";
        get_list, list, List(items) => &[String], items.as_slice(), "a LIST";
        get_password, password, Password(secret) => &Password, secret, "a PASSWORD";
    }

    /// All values by key.
    #[must_use]
    pub fn values(&self) -> &BTreeMap<String, ParsedValue> {
        &self.values
    }

    /// The configuration as it was given, unknown keys included.
    #[must_use]
    pub fn originals(&self) -> &ConfigMap {
        &self.originals
    }

    /// The given keys that start with `prefix`, without it. The key that equals the prefix is left out.
    #[must_use]
    pub fn originals_with_prefix(&self, prefix: &str) -> ConfigMap {
        strip(&self.originals, prefix)
    }

    /// The given keys that no definition named, in order.
    pub fn unknown_keys(&self) -> impl Iterator<Item = &str> {
        self.originals
            .keys()
            .filter(|key| !self.values.contains_key(*key))
            .map(String::as_str)
    }

    pub(super) fn without_prefix(&self, prefix: &str) -> Self {
        Self {
            values: strip(&self.values, prefix),
            originals: strip(&self.originals, prefix),
        }
    }
}

fn strip<V: Clone>(map: &BTreeMap<String, V>, prefix: &str) -> BTreeMap<String, V> {
    map.range(prefix.to_owned()..)
        .take_while(|(key, _)| key.starts_with(prefix))
        .filter(|(key, _)| key.len() > prefix.len())
        .map(|(key, value)| (key[prefix.len()..].to_owned(), value.clone()))
        .collect()
}

fn wrong_type(key: &str, value: &ParsedValue, wanted: &str) -> ConnectError {
    let found = value.value_type().map_or("null", |found| found.name());
    ConnectError::config(format!(
        "configuration '{key}' was read as {wanted}, but its value is {found}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ParsedConfig {
        let values: [(&str, ParsedValue); 4] = [
            ("a", "x".into()),
            ("n", 3.into()),
            ("p.q", true.into()),
            ("z", ParsedValue::Null),
        ];
        let originals = [
            ("a", "x"),
            ("p", "0"),
            ("p.", "1"),
            ("p.q", "true"),
            ("p.r", "2"),
            ("q", "4"),
        ];
        ParsedConfig::new(
            values
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            originals
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    #[test]
    fn getters_give_nothing_for_null_unknown_and_other_types() {
        let config = config();
        assert_eq!(config.get_string("a"), Some("x"));
        assert_eq!(config.get_string("z"), None);
        assert_eq!(config.get_string("nope"), None);
        assert_eq!(config.get_string("n"), None);
        assert_eq!(config.get_boolean("p.q"), Some(true));
    }

    #[test]
    fn required_getters_say_what_is_wrong() {
        let config = config();
        assert_eq!(config.int("n"), Ok(3));
        assert_eq!(
            config.int("nope").unwrap_err().message(),
            "Unknown configuration 'nope'"
        );
        assert_eq!(
            config.int("z").unwrap_err().message(),
            "configuration 'z' was read as an INT, but its value is null"
        );
        assert_eq!(
            config.int("a").unwrap_err().message(),
            "configuration 'a' was read as an INT, but its value is STRING"
        );
    }

    #[test]
    fn prefixed_originals_lose_the_prefix_and_the_bare_prefix_key() {
        let config = config();
        let stripped = config.originals_with_prefix("p.");
        assert_eq!(
            stripped,
            [("q".into(), "true".into()), ("r".into(), "2".into())].into()
        );
        assert_eq!(config.unknown_keys().collect::<Vec<_>>(), ["p", "p.", "p.r", "q"]);
    }
}
