//! JSON schemas as upstream's schema library sees them.
//!
//! A schema object may say several things at once (`type`, `enum`, `oneOf`, …). The library makes one schema of each and joins them
//! in an `allOf` of its own; which kinds come out, and in which order, decides what Connect schema follows. [`load`] does the same for
//! one object and its parts; references stay references.

use std::collections::HashSet;

use wharf_api::{ConnectError, Result};

use crate::java_hash::{self, Table};
use crate::json_tree::Json;
use crate::names;

/// Versions of the specification, as far as they differ here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Draft {
    Draft4,
    Draft6,
    Draft7,
    /// 2019-09 and 2020-12.
    Modern,
}

impl Draft {
    /// The draft that a document names, draft 7 when it names none.
    pub(crate) fn of(document: &Json, ignore_modern_dialects: bool) -> Self {
        let url = document.get("$schema").and_then(Json::as_str).unwrap_or_default();
        let url = url.strip_suffix('#').unwrap_or(url);
        let name = url.split_once("://json-schema.org/").map_or("", |(_, name)| name);
        match name {
            "draft-04/schema" | "schema" => Self::Draft4,
            "draft-06/schema" => Self::Draft6,
            "draft/2019-09/schema" | "draft/2020-12/schema" if !ignore_modern_dialects => Self::Modern,
            _ => Self::Draft7,
        }
    }
}

/// How the members of a combination count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Criterion {
    All,
    Any,
    One,
}

/// One schema.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) kind: Kind,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) default: Option<Json>,
    pub(crate) connect_type: Option<String>,
    pub(crate) connect_version: Option<i32>,
    pub(crate) connect_index: Option<usize>,
    pub(crate) connect_parameters: Vec<(String, String)>,
}

/// What a schema is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Boolean,
    Number {
        is_integer: bool,
    },
    String,
    Null,
    Const(Json),
    Enum(Vec<Json>),
    Array {
        items: Option<Box<Model>>,
    },
    Object(Object),
    Combined(Criterion, Vec<Model>),
    /// `$ref` as it is written.
    Reference(String),
    /// Anything is valid.
    Anything,
    /// Has no Connect schema; the name is that of the library's class.
    Unsupported(&'static str),
}

/// An object's parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    /// In the order of the library's hash map.
    pub(crate) properties: Vec<(String, Model)>,
    pub(crate) required: HashSet<String>,
    pub(crate) additional: Additional,
}

/// What an object may have besides its properties.
#[derive(Debug, Clone, Default)]
pub(crate) enum Additional {
    #[default]
    Anything,
    Nothing,
    Schema(Box<Model>),
}

const OBJECT_KEYWORDS: &[&str] = &[
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "patternProperties",
    "additionalProperties",
];
const ARRAY_KEYWORDS: &[&str] = &["items", "additionalItems", "minItems", "maxItems", "uniqueItems"];
const NUMBER_KEYWORDS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];
const STRING_KEYWORDS: &[&str] = &["minLength", "maxLength", "pattern", "format"];

