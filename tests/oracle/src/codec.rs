//! Schemas and values in a JSON form that loses nothing; `java/Codec.java` is the other half, and both must change
//! together.
//!
//! A schema is null, or the name of a type or of the logical types without parameters (`"INT8"`, `"Date"`, with `?` when
//! optional), or an object of `type`, `optional`, `name`,
//! `version`, `doc`, `parameters`, `default`, `fields`, `keys`, `values`. A value is null, a boolean, a text, an array, or
//! an object with one entry that names the class: `i8 i16 i32 i64 f32 f64 hex dec date map struct`. Floats are texts that
//! name exactly one number; 64-bit integers are texts, because JSON readers differ on large numbers. An array within an
//! array and so on, each of one element, is `{"nest": [how often, what is within]}` from a depth on that readers refuse.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value as Json, json};
use wharf_api::{Decimal, Schema, SchemaBuilder, SchemaRef, SchemaType, Struct, Value, java_text, logical};
use wharf_test_services::hex;

const DEEP: usize = 32;

/// The JSON form of an optional schema.
#[must_use]
pub fn schema_or_null(schema: Option<&SchemaRef>) -> Json {
    schema.map_or(Json::Null, |schema| schema_to_json(schema))
}

/// The JSON form of a schema.
#[must_use]
pub fn schema_to_json(schema: &Schema) -> Json {
    let schema_type = schema.schema_type();
    if let Some((name, _)) = bare_logical().iter().find(|(_, bare)| **bare == *schema) {
        return json!(name);
    }
    let bare = schema_type.is_primitive()
        && schema.name().is_none()
        && schema.version().is_none()
        && schema.doc().is_none()
        && schema.parameters().is_none()
        && schema.default_value().is_none();
    if bare {
        let mark = if schema.is_optional() { "?" } else { "" };
        return json!(format!("{schema_type}{mark}"));
    }
    let mut out = Map::new();
    let mut set = |key: &str, value: Json| {
        out.insert(key.to_owned(), value);
    };
    set("type", json!(schema_type.name()));
    if schema.is_optional() {
        set("optional", json!(true));
    }
    if let Some(name) = schema.name() {
        set("name", json!(name));
    }
    if let Some(version) = schema.version() {
        set("version", json!(version));
    }
    if let Some(doc) = schema.doc() {
        set("doc", json!(doc));
    }
    if let Some(parameters) = schema.parameters() {
        set("parameters", json!(parameters));
    }
    if let Ok(keys) = schema.key_schema() {
        set("keys", schema_or_null(keys));
    }
    if let Ok(values) = schema.value_schema() {
        set("values", schema_or_null(values));
    }
    if let Ok(fields) = schema.fields() {
        let fields = fields
            .iter()
            .map(|field| json!([field.name(), schema_to_json(field.schema())]));
        set("fields", fields.collect());
    }
    if let Some(default) = schema.default_value() {
        let default = match default {
            // Its schema is the one around it.
            Value::Struct(own) => struct_to_json(Json::Null, own),
            other => value_to_json(other),
        };
        set("default", default);
    }
    Json::Object(out)
}

fn struct_to_json(schema: Json, value: &Struct) -> Json {
    let values: Vec<Json> = value.values().iter().map(value_to_json).collect();
    json!({ "struct": { "schema": schema, "values": values } })
}

/// The JSON form of a value.
#[must_use]
pub fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => json!(truth),
        Value::Int8(number) => json!({ "i8": number }),
        Value::Int16(number) => json!({ "i16": number }),
        Value::Int32(number) => json!({ "i32": number }),
        Value::Int64(number) => json!({ "i64": number.to_string() }),
        Value::Float32(number) => json!({ "f32": java_text::float32(*number) }),
        Value::Float64(number) => json!({ "f64": java_text::float64(*number) }),
        Value::String(text) => json!(text),
        Value::Bytes(bytes) => json!({ "hex": hex(bytes) }),
        Value::Decimal(decimal) => json!({ "dec": [decimal.unscaled().to_string(), decimal.scale()] }),
        Value::Date(millis) => json!({ "date": millis.to_string() }),
        Value::Array(items) => match nested(value) {
            (depth, inner) if depth >= DEEP => json!({ "nest": [depth, value_to_json(inner)] }),
            _ => items.iter().map(value_to_json).collect(),
        },
        Value::Map(entries) => {
            let pairs: Vec<Json> = entries
                .iter()
                .map(|(key, item)| json!([value_to_json(key), value_to_json(item)]))
                .collect();
            json!({ "map": pairs })
        }
        Value::Struct(inner) => struct_to_json(schema_to_json(inner.schema()), inner),
    }
}

