//! The documents that a JSON Schema consists of: itself and what it refers to, and where a `$ref` leads.
//!
//! Only what the registry delivered is looked at. Nothing is fetched from the network, whatever a schema says.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use wharf_api::{ConnectError, Result};

use crate::json_tree::Json;
use crate::model::Draft;

/// A place in one of the documents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    document: usize,
    /// JSON pointer, empty for the whole document.
    pointer: String,
}

struct Document {
    /// The name by which the main schema refers to it; empty for the main schema itself.
    name: String,
    json: Json,
    draft: Draft,
    /// The identifier that it gives itself.
    id: Option<String>,
    /// Identifiers and anchors within, and where they are.
    ids: HashMap<String, String>,
}

/// All documents; the first is the main one.
pub(crate) struct Documents(Vec<Document>);

/// Deeper than this nobody looks for identifiers; schemas that nest so deep are refused anyway.
const MAX_DEPTH: usize = 200;

impl Documents {
    /// The main schema, and those that it refers to with their names.
    ///
    /// # Errors
    /// A data error when one of them is not JSON.
    pub(crate) fn parse<'a>(
        text: &'a str,
        references: impl Iterator<Item = (&'a str, &'a str)>,
        ignore_modern_dialects: bool,
    ) -> Result<Self> {
        let mut documents = Vec::new();
        for (name, text) in std::iter::once(("", text)).chain(references) {
            let json = Json::parse(text.as_bytes()).map_err(|cause| {
                let which = if name.is_empty() {
                    "the schema".to_owned()
                } else {
                    format!("the referenced schema {name}")
                };
                ConnectError::data(format!(
                    "{which} is not a JSON Schema; correct it in the registry"
                ))
                .caused_by(cause)
            })?;
            let draft = Draft::of(&json, ignore_modern_dialects);
            let id_keyword = if draft == Draft::Draft4 { "id" } else { "$id" };
            let id = json
                .get(id_keyword)
                .and_then(Json::as_str)
                .map(without_fragment)
                .filter(|id| !id.is_empty());
            let mut ids = HashMap::new();
            collect_ids(&json, id_keyword, String::new(), 0, &mut ids);
            documents.push(Document {
                name: name.to_owned(),
                id: id.map(str::to_owned),
                json,
                draft,
                ids,
            });
        }
        Ok(Self(documents))
    }

    /// The main schema.
    pub(crate) fn root(&self) -> Place {
        Place {
            document: 0,
            pointer: String::new(),
        }
    }

    /// What stands at a place, and how to read it.
    ///
    /// # Errors
    /// A data error when there is nothing.
    pub(crate) fn get(&self, place: &Place) -> Result<(&Json, Draft)> {
        let document = &self.0[place.document];
        let mut json = &document.json;
        let parts = place.pointer.split('/').skip(1).enumerate();
        let nothing = || {
            ConnectError::data(format!(
                "a $ref of the JSON Schema leads to #{}, where nothing is",
                place.pointer
            ))
        };
        for (position, part) in parts {
            let part = part.replace("~1", "/").replace("~0", "~");
            json = match json {
                Json::Object(members) => match members.get(&part) {
                    Some(member) => member,
                    // `$defs` is the newer name of `definitions`, and serves for both.
                    None if position == 0 && part == "$defs" => {
                        members.get("definitions").ok_or_else(nothing)?
                    }
                    None => return Err(nothing()),
                },
                Json::Array(items) => part
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index))
                    .ok_or_else(nothing)?,
                _ => return Err(nothing()),
            };
        }
        Ok((json, document.draft))
    }

    /// Where a reference leads that stands in the document of `from`.
    ///
    /// # Errors
    /// A data error when it leads out of what the registry delivered.
    pub(crate) fn resolve(&self, from: &Place, reference: &str) -> Result<Place> {
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let found = if uri.is_empty() {
            Some((from.document, String::new()))
        } else {
            self.find(from.document, uri)
        };
        let Some((document, base)) = found else {
            return Err(ConnectError::data(format!(
                "the JSON Schema refers to {uri}, which is not among its references in the registry; register it with a \
                 reference of that name"
            )));
        };
        let fragment = percent_decode_str(fragment).decode_utf8_lossy();
        let pointer = if fragment.is_empty() || fragment.starts_with('/') {
            format!("{base}{fragment}")
        } else {
            self.0[document]
                .ids
                .get(&format!("#{fragment}"))
                .cloned()
                .ok_or_else(|| {
                    ConnectError::data(format!(
                        "the JSON Schema refers to the anchor {fragment}, which it does not have"
                    ))
                })?
        };
        Ok(Place { document, pointer })
    }

    fn find(&self, from: usize, uri: &str) -> Option<(usize, String)> {
        let absolute = self.0[from].id.as_deref().map(|base| joined(base, uri));
        let plain = uri.strip_prefix("./").unwrap_or(uri);
        let is_name = |name: &str| {
            !name.is_empty()
                && (name == uri
                    || name.strip_prefix("./").unwrap_or(name) == plain
                    || absolute.as_deref() == Some(name)
                    || absolute.is_some()
                        && self.0[from].id.as_deref().map(|base| joined(base, name)) == absolute)
        };
        if let Some(position) = self.0.iter().position(|document| is_name(&document.name)) {
            return Some((position, String::new()));
        }
        let is_id = |id: &str| id == uri || absolute.as_deref() == Some(id);
        for (position, document) in self.0.iter().enumerate() {
            if document.id.as_deref().is_some_and(is_id) {
                return Some((position, String::new()));
            }
            let base = document.id.as_deref().unwrap_or_default();
            let inner = document
                .ids
                .iter()
                .find(|(id, _)| !id.starts_with('#') && (is_id(id) || is_id(&joined(base, id))));
            if let Some((_, pointer)) = inner {
                return Some((position, pointer.clone()));
            }
        }
        None
    }
}

