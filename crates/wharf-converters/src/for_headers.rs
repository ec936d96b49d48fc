//! Any converter as a header converter.
//!
//! Upstream's converters convert header values exactly as record values, ignoring the header's key, so one adapter
//! serves all of them.

use wharf_api::config::ConfigDef;
use wharf_api::{
    ConfigMap, Converter, ConverterType, Encoded, HeaderConverter, Headers, Result, SchemaAndValue,
    SchemaRef, ValueRef,
};

/// Converts header values with a [`Converter`].
#[derive(Debug, Default)]
pub struct ForHeaders<C>(pub C);

impl<C: Converter> HeaderConverter for ForHeaders<C> {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.0.configure(config, ConverterType::Header)
    }

    fn config(&self) -> ConfigDef {
        self.0.config()
    }

    fn encode_header(
        &mut self,
        topic: &str,
        _key: &str,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        self.0.encode(topic, &mut Headers::new(), schema, value, out)
    }

    fn decode_header(&mut self, topic: &str, _key: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        self.0.decode(topic, &Headers::new(), bytes)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, Value};

    use super::*;
    use crate::{IntegerConverter, StringConverter};

    #[test]
    fn header_values_are_converted_as_record_values() {
        let mut converter = ForHeaders(IntegerConverter);
        converter.configure(&ConfigMap::new()).unwrap();
        let mut out = Vec::new();
        let encoded = converter
            .encode_header("t", "h", None, ValueRef::Int32(1), &mut out)
            .unwrap();
        assert_eq!(
            (encoded, out.as_slice()),
            (Encoded::Bytes, [0, 0, 0, 1].as_slice())
        );
        let decoded = converter.decode_header("t", "h", Some(&out)).unwrap();
        assert_eq!(decoded, SchemaAndValue::new(Some(Schema::optional_int32()), 1));
        assert_eq!(
            converter.decode_header("t", "h", None).unwrap().value,
            Value::Null
        );
    }

    #[test]
    fn definition_is_that_of_the_converter() {
        let names: Vec<String> = ForHeaders(StringConverter::default())
            .config()
            .names()
            .map(str::to_owned)
            .collect();
        assert_eq!(names, ["converter.type", "converter.encoding"]);
    }
}
