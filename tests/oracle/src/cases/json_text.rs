//! Schemas and values as the JSON that `JsonConverter` reads, written here and not by the converter under test, and in
//! more forms than that one writes: attributes in any order, what may be left out left out, blanks.

use wharf_api::{Decimal, Schema, SchemaRef, SchemaType, Struct, Value, java_text, logical, values};

use wharf_test_services::Random;

/// A message with its schema, or sometimes without.
pub(super) fn message(random: &mut Random, schema: &SchemaRef, value: &Value) -> String {
    let payload = payload(random, schema, value);
    match random.below(8) {
        0 => payload,
        1 => format!(
            "{{\"payload\":{payload},\"schema\":{}}}",
            self::schema(random, schema, None)
        ),
        2 => format!("{{\"schema\":null,\"payload\":{payload}}}"),
        _ => format!(
            "{{\"schema\":{},\"payload\":{payload}}}",
            self::schema(random, schema, None)
        ),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn blank(random: &mut Random) -> &'static str {
    ["", "", "", " ", "\n\t"][random.below(5)]
}

fn object(random: &mut Random, mut parts: Vec<(String, String)>, may_shuffle: bool) -> String {
    if may_shuffle && random.once_in(4) {
        let by = random.below(parts.len());
        parts.rotate_left(by);
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|(key, value)| format!("{}{}:{value}", blank(random), quoted(key)))
        .collect();
    format!("{{{}{}}}", parts.join(","), blank(random))
}

fn schema(random: &mut Random, schema: &Schema, field: Option<&str>) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: String| parts.push((key.to_owned(), value));
    let name = match schema.schema_type() {
        SchemaType::Float32 => "float".to_owned(),
        SchemaType::Float64 => "double".to_owned(),
        other => other.name().to_ascii_lowercase(),
    };
    set("type", quoted(&name));
    if let Ok(Some(keys)) = schema.key_schema() {
        set("keys", self::schema(random, keys, None));
    }
    if let Ok(Some(values)) = schema.value_schema() {
        let key = if schema.schema_type() == SchemaType::Map {
            "values"
        } else {
            "items"
        };
        set(key, self::schema(random, values, None));
    }
    if let Ok(fields) = schema.fields() {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| self::schema(random, field.schema(), Some(field.name())))
            .collect();
        set("fields", format!("[{}]", fields.join(",")));
    }
    if schema.is_optional() || random.once_in(2) {
        set("optional", schema.is_optional().to_string());
    }
    if let Some(name) = schema.name() {
        set("name", quoted(name));
    }
    if let Some(version) = schema.version() {
        set("version", version.to_string());
    }
    if let Some(doc) = schema.doc() {
        set("doc", quoted(doc));
    }
    if let Some(parameters) = schema.parameters() {
        let parameters = parameters
            .iter()
            .map(|(key, value)| (key.clone(), quoted(value)))
            .collect();
        set("parameters", object(random, parameters, false));
    }
    if let Some(default) = schema.default_value() {
        set("default", payload(random, schema, default));
    }
    if let Some(field) = field {
        set("field", quoted(field));
    }
    object(random, parts, true)
}

fn payload(random: &mut Random, schema: &Schema, value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Float32(number) => java_text::float32(*number),
        Value::Float64(number) => java_text::float64(*number),
        Value::String(text) => quoted(text),
        Value::Bytes(bytes) => base64(bytes),
        Value::Decimal(decimal) => decimal_text(random, decimal),
        Value::Date(millis) => match schema.name() {
            Some(logical::DATE) => (millis / logical::MILLIS_PER_DAY).to_string(),
            _ => millis.to_string(),
        },
        Value::Array(items) => {
            let Ok(Some(element)) = schema.value_schema() else {
                return "[]".to_owned();
            };
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("{}{}", blank(random), payload(random, element, item)))
                .collect();
            format!("[{}{}]", items.join(","), blank(random))
        }
        Value::Map(entries) => map(random, schema, entries),
        Value::Struct(inner) => structure(random, inner),
        other => other.as_i64().unwrap_or_default().to_string(),
    }
}

/// Numbers of a scale other than the schema's are read as they are.
fn decimal_text(random: &mut Random, decimal: &Decimal) -> String {
    if random.once_in(2) {
        decimal.to_string()
    } else {
        base64(&decimal.to_be_bytes())
    }
}

fn base64(bytes: &[u8]) -> String {
    let text = values::convert_to_string(&Value::from(bytes).as_ref());
    quoted(&text.unwrap_or_default())
}

fn map(random: &mut Random, schema: &Schema, entries: &[(Value, Value)]) -> String {
    let (Ok(Some(keys)), Ok(Some(values))) = (schema.key_schema(), schema.value_schema()) else {
        return "{}".to_owned();
    };
    if keys.schema_type() == SchemaType::String && !keys.is_optional() {
        let entries = entries
            .iter()
            .map(|(key, value)| {
                let key = key.as_str().unwrap_or_default().to_owned();
                (key, payload(random, values, value))
            })
            .collect();
        return object(random, entries, false);
    }
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| {
            format!(
                "[{},{}]",
                payload(random, keys, key),
                payload(random, values, value)
            )
        })
        .collect();
    format!("[{}]", entries.join(","))
}

fn structure(random: &mut Random, value: &Struct) -> String {
    let schema = value.schema();
    let mut parts: Vec<(String, String)> = Vec::new();
    for (field, stored) in schema.fields().unwrap_or_default().iter().zip(value.values()) {
        // Null may also be said by leaving the field out.
        if !stored.is_null() || random.once_in(2) {
            parts.push((field.name().to_owned(), payload(random, field.schema(), stored)));
        }
    }
    if random.once_in(6) {
        parts.push(("surplus".to_owned(), "[{}]".to_owned()));
    }
    object(random, parts, true)
}
