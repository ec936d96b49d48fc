//! `StringConverter`: a value's text form as bytes.
//!
//! Writing gives what Java's `toString` gives, so structs, maps and lists come out as `Struct{a=1}`, `{a=1}` and
//! `[1, 2]`, not as JSON. Reading gives an optional STRING. UTF-8 text is neither copied twice nor built as a tree.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type};
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, Schema, SchemaAndValue,
    SchemaRef, ValueRef, java_text,
};

use crate::charset::Charset;
use crate::config::{base_config, parse};
use crate::serialization_error;

/// The charset of the texts.
pub const ENCODING: &str = "converter.encoding";
const DEFAULT_ENCODING: &str = "UTF-8";

/// Converts texts.
#[derive(Debug, Clone)]
pub struct StringConverter {
    encoding: String,
    /// `None` when the name is unknown. Upstream finds out with the first record, not when it is configured.
    charset: Option<Charset>,
}

impl Default for StringConverter {
    fn default() -> Self {
        Self {
            encoding: DEFAULT_ENCODING.to_owned(),
            charset: Some(Charset::Utf8),
        }
    }
}

/// Whether a configuration asks for UTF-8.
pub(crate) fn is_utf8(config: &ConfigMap) -> bool {
    config
        .get(ENCODING)
        .is_none_or(|name| Charset::named(name.trim()) == Some(Charset::Utf8))
}

impl StringConverter {
    fn charset(&self, message: &str, action: &str) -> Result<Charset> {
        self.charset
            .ok_or_else(|| unknown_charset(message, action, &self.encoding))
    }
}

#[cold]
fn unknown_charset(message: &str, action: &str, encoding: &str) -> ConnectError {
    serialization_error(
        message,
        format!("Error when {action} due to unsupported encoding {encoding}"),
    )
}

impl Converter for StringConverter {
    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()> {
        let config = parse(&self.config(), config, converter_type)?;
        self.encoding = config.string(ENCODING)?.to_owned();
        self.charset = Charset::named(&self.encoding);
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        base_config().define(
            ConfigKey::new(ENCODING, Type::String)
                .default(DEFAULT_ENCODING)
                .importance(Importance::High)
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
        let charset = self.charset(
            "Failed to serialize to a string: ",
            "serializing string to byte[]",
        )?;
        match (value, charset) {
            (value, Charset::Utf8) => java_text::write_java_string(&value, out),
            (ValueRef::String(text), charset) => charset.encode(text, out),
            (value, charset) => charset.encode(&java_text::to_java_string(&value), out),
        }
        Ok(Encoded::Bytes)
    }

    fn decode(&mut self, _topic: &str, _headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        let text = match bytes {
            None => None,
            Some(bytes) => {
                let charset =
                    self.charset("Failed to deserialize string: ", "deserializing byte[] to string")?;
                Some(charset.decode(bytes).into_owned())
            }
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
    fn unknown_charset_fails_with_the_first_record() {
        let mut converter = configured("no-such");
        let error = encode(&mut converter, &"x".into()).unwrap_err();
        assert_eq!(error.message(), "Failed to serialize to a string: ");
        assert!(
            error
                .cause()
                .unwrap()
                .message()
                .ends_with("unsupported encoding no-such")
        );
        let error = converter.decode("t", &Headers::new(), Some(b"x")).unwrap_err();
        assert_eq!(error.message(), "Failed to deserialize string: ");
        // Nulls have no text to write.
        assert_eq!(encode(&mut converter, &Value::Null).unwrap().0, Encoded::Null);
        assert!(
            converter
                .decode("t", &Headers::new(), None)
                .unwrap()
                .value
                .is_null()
        );
    }
}
