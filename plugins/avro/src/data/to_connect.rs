//! The Connect schema of an Avro schema.

use wharf_api::{ConnectError, Result, Schema, SchemaBuilder, SchemaRef, SchemaType, Value, logical};

use super::default_value::from_json;
use super::within::Within;
use super::{
    AVRO_PREFIX, AvroDataConfig, CONNECT_DECIMAL_PRECISION, CONNECT_DEFAULT, CONNECT_DOC, CONNECT_ENUM_DOC,
    CONNECT_FIXED_SIZE, CONNECT_INTERNAL_TYPE, CONNECT_NAME, CONNECT_PARAMETERS, CONNECT_RECORD_DOC,
    CONNECT_TYPE, CONNECT_VERSION, DEFAULT_PRECISION, DEFAULT_SCHEMA_FULL_NAME, ENUM_DEFAULT_PREFIX,
    ENUM_DOC_PREFIX, FIELD_DEFAULT_FLAG, FIELD_DOC_PREFIX, GENERAL_UNION, GENERAL_UNION_FIELD_PREFIX,
    GENERAL_UNION_PREFIX, KEY_FIELD, LOGICAL_TYPE, MAP_ENTRY, NAMESPACE, RECORD_DOC, UNION, VALUE_FIELD,
    split_name,
};
use crate::json::Json;
use crate::schema::{AvroSchema, Enum, Kind, Name, NodeId, Record, is_valid_default};

/// Whether a record is an entry of a map whose keys are no texts.
pub(crate) fn is_map_entry(avro: &AvroSchema, id: NodeId) -> bool {
    let node = avro.node(id);
    let Kind::Record(record) = &node.kind else {
        return false;
    };
    (record.name.namespace.as_deref() == Some(NAMESPACE) && record.name.name == MAP_ENTRY)
        || node.text_property(CONNECT_INTERNAL_TYPE) == Some(MAP_ENTRY)
}

/// Whether a schema is the one for data without schema.
pub(crate) fn is_anything(avro: &AvroSchema) -> bool {
    let Kind::Record(record) = &avro.root().kind else {
        return false;
    };
    record.name.full() == "io.confluent.connect.avro.Anything"
        && super::from_connect(&AvroDataConfig::default(), None)
            .is_ok_and(|anything| anything.to_text() == avro.to_text())
}

/// The field that stands for a member of a union.
pub(super) fn union_field_name(
    config: &AvroDataConfig,
    avro: &AvroSchema,
    id: NodeId,
    index: usize,
) -> String {
    if config.generalized_sum_types {
        return format!("{GENERAL_UNION_FIELD_PREFIX}{index}");
    }
    let node = avro.node(id);
    match node.name() {
        Some(name) if config.enhanced_schema_support => name.full(),
        Some(name) => split_name(&name.name, config.scrub_invalid_names).1,
        None => node.type_name().to_owned(),
    }
}

/// What the maker of schemas knows from one schema to the next.
#[derive(Debug)]
pub(crate) struct ToConnect<'a> {
    pub(crate) config: &'a AvroDataConfig,
    /// Counts the unions of generalized sum types.
    pub(crate) unions: &'a mut usize,
}

/// Where a schema stands, and what that says about it.
#[derive(Debug, Clone, Copy, Default)]
struct Place<'a> {
    optional: bool,
    default: Option<&'a Json>,
    doc: Option<&'a str>,
    version: Option<i32>,
}