fn without_fragment(uri: &str) -> &str {
    uri.split_once('#').map_or(uri, |(uri, _)| uri)
}

/// A relative reference on a base: its last segment is replaced.
fn joined(base: &str, relative: &str) -> String {
    if relative.contains("://") || relative.starts_with("urn:") {
        return relative.to_owned();
    }
    let authority = base.find("://").map_or(0, |at| {
        base[at + 3..]
            .find('/')
            .map_or(base.len(), |slash| at + 3 + slash)
    });
    if relative.starts_with('/') {
        return format!("{}{relative}", &base[..authority]);
    }
    let folder = base
        .rfind('/')
        .filter(|at| *at >= authority)
        .map_or(base, |at| &base[..=at]);
    let separator = if folder.is_empty() || folder.ends_with('/') {
        ""
    } else {
        "/"
    };
    let plain = relative.strip_prefix("./").unwrap_or(relative);
    if base.contains('/') {
        format!("{folder}{separator}{plain}")
    } else {
        plain.to_owned()
    }
}

/// Finds `$id`, `$anchor` and the like below a schema.
fn collect_ids(
    json: &Json,
    id_keyword: &str,
    pointer: String,
    depth: usize,
    ids: &mut HashMap<String, String>,
) {
    if depth > MAX_DEPTH {
        return;
    }
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                match value {
                    Json::String(text) if name == id_keyword && !pointer.is_empty() => {
                        ids.entry(text.clone()).or_insert_with(|| pointer.clone());
                    }
                    Json::String(text) if name == "$anchor" || name == "$dynamicAnchor" => {
                        ids.entry(format!("#{text}")).or_insert_with(|| pointer.clone());
                    }
                    Json::Object(_) | Json::Array(_)
                        if !matches!(name.as_str(), "enum" | "const" | "default") =>
                    {
                        let name = name.replace('~', "~0").replace('/', "~1");
                        collect_ids(value, id_keyword, format!("{pointer}/{name}"), depth + 1, ids);
                    }
                    _ => {}
                }
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_ids(item, id_keyword, format!("{pointer}/{index}"), depth + 1, ids);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(main: &str, others: &[(&str, &str)], reference: &str) -> std::result::Result<String, String> {
        let documents = Documents::parse(main, others.iter().copied(), false).unwrap();
        documents
            .resolve(&documents.root(), reference)
            .and_then(|place| documents.get(&place).map(|(json, _)| json.to_text()))
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn references_lead_within_the_document() {
        let main = r##"{"$id":"http://x.org/a/main.json","definitions":{"n/m":{"type":"null"},
            "b":{"$id":"b.json","type":"boolean"},"c":{"$id":"#c","type":"string"},"d":{"$anchor":"d","type":"number"}}}"##;
        for (reference, expected) in [
            ("#/definitions/n~1m", r#"{"type":"null"}"#),
            ("#/$defs/n~1m", r#"{"type":"null"}"#),
            ("#/definitions/n~1m/type", r#""null""#),
            ("http://x.org/a/main.json#/definitions/n~1m", r#"{"type":"null"}"#),
            ("main.json#/definitions/n~1m", r#"{"type":"null"}"#),
            ("b.json", r#"{"$id":"b.json","type":"boolean"}"#),
            ("http://x.org/a/b.json#/type", r#""boolean""#),
            ("#c", r##"{"$id":"#c","type":"string"}"##),
            ("#d", r#"{"$anchor":"d","type":"number"}"#),
        ] {
            assert_eq!(found(main, &[], reference).unwrap(), expected, "{reference}");
        }
        for reference in ["#/definitions/zz", "#zz", "other.json", "http://y.org/a"] {
            assert!(found(main, &[], reference).is_err(), "{reference}");
        }
    }

    #[test]
    fn references_lead_to_what_the_registry_delivered() {
        let others = [
            ("other.json", r#"{"definitions":{"a":{"type":"null"}}}"#),
            ("http://x.org/far.json", "true"),
        ];
        for main in ["{}", r#"{"$id":"http://x.org/main.json"}"#] {
            assert_eq!(
                found(main, &others, "other.json#/definitions/a").unwrap(),
                r#"{"type":"null"}"#
            );
            assert_eq!(
                found(main, &others, "./other.json#/$defs/a/type").unwrap(),
                r#""null""#
            );
            assert_eq!(found(main, &others, "http://x.org/far.json").unwrap(), "true");
        }
        let by_id = r#"{"$id":"http://x.org/main.json"}"#;
        assert_eq!(found(by_id, &others, "far.json").unwrap(), "true");
        assert_eq!(
            found(by_id, &others, "http://x.org/other.json#/definitions/a/type").unwrap(),
            r#""null""#
        );
    }
}
