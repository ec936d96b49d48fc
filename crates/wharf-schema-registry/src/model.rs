//! What the registry's REST API sends and takes: schemas with their references, ids, versions and GUIDs.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::error::{Format, RegistryError};
use crate::rules::RuleSet;

/// The GUID of a schema: the same in every registry that holds that schema.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// The GUID that this text names, with or without hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = text
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            *byte = digits.next()?? << 4 | digits.next()??;
        }
        digits.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A schema that another one uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SchemaReference {
    /// The name under which the text uses it: a full name, an import path or a `$ref`.
    pub name: String,
    /// The subject where it is registered.
    pub subject: String,
    /// Its version there; -1 is the latest.
    pub version: i32,
}

/// A schema as it is registered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistrySchema {
    /// The format of the text.
    pub format: Format,
    /// The text.
    pub text: String,
    /// The schemas that the text uses.
    pub references: Vec<SchemaReference>,
}

impl RegistrySchema {
    /// A schema without references.
    #[must_use]
    pub fn new(format: Format, text: impl Into<String>) -> Self {
        Self {
            format,
            text: text.into(),
            references: Vec::new(),
        }
    }

    /// The body of a request: what is empty is left out, and so is the type of Avro.
    pub(crate) fn to_json(&self) -> Value {
        let mut body = Map::new();
        body.insert("schema".to_owned(), self.text.as_str().into());
        if self.format != Format::Avro {
            body.insert("schemaType".to_owned(), self.format.name().into());
        }
        if !self.references.is_empty() {
            let references = self
                .references
                .iter()
                .map(
                    |SchemaReference {
                         name,
                         subject,
                         version,
                     }| { json!({"name": name, "subject": subject, "version": version}) },
                )
                .collect();
            body.insert("references".to_owned(), Value::Array(references));
        }
        Value::Object(body)
    }

    /// The schema in an answer.
    pub(crate) fn from_json(body: &Value) -> Result<Self, RegistryError> {
        let text = text(body, "schema").ok_or_else(|| missing("schema"))?;
        let format = match body.get("schemaType").and_then(Value::as_str) {
            None => Format::Avro,
            Some(name) => Format::from_name(name).ok_or_else(|| {
                RegistryError::Unreadable(format!("the schema is of the unknown type {name}"))
            })?,
        };
        let references = body.get("references").and_then(Value::as_array);
        let references = references.into_iter().flatten().map(|reference| {
            Ok(SchemaReference {
                name: text_or_missing(reference, "name")?,
                subject: text_or_missing(reference, "subject")?,
                version: number(reference, "version").ok_or_else(|| missing("version of a reference"))?,
            })
        });
        Ok(Self {
            format,
            text,
            references: references.collect::<Result<_, RegistryError>>()?,
        })
    }
}

/// What the registry knows about a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// The schema.
    pub schema: RegistrySchema,
    /// Its id.
    pub id: i32,
    /// Its version under the subject that was asked about, where one was.
    pub version: Option<i32>,
    /// Its GUID, from registries that have them.
    pub guid: Option<Guid>,
    /// The rules that it carries.
    pub rules: RuleSet,
}

impl RegisteredSchema {
    /// An answer; `known` stands in for the parts that this call's answer leaves out.
    pub(crate) fn from_json(
        body: &Value,
        known_id: Option<i32>,
        known: Option<&RegistrySchema>,
    ) -> Result<Self, RegistryError> {
        let schema = match known {
            // A registry may answer with the form that it keeps; records are written with what it keeps.
            Some(known) if body.get("schema").and_then(Value::as_str).is_none() => known.clone(),
            _ => RegistrySchema::from_json(body)?,
        };
        Ok(Self {
            schema,
            id: number(body, "id").or(known_id).ok_or_else(|| missing("id"))?,
            version: number(body, "version"),
            guid: body.get("guid").and_then(Value::as_str).and_then(Guid::parse),
            rules: RuleSet::from_json(body),
        })
    }
}

fn missing(what: &str) -> RegistryError {
    RegistryError::Unreadable(format!("the answer has no {what}"))
}

fn text(body: &Value, key: &str) -> Option<String> {
    body.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn text_or_missing(body: &Value, key: &str) -> Result<String, RegistryError> {
    text(body, key).ok_or_else(|| missing(key))
}

fn number(body: &Value, key: &str) -> Option<i32> {
    body.get(key)
        .and_then(Value::as_i64)
        .and_then(|number| i32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_read_and_written_in_java_s_form() {
        let text = "89791762-2336-4186-9674-299b90a802e2";
        let guid = Guid::parse(text).unwrap();
        assert_eq!(guid.to_string(), text);
        assert_eq!(guid.0[..4], [0x89, 0x79, 0x17, 0x62]);
        for bad in [
            "",
            "8979",
            "89791762-2336-4186-9674-299b90a802eg",
            "89791762233641869674299b90a802e2ff",
        ] {
            assert_eq!(Guid::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn bodies_leave_out_what_is_empty() {
        let mut schema = RegistrySchema::new(Format::Avro, "\"int\"");
        assert_eq!(schema.to_json().to_string(), r#"{"schema":"\"int\""}"#);
        schema.format = Format::Protobuf;
        schema.references.push(SchemaReference {
            name: "a.proto".to_owned(),
            subject: "a".to_owned(),
            version: 2,
        });
        let body = schema.to_json();
        assert_eq!(
            body.to_string(),
            r#"{"schema":"\"int\"","schemaType":"PROTOBUF","references":[{"name":"a.proto","subject":"a","version":2}]}"#
        );
        assert_eq!(RegistrySchema::from_json(&body).unwrap(), schema);
    }

    #[test]
    fn answers_that_lack_something_are_refused() {
        for (body, lack) in [
            (json!({"id": 1}), "no schema"),
            (json!({"schema": "x"}), "no id"),
            (json!({"id": 1, "schema": "x", "schemaType": "THRIFT"}), "THRIFT"),
            (json!({"id": 5_000_000_000_i64, "schema": "x"}), "no id"),
            (
                json!({"id": 1, "schema": "x", "references": [{"name": "n"}]}),
                "no subject",
            ),
        ] {
            let error = RegisteredSchema::from_json(&body, None, None)
                .unwrap_err()
                .to_string();
            assert!(error.contains(lack), "{error}");
        }
    }
}
