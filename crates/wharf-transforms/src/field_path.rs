//! Paths to fields (KIP-821): one name in version V1, steps separated by dots in V2.
//!
//! In V2 a backtick at the start of a step quotes it up to a backtick that a dot or the end follows; within, a backslash
//! before such a backtick makes it a part of the name. Everything else is literal, blanks too.

use wharf_api::config::{ConfigKey, Importance, Type, Validator};
use wharf_api::{ConnectError, Field, Result, Schema, Struct, Value};

use crate::requirements::{no_map, no_struct};

/// The key that chooses the version.
pub(crate) const FIELD_SYNTAX_VERSION: &str = "field.syntax.version";
const PURPOSE: &str = "nested field access";

/// The key [`FIELD_SYNTAX_VERSION`].
pub(crate) fn field_syntax_version() -> ConfigKey {
    ConfigKey::new(FIELD_SYNTAX_VERSION, Type::String)
        .default("V1")
        .validator(Validator::one_of_ignore_case(["V1", "V2"]))
        .importance(Importance::High)
        .doc(
            "How a field is named. V1: by its name. V2: by a path to a field of nested structs or maps, its steps \
             separated by dots; a step that holds dots is put between backticks.",
        )
}

/// A path of at least one step, except that the empty text has none in V2.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct FieldPath(Vec<String>);

impl FieldPath {
    /// Reads a path in this version, `V1` or `V2` in any case.
    pub(crate) fn new(path: &str, version: &str) -> Result<Self> {
        if version.eq_ignore_ascii_case("V2") {
            steps(path).map(Self)
        } else {
            Ok(Self(vec![path.to_owned()]))
        }
    }

    /// The names on the way.
    pub(crate) fn steps(&self) -> &[String] {
        &self.0
    }

    fn split(&self) -> Result<(&str, &[String])> {
        let Some((last, before)) = self.0.split_last() else {
            // upstream notices no sooner
            return Err(ConnectError::connect("fromIndex(0) > toIndex(-1)")
                .with_class("java.lang.IllegalArgumentException"));
        };
        Ok((last, before))
    }

    /// The field that the path leads to in a schema.
    pub(crate) fn field_from<'s>(&self, schema: &'s Schema) -> Result<Option<&'s Field>> {
        let (last, before) = self.split()?;
        let mut current = schema;
        for step in before {
            match current.field(step)? {
                Some(field) => current = field.schema(),
                None => return Ok(None),
            }
        }
        current.field(last)
    }

    /// The value that the path leads to, taken out of a struct; null when a step is missing or null.
    pub(crate) fn take_from_struct(&self, value: Struct, replace_null: bool) -> Result<Value> {
        let (last, before) = self.split()?;
        let mut current = value;
        for step in before {
            match take_field(current, step, replace_null)? {
                Value::Null => return Ok(Value::Null),
                Value::Struct(inner) => current = *inner,
                other => return Err(no_struct(&other, PURPOSE)),
            }
        }
        take_field(current, last, replace_null)
    }

    /// The value that the path leads to, taken out of a map; null when a step is missing or null.
    pub(crate) fn take_from_map(&self, entries: Vec<(Value, Value)>) -> Result<Value> {
        let (last, before) = self.split()?;
        let mut current = entries;
        for step in before {
            match take_entry(current, step) {
                Value::Null => return Ok(Value::Null),
                Value::Map(inner) => current = inner,
                other => return Err(no_map(&other, PURPOSE)),
            }
        }
        Ok(take_entry(current, last))
    }
}

fn take_field(value: Struct, name: &str, replace_null: bool) -> Result<Value> {
    let Some(index) = value.schema().field(name)?.map(Field::index) else {
        return Ok(Value::Null);
    };
    let (schema, mut values) = value.into_parts();
    if index >= values.len() {
        return Ok(Value::Null);
    }
    let taken = values.swap_remove(index);
    if taken.is_null()
        && replace_null
        && let Some(default) = schema.fields()?[index].schema().default_value()
    {
        return Ok(default.clone());
    }
    Ok(taken)
}

fn take_entry(mut entries: Vec<(Value, Value)>, name: &str) -> Value {
    match entries.iter().rposition(|(key, _)| key.as_str() == Some(name)) {
        Some(at) => entries.swap_remove(at).1,
        None => Value::Null,
    }
}

fn steps(path: &str) -> Result<Vec<String>> {
    let mut steps = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let rest = &path[at..];
        if rest.starts_with('`') {
            let (step, length) = quoted(rest).ok_or_else(|| {
                ConnectError::config(format!(
                    "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at \
                     position {} to escape it",
                    path[..at].encode_utf16().count()
                ))
            })?;
            steps.push(step);
            at += length;
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            steps.push(rest[..end].to_owned());
            at += end + 1;
        }
    }
    if path.ends_with('.') {
        steps.push(String::new());
    }
    Ok(steps)
}

