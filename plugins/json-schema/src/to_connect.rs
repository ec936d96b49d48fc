//! JSON schemas to Connect schemas, with the rules and oddities of upstream's converter.
//!
//! A struct that is reached by a second `$ref` gets the parameter `io.confluent.connect.json.Id`, as upstream; what refers to itself
//! has no Connect schema here, because Connect schemas of this worker are trees, and is refused. So is what grows beyond
//! [`MAX_NODES`] when references are followed: a few short definitions can describe billions of fields.

use std::collections::{HashMap, HashSet};

use wharf_api::{ConnectError, Result, Schema, SchemaBuilder, SchemaRef};
use wharf_converters::json::reader::Reader;

use crate::decode::Decoder;
use crate::documents::{Documents, Place};
use crate::from_connect::MAX_DEPTH;
use crate::json_tree::{Json, java_number};
use crate::model::{self, Additional, Criterion, Kind, Model, Object};
use crate::names::{
    self, ADDITIONAL_PROPERTIES, ENUM, GENERALIZED_ENUM, GENERALIZED_UNION, ID, NULL_MARKER, ONE_OF,
};
use crate::options::Options;
use crate::variant;

/// The most schemas that one JSON Schema may become, counted as often as they are used.
pub(crate) const MAX_NODES: usize = 100_000;

/// The Connect schema of the main document. `version` is that of the registry, for schemas that do not say their own.
///
/// # Errors
/// A data error when a part has no Connect schema, with what and why.
pub(crate) fn connect_schema(
    options: &Options,
    documents: &Documents,
    version: Option<i32>,
) -> Result<SchemaRef> {
    let convert = |ids: HashMap<Place, usize>| {
        let mut context = Context {
            options,
            documents,
            final_ids: ids,
            ids: HashMap::new(),
            structs: HashMap::new(),
            open: HashSet::new(),
            nodes: 0,
            id_index: 0,
            union_index: 0,
        };
        let root = documents.root();
        let (json, draft) = documents.get(&root)?;
        let model = model::load(json, draft, MAX_DEPTH)?;
        let schema = context.schema(
            &At {
                place: &root,
                model: &model,
            },
            version,
            false,
            0,
        )?;
        Ok::<_, ConnectError>((schema, context.ids))
    };
    let (schema, ids) = convert(HashMap::new())?;
    // All uses of a struct show the identifier of its last use, which is known only now.
    if ids.is_empty() {
        Ok(schema)
    } else {
        convert(ids).map(|(schema, _)| schema)
    }
}

/// A schema and the document that its references start from.
#[derive(Clone, Copy)]
struct At<'a> {
    place: &'a Place,
    model: &'a Model,
}

struct Context<'a> {
    options: &'a Options,
    documents: &'a Documents,
    final_ids: HashMap<Place, usize>,
    ids: HashMap<Place, usize>,
    /// Structs that a reference led to, with the number of schemas in each.
    structs: HashMap<Place, (SchemaRef, usize)>,
    /// References that are being followed.
    open: HashSet<Place>,
    nodes: usize,
    id_index: usize,
    union_index: usize,
}