/// Reads one schema.
///
/// # Errors
/// A data error when it is no schema, or nests more than `depth` levels.
pub(crate) fn load(json: &Json, draft: Draft, depth: usize) -> Result<Model> {
    let depth = depth.checked_sub(1).ok_or_else(|| {
        ConnectError::data("the JSON Schema nests too deeply for a Connect schema; flatten it")
    })?;
    let schema = match json {
        Json::Boolean(true) => return Ok(Model::bare(Kind::Anything)),
        Json::Boolean(false) => {
            return Ok(Model::bare(Kind::Unsupported(
                "org.everit.json.schema.FalseSchema",
            )));
        }
        Json::Object(_) => json,
        other => {
            return Err(ConnectError::data(format!(
                "a JSON Schema is an object or a boolean, but found {}; correct the schema in the registry",
                shortened(other)
            )));
        }
    };
    let mut kinds = Loader { schema, draft, depth }.kinds()?;
    let kind = match kinds.len() {
        0 => Kind::Anything,
        1 => kinds.remove(0),
        _ => Kind::Combined(Criterion::All, kinds.into_iter().map(Model::bare).collect()),
    };
    let mut model = Model::bare(kind);
    let text = |name: &str| schema.get(name).and_then(Json::as_str).map(str::to_owned);
    model.title = text("title");
    model.description = text("description");
    model.default = schema.get("default").cloned();
    model.connect_type = text(names::CONNECT_TYPE);
    model.connect_version = schema.get(names::CONNECT_VERSION).and_then(Json::as_i32);
    model.connect_index = schema
        .get(names::CONNECT_INDEX)
        .and_then(Json::as_i32)
        .and_then(|index| usize::try_from(index).ok());
    if let Some(parameters) = schema.get(names::CONNECT_PARAMETERS).and_then(Json::as_object) {
        for (name, value) in parameters {
            let value = value.as_str().ok_or_else(|| {
                ConnectError::data(format!(
                    "the parameter {name} in {} is not a text",
                    names::CONNECT_PARAMETERS
                ))
            })?;
            model.connect_parameters.push((name.clone(), value.to_owned()));
        }
        model.connect_parameters = java_hash::sort_copied(model.connect_parameters);
    }
    Ok(model)
}

impl Model {
    fn bare(kind: Kind) -> Self {
        Self {
            kind,
            title: None,
            description: None,
            default: None,
            connect_type: None,
            connect_version: None,
            connect_index: None,
            connect_parameters: Vec::new(),
        }
    }
}

struct Loader<'a> {
    schema: &'a Json,
    draft: Draft,
    depth: usize,
}

