//! The five number converters: big-endian bytes of fixed width. The value's class must be exact; the schema given for
//! encoding is ignored, as upstream.

use wharf_api::config::ConfigDef;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, Schema, SchemaAndValue,
    SchemaRef, ValueRef,
};

use crate::config::base_config;
use crate::serialization_error;

fn wrong_class(name: &str, value: ValueRef<'_>) -> ConnectError {
    let class = value.java_class();
    serialization_error(
        format!("Failed to serialize to {name} (was class {class}): "),
        format!(
            "the converter writes values of type {name} only; give it one, or choose the converter of that class"
        ),
    )
}

fn wrong_size(name: &str, deserializer: &str, wanted: usize) -> ConnectError {
    serialization_error(
        format!("Failed to deserialize {name}: "),
        format!("Size of data received by {deserializer} is not {wanted}"),
    )
}

macro_rules! number_converters {
    ($($converter:ident: $type:ty, $variant:ident, $schema:ident, $name:literal, $deserializer:literal;)*) => {$(
        #[doc = concat!("Writes ", $name, " values as big-endian bytes of fixed width.")]
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $converter;

        impl Converter for $converter {
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
                _schema: Option<&SchemaRef>,
                value: ValueRef<'_>,
                out: &mut Vec<u8>,
            ) -> Result<Encoded> {
                match value {
                    ValueRef::Null => Ok(Encoded::Null),
                    ValueRef::$variant(number) => {
                        out.extend_from_slice(&number.to_be_bytes());
                        Ok(Encoded::Bytes)
                    }
                    other => Err(wrong_class($name, other)),
                }
            }

            fn decode(&mut self, _topic: &str, _headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
                let number = match bytes {
                    None => None,
                    Some(bytes) => match bytes.try_into() {
                        Ok(bytes) => Some(<$type>::from_be_bytes(bytes)),
                        Err(_) => return Err(wrong_size($name, $deserializer, size_of::<$type>())),
                    },
                };
                Ok(SchemaAndValue::new(Some(Schema::$schema()), number))
            }
        }
    )*};
}

number_converters! {
    DoubleConverter: f64, Float64, optional_float64, "double", "Deserializer";
    FloatConverter: f32, Float32, optional_float32, "float", "Deserializer";
    IntegerConverter: i32, Int32, optional_int32, "integer", "IntegerDeserializer";
    LongConverter: i64, Int64, optional_int64, "long", "LongDeserializer";
    ShortConverter: i16, Int16, optional_int16, "short", "ShortDeserializer";
}

#[cfg(test)]
mod tests {
    use wharf_api::Value;

    use super::*;

    struct Case {
        converter: Box<dyn Converter>,
        value: Value,
        bytes: Vec<u8>,
        schema: SchemaRef,
        name: &'static str,
    }

    fn cases() -> Vec<Case> {
        fn case<C: Converter + 'static>(
            converter: C,
            value: impl Into<Value>,
            bytes: &[u8],
            schema: SchemaRef,
            name: &'static str,
        ) -> Case {
            Case {
                converter: Box::new(converter),
                value: value.into(),
                bytes: bytes.to_vec(),
                schema,
                name,
            }
        }
        vec![
            case(
                IntegerConverter,
                1,
                &[0, 0, 0, 1],
                Schema::optional_int32(),
                "integer",
            ),
            case(
                IntegerConverter,
                i32::MIN,
                &[0x80, 0, 0, 0],
                Schema::optional_int32(),
                "integer",
            ),
            case(ShortConverter, 1_i16, &[0, 1], Schema::optional_int16(), "short"),
            case(
                LongConverter,
                -1_i64,
                &[0xff; 8],
                Schema::optional_int64(),
                "long",
            ),
            case(
                FloatConverter,
                1.5_f32,
                &[0x3f, 0xc0, 0, 0],
                Schema::optional_float32(),
                "float",
            ),
            case(
                DoubleConverter,
                -2.0_f64,
                &[0xc0, 0, 0, 0, 0, 0, 0, 0],
                Schema::optional_float64(),
                "double",
            ),
        ]
    }

    #[test]
    fn numbers_are_big_endian_both_ways() {
        for Case {
            mut converter,
            value,
            bytes,
            schema,
            ..
        } in cases()
        {
            let mut out = b"before".to_vec();
            let text_schema = Schema::string();
            let encoded = converter
                .encode(
                    "t",
                    &mut Headers::new(),
                    Some(&text_schema),
                    value.as_ref(),
                    &mut out,
                )
                .unwrap();
            assert_eq!((encoded, &out[6..]), (Encoded::Bytes, &bytes[..]));
            let decoded = converter.decode("t", &Headers::new(), Some(&bytes)).unwrap();
            assert_eq!(decoded, SchemaAndValue::new(Some(schema), value));
        }
    }

    #[test]
    fn null_keeps_the_optional_schema() {
        for Case {
            mut converter,
            schema,
            ..
        } in cases()
        {
            let encoded = converter
                .encode("t", &mut Headers::new(), None, ValueRef::Null, &mut Vec::new())
                .unwrap();
            assert_eq!(encoded, Encoded::Null);
            let decoded = converter.decode("t", &Headers::new(), None).unwrap();
            assert_eq!(decoded, SchemaAndValue::new(Some(schema), Value::Null));
        }
    }

    #[test]
    fn other_classes_and_lengths_are_refused() {
        for Case {
            mut converter,
            bytes,
            name,
            ..
        } in cases()
        {
            let error = converter
                .encode("t", &mut Headers::new(), None, ValueRef::Int8(1), &mut Vec::new())
                .unwrap_err();
            assert_eq!(
                error.message(),
                format!("Failed to serialize to {name} (was class java.lang.Byte): ")
            );
            for wrong in [&bytes[1..], &[bytes.as_slice(), &[0]].concat(), &[]] {
                let error = converter.decode("t", &Headers::new(), Some(wrong)).unwrap_err();
                assert_eq!(error.message(), format!("Failed to deserialize {name}: "));
                let cause = error.cause().unwrap();
                assert!(
                    cause.message().ends_with(&format!("is not {}", bytes.len())),
                    "{cause}"
                );
            }
        }
    }
}