impl Context<'_> {
    fn count(&mut self, nodes: usize, depth: usize) -> Result<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "the JSON Schema becomes more than {MAX_NODES} schemas or {MAX_DEPTH} levels when its references are followed; \
                 make it smaller"
            )));
        }
        Ok(())
    }

    fn schema(
        &mut self,
        at: &At<'_>,
        version: Option<i32>,
        optional: bool,
        depth: usize,
    ) -> Result<SchemaRef> {
        self.count(1, depth)?;
        let builder = match &at.model.kind {
            Kind::Boolean => SchemaBuilder::boolean(),
            Kind::Number { is_integer } => number(at.model, *is_integer)?,
            Kind::String if at.model.connect_type.as_deref() == Some("bytes") => SchemaBuilder::bytes(),
            Kind::String => SchemaBuilder::string(),
            Kind::Const(value) => self.symbols(std::slice::from_ref(value)),
            Kind::Enum(values) => self.symbols(values),
            Kind::Anything => variant::builder(),
            Kind::Array { items } => self.array(at, items.as_deref(), depth)?,
            Kind::Object(object) => self.object(at, object, depth)?,
            Kind::Combined(Criterion::All, members) => {
                return self.all_of(at, members, version, optional, depth);
            }
            Kind::Combined(_, members) => match self.choice(at, members, version, depth)? {
                Choice::Other(schema) => return Ok(schema),
                Choice::Union(builder) => *builder,
            },
            Kind::Reference(reference) => {
                return self.reference(at.place, reference, version, optional, depth);
            }
            Kind::Null => return Err(unsupported("org.everit.json.schema.NullSchema")),
            Kind::Unsupported(class) => return Err(unsupported(class)),
        };
        self.finish(at, builder, version, optional)
    }

    fn child(&mut self, at: &At<'_>, model: &Model, optional: bool, depth: usize) -> Result<SchemaRef> {
        self.schema(
            &At {
                place: at.place,
                model,
            },
            None,
            optional,
            depth + 1,
        )
    }

    /// Adds name, version, doc, parameters and default.
    fn finish(
        &mut self,
        at: &At<'_>,
        mut builder: SchemaBuilder,
        version: Option<i32>,
        optional: bool,
    ) -> Result<SchemaRef> {
        let model = at.model;
        let so_far = builder.clone().build()?;
        if let (Some(title), None) = (&model.title, so_far.name()) {
            builder = builder.name(title);
        }
        if let Some(version) = model.connect_version.or(version) {
            builder = builder.version(version);
        }
        if let Some(description) = &model.description {
            builder = builder.doc(description);
        }
        builder = builder.parameters(model.connect_parameters.iter().cloned());
        if let Some(default) = model.default.as_ref().filter(|default| **default != Json::Null) {
            let so_far = builder.clone().build()?;
            let text = default.to_text();
            let value = Decoder::new(self.options, text.len())
                .value(&so_far, &mut Reader::new(text.as_bytes()))
                .map_err(|cause| ConnectError::schema_builder("Invalid default value").caused_by(cause))?;
            builder = builder.default_value(value);
        }
        if optional {
            builder = builder.optional();
        }
        builder.build()
    }

    fn symbols(&self, values: &[Json]) -> SchemaBuilder {
        let is_generalized = self.options.generalized_sum_types;
        let name = if is_generalized { GENERALIZED_ENUM } else { ENUM };
        // Enums of JSON have no name.
        let builder = SchemaBuilder::string().parameter(name, "");
        values
            .iter()
            .enumerate()
            .fold(builder, |builder, (position, value)| {
                let symbol = match value {
                    Json::Null => NULL_MARKER.to_owned(),
                    Json::String(text) => text.clone(),
                    Json::Number(text) => java_number(text),
                    other => other.to_text(),
                };
                let value = if is_generalized {
                    position.to_string()
                } else {
                    symbol.clone()
                };
                builder.parameter(format!("{name}.{symbol}"), value)
            })
    }

    fn array(&mut self, at: &At<'_>, items: Option<&Model>, depth: usize) -> Result<SchemaBuilder> {
        let items = items.ok_or_else(|| ConnectError::data("Array schema did not specify the items type"))?;
        if at.model.connect_type.as_deref() == Some("map")
            && let Kind::Object(entry) = &items.kind
        {
            let mut part = |name: &str| {
                let property = entry.properties.iter().find(|(property, _)| property == name);
                let (_, property) = property.ok_or_else(|| {
                    ConnectError::data(format!(
                        "a map's entries have no property \"{name}\" in the JSON Schema"
                    ))
                })?;
                self.child(at, property, false, depth)
            };
            return Ok(SchemaBuilder::map(part(names::KEY)?, part(names::VALUE)?));
        }
        Ok(SchemaBuilder::array(self.child(at, items, false, depth)?))
    }

    fn object(&mut self, at: &At<'_>, object: &Object, depth: usize) -> Result<SchemaBuilder> {
        if at.model.connect_type.as_deref() == Some("map") {
            let Additional::Schema(values) = &object.additional else {
                return Err(ConnectError::data(
                    "an object with connect.type map has no schema in additionalProperties for its values",
                ));
            };
            return Ok(SchemaBuilder::map(
                Schema::string(),
                self.child(at, values, false, depth)?,
            ));
        }
        let keeps_extras =
            self.options.preserve_additional_properties && !matches!(object.additional, Additional::Nothing);
        let mut builder = SchemaBuilder::structure();
        for (name, property) in by_index(&object.properties) {
            if keeps_extras && name == ADDITIONAL_PROPERTIES {
                return Err(ConnectError::data(format!(
                    "JSON Schema property name '{ADDITIONAL_PROPERTIES}' collides with the reserved field name for \
                     preserve.additional.properties=true. Rename the property or disable the config."
                )));
            }
            let is_optional = self.options.optional_for_nonrequired && !object.required.contains(name);
            builder = builder.field(name, self.child(at, property, is_optional, depth)?);
        }
        if keeps_extras {
            let extras = SchemaBuilder::map(Schema::string(), variant::schema()?)
                .optional()
                .build()?;
            builder = builder.field(ADDITIONAL_PROPERTIES, extras);
        }
        Ok(builder)
    }

    fn choice(
        &mut self,
        at: &At<'_>,
        members: &[Model],
        version: Option<i32>,
        depth: usize,
    ) -> Result<Choice> {
        if let [member] = members
            && self.options.flatten_singleton_unions
        {
            return self.child(at, member, false, depth).map(Choice::Other);
        }
        let is_generalized = self.options.generalized_sum_types;
        let name = if is_generalized {
            let index = self.union_index;
            self.union_index += 1;
            format!("{}{index}", names::UNION_PREFIX)
        } else {
            ONE_OF.to_owned()
        };
        let is_null = |member: &&Model| matches!(member.kind, Kind::Null);
        if let [first, second] = members
            && (is_null(&first) || is_null(&second))
        {
            let other = if is_null(&second) { first } else { second };
            return self
                .schema(
                    &At {
                        place: at.place,
                        model: other,
                    },
                    version,
                    true,
                    depth + 1,
                )
                .map(Choice::Other);
        }
        let mut builder = SchemaBuilder::structure().name(&name);
        if is_generalized {
            builder = builder.parameter(GENERALIZED_UNION, &name);
        }
        for (index, member) in members.iter().filter(|member| !is_null(member)).enumerate() {
            let field = if is_generalized {
                format!("{}{index}", names::UNION_FIELD_PREFIX)
            } else {
                format!("{name}.field.{index}")
            };
            builder = builder.field(field, self.child(at, member, true, depth)?);
        }
        if members.iter().any(|member| is_null(&member)) {
            builder = builder.optional();
        }
        Ok(Choice::Union(Box::new(builder)))
    }

    fn all_of(
        &mut self,
        at: &At<'_>,
        members: &[Model],
        version: Option<i32>,
        optional: bool,
        depth: usize,
    ) -> Result<SchemaRef> {
        if let [member] = members
            && self.options.flatten_singleton_unions
        {
            return self.child(at, member, false, depth);
        }
        let mut properties: Vec<Property> = Vec::new();
        for member in members {
            self.collect(at.place, member, &mut properties, &mut HashSet::new(), 0)?;
        }
        if !properties.is_empty() {
            let mut builder = SchemaBuilder::structure();
            for Property {
                name,
                place,
                model,
                is_required,
            } in &properties
            {
                let is_optional = self.options.optional_for_nonrequired && !is_required;
                builder = builder.field(name, self.child(&At { place, model }, model, is_optional, depth)?);
            }
            if optional {
                builder = builder.optional();
            }
            return builder.build();
        }
        // Of members of one kind the last counts.
        let last = |matches: fn(&Kind) -> bool| members.iter().rev().find(|member| matches(&member.kind));
        let number = last(|kind| matches!(kind, Kind::Number { .. }));
        let text = last(|kind| matches!(kind, Kind::String));
        let chosen = if let Some(combined) = last(|kind| matches!(kind, Kind::Combined(..))) {
            Some(combined)
        } else if last(|kind| matches!(kind, Kind::Const(_))).is_some() {
            text.or(number)
        } else if let Some(symbols) = last(|kind| matches!(kind, Kind::Enum(_))) {
            text.map(|_| symbols).or(number)
        } else if text.is_some() {
            number.or(text)
        } else {
            last(|kind| matches!(kind, Kind::Reference(_)))
        };
        match chosen {
            Some(model) => self.schema(
                &At {
                    place: at.place,
                    model,
                },
                version,
                optional,
                depth + 1,
            ),
            None => Err(ConnectError::data(
                "Unsupported criterion allOf: its members have neither properties nor a type that could be taken for all of them",
            )),
        }
    }

    /// Properties of all objects that an `allOf` joins, references included.
    fn collect(
        &mut self,
        place: &Place,
        model: &Model,
        properties: &mut Vec<Property>,
        visited: &mut HashSet<Place>,
        depth: usize,
    ) -> Result<()> {
        self.count(1, depth)?;
        match &model.kind {
            Kind::Combined(Criterion::All, members) => members
                .iter()
                .try_for_each(|member| self.collect(place, member, properties, visited, depth + 1)),
            Kind::Object(object) => {
                for (name, property) in &object.properties {
                    let found = Property {
                        name: name.clone(),
                        place: place.clone(),
                        model: property.clone(),
                        is_required: object.required.contains(name),
                    };
                    match properties.iter_mut().find(|known| known.name == *name) {
                        Some(known) => *known = found,
                        None => properties.push(found),
                    }
                }
                Ok(())
            }
            Kind::Reference(reference) => {
                let target = self.documents.resolve(place, reference)?;
                if !visited.insert(target.clone()) {
                    return Ok(());
                }
                let (json, draft) = self.documents.get(&target)?;
                let model = model::load(json, draft, MAX_DEPTH)?;
                self.collect(&target, &model, properties, visited, depth + 1)
            }
            _ => Ok(()),
        }
    }

    fn reference(
        &mut self,
        from: &Place,
        reference: &str,
        version: Option<i32>,
        optional: bool,
        depth: usize,
    ) -> Result<SchemaRef> {
        let target = self.documents.resolve(from, reference)?;
        if let Some((schema, nodes)) = self.structs.get(&target).cloned() {
            self.count(nodes, depth)?;
            self.id_index += 1;
            self.ids.insert(target.clone(), self.id_index);
            let id = self.final_ids.get(&target).copied().unwrap_or(self.id_index);
            return with_id(&schema, id, optional);
        }
        if !self.open.insert(target.clone()) {
            return Err(ConnectError::data(format!(
                "the JSON Schema refers to itself by {reference}, and a recursive schema has no Connect schema here; limit the \
                 nesting, or read the topic with another converter"
            )));
        }
        let before = self.nodes;
        let (json, draft) = self.documents.get(&target)?;
        let model = model::load(json, draft, MAX_DEPTH)?;
        let schema = self.schema(
            &At {
                place: &target,
                model: &model,
            },
            version,
            optional,
            depth + 1,
        )?;
        self.open.remove(&target);
        if is_own_struct(&model, &schema) {
            self.structs
                .insert(target.clone(), (SchemaRef::clone(&schema), self.nodes - before));
            if let Some(&id) = self.final_ids.get(&target)
                && schema.parameters().is_some()
            {
                // Upstream shares the parameters of all uses, if there are any.
                return with_id(&schema, id, schema.is_optional());
            }
        }
        Ok(schema)
    }
}