impl ToConnect<'_> {
    /// The Connect schema; `version` is the registry's, for schemas that have none of their own.
    ///
    /// # Errors
    /// A data error for what Connect has no type for.
    pub(crate) fn schema(&mut self, avro: &AvroSchema, version: Option<i32>) -> Result<SchemaRef> {
        let place = Place {
            version,
            ..Place::default()
        };
        self.node(avro, avro.root, place, &mut Within::default())
    }

    fn node(
        &mut self,
        avro: &AvroSchema,
        id: NodeId,
        place: Place<'_>,
        within: &mut Within,
    ) -> Result<SchemaRef> {
        within.enter()?;
        let schema = self.type_of(avro, id, place, within);
        within.leave();
        schema
    }

    fn type_of(
        &mut self,
        avro: &AvroSchema,
        id: NodeId,
        place: Place<'_>,
        within: &mut Within,
    ) -> Result<SchemaRef> {
        let node = avro.node(id);
        let mut draft = Draft::default();
        let start = match &node.kind {
            Kind::Boolean => SchemaBuilder::boolean(),
            Kind::Bytes | Kind::Fixed(_) => bytes(avro, id, &mut draft)?,
            Kind::Double => SchemaBuilder::float64(),
            Kind::Float => SchemaBuilder::float32(),
            Kind::Int => int(
                node.text_property(CONNECT_TYPE),
                node.text_property(LOGICAL_TYPE),
                &mut draft,
            )?,
            Kind::Long => {
                if is(node.text_property(LOGICAL_TYPE), "timestamp-millis") {
                    draft.logical(logical::TIMESTAMP);
                }
                SchemaBuilder::int64()
            }
            Kind::String => SchemaBuilder::string(),
            Kind::Array(items) if is_map_entry(avro, *items) => {
                let (key, value) = entry_fields(avro, *items)?;
                let key = self.node(avro, key, Place::default(), within)?;
                SchemaBuilder::map(key, self.node(avro, value, Place::default(), within)?)
            }
            Kind::Array(items) => SchemaBuilder::array(self.node(avro, *items, Place::default(), within)?),
            Kind::Map(values) => SchemaBuilder::map(
                Schema::string(),
                self.node(avro, *values, Place::default(), within)?,
            ),
            Kind::Record(record) => {
                if within.records.contains(&id) {
                    return Err(ConnectError::data(format!(
                        "the Avro type {} contains itself, which no schema of this worker can; write a list or a text \
                         instead of the nested records",
                        record.name.full()
                    )));
                }
                within.records.push(id);
                let start = self.record(avro, record, &mut draft, within)?;
                within.records.pop();
                start
            }
            Kind::Enum(kind) => {
                self.enumeration(kind, &mut draft);
                SchemaBuilder::string()
            }
            Kind::Union(members) => match self.union(avro, members, place, &mut draft, within)? {
                Ok(schema) => return Ok(schema),
                Err(start) => start,
            },
            Kind::Null => {
                return Err(ConnectError::data(
                    "Standalone null schemas are not supported by this converter",
                ));
            }
        };
        self.finish(avro, id, place, start, draft)
    }

    fn record(
        &mut self,
        avro: &AvroSchema,
        record: &Record,
        draft: &mut Draft,
        within: &mut Within,
    ) -> Result<SchemaBuilder> {
        let keeps_docs = !self.config.discard_type_doc_default && self.config.connect_meta_data;
        if let Some(doc) = record.doc.as_deref().filter(|_| keeps_docs) {
            draft.parameter(RECORD_DOC, doc);
        }
        let mut start = SchemaBuilder::structure();
        for field in &record.fields {
            if let Some(doc) = field.doc.as_deref().filter(|_| keeps_docs) {
                draft.parameter(&format!("{FIELD_DOC_PREFIX}{}", field.name), doc);
            }
            let place = Place {
                // One that does not suit its type is as good as none.
                default: field
                    .default
                    .as_ref()
                    .filter(|default| is_valid_default(avro, field.schema, default)),
                doc: field.doc.as_deref(),
                ..Place::default()
            };
            let mut schema = self.node(avro, field.schema, place, within)?;
            let parameters = field
                .properties
                .iter()
                .find(|(name, _)| name == CONNECT_PARAMETERS);
            if let Some((_, Json::Object(parameters))) = parameters
                && self.config.connect_meta_data
            {
                schema = with_parameters(&schema, parameters)?;
            }
            start = start.field(field.name.as_str(), schema);
        }
        Ok(start)
    }

    fn enumeration(&self, kind: &Enum, draft: &mut Draft) {
        let config = self.config;
        let name = &kind.name.name;
        if config.connect_meta_data {
            if let Some(doc) = &kind.doc {
                let key = match config.discard_type_doc_default {
                    true => CONNECT_ENUM_DOC.to_owned(),
                    false => format!("{ENUM_DOC_PREFIX}{name}"),
                };
                draft.parameter(&key, doc);
            }
            if let Some(default) = kind
                .default
                .as_deref()
                .filter(|_| !config.discard_type_doc_default)
            {
                draft.parameter(&format!("{ENUM_DEFAULT_PREFIX}{name}"), default);
            }
        }
        let parameter = config.enum_parameter();
        draft.parameter(parameter, &kind.name.full());
        for (position, symbol) in kind.symbols.iter().enumerate() {
            let key = format!("{parameter}.{symbol}");
            match config.generalized_sum_types {
                true => draft.parameter(&key, &position.to_string()),
                false => draft.parameter(&key, symbol),
            }
        }
    }

    /// The schema of a union: that of its one type, or a struct to be finished.
    fn union(
        &mut self,
        avro: &AvroSchema,
        members: &[NodeId],
        place: Place<'_>,
        draft: &mut Draft,
        within: &mut Within,
    ) -> Result<std::result::Result<SchemaRef, SchemaBuilder>> {
        let inner = |optional| Place {
            optional,
            doc: place.doc,
            ..Place::default()
        };
        let is_null = |id: &NodeId| matches!(avro.node(*id).kind, Kind::Null);
        match members {
            [one] if self.config.flatten_singleton_unions => {
                return self.node(avro, *one, inner(false), within).map(Ok);
            }
            [a, b] if is_null(a) != is_null(b) => {
                let member = if is_null(a) { b } else { a };
                return self.node(avro, *member, inner(true), within).map(Ok);
            }
            _ => {}
        }
        if self.config.generalized_sum_types {
            let name = format!("{GENERAL_UNION_PREFIX}{}", self.unions);
            *self.unions += 1;
            draft.parameter(GENERAL_UNION, &name);
            draft.name = Some(name);
        } else {
            draft.name = Some(UNION.to_owned());
        }
        let mut start = SchemaBuilder::structure();
        let mut names: Vec<String> = Vec::new();
        for (index, member) in members.iter().enumerate() {
            if is_null(member) {
                draft.optional = true;
                continue;
            }
            let name = union_field_name(self.config, avro, *member, index);
            if names.contains(&name) {
                return Err(ConnectError::data(
                    "Multiple union schemas map to the Connect union field name",
                ));
            }
            let place = Place {
                optional: true,
                ..Place::default()
            };
            start = start.field(name.as_str(), self.node(avro, *member, place, within)?);
            names.push(name);
        }
        Ok(Err(start))
    }

    fn finish(
        &self,
        avro: &AvroSchema,
        id: NodeId,
        place: Place<'_>,
        start: SchemaBuilder,
        mut draft: Draft,
    ) -> Result<SchemaRef> {
        let node = avro.node(id);
        let config = self.config;
        let doc = if config.discard_type_doc_default {
            place.doc.or(node.doc()).or(node.text_property(CONNECT_DOC))
        } else {
            node.text_property(CONNECT_DOC)
                .filter(|_| config.connect_meta_data)
        };
        if config.discard_type_doc_default
            && config.connect_meta_data
            && let Some(doc) = node.doc()
        {
            draft.parameter(CONNECT_RECORD_DOC, doc);
        }
        draft.set_version(node.property(CONNECT_VERSION), place.version)?;
        if let Some(parameters) = node
            .property(CONNECT_PARAMETERS)
            .filter(|_| config.connect_meta_data)
        {
            let members = parameters.as_object().ok_or_else(|| {
                ConnectError::data(format!(
                    "Expected JSON object for schema parameters but found: {parameters}"
                ))
            })?;
            for (key, value) in members {
                let text = value.as_text().ok_or_else(|| {
                    ConnectError::data(format!(
                        "Expected schema parameter values to be strings but found: {value}"
                    ))
                })?;
                draft.parameter(key, text);
            }
        }
        for (key, value) in &node.properties {
            if key.starts_with(AVRO_PREFIX) {
                match value.as_text() {
                    Some(text) => draft.parameter(key, text),
                    None => draft.parameter(key, &value.to_string()),
                }
            }
        }
        let own_default = node.property(CONNECT_DEFAULT);
        if place.default.is_some()
            && !config.discard_type_doc_default
            && config.connect_meta_data
            && own_default.is_none()
        {
            draft.parameter(FIELD_DEFAULT_FLAG, "true");
        }
        draft.set_name(avro, id)?;
        draft.optional |= place.optional;
        let schema = draft.build(start, doc)?;
        let Some(json) = place.default.or(own_default) else {
            return schema.build();
        };
        self.with_default(avro, id, schema, json)
    }

    /// A default that does not suit is left out, as upstream does.
    fn with_default(
        &self,
        avro: &AvroSchema,
        id: NodeId,
        schema: SchemaBuilder,
        json: &Json,
    ) -> Result<SchemaRef> {
        let plain = schema.clone().build()?;
        match from_json(self.config, avro, id, &plain, json) {
            Ok(Value::Null) => Ok(plain),
            Ok(value) => schema.default_value(value).build().or_else(|error| {
                tracing::warn!(schema = %plain, %json, %error, "ignoring a default that does not suit");
                Ok(plain)
            }),
            Err(error) => {
                tracing::warn!(schema = %plain, %json, %error, "ignoring a default that does not suit");
                Ok(plain)
            }
        }
    }
}

