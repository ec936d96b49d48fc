//! `json.fail.invalid.schema`: messages held against their JSON Schema.
//!
//! References lead to what the registry delivered and nowhere else; the validator is built without any way to fetch.

use std::collections::HashMap;

use jsonschema::{Draft, Retrieve, Uri, Validator};
use serde_json::Value;
use wharf_api::{ConnectError, Result};
use wharf_schema_registry::serialization;

/// How much of a validator's report goes into an error.
const MAX_REPORT: usize = 2000;
/// How much memory the reasons why a message does not match may take. The validator collects all of them, each with its place
/// in the message, so that a long name around many values takes the product of both.
const MAX_REASONS: usize = 32 << 20;
/// What one reason takes beside its place.
const REASON: usize = 512;

/// A schema, ready to check messages.
pub(crate) struct Checker(Validator);

struct Delivered(HashMap<String, Value>);

impl Retrieve for Delivered {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> std::result::Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let uri = uri.as_str();
        let relative = uri.strip_prefix("json-schema:///").unwrap_or(uri);
        let by_name = self.0.get(uri).or_else(|| self.0.get(relative));
        // A name that was resolved on the schema's own identifier still ends with the name.
        let found = by_name.or_else(|| {
            let ends = |name: &str| uri.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'));
            self.0
                .iter()
                .find(|(name, _)| ends(name.trim_start_matches("./")))
                .map(|(_, schema)| schema)
        });
        found
            .cloned()
            .ok_or_else(|| format!("{uri} is not among the schema's references in the registry").into())
    }
}

impl Checker {
    /// Prepares a schema with those that it refers to.
    ///
    /// # Errors
    /// A data error when it is no valid JSON Schema.
    pub(crate) fn new<'a>(
        text: &str,
        references: impl Iterator<Item = (&'a str, &'a str)>,
        ignore_modern_dialects: bool,
    ) -> Result<Self> {
        let parse =
            |text: &str| serde_json::from_str::<Value>(text).map_err(|error| invalid(&error.to_string()));
        let schema = parse(text)?;
        let references = references
            .map(|(name, text)| Ok((name.to_owned(), parse(text)?)))
            .collect::<Result<_>>()?;
        let dialect = schema.get("$schema").and_then(Value::as_str);
        let is_modern = dialect.is_some_and(|dialect| dialect.contains("/draft/20"));
        let mut options = jsonschema::options()
            .should_validate_formats(true)
            .with_retriever(Delivered(references));
        if dialect.is_none() || is_modern && ignore_modern_dialects {
            options = options.with_draft(Draft::Draft7);
        }
        options
            .build(&schema)
            .map(Self)
            .map_err(|error| invalid(&error.to_string()))
    }

    /// Checks a message.
    ///
    /// # Errors
    /// A data error that says where it does not match.
    pub(crate) fn check(&self, message: &[u8]) -> Result<()> {
        let message: Value = serde_json::from_slice(message).map_err(|error| {
            serialization("the message is not JSON").caused_by(ConnectError::data(error.to_string()))
        })?;
        if self.0.is_valid(&message) {
            return Ok(());
        }
        let extent = Extent::of(&message);
        if extent.values.saturating_mul(extent.longest_place + REASON) > MAX_REASONS {
            return Err(serialization(
                "Validation error in JSON; the message is too large for a report of where it does not match",
            ));
        }
        let mut report = String::new();
        for error in self.0.iter_errors(&message) {
            let place = error.instance_path().to_string();
            report.push_str(&format!("#{place}: {error}\n"));
            if report.len() > MAX_REPORT {
                break;
            }
        }
        let report: String = report.trim_end().chars().take(MAX_REPORT).collect();
        Err(serialization(format!(
            "Validation error in JSON, Error report:\n{report}"
        )))
    }
}

/// How large a message is.
#[derive(Debug, PartialEq)]
struct Extent {
    values: usize,
    /// How long the names and numbers are that lead to the value which stands deepest.
    longest_place: usize,
}