/// How many arrays of one element there are, and what the last one holds.
fn nested(mut value: &Value) -> (usize, &Value) {
    let mut depth = 0;
    while let Some([inner]) = value.as_array() {
        value = inner;
        depth += 1;
    }
    (depth, value)
}

/// The JSON form of a message: null, `{"utf8": …}` or `{"hex": …}`.
#[must_use]
pub fn bytes_to_json(bytes: Option<&[u8]>) -> Json {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Json::Null,
        Some((_, Ok(text))) => json!({ "utf8": text }),
        Some((bytes, Err(_))) => json!({ "hex": hex(bytes) }),
    }
}

/// A message from its JSON form.
///
/// # Errors
/// When it is none of the forms.
pub fn bytes_from_json(json: &Json) -> Result<Option<Vec<u8>>> {
    Ok(match (json, json["utf8"].as_str(), json["hex"].as_str()) {
        (Json::Null, ..) => None,
        (_, Some(text), _) => Some(text.as_bytes().to_vec()),
        (_, _, Some(hex)) => Some(from_hex(hex)?),
        _ => bail!("{json} is not a message"),
    })
}

fn from_hex(hex: &str) -> Result<Vec<u8>> {
    (0..hex.len())
        .step_by(2)
        .map(|at| {
            let digits = hex.get(at..at + 2).context("half a byte")?;
            u8::from_str_radix(digits, 16).with_context(|| format!("\"{digits}\" is not a byte"))
        })
        .collect()
}

fn text(json: &Json) -> Result<&str> {
    json.as_str().with_context(|| format!("{json} is not a text"))
}

/// A schema from its JSON form.
///
/// # Errors
/// When it is not a schema, or one that our builder refuses.
pub fn schema_from_json(json: &Json) -> Result<Option<SchemaRef>> {
    let Some(object) = json.as_object() else {
        return match json {
            Json::Null => Ok(None),
            other => bare_schema(text(other)?).map(Some),
        };
    };
    let schema_type = type_named(text(&json["type"])?)?;
    let part = |key: &str| schema_from_json(&json[key]);
    let mut builder = match (schema_type, part("keys")?, part("values")?) {
        (SchemaType::Array, _, Some(values)) => SchemaBuilder::array(values),
        (SchemaType::Map, Some(keys), Some(values)) => SchemaBuilder::map(keys, values),
        // What Java's value parser makes, which knows the values of a map but not its keys, or neither.
        (SchemaType::Map, keys, values) if keys.is_some() || values.is_some() => {
            return Ok(Some(Schema::inferred_map(keys, values)));
        }
        _ => SchemaBuilder::new(schema_type),
    };
    if json["optional"] == json!(true) {
        builder = builder.optional();
    }
    if let Some(name) = json["name"].as_str() {
        builder = builder.name(name);
    }
    if let Some(version) = json["version"].as_i64() {
        builder = builder.version(i32::try_from(version)?);
    }
    if let Some(doc) = json["doc"].as_str() {
        builder = builder.doc(doc);
    }
    for pair in json["parameters"].as_array().into_iter().flatten() {
        builder = builder.parameter(text(&pair[0])?, text(&pair[1])?);
    }
    for field in json["fields"].as_array().into_iter().flatten() {
        let schema = schema_from_json(&field[1])?.context("a field without schema")?;
        builder = builder.field(text(&field[0])?, schema);
    }
    if let Some(default) = object.get("default") {
        let own = builder.clone().build()?;
        builder = builder.default_value(value_with_schema(default, Some(&own))?);
    }
    Ok(Some(builder.build()?))
}