/// What is gathered about a schema before it is built.
#[derive(Debug, Default)]
struct Draft {
    name: Option<String>,
    version: Option<i32>,
    parameters: Vec<(String, String)>,
    optional: bool,
}

impl Draft {
    fn logical(&mut self, name: &str) {
        self.name = Some(name.to_owned());
        self.version = Some(1);
    }

    fn parameter(&mut self, key: &str, value: &str) {
        match self.parameters.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => value.clone_into(known),
            None => self.parameters.push((key.to_owned(), value.to_owned())),
        }
    }

    fn set_version(&mut self, own: Option<&Json>, of_registry: Option<i32>) -> Result<()> {
        let version = match own {
            Some(json) => json
                .as_i64()
                .and_then(|version| i32::try_from(version).ok())
                .ok_or_else(|| {
                    ConnectError::data(format!("Invalid Connect version found: {}", plain_text(json)))
                })?,
            None => match of_registry {
                Some(version) => version,
                None => return Ok(()),
            },
        };
        match self.version {
            _ if version < 0 => Ok(()),
            None => {
                self.version = Some(version);
                Ok(())
            }
            Some(known) if known == version => Ok(()),
            Some(known) => Err(ConnectError::data(format!(
                "Mismatched versions: version already added to SchemaBuilder ({known}) differs from version in source \
                 schema ({version})"
            ))),
        }
    }

    fn set_name(&mut self, avro: &AvroSchema, id: NodeId) -> Result<()> {
        let node = avro.node(id);
        let name = match node.property(CONNECT_NAME) {
            Some(json) => Some(
                json.as_text()
                    .ok_or_else(|| ConnectError::data(format!("Invalid schema name: {json}")))?
                    .to_owned(),
            ),
            // The name of a decimal is what makes it one.
            None if self.name.as_deref() == Some(logical::DECIMAL) => None,
            None => node.name().map(Name::full),
        };
        let Some(name) = name.filter(|name| !name.starts_with(DEFAULT_SCHEMA_FULL_NAME)) else {
            return Ok(());
        };
        match &self.name {
            Some(known) if *known != name => Err(ConnectError::data(format!(
                "Mismatched names: name already added to SchemaBuilder ({known}) differs from name in source schema \
                 ({name})"
            ))),
            _ => {
                self.name = Some(name);
                Ok(())
            }
        }
    }

    fn build(self, mut start: SchemaBuilder, doc: Option<&str>) -> Result<SchemaBuilder> {
        if let Some(name) = self.name {
            start = start.name(name);
        }
        if let Some(version) = self.version {
            start = start.version(version);
        }
        if let Some(doc) = doc {
            start = start.doc(doc);
        }
        if self.optional {
            start = start.optional();
        }
        Ok(start.parameters(self.parameters))
    }
}