impl Extent {
    fn of(value: &Value) -> Self {
        // An index has up to twenty digits; a slash stands before each part.
        const INDEX: usize = 21;
        let mut extent = Self {
            values: 1,
            longest_place: 0,
        };
        let mut add = |place: usize, inner: &Value| {
            let inner = Self::of(inner);
            extent.values += inner.values;
            extent.longest_place = extent.longest_place.max(place + inner.longest_place);
        };
        match value {
            Value::Array(items) => items.iter().for_each(|item| add(INDEX, item)),
            Value::Object(members) => members
                .iter()
                .for_each(|(name, member)| add(name.len() + 1, member)),
            _ => {}
        }
        extent
    }
}

#[cold]
fn invalid(reason: &str) -> ConnectError {
    serialization("the JSON Schema is not valid; correct it in the registry")
        .caused_by(ConnectError::data(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_held_against_the_schema_and_its_references() {
        let other = [(
            "other.json",
            r#"{"definitions":{"n":{"type":"integer","minimum":1}}}"#,
        )];
        for text in [
            r#"{"type":"object","properties":{"a":{"$ref":"other.json#/definitions/n"}},"required":["a"]}"#,
            r#"{"$id":"http://x.org/y/main.json","properties":{"a":{"$ref":"other.json#/definitions/n"}},"required":["a"]}"#,
        ] {
            let checker = Checker::new(text, other.iter().copied(), false).unwrap();
            checker.check(br#"{"a":1}"#).unwrap();
            for wrong in [&br#"{"a":0}"#[..], br#"{"a":"x"}"#, b"{}"] {
                let error = checker.check(wrong).unwrap_err();
                assert!(
                    error
                        .message()
                        .starts_with("Validation error in JSON, Error report:\n#"),
                    "{error}"
                );
                assert_eq!(
                    error.class(),
                    "org.apache.kafka.common.errors.SerializationException"
                );
            }
        }
    }

    #[test]
    fn a_message_with_too_many_and_too_long_reasons_is_refused_without_them() {
        let text = r#"{"additionalProperties":{"items":{"type":"string"}}}"#;
        let checker = Checker::new(text, std::iter::empty(), false).unwrap();
        let message = |name: usize, values: usize| {
            format!("{{\"{}\":[{}]}}", "x".repeat(name), vec!["1"; values].join(","))
        };
        let error = checker.check(message(100, 100).as_bytes()).unwrap_err();
        assert!(error.message().contains("xxx/0: 1 is not of type"), "{error}");
        let error = checker.check(message(10_000, 10_000).as_bytes()).unwrap_err();
        assert!(
            error
                .message()
                .ends_with("too large for a report of where it does not match"),
            "{error}"
        );
        let nested = serde_json::json!({"a": [{"bc": 1}], "d": {}});
        assert_eq!(
            Extent::of(&nested),
            Extent {
                values: 5,
                longest_place: 2 + 21 + 3
            }
        );
    }

    #[test]
    fn nothing_is_fetched() {
        for reference in [
            "http://127.0.0.1:1/x.json",
            "file:///etc/hostname",
            "nowhere.json",
        ] {
            let text = format!(r#"{{"$ref":"{reference}"}}"#);
            let error = Checker::new(&text, std::iter::empty(), false).err().unwrap();
            assert!(format!("{error:#}").contains("not valid"), "{error:#}");
        }
    }

    #[test]
    fn schemas_without_dialect_are_draft_7_and_check_formats() {
        // In draft 2020-12 an array of items would be refused.
        let text = r#"{"type":"array","items":[{"type":"string","format":"date"}]}"#;
        let checker = Checker::new(text, std::iter::empty(), false).unwrap();
        checker.check(br#"["2026-01-31"]"#).unwrap();
        assert!(checker.check(br#"["soon"]"#).is_err());
    }
}