fn bare_logical() -> [(&'static str, SchemaRef); 6] {
    [
        ("Date", logical::date()),
        ("Date?", logical::optional_date()),
        ("Time", logical::time()),
        ("Time?", logical::optional_time()),
        ("Timestamp", logical::timestamp()),
        ("Timestamp?", logical::optional_timestamp()),
    ]
}

fn bare_schema(name: &str) -> Result<SchemaRef> {
    if let Some((_, schema)) = bare_logical().into_iter().find(|(known, _)| *known == name) {
        return Ok(schema);
    }
    let (name, optional) = match name.strip_suffix('?') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let builder = SchemaBuilder::new(type_named(name)?);
    Ok(if optional { builder.optional() } else { builder }.build()?)
}

fn type_named(name: &str) -> Result<SchemaType> {
    SchemaType::ALL
        .into_iter()
        .find(|candidate| candidate.name() == name)
        .with_context(|| format!("no type is named {name}"))
}

/// A value from its JSON form.
///
/// # Errors
/// When it is none of the forms.
pub fn value_from_json(json: &Json) -> Result<Value> {
    value_with_schema(json, None)
}

fn value_with_schema(json: &Json, own: Option<&SchemaRef>) -> Result<Value> {
    let object = match json {
        Json::Null => return Ok(Value::Null),
        Json::Bool(truth) => return Ok(Value::Boolean(*truth)),
        Json::String(text) => return Ok(Value::from(text.as_str())),
        Json::Array(items) => {
            return items
                .iter()
                .map(value_from_json)
                .collect::<Result<_>>()
                .map(Value::Array);
        }
        Json::Object(object) => object,
        Json::Number(number) => bail!("the number {number} does not say its class"),
    };
    let (kind, content) = object.iter().next().context("a value of no class")?;
    let integer = || {
        content
            .as_i64()
            .with_context(|| format!("{content} is not an integer"))
    };
    Ok(match kind.as_str() {
        "i8" => Value::Int8(i8::try_from(integer()?)?),
        "i16" => Value::Int16(i16::try_from(integer()?)?),
        "i32" => Value::Int32(i32::try_from(integer()?)?),
        "i64" => Value::Int64(text(content)?.parse()?),
        "f32" => Value::Float32(text(content)?.parse()?),
        "f64" => Value::Float64(text(content)?.parse()?),
        "hex" => Value::Bytes(from_hex(text(content)?)?),
        "dec" => {
            let scale = content[1].as_i64().context("a decimal without scale")?;
            let unscaled: Decimal = text(&content[0])?.parse()?;
            Value::Decimal(Decimal::new(unscaled.unscaled().clone(), i32::try_from(scale)?))
        }
        "date" => Value::Date(text(content)?.parse()?),
        "map" => content
            .as_array()
            .context("a map without entries")?
            .iter()
            .map(|pair| Ok((value_from_json(&pair[0])?, value_from_json(&pair[1])?)))
            .collect::<Result<_>>()
            .map(Value::Map)?,
        "nest" => {
            let inner = value_from_json(&content[1])?;
            let depth = content[0].as_u64().context("a nest without depth")?;
            (0..depth).fold(inner, |inner, _| Value::Array(vec![inner]))
        }
        "struct" => {
            let schema = match schema_from_json(&content["schema"])? {
                Some(schema) => schema,
                None => own.context("a struct without schema")?.clone(),
            };
            let values = content["values"].as_array().context("a struct without values")?;
            let values = values.iter().map(value_from_json).collect::<Result<_>>()?;
            Value::from(Struct::from_values(schema, values))
        }
        other => bail!("no class of values is named {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_and_values_survive_their_json_form() {
        let inner = SchemaBuilder::structure()
            .field("a", Schema::optional_int8())
            .field("d", logical::decimal(2))
            .field("t", logical::optional_timestamp())
            .optional();
        let default = Struct::new(inner.clone().build().unwrap())
            .unwrap()
            .with("d", Decimal::new(-150, 2))
            .unwrap();
        let inner = inner.default_value(default).build().unwrap();
        let value = Value::Map(vec![
            (Value::Null, Value::from(f32::NAN)),
            (Value::from(-0.0), Value::from(&b"\xff\x00"[..])),
            (Value::from(i64::MIN), Value::Date(-1)),
            (
                Value::from("k"),
                Value::Array(vec![
                    1_i8.into(),
                    2_i16.into(),
                    3_i32.into(),
                    1e-7_f64.into(),
                    true.into(),
                    Value::from(Struct::new(SchemaRef::clone(&inner)).unwrap()),
                ]),
            ),
        ]);
        let schema = SchemaBuilder::map(Schema::optional_string(), inner)
            .name("n")
            .version(3)
            .doc("d")
            .parameter("p", "v")
            .build()
            .unwrap();
        let text = schema_to_json(&schema).to_string();
        let read = schema_from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(read, Some(schema));
        let deep = (0..200).fold(value.clone(), |inner, _| Value::Array(vec![inner]));
        for value in [value, deep] {
            let text = value_to_json(&value).to_string();
            let read = value_from_json(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(read, value);
        }
    }

    #[test]
    fn messages_survive_their_json_form() {
        for bytes in [None, Some(&b""[..]), Some(b"a\"\n"), Some(b"\xff\x00")] {
            assert_eq!(bytes_from_json(&bytes_to_json(bytes)).unwrap().as_deref(), bytes);
        }
    }

    #[test]
    fn schemas_without_parts_are_those_of_the_value_parser() {
        for schema in [
            Schema::inferred_array(None),
            Schema::inferred_map(None, None),
            Schema::inferred_map(Some(Schema::string()), None),
        ] {
            assert_eq!(schema_from_json(&schema_to_json(&schema)).unwrap(), Some(schema));
        }
    }
}