/// A value as Java prints it: texts without quotes.
fn plain_text(json: &Json) -> String {
    json.as_text().map_or_else(|| json.to_string(), str::to_owned)
}

fn is(logical_type: Option<&str>, name: &str) -> bool {
    logical_type.is_some_and(|text| text.eq_ignore_ascii_case(name))
}

fn int(connect_type: Option<&str>, logical_type: Option<&str>, draft: &mut Draft) -> Result<SchemaBuilder> {
    if let Some(logical_type) = logical_type {
        if logical_type.eq_ignore_ascii_case("date") {
            draft.logical(logical::DATE);
        } else if logical_type.eq_ignore_ascii_case("time-millis") {
            draft.logical(logical::TIME);
        }
        return Ok(SchemaBuilder::int32());
    }
    match connect_type {
        None => Ok(SchemaBuilder::int32()),
        Some("int8") => Ok(SchemaBuilder::int8()),
        Some("int16") => Ok(SchemaBuilder::int16()),
        Some(_) => Err(ConnectError::data(
            "Connect type annotation for Avro int field is null",
        )),
    }
}

fn bytes(avro: &AvroSchema, id: NodeId, draft: &mut Draft) -> Result<SchemaBuilder> {
    let node = avro.node(id);
    if is(node.text_property(LOGICAL_TYPE), "decimal") {
        draft.logical(logical::DECIMAL);
        let scale = node.property("scale").and_then(Json::as_i64).unwrap_or(0);
        draft.parameter(logical::SCALE_PARAMETER, &scale.to_string());
        if let Some(precision) = node.property("precision") {
            let precision = precision.as_i64().ok_or_else(|| {
                ConnectError::data(
                    "precision property must be a JSON Integer. \
                     https://avro.apache.org/docs/1.9.1/spec.html#Decimal",
                )
            })?;
            if precision != i64::from(DEFAULT_PRECISION) {
                draft.parameter(CONNECT_DECIMAL_PRECISION, &precision.to_string());
            }
        }
    }
    if let Kind::Fixed(fixed) = &node.kind {
        draft.parameter(CONNECT_FIXED_SIZE, &fixed.size.to_string());
    }
    Ok(SchemaBuilder::bytes())
}