enum Choice {
    /// The choice was none; this is the finished schema.
    Other(SchemaRef),
    Union(Box<SchemaBuilder>),
}

struct Property {
    name: String,
    place: Place,
    model: Model,
    is_required: bool,
}

/// Whether a schema is a struct of the model itself, not of a part of it.
fn is_own_struct(model: &Model, schema: &Schema) -> bool {
    schema.schema_type() == wharf_api::SchemaType::Struct
        && match &model.kind {
            Kind::Object(_) => true,
            Kind::Combined(Criterion::All, members) => members.len() > 1 && !names::is_union(schema),
            _ => false,
        }
}

/// The same struct with an identifier.
fn with_id(schema: &Schema, id: usize, optional: bool) -> Result<SchemaRef> {
    let mut builder = SchemaBuilder::structure();
    for field in schema.fields()? {
        builder = builder.field(field.name(), SchemaRef::clone(field.schema()));
    }
    if let Some(name) = schema.name() {
        builder = builder.name(name);
    }
    if let Some(version) = schema.version() {
        builder = builder.version(version);
    }
    if let Some(doc) = schema.doc() {
        builder = builder.doc(doc);
    }
    builder = builder.parameters(schema.parameters().unwrap_or_default().iter().cloned());
    builder = builder.parameter(ID, format!("{}{id}", names::ID_PREFIX));
    if optional {
        builder = builder.optional();
    }
    builder.build()
}