impl<'a> Loader<'a> {
    fn get(&self, name: &str) -> Option<&'a Json> {
        self.schema.get(name)
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }

    fn child(&self, json: &Json) -> Result<Model> {
        load(json, self.draft, self.depth)
    }

    fn array_of(&self, name: &str) -> Result<Option<&'a [Json]>> {
        match self.get(name) {
            None => Ok(None),
            Some(json) => json.as_array().map(Some).ok_or_else(|| {
                ConnectError::data(format!(
                    "the keyword {name} of a JSON Schema is not an array; correct the schema"
                ))
            }),
        }
    }

    /// One kind for each thing that the schema says, in the library's order.
    fn kinds(&self) -> Result<Vec<Kind>> {
        let mut kinds = Vec::new();
        if let Some(reference) = self.get("$ref") {
            let reference = reference
                .as_str()
                .ok_or_else(|| ConnectError::data("the keyword $ref of a JSON Schema is not a text"))?;
            kinds.push(Kind::Reference(reference.to_owned()));
            // Up to draft 7 nothing beside a reference counts.
            if self.draft < Draft::Modern {
                return Ok(kinds);
            }
        }
        if let Some(symbols) = self.array_of("enum")? {
            kinds.push(Kind::Enum(symbols.to_vec()));
        }
        // A hash set's order of these three.
        for (name, criterion) in [
            ("allOf", Criterion::All),
            ("oneOf", Criterion::One),
            ("anyOf", Criterion::Any),
        ] {
            if let Some(members) = self.array_of(name)? {
                let members = members
                    .iter()
                    .map(|member| self.child(member))
                    .collect::<Result<_>>()?;
                kinds.push(Kind::Combined(criterion, members));
            }
        }
        if self.get("not").is_some() {
            kinds.push(Kind::Unsupported("org.everit.json.schema.NotSchema"));
        }
        if let Some(constant) = self.get("const")
            && self.draft > Draft::Draft4
        {
            kinds.push(Kind::Const(constant.clone()));
        }
        let types = self.types()?;
        let explicit = types
            .iter()
            .map(|name| self.of_type(name))
            .collect::<Result<Vec<_>>>()?;
        match self.get("type") {
            Some(Json::Array(_)) => {
                kinds.push(Kind::Combined(
                    Criterion::Any,
                    explicit.into_iter().map(Model::bare).collect(),
                ));
            }
            _ => kinds.extend(explicit),
        }
        let is_typed = |name: &str| types.contains(&name);
        if !is_typed("array")
            && (self.has_any(ARRAY_KEYWORDS) || self.draft > Draft::Draft4 && self.get("contains").is_some())
        {
            kinds.push(self.array()?);
        }
        if !is_typed("object")
            && (self.has_any(OBJECT_KEYWORDS)
                || self.draft > Draft::Draft4 && self.get("propertyNames").is_some())
        {
            kinds.push(self.object()?);
        }
        if !is_typed("number") && !is_typed("integer") && self.has_any(NUMBER_KEYWORDS) {
            kinds.push(Kind::Number { is_integer: false });
        }
        // The library for modern drafts leaves formats out.
        let texts = if self.draft < Draft::Modern {
            STRING_KEYWORDS
        } else {
            &STRING_KEYWORDS[..3]
        };
        if !is_typed("string") && self.has_any(texts) {
            kinds.push(Kind::String);
        }
        if self.draft >= Draft::Draft7 && self.has_any(&["if", "then", "else"]) {
            kinds.push(Kind::Unsupported("org.everit.json.schema.ConditionalSchema"));
        }
        Ok(kinds)
    }

    fn types(&self) -> Result<Vec<&'a str>> {
        let wrong = || {
            ConnectError::data("the keyword type of a JSON Schema is neither a text nor an array of texts")
        };
        match self.get("type") {
            None => Ok(Vec::new()),
            Some(Json::String(name)) => Ok(vec![name]),
            Some(Json::Array(names)) => names.iter().map(|name| name.as_str().ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    fn of_type(&self, name: &str) -> Result<Kind> {
        Ok(match name {
            "string" => Kind::String,
            "integer" => Kind::Number { is_integer: true },
            "number" => Kind::Number { is_integer: false },
            "boolean" => Kind::Boolean,
            "null" => Kind::Null,
            "array" => self.array()?,
            "object" => self.object()?,
            other => {
                return Err(ConnectError::data(format!(
                    "unknown type: [{other}]; a JSON Schema has the types string, integer, number, boolean, null, array and object"
                )));
            }
        })
    }

    fn array(&self) -> Result<Kind> {
        // A list of item schemas describes a tuple, which gives no schema for all items.
        let items = match self.get("items") {
            Some(Json::Array(_)) | None => None,
            Some(Json::Boolean(_)) if self.draft == Draft::Modern => None,
            Some(_) if self.draft == Draft::Modern && self.get("prefixItems").is_some() => None,
            Some(items) => Some(Box::new(self.child(items)?)),
        };
        Ok(Kind::Array { items })
    }

    fn object(&self) -> Result<Kind> {
        let mut object = Object::default();
        if let Some(properties) = self.get("properties") {
            let properties = properties.as_object().ok_or_else(|| {
                ConnectError::data("the keyword properties of a JSON Schema is not an object")
            })?;
            let loaded = properties
                .iter()
                .map(|(name, schema)| Ok((name.clone(), self.child(schema)?)))
                .collect::<Result<_>>()?;
            object.properties = java_hash::sort(loaded, Table::Grown);
        }
        if let Some(required) = self.array_of("required")? {
            object.required = required
                .iter()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect();
        }
        object.additional = match self.get("additionalProperties") {
            None | Some(Json::Boolean(true)) => Additional::Anything,
            Some(Json::Boolean(false)) => Additional::Nothing,
            Some(schema) => Additional::Schema(Box::new(self.child(schema)?)),
        };
        Ok(Kind::Object(object))
    }
}

/// The start of a value's text, for messages.
pub(crate) fn shortened(json: &Json) -> String {
    let text = json.to_text();
    let shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        format!("{shown}…")
    } else {
        shown
    }
}