/// The types of an entry's key and value.
fn entry_fields(avro: &AvroSchema, entry: NodeId) -> Result<(NodeId, NodeId)> {
    let wrong = || {
        ConnectError::data(
            "Found map encoded as array of key-value pairs, but array elements do not match the expected format.",
        )
    };
    let Kind::Record(record) = &avro.node(entry).kind else {
        return Err(wrong());
    };
    let find = |name: &str| record.fields.iter().find(|field| field.name == name);
    match (record.fields.len(), find(KEY_FIELD), find(VALUE_FIELD)) {
        (2, Some(key), Some(value)) => Ok((key.schema, value.schema)),
        _ => Err(wrong()),
    }
}

/// A schema with the parameters that a field gives it beside those of its type.
fn with_parameters(schema: &SchemaRef, parameters: &[(String, Json)]) -> Result<SchemaRef> {
    let text = |json: &Json| json.as_text().map_or_else(|| json.to_string(), str::to_owned);
    let differs = |(key, value): &(String, Json)| schema.parameter(key) != Some(text(value).as_str());
    if !parameters.iter().any(differs) {
        return Ok(SchemaRef::clone(schema));
    }
    let missing = || ConnectError::data(format!("{schema} has no schema for what it holds"));
    let mut builder = match schema.schema_type() {
        SchemaType::Array => SchemaBuilder::array(schema.value_schema()?.cloned().ok_or_else(missing)?),
        SchemaType::Map => SchemaBuilder::map(
            schema.key_schema()?.cloned().ok_or_else(missing)?,
            schema.value_schema()?.cloned().ok_or_else(missing)?,
        ),
        other => SchemaBuilder::new(other),
    };
    if schema.schema_type() == SchemaType::Struct {
        for field in schema.fields()? {
            builder = builder.field(field.name(), SchemaRef::clone(field.schema()));
        }
    }
    let mut draft = Draft {
        name: schema.name().map(str::to_owned),
        version: schema.version(),
        parameters: schema.parameters().unwrap_or_default().to_vec(),
        optional: schema.is_optional(),
    };
    for (key, value) in parameters {
        draft.parameter(key, &text(value));
    }
    let builder = draft.build(builder, schema.doc())?;
    match schema.default_value() {
        // A struct is a default of its own schema only.
        Some(default) if default.as_struct().is_none() => builder.default_value(default.clone()).build(),
        _ => builder.build(),
    }
}