/// The quoted step at the start of the text, and its length with quotes and the dot after it.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut step = String::new();
    let mut start = 1;
    let mut from = 1;
    loop {
        let at = from + text[from..].find('`')?;
        let is_escaped = text[..at].ends_with('\\');
        from = at + 1;
        match text[from..].chars().next() {
            None if is_escaped => return None,
            None => {
                step.push_str(&text[start..at]);
                return Some((step, from));
            }
            Some('.') if is_escaped => {
                step.push_str(&text[start..at - 1]);
                step.push('`');
                start = from;
            }
            Some('.') => {
                step.push_str(&text[start..at]);
                return Some((step, from + 1));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{SchemaBuilder, SchemaRef};

    use super::*;

    #[test]
    fn paths_are_split_as_upstream_splits_them() {
        for (path, expected) in [
            ("foo.bar.baz", &["foo", "bar", "baz"][..]),
            ("", &[]),
            ("..", &["", "", ""]),
            ("foo..", &["foo", "", ""]),
            (".bar.", &["", "bar", ""]),
            ("`foo.bar.baz`", &["foo.bar.baz"]),
            ("foo.`bar.baz`", &["foo", "bar.baz"]),
            ("`foo.bar`.baz", &["foo.bar", "baz"]),
            ("foo.``bar.baz`", &["foo", "`bar.baz"]),
            ("foo`bar`baz", &["foo`bar`baz"]),
            (r"foo.`bar\`.baz`", &["foo", "bar`.baz"]),
            (r"foo.`bar\\`.\`baz`", &["foo", r"bar\`.\`baz"]),
            ("`a`b`", &["a`b"]),
            ("`a`.`b`", &["a", "b"]),
            ("``", &[""]),
            ("```", &["`"]),
            ("foo`.bar`.baz", &["foo`", "bar`", "baz"]),
            (r"a\.b", &[r"a\", "b"]),
            (" a . b ", &[" a ", " b "]),
            ("é.`ü.ö`", &["é", "ü.ö"]),
        ] {
            assert_eq!(steps(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn an_open_quote_is_refused_with_its_place() {
        for (path, position) in [
            ("`foo.bar", 0),
            ("foo.`bar", 4),
            (r"foo.`bar\`", 4),
            ("é.`", 2),
            ("`", 0),
        ] {
            let error = steps(path).unwrap_err();
            let expected = format!(
                "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position \
                 {position} to escape it"
            );
            assert_eq!(error.message(), expected);
        }
    }

    #[test]
    fn a_path_leads_through_structs_and_maps() {
        let inner = SchemaBuilder::structure()
            .field("x", SchemaBuilder::int32().default_value(7).build().unwrap())
            .build()
            .unwrap();
        let outer = SchemaBuilder::structure()
            .field("in", SchemaRef::clone(&inner))
            .build()
            .unwrap();
        let path = FieldPath::new("in.x", "v2").unwrap();
        let field = path.field_from(&outer).unwrap().unwrap();
        assert_eq!(field.name(), "x");
        let value = || {
            Struct::new(SchemaRef::clone(&outer))
                .unwrap()
                .with("in", Struct::new(SchemaRef::clone(&inner)).unwrap())
                .unwrap()
        };
        assert_eq!(path.take_from_struct(value(), true).unwrap(), Value::from(7));
        assert_eq!(path.take_from_struct(value(), false).unwrap(), Value::Null);
        let missing = FieldPath::new("no.x", "V2").unwrap();
        assert_eq!(missing.take_from_struct(value(), true).unwrap(), Value::Null);
        assert!(missing.field_from(&outer).unwrap().is_none());

        let entries = |inner: Value| vec![("in".into(), inner)];
        let map = Value::Map(vec![("x".into(), 3.into())]);
        assert_eq!(path.take_from_map(entries(map)).unwrap(), Value::from(3));
        assert_eq!(path.take_from_map(entries(Value::Null)).unwrap(), Value::Null);
        assert!(path.take_from_map(entries(5.into())).is_err());
        let error = FieldPath::new("", "V2")
            .unwrap()
            .take_from_map(vec![])
            .unwrap_err();
        assert_eq!(error.class(), "java.lang.IllegalArgumentException");
        assert_eq!(
            FieldPath::new("in.x", "V1")
                .unwrap()
                .take_from_map(vec![])
                .unwrap(),
            Value::Null
        );
    }
}
