//! Converters of plugins, configured and asked as a worker does.

use wharf_api::{ConfigMap, Converter, ConverterType, Encoded, Headers, Result, SchemaRef, ValueRef};

/// A converter of values with the schema registry of this address, and with these settings.
///
/// # Panics
/// When it refuses them.
#[must_use]
pub fn converter_with_registry<C: Converter + Default>(url: &str, entries: &[(&str, &str)]) -> C {
    let mut config = ConfigMap::from([("schema.registry.url".to_owned(), url.to_owned())]);
    config.extend(crate::config(entries.iter().copied()));
    let mut converter = C::default();
    if let Err(error) = converter.configure(&config, ConverterType::Value) {
        panic!("{}", error.trace());
    }
    converter
}

/// What a converter appends for a value; `None` when that is a null.
///
/// # Errors
/// The converter's own.
///
/// # Panics
/// When it changes what was in the buffer before, or appends to it for a null.
pub fn encode(
    converter: &mut dyn Converter,
    topic: &str,
    headers: &mut Headers,
    schema: Option<&SchemaRef>,
    value: ValueRef<'_>,
) -> Result<Option<Vec<u8>>> {
    const BEFORE: &[u8] = b"before";
    let mut out = BEFORE.to_vec();
    let encoded = converter.encode(topic, headers, schema, value, &mut out)?;
    let bytes = out.split_off(BEFORE.len());
    assert_eq!(out, BEFORE);
    Ok(match encoded {
        Encoded::Null => {
            assert!(bytes.is_empty(), "a null has bytes");
            None
        }
        Encoded::Bytes => Some(bytes),
    })
}
