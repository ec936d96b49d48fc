//! `StringConverter`: a value's text form as bytes.
//!
//! Writing gives what Java's `toString` gives, so structs, maps and lists come out as `Struct{a=1}`, `{a=1}` and
//! `[1, 2]`, not as JSON. Reading gives an optional STRING. UTF-8 text is neither copied twice nor built as a tree.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Width};
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, Schema, SchemaAndValue,
    SchemaRef, ValueRef, java_text,
};

use crate::SERIALIZATION_EXCEPTION;
use crate::charset::Charset;
use crate::config::{base_config, parse};

/// The charset of the texts.
pub const ENCODING: &str = "converter.encoding";
const DEFAULT_ENCODING: &str = "UTF-8";

/// Converts texts.
#[derive(Debug, Clone)]
pub struct StringConverter {
    charset: Charset,
}

impl Default for StringConverter {
    fn default() -> Self {
        Self {
            charset: Charset::Utf8,
        }
    }
}

/// Whether a configuration asks for UTF-8.
pub(crate) fn is_utf8(config: &ConfigMap) -> bool {
    config
        .get(ENCODING)
        .is_none_or(|name| Charset::named(name.trim()) == Some(Charset::Utf8))
}

impl Converter for StringConverter {
    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()> {
        let config = parse(&self.config(), config, converter_type)?;
        let encoding = config.string(ENCODING)?;
        self.charset = Charset::named(encoding).ok_or_else(|| {
            ConnectError::connect(format!("Unsupported encoding {encoding}"))
                .with_class(SERIALIZATION_EXCEPTION)
        })?;
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        base_config().define(
            ConfigKey::new(ENCODING, Type::String)
                .default(DEFAULT_ENCODING)
                .importance(Importance::High)
                .width(Width::Medium)
                .display_name("Encoding")
                .doc("The name of the Java charset that texts are written and read in."),
        )
    }

    fn encode(
        &mut self,
        _topic: &str,
        _headers: &mut Headers,
        _schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        if value.is_null() {
            return Ok(Encoded::Null);
        }
        match (value, self.charset) {
            (value, Charset::Utf8) => java_text::write_java_string(&value, out),
            (ValueRef::String(text), charset) => charset.encode(text, out),
            (value, charset) => charset.encode(&java_text::to_java_string(&value), out),
        }
        Ok(Encoded::Bytes)
    }

    fn decode(&mut self, _topic: &str, _headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        let text = match bytes {
            None => None,
            Some(bytes) => Some(self.charset.decode(bytes).into_owned()),
        };
        Ok(SchemaAndValue::new(Some(Schema::optional_string()), text))
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{SchemaBuilder, Struct, Value};

    use super::*;

    fn configured(encoding: &str) -> StringConverter {
        let mut converter = StringConverter::default();
        let config = ConfigMap::from([(ENCODING.to_owned(), encoding.to_owned())]);
        converter.configure(&config, ConverterType::Value).unwrap();
        converter
    }

    fn encode(converter: &mut StringConverter, value: &Value) -> Result<(Encoded, Vec<u8>)> {
        let mut out = Vec::new();
        let schema = Schema::int8();
        let encoded = converter.encode("t", &mut Headers::new(), Some(&schema), value.as_ref(), &mut out)?;
        Ok((encoded, out))
    }

    #[test]
    fn values_are_written_as_java_prints_them() {
        let schema = SchemaBuilder::structure()
            .field("a", Schema::int32())
            .build()
            .unwrap();
        let mut converter = configured("UTF-8");
        for (value, text) in [
            (Value::from("é😀"), "é😀"),
            (Value::from(""), ""),
            (Value::from(5), "5"),
            (Value::from(1e10), "1.0E10"),
            (Value::from(true), "true"),
            (Value::from(vec![Value::from(1), Value::from(2)]), "[1, 2]"),
            (Value::from(vec![(Value::from("a"), Value::from(1))]), "{a=1}"),
            (
                Struct::new(schema).unwrap().with("a", 1).unwrap().into(),
                "Struct{a=1}",
            ),
        ] {
            assert_eq!(
                encode(&mut converter, &value).unwrap(),
                (Encoded::Bytes, text.as_bytes().to_vec())
            );
        }
        assert_eq!(
            encode(&mut converter, &Value::Null).unwrap(),
            (Encoded::Null, vec![])
        );
    }

    #[test]
    fn charset_applies_both_ways() {
        for (encoding, bytes) in [
            ("ISO-8859-1", &b"\xe9"[..]),
            ("UTF-16", b"\xfe\xff\x00\xe9"),
            (" utf-8 ", "é".as_bytes()),
        ] {
            let mut converter = configured(encoding);
            assert_eq!(encode(&mut converter, &"é".into()).unwrap().1, bytes);
            let decoded = converter.decode("t", &Headers::new(), Some(bytes)).unwrap();
            assert_eq!(decoded, SchemaAndValue::new(Some(Schema::optional_string()), "é"));
        }
        assert_eq!(encode(&mut configured("UTF-16LE"), &5.into()).unwrap().1, b"5\0");
    }

    #[test]
    fn unknown_charset_fails_the_configuration() {
        for name in ["no-such", ""] {
            let config = ConfigMap::from([(ENCODING.to_owned(), name.to_owned())]);
            let error = StringConverter::default()
                .configure(&config, ConverterType::Value)
                .unwrap_err();
            assert_eq!(error.message(), format!("Unsupported encoding {name}"));
            assert_eq!(error.class(), SERIALIZATION_EXCEPTION);
        }
    }
}
