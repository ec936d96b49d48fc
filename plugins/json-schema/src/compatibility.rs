//! Whether what one schema describes can be read with another: the check behind `latest.compatibility.strict` and
//! `id.compatibility.strict`.
//!
//! The rules are those of the registry for backward compatibility, as far as schemas differ that a converter may meet: types,
//! properties, what is required, items, choices. Ranges and patterns are not compared. What cannot be told counts as compatible: the
//! registry itself compares when schemas are registered.

use wharf_api::{ConnectError, Result};
use wharf_schema_registry::{Compatible, RegisteredSchema, RegistrySchema};

use crate::json_tree::Json;
use crate::model::{self, Additional, Draft, Kind, Model};

const MAX_DEPTH: usize = 100;

/// Compares two schemas by their texts.
pub(crate) fn can_read(reader: &RegisteredSchema, writer: &RegistrySchema) -> Compatible {
    let load = |text: &str| -> Result<Model> {
        let json = Json::parse(text.as_bytes())?;
        model::load(&json, Draft::of(&json, false), MAX_DEPTH)
    };
    let compared = load(&reader.schema.text)
        .and_then(|reader| Ok((reader, load(&writer.text)?)))
        .and_then(|(reader, writer)| compare(&reader, &writer, "#", 0));
    match compared {
        Ok(()) => Compatible::Yes,
        Err(error) => Compatible::No(error.message().to_owned()),
    }
}

fn compare(reader: &Model, writer: &Model, path: &str, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    let differ = |what: &str| Err(ConnectError::data(format!("at {path}: {what}")));
    match (&reader.kind, &writer.kind) {
        (Kind::Anything | Kind::Reference(_) | Kind::Unsupported(_), _)
        | (_, Kind::Reference(_) | Kind::Unsupported(_)) => Ok(()),
        (_, Kind::Combined(model::Criterion::All, _)) | (Kind::Combined(model::Criterion::All, _), _) => {
            Ok(())
        }
        (_, Kind::Combined(_, members)) => members
            .iter()
            .try_for_each(|member| compare(reader, member, path, depth + 1)),
        (Kind::Combined(_, members), _) => {
            if members
                .iter()
                .any(|member| compare(member, writer, path, depth + 1).is_ok())
            {
                return Ok(());
            }
            differ("no member of the choice takes what is written")
        }
        (Kind::Number { is_integer: true }, Kind::Number { is_integer: false }) => {
            differ("a number became an integer")
        }
        (Kind::Number { .. }, Kind::Number { .. })
        | (Kind::Boolean, Kind::Boolean)
        | (Kind::Null, Kind::Null)
        | (Kind::String, Kind::String | Kind::Enum(_) | Kind::Const(_)) => Ok(()),
        (Kind::Enum(known), Kind::Enum(written)) => {
            match written.iter().find(|symbol| !known.contains(symbol)) {
                Some(symbol) => differ(&format!("the enum has no symbol {}", model::shortened(symbol))),
                None => Ok(()),
            }
        }
        (Kind::Const(a), Kind::Const(b)) if a == b => Ok(()),
        (Kind::Array { items: a }, Kind::Array { items: b }) => match (a, b) {
            (Some(a), Some(b)) => compare(a, b, &format!("{path}/items"), depth + 1),
            _ => Ok(()),
        },
        (Kind::Object(a), Kind::Object(b)) => {
            for (name, written) in &b.properties {
                let path = format!("{path}/properties/{name}");
                match a.properties.iter().find(|(known, _)| known == name) {
                    Some((_, known)) => compare(known, written, &path, depth + 1)?,
                    None => match &a.additional {
                        Additional::Anything => {}
                        Additional::Schema(known) => compare(known, written, &path, depth + 1)?,
                        Additional::Nothing => return differ(&format!("the property {name} is not allowed")),
                    },
                }
            }
            let missing = a
                .required
                .iter()
                .find(|name| !b.properties.iter().any(|(known, _)| known == *name));
            if let Some(name) = missing {
                return differ(&format!("the property {name} is required and not written"));
            }
            match (&a.additional, &b.additional) {
                (Additional::Schema(a), Additional::Schema(b)) => {
                    compare(a, b, &format!("{path}/additionalProperties"), depth + 1)
                }
                _ => Ok(()),
            }
        }
        _ => differ("the types differ"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_schema_registry::Format;

    fn compatible(reader: &str, writer: &str) -> bool {
        let schema = |text: &str| RegistrySchema::new(Format::Json, text);
        let reader = RegisteredSchema {
            schema: schema(reader),
            id: 1,
            version: None,
            guid: None,
        };
        can_read(&reader, &schema(writer)) == Compatible::Yes
    }

    #[test]
    fn schemas_are_compared_as_the_registry_does() {
        let object = |inner: &str| format!(r#"{{"type":"object",{inner}}}"#);
        for (reader, writer, expected) in [
            (
                r#"{"type":"string"}"#.to_owned(),
                r#"{"type":"string"}"#.to_owned(),
                true,
            ),
            (
                r#"{"type":"number"}"#.to_owned(),
                r#"{"type":"integer"}"#.to_owned(),
                true,
            ),
            (
                r#"{"type":"integer"}"#.to_owned(),
                r#"{"type":"number"}"#.to_owned(),
                false,
            ),
            (
                r#"{"type":"string"}"#.to_owned(),
                r#"{"type":"integer"}"#.to_owned(),
                false,
            ),
            (
                r#"{"type":["null","string"]}"#.to_owned(),
                r#"{"type":"string"}"#.to_owned(),
                true,
            ),
            (
                r#"{"type":"string"}"#.to_owned(),
                r#"{"type":["null","string"]}"#.to_owned(),
                false,
            ),
            (
                r#"{"enum":["a","b"]}"#.to_owned(),
                r#"{"enum":["a"]}"#.to_owned(),
                true,
            ),
            (
                r#"{"enum":["a"]}"#.to_owned(),
                r#"{"enum":["a","b"]}"#.to_owned(),
                false,
            ),
            (
                object(r#""properties":{}"#),
                object(r#""properties":{"a":{"type":"string"}}"#),
                true,
            ),
            (
                object(r#""additionalProperties":false"#),
                object(r#""properties":{"a":{"type":"string"}}"#),
                false,
            ),
            (
                object(r#""required":["a"]"#),
                object(r#""properties":{"b":{"type":"string"}}"#),
                false,
            ),
            (
                object(r#""properties":{"a":{"type":"boolean"}}"#),
                object(r#""properties":{"a":{"type":"string"}}"#),
                false,
            ),
        ] {
            assert_eq!(compatible(&reader, &writer), expected, "{reader} {writer}");
        }
    }
}
