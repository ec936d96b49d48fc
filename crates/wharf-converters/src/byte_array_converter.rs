//! `ByteArrayConverter`: bytes as they are.

use wharf_api::config::ConfigDef;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, Schema, SchemaAndValue,
    SchemaRef, SchemaType, ValueRef,
};

use crate::config::base_config;

/// Passes bytes through. Reads as optional BYTES.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteArrayConverter;

impl Converter for ByteArrayConverter {
    fn configure(&mut self, _config: &ConfigMap, _converter_type: ConverterType) -> Result<()> {
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        base_config()
    }

    fn encode(
        &mut self,
        _topic: &str,
        _headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        if let Some(schema) = schema
            && schema.schema_type() != SchemaType::Bytes
        {
            let found = schema.schema_type();
            return Err(ConnectError::data(format!(
                "Invalid schema type for ByteArrayConverter: {found}"
            )));
        }
        match value {
            ValueRef::Null => Ok(Encoded::Null),
            ValueRef::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                Ok(Encoded::Bytes)
            }
            other => Err(ConnectError::data(format!(
                "ByteArrayConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }

    fn decode(&mut self, _topic: &str, _headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        Ok(SchemaAndValue::new(Some(Schema::optional_bytes()), bytes))
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Decimal, Value, logical};

    use super::*;

    fn encode(schema: Option<SchemaRef>, value: Value) -> Result<(Encoded, Vec<u8>)> {
        let mut out = Vec::new();
        let encoded = ByteArrayConverter.encode(
            "t",
            &mut Headers::new(),
            schema.as_ref(),
            value.as_ref(),
            &mut out,
        )?;
        Ok((encoded, out))
    }

    #[test]
    fn bytes_pass_unchanged_both_ways() {
        for bytes in [&b""[..], b"\x00\xff", b"text"] {
            for schema in [None, Some(Schema::bytes()), Some(Schema::optional_bytes())] {
                assert_eq!(
                    encode(schema, bytes.into()).unwrap(),
                    (Encoded::Bytes, bytes.to_vec())
                );
            }
            let decoded = ByteArrayConverter
                .decode("t", &Headers::new(), Some(bytes))
                .unwrap();
            assert_eq!(
                decoded,
                SchemaAndValue::new(Some(Schema::optional_bytes()), bytes)
            );
        }
    }

    #[test]
    fn null_is_null_both_ways() {
        assert_eq!(
            encode(Some(Schema::bytes()), Value::Null).unwrap().0,
            Encoded::Null
        );
        let decoded = ByteArrayConverter.decode("t", &Headers::new(), None).unwrap();
        assert_eq!(
            decoded,
            SchemaAndValue::new(Some(Schema::optional_bytes()), Value::Null)
        );
    }

    #[test]
    fn other_schemas_and_classes_are_refused() {
        for (schema, value, message) in [
            (
                Some(Schema::string()),
                Value::from(&b"x"[..]),
                "Invalid schema type for ByteArrayConverter: STRING",
            ),
            (
                Some(Schema::string()),
                Value::Null,
                "Invalid schema type for ByteArrayConverter: STRING",
            ),
            (
                None,
                Value::from("x"),
                "ByteArrayConverter is not compatible with objects of type class java.lang.String",
            ),
            (
                Some(logical::decimal(0)),
                Decimal::new(1, 0).into(),
                "ByteArrayConverter is not compatible with objects of type class java.math.BigDecimal",
            ),
        ] {
            assert_eq!(encode(schema, value).unwrap_err().message(), message);
        }
    }
}
