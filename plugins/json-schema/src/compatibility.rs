//! Whether what one schema describes can be read with another: the check behind `latest.compatibility.strict` and
//! `id.compatibility.strict`.
//!
//! The rules are those of the registry for backward compatibility, as far as schemas differ that a converter may meet: types,
//! properties, what is required, items, choices. References are followed on both sides. Ranges and patterns are not compared.
//! What cannot be told counts as compatible: the registry itself compares when schemas are registered.

use std::collections::HashMap;
use std::rc::Rc;

use wharf_api::{ConnectError, Result};
use wharf_schema_registry::{Compatible, References, RegisteredSchema, RegistrySchema, reference_texts};

use crate::documents::{Documents, Place};
use crate::model::{self, Additional, Kind, Model};

const MAX_DEPTH: usize = 100;

/// Compares two schemas by their texts, the reader's with those it refers to.
pub(crate) fn can_read(
    reader: &RegisteredSchema,
    references: &References,
    writer: &RegistrySchema,
) -> Compatible {
    let used = reference_texts(references);
    let compared = Documents::parse(&reader.schema.text, used, false).and_then(|reader| {
        let writer = Documents::parse(&writer.text, std::iter::empty(), false)?;
        let (at, from) = (reader.root(), writer.root());
        let mut check = Check {
            reader: Side::new(&reader),
            writer: Side::new(&writer),
            seen: HashMap::new(),
        };
        let (known, written) = (check.reader.model(&at)?, check.writer.model(&from)?);
        check.pair(At::new(&at, &known), At::new(&from, &written), "#", 0)
    });
    match compared {
        Ok(()) => Compatible::Yes,
        Err(error) => Compatible::No(error.message().to_owned()),
    }
}

/// A schema and the document that its references start from.
#[derive(Clone, Copy)]
struct At<'a> {
    place: &'a Place,
    model: &'a Model,
}

impl<'a> At<'a> {
    fn new(place: &'a Place, model: &'a Model) -> Self {
        Self { place, model }
    }

    fn part(self, model: &'a Model) -> Self {
        Self { model, ..self }
    }
}

/// The documents of one side, and what stands where references led to.
struct Side<'a> {
    documents: &'a Documents,
    models: HashMap<Place, Rc<Model>>,
}

impl<'a> Side<'a> {
    fn new(documents: &'a Documents) -> Self {
        Self {
            documents,
            models: HashMap::new(),
        }
    }

    fn model(&mut self, place: &Place) -> Result<Rc<Model>> {
        if let Some(known) = self.models.get(place) {
            return Ok(Rc::clone(known));
        }
        let (json, draft) = self.documents.get(place)?;
        let model = Rc::new(model::load(json, draft, MAX_DEPTH)?);
        self.models.insert(place.clone(), Rc::clone(&model));
        Ok(model)
    }

    fn follow(&mut self, from: &Place, reference: &str) -> Result<(Place, Rc<Model>)> {
        let place = self.documents.resolve(from, reference)?;
        let model = self.model(&place)?;
        Ok((place, model))
    }
}

struct Check<'a> {
    reader: Side<'a>,
    writer: Side<'a>,
    /// What came of the pairs that references led to, by the addresses of models, which both sides keep. A pair that is being
    /// looked at counts as compatible: schemas may contain themselves.
    seen: HashMap<(usize, usize), Result<()>>,
}

