//! The Avro schema of a Connect schema.
//!
//! Schemas that are equal become one type; so do structs of one name, wherever they stand below the first. The order in
//! which properties are added is the order in which they are written, so it is part of what must stay true.

use std::collections::{HashMap, HashSet};

use wharf_api::{ConnectError, Result, Schema, SchemaRef, SchemaType, logical};

use super::default_value::to_json;
use super::{
    AVRO_PREFIX, AvroDataConfig, CONNECT_DECIMAL_PRECISION, CONNECT_DEFAULT, CONNECT_DOC, CONNECT_ENUM_DOC,
    CONNECT_INTERNAL_TYPE, CONNECT_NAME, CONNECT_PARAMETERS, CONNECT_RECORD_DOC, CONNECT_TYPE,
    CONNECT_VERSION, DEFAULT_PRECISION, DEFAULT_SCHEMA_NAME, ENUM, ENUM_DEFAULT_PREFIX, ENUM_DOC_PREFIX,
    FIELD_DEFAULT_FLAG, FIELD_DOC_PREFIX, GENERAL_ENUM, KEY_FIELD, LOGICAL_TYPE, MAP_ENTRY, NAMESPACE,
    RECORD_DOC, VALUE_FIELD, fixed_size, is_union, scrub_full_name, scrub_name, split_name,
};
use crate::json::Json;
use crate::schema::{
    AvroSchema, Enum, Fixed, Kind, Name, NodeId, Record, RecordField, SchemaGraph, check_name,
    is_valid_default,
};

/// How deep schemas may nest: as deep as values can cross the plugin border.
const MAX_DEPTH: usize = wharf_api::flat::MAX_DEPTH;

/// The Avro schema of a Connect schema; of none, the one for data without schema.
///
/// # Errors
/// A data error for names that Avro does not take, and for what has no Avro type.
pub(crate) fn from_connect(config: &AvroDataConfig, schema: Option<&SchemaRef>) -> Result<AvroSchema> {
    let mut builder = Builder {
        config,
        graph: SchemaGraph::default(),
        known: Vec::new(),
        structs: HashMap::new(),
        seen_names: HashSet::new(),
        unnamed: 0,
        depth: 0,
    };
    let root = match schema {
        Some(schema) => builder.schema(schema, As::Itself, false)?,
        None => builder.anything(),
    };
    let schema = builder.graph.finish(root);
    check_names(&schema)?;
    Ok(schema)
}

fn check_names(schema: &AvroSchema) -> Result<()> {
    let check = |name: &str| {
        check_name(name).map_err(|reason| {
            ConnectError::data(reason)
                .with_class("org.apache.avro.SchemaParseException")
                .caused_by(ConnectError::data(
                    "Avro's names have only letters, digits and _; scrub.invalid.names=true replaces everything else",
                ))
        })
    };
    for node in &schema.nodes {
        if let Some(name) = node.name() {
            check(&name.name)?;
        }
        match &node.kind {
            Kind::Record(record) => record.fields.iter().try_for_each(|field| check(&field.name))?,
            Kind::Enum(kind) => kind.symbols.iter().try_for_each(|symbol| check(symbol))?,
            _ => {}
        }
    }
    Ok(())
}

struct Builder<'a> {
    config: &'a AvroDataConfig,
    graph: SchemaGraph,
    /// Required schemas whose type is made already.
    known: Vec<(SchemaRef, NodeId)>,
    /// Structs by name, from the moment they begin.
    structs: HashMap<String, NodeId>,
    /// Names of field schemas that were met.
    seen_names: HashSet<String>,
    unnamed: usize,
    depth: usize,
}

/// Whether two schemas are the same type, one of them perhaps optional.
fn same_type(left: &Schema, right: &Schema) -> bool {
    left.schema_type() == right.schema_type()
        && left.name() == right.name()
        && left.version() == right.version()
        && left.doc() == right.doc()
        && left.parameters() == right.parameters()
        && left.default_value() == right.default_value()
        && left.fields().ok() == right.fields().ok()
        && left.key_schema().ok() == right.key_schema().ok()
        && left.value_schema().ok() == right.value_schema().ok()
}

