//! The reference's vectors for JsonConverter, as tables.

use wharf_api::{Decimal, ErrorKind, Schema, SchemaBuilder, SchemaType, Struct, Value, logical};

use super::config::{
    DECIMAL_FORMAT, REPLACE_NULL_WITH_DEFAULT, SCHEMA_CONTENT, SCHEMAS_CACHE_SIZE, SCHEMAS_ENABLE,
};
use super::*;

mod decode;
mod encode;
mod null;
mod schema;

const SERIALIZATION_ERROR: &str =
    "Converting byte[] to Kafka Connect data failed due to serialization error: ";
const DAY: i64 = logical::MILLIS_PER_DAY;

fn configured(entries: &[(&str, &str)]) -> JsonConverter {
    let mut converter = JsonConverter::default();
    let config = entries
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    converter.configure(&config, ConverterType::Value).unwrap();
    converter
}

fn schemaless() -> JsonConverter {
    configured(&[(SCHEMAS_ENABLE, "false")])
}

fn encode(
    converter: &mut JsonConverter,
    schema: Option<&SchemaRef>,
    value: &Value,
) -> Result<Option<String>> {
    let mut out = b"before".to_vec();
    let encoded = converter.encode("t", &mut Headers::new(), schema, value.as_ref(), &mut out)?;
    let text = String::from_utf8(out.split_off(6)).unwrap();
    Ok((encoded == Encoded::Bytes).then_some(text))
}

fn decode(converter: &mut JsonConverter, json: &str) -> Result<SchemaAndValue> {
    converter.decode("t", &Headers::new(), Some(json.as_bytes()))
}

/// The payload read with the given schema, the schema standing in the envelope.
fn decode_with(converter: &mut JsonConverter, schema: &str, payload: &str) -> Result<Value> {
    decode(
        converter,
        &format!("{{\"schema\":{schema},\"payload\":{payload}}}"),
    )
    .map(|decoded| decoded.value)
}

fn map(entries: &[(Value, Value)]) -> Value {
    Value::Map(entries.to_vec())
}

fn built(builder: SchemaBuilder) -> SchemaRef {
    builder.build().unwrap()
}

/// Schema, value and envelope of everything that looks the same both ways.
fn both_ways() -> Vec<(SchemaRef, Value, &'static str)> {
    let point = built(
        SchemaBuilder::structure()
            .field("f1", Schema::boolean())
            .field("f2", Schema::string())
            .field("f3", built(SchemaBuilder::int32().default_value(7)))
            .name("com.Foo")
            .version(2)
            .doc("d")
            .parameter("p", "v")
            .parameter("a", "w"),
    );
    let outer = built(
        SchemaBuilder::structure()
            .field("in", Arc::clone(&point))
            .optional(),
    );
    let inner = Struct::new(Arc::clone(&point))
        .unwrap()
        .with("f1", true)
        .unwrap()
        .with("f2", "s")
        .unwrap()
        .with("f3", 1)
        .unwrap();
    vec![
        (
            Schema::boolean(),
            true.into(),
            r#"{"schema":{"type":"boolean","optional":false},"payload":true}"#,
        ),
        (
            Schema::int8(),
            12_i8.into(),
            r#"{"schema":{"type":"int8","optional":false},"payload":12}"#,
        ),
        (
            Schema::int16(),
            (-12_i16).into(),
            r#"{"schema":{"type":"int16","optional":false},"payload":-12}"#,
        ),
        (
            Schema::int32(),
            i32::MIN.into(),
            r#"{"schema":{"type":"int32","optional":false},"payload":-2147483648}"#,
        ),
        (
            Schema::int64(),
            4_398_046_511_104_i64.into(),
            r#"{"schema":{"type":"int64","optional":false},"payload":4398046511104}"#,
        ),
        (
            Schema::float32(),
            12.34_f32.into(),
            r#"{"schema":{"type":"float","optional":false},"payload":12.34}"#,
        ),
        (
            Schema::float32(),
            1e10_f32.into(),
            r#"{"schema":{"type":"float","optional":false},"payload":1.0E10}"#,
        ),
        (
            Schema::float64(),
            1.0.into(),
            r#"{"schema":{"type":"double","optional":false},"payload":1.0}"#,
        ),
        (
            Schema::float64(),
            f64::NAN.into(),
            r#"{"schema":{"type":"double","optional":false},"payload":"NaN"}"#,
        ),
        (
            Schema::float64(),
            f64::NEG_INFINITY.into(),
            r#"{"schema":{"type":"double","optional":false},"payload":"-Infinity"}"#,
        ),
        (
            Schema::string(),
            "te\"st".into(),
            r#"{"schema":{"type":"string","optional":false},"payload":"te\"st"}"#,
        ),
        (
            Schema::string(),
            "é😀".into(),
            r#"{"schema":{"type":"string","optional":false},"payload":"é\uD83D\uDE00"}"#,
        ),
        (
            Schema::bytes(),
            b"test-string".as_slice().into(),
            r#"{"schema":{"type":"bytes","optional":false},"payload":"dGVzdC1zdHJpbmc="}"#,
        ),
        (
            built(SchemaBuilder::array(Schema::int32())),
            Value::Array(vec![1.into(), 2.into(), 3.into()]),
            r#"{"schema":{"type":"array","items":{"type":"int32","optional":false},"optional":false},"payload":[1,2,3]}"#,
        ),
        (
            built(SchemaBuilder::map(Schema::string(), Schema::optional_int32())),
            map(&[("k1".into(), 12.into()), ("k2".into(), Value::Null)]),
            r#"{"schema":{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int32","optional":true},"optional":false},"payload":{"k1":12,"k2":null}}"#,
        ),
        (
            built(SchemaBuilder::map(Schema::int32(), Schema::int32())),
            map(&[(1.into(), 12.into()), (2.into(), 15.into())]),
            r#"{"schema":{"type":"map","keys":{"type":"int32","optional":false},"values":{"type":"int32","optional":false},"optional":false},"payload":[[1,12],[2,15]]}"#,
        ),
        (
            outer,
            Struct::new(built(SchemaBuilder::structure().field("in", point).optional()))
                .unwrap()
                .with("in", inner)
                .unwrap()
                .into(),
            r#"{"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"boolean","optional":false,"field":"f1"},{"type":"string","optional":false,"field":"f2"},{"type":"int32","optional":false,"default":7,"field":"f3"}],"optional":false,"name":"com.Foo","version":2,"doc":"d","parameters":{"p":"v","a":"w"},"field":"in"}],"optional":true},"payload":{"in":{"f1":true,"f2":"s","f3":1}}}"#,
        ),
        (
            Schema::optional_string(),
            Value::Null,
            r#"{"schema":{"type":"string","optional":true},"payload":null}"#,
        ),
        (
            logical::decimal(2),
            Decimal::new(156, 2).into(),
            r#"{"schema":{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}},"payload":"AJw="}"#,
        ),
        (
            logical::date(),
            Value::Date(10 * DAY),
            r#"{"schema":{"type":"int32","optional":false,"name":"org.apache.kafka.connect.data.Date","version":1},"payload":10}"#,
        ),
        (
            logical::optional_time(),
            Value::Date(14_400_000),
            r#"{"schema":{"type":"int32","optional":true,"name":"org.apache.kafka.connect.data.Time","version":1},"payload":14400000}"#,
        ),
        (
            logical::timestamp(),
            Value::Date(4_000_000_000),
            r#"{"schema":{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1},"payload":4000000000}"#,
        ),
    ]
}