impl Check<'_> {
    fn pair(&mut self, at: At<'_>, from: At<'_>, path: &str, depth: usize) -> Result<()> {
        let key = (
            std::ptr::from_ref(at.model).addr(),
            std::ptr::from_ref(from.model).addr(),
        );
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        self.seen.insert(key, Ok(()));
        let result = self.compare(at, from, path, depth);
        self.seen.insert(key, result.clone());
        result
    }

    fn compare(&mut self, at: At<'_>, from: At<'_>, path: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        let differ = |what: &str| Err(ConnectError::data(format!("at {path}: {what}")));
        match (&at.model.kind, &from.model.kind) {
            (Kind::Anything | Kind::Unsupported(_), _) | (_, Kind::Unsupported(_)) => Ok(()),
            (Kind::Reference(reference), _) => {
                let (place, model) = self.reader.follow(at.place, reference)?;
                self.pair(At::new(&place, &model), from, path, depth + 1)
            }
            (_, Kind::Reference(reference)) => {
                let (place, model) = self.writer.follow(from.place, reference)?;
                self.pair(at, At::new(&place, &model), path, depth + 1)
            }
            (_, Kind::Combined(model::Criterion::All, _)) | (Kind::Combined(model::Criterion::All, _), _) => {
                Ok(())
            }
            (_, Kind::Combined(_, members)) => members
                .iter()
                .try_for_each(|member| self.compare(at, from.part(member), path, depth + 1)),
            (Kind::Combined(_, members), _) => {
                if members
                    .iter()
                    .any(|member| self.compare(at.part(member), from, path, depth + 1).is_ok())
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
                (Some(a), Some(b)) => {
                    self.compare(at.part(a), from.part(b), &format!("{path}/items"), depth + 1)
                }
                _ => Ok(()),
            },
            (Kind::Object(a), Kind::Object(b)) => {
                for (name, written) in &b.properties {
                    let path = format!("{path}/properties/{name}");
                    match a.properties.iter().find(|(known, _)| known == name) {
                        Some((_, known)) => {
                            self.compare(at.part(known), from.part(written), &path, depth + 1)?
                        }
                        None => match &a.additional {
                            Additional::Anything => {}
                            Additional::Schema(known) => {
                                self.compare(at.part(known), from.part(written), &path, depth + 1)?
                            }
                            Additional::Nothing => {
                                return differ(&format!("the property {name} is not allowed"));
                            }
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
                    (Additional::Schema(a), Additional::Schema(b)) => self.compare(
                        at.part(a),
                        from.part(b),
                        &format!("{path}/additionalProperties"),
                        depth + 1,
                    ),
                    _ => Ok(()),
                }
            }
            _ => differ("the types differ"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_schema_registry::{Format, RuleSet};

    fn compatible(reader: &str, writer: &str) -> bool {
        let schema = |text: &str| RegistrySchema::new(Format::Json, text);
        can_read(&registered(reader), &[], &schema(writer)) == Compatible::Yes
    }

    fn registered(text: &str) -> RegisteredSchema {
        RegisteredSchema {
            schema: RegistrySchema::new(Format::Json, text),
            id: 1,
            version: None,
            guid: None,
            rules: RuleSet::default(),
        }
    }

    #[test]
    fn references_are_followed_within_the_schema_and_into_others() {
        let order = r#"{"type":"object","properties":{"line":{"type":"object","properties":{
            "count":{"type":"integer"},"next":{"type":"object","properties":{"count":{"type":"integer"}}}}}}}"#;
        let writer = RegistrySchema::new(Format::Json, order);
        let line = |count: &str| {
            format!(
                r##"{{"type":"object","properties":{{"count":{{"type":"{count}"}},"next":{{"$ref":"#"}}}}}}"##
            )
        };
        for (count, expected) in [
            ("number", None),
            (
                "string",
                Some("at #/properties/line/properties/next/properties/count: the types differ"),
            ),
        ] {
            let outer = registered(r#"{"type":"object","properties":{"line":{"$ref":"line.json"}}}"#);
            let references = [(
                "line.json".to_owned(),
                std::sync::Arc::new(registered(&line(count))),
            )];
            // The same schema in one document.
            let inner = registered(&format!(
                r##"{{"type":"object","properties":{{"line":{{"$ref":"#/definitions/line"}}}},"definitions":{{"line":{}}}}}"##,
                line(count).replace("\"#\"", "\"#/definitions/line\"")
            ));
            for result in [
                can_read(&outer, &references, &writer),
                can_read(&inner, &[], &writer),
            ] {
                match (result, expected) {
                    (Compatible::Yes, None) => {}
                    (Compatible::No(reason), Some(text)) => assert_eq!(reason, text),
                    other => panic!("{other:?}"),
                }
            }
        }
        // What is missing is said, and a schema that is nothing but itself ends.
        let outer = registered(r#"{"$ref":"gone.json"}"#);
        let Compatible::No(reason) = can_read(&outer, &[], &writer) else {
            panic!("what is not there cannot be read with")
        };
        assert!(reason.contains("gone.json"), "{reason}");
        assert!(compatible(
            r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
            r#"{"type":"string"}"#
        ));
        assert!(!compatible(
            r#"{"type":"boolean"}"#,
            r##"{"$ref":"#/definitions/a","definitions":{"a":{"type":"string"}}}"##
        ));
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