fn number(model: &Model, is_integer: bool) -> Result<SchemaBuilder> {
    Ok(match model.connect_type.as_deref() {
        None if is_integer => SchemaBuilder::int64(),
        None => SchemaBuilder::float64(),
        Some("int8") => SchemaBuilder::int8(),
        Some("int16") => SchemaBuilder::int16(),
        Some("int32") => SchemaBuilder::int32(),
        Some("int64") => SchemaBuilder::int64(),
        Some("float32") => SchemaBuilder::float32(),
        Some("float64") => SchemaBuilder::float64(),
        Some("bytes") => SchemaBuilder::bytes(),
        Some(other) => return Err(ConnectError::data(format!("Unsupported type {other}"))),
    })
}

/// Properties in the order of `connect.index`; one without, or whose index is taken, comes where the next number is free.
fn by_index(properties: &[(String, Model)]) -> Vec<(&str, &Model)> {
    let mut places: HashMap<usize, (&str, &Model)> = HashMap::new();
    let mut rest = Vec::new();
    for (name, model) in properties {
        match model.connect_index {
            Some(index) if !places.contains_key(&index) => {
                places.insert(index, (name, model));
            }
            _ => rest.push((name.as_str(), model)),
        }
    }
    let mut next = 0;
    for property in rest {
        while places.contains_key(&next) {
            next += 1;
        }
        places.insert(next, property);
    }
    let mut placed: Vec<_> = places.into_iter().collect();
    placed.sort_by_key(|(index, _)| *index);
    placed.into_iter().map(|(_, property)| property).collect()
}

#[cold]
fn unsupported(class: &str) -> ConnectError {
    ConnectError::data(format!("Unsupported schema type {class}"))
}

#[cfg(test)]
#[path = "to_connect_tests.rs"]
mod tests;
