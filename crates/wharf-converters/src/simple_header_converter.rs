//! `SimpleHeaderConverter`: texts whose type is guessed when they are read. The worker's default for headers.
//!
//! Both ways are those of [`wharf_api::values`]. What is read loses its type if its text looks like another one
//! (`"5"` comes back as INT8), and dates without zone are those of the process's time zone.

use wharf_api::config::ConfigDef;
use wharf_api::{ConfigMap, Encoded, HeaderConverter, Result, SchemaAndValue, SchemaRef, ValueRef, values};

use crate::charset::Charset;

/// Converts header values to and from texts. It has no configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct SimpleHeaderConverter;

impl HeaderConverter for SimpleHeaderConverter {
    fn configure(&mut self, _config: &ConfigMap) -> Result<()> {
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn encode_header(
        &mut self,
        _topic: &str,
        _key: &str,
        _schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        if value.is_null() {
            return Ok(Encoded::Null);
        }
        values::write_string(&value, out);
        Ok(Encoded::Bytes)
    }

    fn decode_header(&mut self, _topic: &str, _key: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue::NULL);
        };
        Ok(values::parse_string(&Charset::Utf8.decode(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, SchemaBuilder, Struct, Value};

    use super::*;

    fn decode(text: &str) -> SchemaAndValue {
        SimpleHeaderConverter
            .decode_header("t", "h", Some(text.as_bytes()))
            .unwrap()
    }

    fn encode(value: &Value) -> Option<String> {
        let mut out = Vec::new();
        let encoded = SimpleHeaderConverter
            .encode_header("t", "h", None, value.as_ref(), &mut out)
            .unwrap();
        (encoded == Encoded::Bytes).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn type_is_guessed_from_the_text() {
        let int8_array = Schema::inferred_array(Some(Schema::int8()));
        for (text, schema, value) in [
            ("", Some(Schema::string()), Value::from("")),
            ("null", None, Value::Null),
            ("true", Some(Schema::boolean()), true.into()),
            ("5", Some(Schema::int8()), 5_i8.into()),
            ("300", Some(Schema::int16()), 300_i16.into()),
            ("1.5", Some(Schema::float32()), 1.5_f32.into()),
            ("some text", Some(Schema::string()), "some text".into()),
            ("\"x\"", Some(Schema::string()), "\"x\"".into()),
            (
                "[1,2]x",
                Some(int8_array),
                Value::Array(vec![1_i8.into(), 2_i8.into()]),
            ),
            ("10.0.0.1:9092", Some(Schema::string()), "10.0.0.1:9092".into()),
        ] {
            assert_eq!(decode(text), SchemaAndValue::new(schema, value), "{text}");
        }
        assert_eq!(
            SimpleHeaderConverter.decode_header("t", "h", None).unwrap(),
            SchemaAndValue::NULL
        );
    }

    #[test]
    fn malformed_utf8_becomes_the_replacement_character() {
        let read = SimpleHeaderConverter
            .decode_header("t", "h", Some(b"a\xff"))
            .unwrap();
        assert_eq!(read.value, Value::from("a\u{fffd}"));
    }

    #[test]
    fn values_are_written_as_texts() {
        let schema = SchemaBuilder::structure()
            .field("a", Schema::string())
            .build()
            .unwrap();
        for (value, text) in [
            (Value::from("a \"b\""), "a \"b\""),
            (1e10.into(), "1.0E10"),
            (b"test-string".as_slice().into(), "dGVzdC1zdHJpbmc="),
            (
                Value::Array(vec![1.into(), "x".into(), Value::Null]),
                "[1,\"x\",null]",
            ),
            (
                Value::Map(vec![("k".into(), 1.into()), (2.into(), "v".into())]),
                "{\"k\":1,2:\"v\"}",
            ),
            (
                Struct::new(schema).unwrap().with("a", "b").unwrap().into(),
                "{\"a\":\"b\"}",
            ),
        ] {
            assert_eq!(encode(&value).as_deref(), Some(text));
        }
        assert_eq!(encode(&Value::Null), None);
    }
}
