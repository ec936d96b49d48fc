//! `BooleanConverter`: one byte, `01` or `00`.

use wharf_api::config::ConfigDef;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, Schema, SchemaAndValue,
    SchemaRef, SchemaType, ValueRef,
};

use crate::config::base_config;
use crate::serialization_error;

/// Writes BOOLEAN as one byte. Reads as optional BOOLEAN.
#[derive(Debug, Clone, Copy, Default)]
pub struct BooleanConverter;

impl Converter for BooleanConverter {
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
            && schema.schema_type() != SchemaType::Boolean
        {
            let found = schema.schema_type();
            return Err(ConnectError::data(format!(
                "Invalid schema type for BooleanConverter: {found}"
            )));
        }
        match value {
            ValueRef::Null => Ok(Encoded::Null),
            ValueRef::Boolean(value) => {
                out.push(u8::from(value));
                Ok(Encoded::Bytes)
            }
            other => Err(ConnectError::data(format!(
                "BooleanConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }

    fn decode(&mut self, _topic: &str, _headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        let value = match bytes {
            None => None,
            Some([0]) => Some(false),
            Some([1]) => Some(true),
            Some([other]) => {
                return Err(failed(format!(
                    "Unexpected byte received by BooleanDeserializer: {}",
                    other.cast_signed()
                )));
            }
            Some(_) => {
                return Err(failed(
                    "Size of data received by BooleanDeserializer is not 1".to_owned(),
                ));
            }
        };
        Ok(SchemaAndValue::new(Some(Schema::optional_boolean()), value))
    }
}

fn failed(reason: String) -> ConnectError {
    serialization_error("Failed to deserialize boolean: ", reason)
}

#[cfg(test)]
mod tests {
    use wharf_api::Value;

    use super::*;

    fn encode(schema: Option<SchemaRef>, value: Value) -> Result<(Encoded, Vec<u8>)> {
        let mut out = Vec::new();
        let encoded = BooleanConverter.encode(
            "t",
            &mut Headers::new(),
            schema.as_ref(),
            value.as_ref(),
            &mut out,
        )?;
        Ok((encoded, out))
    }

    fn decode(bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        BooleanConverter.decode("t", &Headers::new(), bytes)
    }

    #[test]
    fn truth_is_one_byte_both_ways() {
        for (value, byte) in [(true, 1), (false, 0)] {
            for schema in [None, Some(Schema::boolean()), Some(Schema::optional_boolean())] {
                assert_eq!(
                    encode(schema, value.into()).unwrap(),
                    (Encoded::Bytes, vec![byte])
                );
            }
            assert_eq!(
                decode(Some(&[byte])).unwrap(),
                SchemaAndValue::new(Some(Schema::optional_boolean()), value)
            );
        }
        assert_eq!(encode(None, Value::Null).unwrap(), (Encoded::Null, vec![]));
        assert_eq!(
            decode(None).unwrap(),
            SchemaAndValue::new(Some(Schema::optional_boolean()), Value::Null)
        );
    }

    #[test]
    fn everything_else_is_refused() {
        let error = encode(Some(Schema::int8()), true.into()).unwrap_err();
        assert_eq!(error.message(), "Invalid schema type for BooleanConverter: INT8");
        let error = encode(None, "true".into()).unwrap_err();
        assert_eq!(
            error.message(),
            "BooleanConverter is not compatible with objects of type class java.lang.String"
        );
        for bytes in [&b""[..], b"\x02", b"\xff", b"\x01\x00"] {
            assert_eq!(
                decode(Some(bytes)).unwrap_err().message(),
                "Failed to deserialize boolean: "
            );
        }
        let error = decode(Some(b"\xff")).unwrap_err();
        assert_eq!(
            error.cause().unwrap().message(),
            "Unexpected byte received by BooleanDeserializer: -1"
        );
    }
}