/// How a schema is taken: as it says, or required although it may be optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Itself,
    Required,
}

fn part(schema: Option<&SchemaRef>) -> Result<SchemaRef> {
    schema
        .cloned()
        .ok_or_else(|| ConnectError::data("arrays and maps need a schema for what they hold to become Avro"))
}

impl Builder<'_> {
    /// As [`schema`](Self::schema), but a struct of a known name is that type.
    fn inner(&mut self, schema: &SchemaRef, taken: As, ignore_optional: bool) -> Result<NodeId> {
        if let Some(known) = schema.name().and_then(|name| self.structs.get(name)).copied() {
            return Ok(if ignore_optional || taken == As::Required {
                known
            } else {
                self.maybe_optional(schema, known)
            });
        }
        self.schema(schema, taken, ignore_optional)
    }

    fn maybe_optional(&mut self, schema: &Schema, base: NodeId) -> NodeId {
        if !schema.is_optional() {
            return base;
        }
        let null = self.graph.add(Kind::Null);
        self.graph.add(Kind::Union(if schema.default_value().is_some() {
            vec![base, null]
        } else {
            vec![null, base]
        }))
    }

    fn schema(&mut self, schema: &SchemaRef, taken: As, ignore_optional: bool) -> Result<NodeId> {
        let optional = schema.is_optional() && taken == As::Itself;
        let shares = !is_union(schema) && !optional;
        if shares && let Some((_, known)) = self.known.iter().find(|(known, _)| same_type(known, schema)) {
            return Ok(*known);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "a schema that nests more than {MAX_DEPTH} levels cannot become Avro"
            )));
        }
        let base = self.base(schema, optional)?;
        self.depth -= 1;
        let mut id = base;
        if !matches!(self.graph.node(base).kind, Kind::Union(_)) {
            self.properties(schema, base)?;
            if optional && !ignore_optional {
                id = self.maybe_optional(schema, base);
            }
        }
        if !optional {
            self.known.push((SchemaRef::clone(schema), id));
        }
        Ok(id)
    }

    fn base(&mut self, schema: &SchemaRef, optional: bool) -> Result<NodeId> {
        Ok(match schema.schema_type() {
            SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 => self.graph.add(Kind::Int),
            SchemaType::Int64 => self.graph.add(Kind::Long),
            SchemaType::Float32 => self.graph.add(Kind::Float),
            SchemaType::Float64 => self.graph.add(Kind::Double),
            SchemaType::Boolean => self.graph.add(Kind::Boolean),
            SchemaType::String => self.string(schema),
            SchemaType::Bytes => self.bytes(schema)?,
            SchemaType::Array => {
                let items = self.inner(&part(schema.value_schema()?)?, As::Itself, false)?;
                self.graph.add(Kind::Array(items))
            }
            SchemaType::Map if self.config.is_string_map(schema) => {
                let values = self.inner(&part(schema.value_schema()?)?, As::Itself, false)?;
                self.graph.add(Kind::Map(values))
            }
            SchemaType::Map => self.entries(schema)?,
            SchemaType::Struct => self.structure(schema, optional)?,
        })
    }

    fn name_or_default(&mut self, name: Option<&str>) -> (Option<String>, String) {
        match name {
            Some(name) => split_name(name, self.config.scrub_invalid_names),
            None => {
                self.unnamed += 1;
                let number = match self.unnamed {
                    1 => String::new(),
                    number => number.to_string(),
                };
                (
                    Some(NAMESPACE.to_owned()),
                    format!("{DEFAULT_SCHEMA_NAME}{number}"),
                )
            }
        }
    }

    fn string(&mut self, schema: &Schema) -> NodeId {
        let config = self.config;
        let is_enum = (config.generalized_sum_types || config.enhanced_schema_support)
            && (schema.parameter(GENERAL_ENUM).is_some() || schema.parameter(ENUM).is_some());
        let parameter = config.enum_parameter();
        let Some(enum_name) = schema.parameter(parameter).filter(|_| is_enum) else {
            return self.graph.add(Kind::String);
        };
        let prefix = format!("{parameter}.");
        let symbols = schema
            .parameters()
            .unwrap_or_default()
            .iter()
            .filter_map(|(key, _)| key.strip_prefix(&prefix).map(str::to_owned))
            .collect();
        let (_, name) = self.name_or_default(schema.name());
        let own = |prefix: &str| schema.parameter(&format!("{prefix}{name}")).map(str::to_owned);
        let discard = config.discard_type_doc_default;
        self.graph.add(Kind::Enum(Enum {
            name: Name::new(enum_name, None),
            doc: match discard {
                true => schema.parameter(CONNECT_ENUM_DOC).map(str::to_owned),
                false => own(ENUM_DOC_PREFIX),
            },
            aliases: Vec::new(),
            symbols,
            default: own(ENUM_DEFAULT_PREFIX).filter(|_| !discard),
        }))
    }

    fn bytes(&mut self, schema: &Schema) -> Result<NodeId> {
        let id = match fixed_size(schema) {
            Some(size) => {
                let (namespace, name) = self.name_or_default(schema.name());
                self.graph.add(Kind::Fixed(Fixed {
                    name: Name { name, namespace },
                    doc: None,
                    aliases: Vec::new(),
                    size,
                }))
            }
            None => self.graph.add(Kind::Bytes),
        };
        if is_decimal(schema) {
            self.graph
                .set_property(id, "scale", Json::integer(logical::scale(schema)?));
            self.graph
                .set_property(id, "precision", Json::integer(precision(schema)?));
        }
        Ok(id)
    }

    /// A map whose keys are no texts: an array of entries.
    fn entries(&mut self, schema: &Schema) -> Result<NodeId> {
        let (namespace, name) = match schema.name() {
            None => (Some(NAMESPACE.to_owned()), MAP_ENTRY.to_owned()),
            name => self.name_or_default(name),
        };
        let record = self.record(Name { name, namespace }, None);
        if schema.name().is_some() {
            self.graph
                .set_property(record, CONNECT_INTERNAL_TYPE, Json::text(MAP_ENTRY));
        }
        let key = self.field(KEY_FIELD.to_owned(), &part(schema.key_schema()?)?, None)?;
        let value = self.field(VALUE_FIELD.to_owned(), &part(schema.value_schema()?)?, None)?;
        self.graph.set_fields(record, vec![key, value]);
        Ok(self.graph.add(Kind::Array(record)))
    }

    fn record(&mut self, name: Name, doc: Option<String>) -> NodeId {
        self.graph.add(Kind::Record(Record {
            name,
            doc,
            aliases: Vec::new(),
            fields: Vec::new(),
            is_error: false,
        }))
    }

    fn structure(&mut self, schema: &SchemaRef, optional: bool) -> Result<NodeId> {
        if is_union(schema) {
            let mut members = Vec::new();
            if optional {
                members.push(self.graph.add(Kind::Null));
            }
            for field in schema.fields()? {
                members.push(self.inner(field.schema(), As::Required, true)?);
            }
            return Ok(self.graph.add(Kind::Union(members)));
        }
        if optional {
            let null = self.graph.add(Kind::Null);
            let record = self.inner(schema, As::Required, false)?;
            return Ok(self.graph.add(Kind::Union(vec![null, record])));
        }
        let discard = self.config.discard_type_doc_default;
        let (namespace, name) = self.name_or_default(schema.name());
        let doc = schema.parameter(if discard { CONNECT_RECORD_DOC } else { RECORD_DOC });
        let record = self.record(Name { name, namespace }, doc.map(str::to_owned));
        if let Some(name) = schema.name() {
            self.structs.insert(name.to_owned(), record);
        }
        let mut fields = Vec::with_capacity(schema.fields()?.len());
        for field in schema.fields()? {
            let doc = schema
                .parameter(&format!("{FIELD_DOC_PREFIX}{}", field.name()))
                .filter(|_| !discard)
                .map(str::to_owned);
            let name = scrub_name(field.name(), self.config.scrub_invalid_names);
            if fields.iter().any(|known: &RecordField| known.name == name) {
                return Err(ConnectError::data(format!("Duplicate field {name} in record"))
                    .with_class("org.apache.avro.AvroRuntimeException"));
            }
            fields.push(self.field(name, field.schema(), doc)?);
        }
        self.graph.set_fields(record, fields);
        Ok(record)
    }

    fn field(&mut self, name: String, schema: &SchemaRef, doc: Option<String>) -> Result<RecordField> {
        let default = match schema.default_value() {
            Some(default) => Some(to_json(self.config, schema, default)?),
            None if schema.is_optional() => Some(Json::Null),
            None => None,
        };
        let already_seen = schema.name().is_some_and(|name| {
            !self
                .seen_names
                .insert(scrub_full_name(name, self.config.scrub_invalid_names))
        });
        let id = self.schema(schema, As::Itself, false)?;
        let default = default.filter(|default| {
            let valid = self.graph.view(id, |graph| is_valid_default(graph, id, default));
            if !valid {
                tracing::warn!(field = name, %default, "ignoring a default that Avro does not take");
            }
            valid
        });
        let mut properties = Vec::new();
        if self.config.connect_meta_data && already_seen && self.is_named(id) {
            let parameters = self.parameters(schema);
            if !parameters.is_empty() {
                properties.push((CONNECT_PARAMETERS.to_owned(), Json::Object(parameters)));
            }
        }
        Ok(RecordField {
            name,
            schema: id,
            doc: match self.config.discard_type_doc_default {
                true => schema.doc().map(str::to_owned),
                false => doc,
            },
            default,
            order: None,
            aliases: Vec::new(),
            properties,
        })
    }

    fn is_named(&self, id: NodeId) -> bool {
        match &self.graph.node(id).kind {
            Kind::Union(members) => members
                .iter()
                .any(|member| self.graph.node(*member).name().is_some()),
            _ => self.graph.node(id).name().is_some(),
        }
    }

    fn parameters(&self, schema: &Schema) -> Vec<(String, Json)> {
        schema
            .parameters()
            .unwrap_or_default()
            .iter()
            .filter(|(key, _)| self.config.discard_type_doc_default || key != FIELD_DEFAULT_FLAG)
            .map(|(key, value)| (key.clone(), Json::text(value)))
            .collect()
    }

    fn properties(&mut self, schema: &SchemaRef, id: NodeId) -> Result<()> {
        if self.config.connect_meta_data {
            self.meta_data(schema, id)?;
        }
        if let Some(logical_type) = logical_type(schema)? {
            if logical_type == "decimal" {
                self.check_precision(schema, id)?;
            }
            self.graph
                .set_property(id, LOGICAL_TYPE, Json::text(logical_type));
        }
        for (key, value) in schema.parameters().unwrap_or_default() {
            if key.starts_with(AVRO_PREFIX) {
                self.graph.set_property(id, key, Json::text(value));
            }
        }
        Ok(())
    }

    /// Avro's library refuses a decimal of more digits than its fixed type can hold.
    fn check_precision(&self, schema: &Schema, id: NodeId) -> Result<()> {
        let (scale, precision) = (logical::scale(schema)?, precision(schema)?);
        let Kind::Fixed(fixed) = &self.graph.node(id).kind else {
            return Ok(());
        };
        if scale < 0 || scale > precision {
            return Ok(());
        }
        // Digits of the greatest number: the decimal logarithm of two to the power of its bits without the sign.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        let most = ((8.0 * fixed.size as f64 - 1.0) * std::f64::consts::LOG10_2).floor() as i32;
        match precision > most {
            false => Ok(()),
            true => Err(ConnectError::data(format!(
                "fixed({}) cannot store {precision} digits (max {most})",
                fixed.size
            ))
            .with_class("java.lang.IllegalArgumentException")
            .caused_by(ConnectError::data(format!(
                "the parameter {CONNECT_DECIMAL_PRECISION} says how many digits there are, {DEFAULT_PRECISION} without it"
            )))),
        }
    }

    fn meta_data(&mut self, schema: &SchemaRef, id: NodeId) -> Result<()> {
        if let Some(doc) = schema.doc() {
            self.graph.set_property(id, CONNECT_DOC, Json::text(doc));
        }
        if let Some(version) = schema.version() {
            self.graph
                .set_property(id, CONNECT_VERSION, Json::integer(version));
        }
        let parameters = self.parameters(schema);
        if !parameters.is_empty() {
            self.graph
                .set_property(id, CONNECT_PARAMETERS, Json::Object(parameters));
        }
        if let Some(default) = schema.default_value()
            && (self.config.discard_type_doc_default || schema.parameter(FIELD_DEFAULT_FLAG).is_none())
        {
            let default = to_json(self.config, schema, default)?;
            self.graph.set_property(id, CONNECT_DEFAULT, default);
        }
        if let Some(name) = schema.name() {
            self.graph.set_property(id, CONNECT_NAME, Json::text(name));
        }
        let connect_type = match schema.schema_type() {
            SchemaType::Int8 => "int8",
            SchemaType::Int16 => "int16",
            _ => return Ok(()),
        };
        self.graph
            .set_property(id, CONNECT_TYPE, Json::text(connect_type));
        Ok(())
    }

    /// The type of data without schema: a record of which one field is set.
    fn anything(&mut self) -> NodeId {
        let name = |name: &str| Name::new(name, Some(NAMESPACE));
        let record = self.record(name("Anything"), None);
        let entry = self.record(name(MAP_ENTRY), None);
        let plain = |name: &str, schema, default| RecordField {
            name: name.to_owned(),
            schema,
            doc: None,
            default,
            order: None,
            aliases: Vec::new(),
            properties: Vec::new(),
        };
        self.graph.set_fields(
            entry,
            vec![plain(KEY_FIELD, record, None), plain(VALUE_FIELD, record, None)],
        );
        let array = self.graph.add(Kind::Array(record));
        let map = self.graph.add(Kind::Array(entry));
        let mut fields = Vec::new();
        for (name, kind) in [
            ("boolean", Kind::Boolean),
            ("bytes", Kind::Bytes),
            ("double", Kind::Double),
            ("float", Kind::Float),
            ("int", Kind::Int),
            ("long", Kind::Long),
            ("string", Kind::String),
        ] {
            let member = self.graph.add(kind);
            fields.push((name, member));
        }
        fields.extend([("array", array), ("map", map)]);
        let fields = fields
            .into_iter()
            .map(|(name, member)| {
                let null = self.graph.add(Kind::Null);
                let union = self.graph.add(Kind::Union(vec![null, member]));
                plain(name, union, Some(Json::Null))
            })
            .collect();
        self.graph.set_fields(record, fields);
        record
    }
}

fn is_decimal(schema: &Schema) -> bool {
    schema
        .name()
        .is_some_and(|name| name.eq_ignore_ascii_case(logical::DECIMAL))
}

fn precision(schema: &Schema) -> Result<i32> {
    match schema.parameter(CONNECT_DECIMAL_PRECISION) {
        None => Ok(DEFAULT_PRECISION),
        Some(text) => text.parse().map_err(|_| {
            ConnectError::data(format!(
                "the parameter {CONNECT_DECIMAL_PRECISION} is no number: {text}"
            ))
        }),
    }
}

fn logical_type(schema: &Schema) -> Result<Option<&'static str>> {
    let Some(name) = schema.name() else {
        return Ok(None);
    };
    for (logical_name, logical_type) in [
        (logical::TIME, "time-millis"),
        (logical::TIMESTAMP, "timestamp-millis"),
        (logical::DATE, "date"),
    ] {
        if name.eq_ignore_ascii_case(logical_name) {
            return Ok(Some(logical_type));
        }
    }
    // Decimals that Avro's own rules forbid (negative scales, scales beyond the precision) are marked all the same.
    Ok(is_decimal(schema).then_some("decimal"))
}
