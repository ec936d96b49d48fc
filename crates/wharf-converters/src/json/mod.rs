//! `JsonConverter`: JSON, with or without its schema.
//!
//! With `schemas.enable` each message is an object of exactly `schema` and `payload`; without, it is the payload alone.
//! Both directions are hot. Writing goes from the borrowed value into the output, with the text of the schema from a
//! cache. Reading goes from the text into the value without a JSON tree, with the schema from a cache by its text; a
//! message that starts with the schema of the one before it is not looked at twice.
//!
//! # Deliberate differences from upstream
//!
//! Upstream's reader alters some values silently. Here the record is refused with a data error that says where the value
//! stands, what it is and what to change:
//!
//! | schema / JSON | upstream | here |
//! |---|---|---|
//! | integer types / a number out of range, `300` as INT8 | wraps around (44) | refused |
//! | integer types / a number with a fraction, `1.9` | cut (1) | refused; `1.0` and `1e3` are whole and read |
//! | number types / a text, `"x"` | 0 | refused |
//! | floats / `"NaN"`, `"Infinity"`, `"-Infinity"`, as the writer writes them | 0.0 | the number they name |
//! | floats, no schema / `-0.0` | 0.0 | -0.0 |
//! | floats / a finite number beyond the type's range | infinity | refused |
//! | BOOLEAN / anything else, `"true"` | false | refused |
//! | STRING, BYTES / a number | null | refused |
//! | ARRAY / anything else | an empty list | refused |
//! | Timestamp / an integer beyond 64 bits | wraps around | refused |
//! | no schema / an integer beyond 64 bits, `1e400` | the low 64 bits, infinity | refused |
//! | a schema's `version` beyond 32 bits | wraps around | refused |
//! | half of a surrogate pair in a string | kept, written as `?` later | refused |
//! | `schema.content` / an empty message | 0, false, null or an empty list | refused |
//!
//! Besides: arrays and objects may nest 256 levels deep (upstream: 1000), texts are UTF-8 only (upstream's reader also
//! detects UTF-16 and UTF-32), and a default that is a struct is written and read though upstream finds its schema mismatching.

pub mod config;
mod decode;
mod encode;
pub mod number;
pub mod reader;
mod schema_reader;
mod schema_writer;
pub mod text;

use std::sync::Arc;

use wharf_api::config::ConfigDef;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, SchemaAndValue, SchemaRef,
    ValueRef,
};

use self::config::JsonConverterConfig;
use self::decode::Decoder;
use self::encode::{Encoder, FieldNames};
use self::reader::{Kind, Reader};
use self::schema_reader::read_schema;
use crate::cache::{LruCache, SchemaKey};

const ENVELOPE_START: &[u8] = b"{\"schema\":";
const ENVELOPE_MIDDLE: &[u8] = b",\"payload\":";
const DEFAULT_CACHE_SIZE: usize = 1000;

/// What is written for every value of a schema.
#[derive(Debug)]
struct WrittenSchema {
    /// The start of the envelope up to the payload.
    start: Vec<u8>,
    names: FieldNames,
}

/// Reads and writes JSON.
#[derive(Debug)]
pub struct JsonConverter {
    schemas_enable: bool,
    /// The schema given by `schema.content`.
    fixed_schema: Option<SchemaRef>,
    encoder: Encoder,
    written: LruCache<SchemaKey, Arc<WrittenSchema>>,
    last_written: Option<(SchemaRef, Arc<WrittenSchema>)>,
    /// The schema, by its text.
    read: LruCache<Arc<[u8]>, SchemaRef>,
    last_read: Option<(Arc<[u8]>, SchemaRef)>,
}

impl Default for JsonConverter {
    /// With schemas, as upstream's defaults.
    fn default() -> Self {
        Self {
            schemas_enable: true,
            fixed_schema: None,
            encoder: Encoder {
                numeric_decimals: false,
                replace_null_with_default: true,
            },
            written: LruCache::new(DEFAULT_CACHE_SIZE),
            last_written: None,
            read: LruCache::new(DEFAULT_CACHE_SIZE),
            last_read: None,
        }
    }
}

impl JsonConverter {
    /// For a message of so many bytes.
    fn decoder(&self, length: usize) -> Decoder {
        Decoder::new(self.encoder.replace_null_with_default, length)
    }

    /// Has what belongs to this schema in `last_written`.
    #[cold]
    fn find_written(&mut self, schema: &SchemaRef) -> Result<()> {
        let key = SchemaKey::new(schema);
        let written = match self.written.get(&key) {
            Some(written) => Arc::clone(written),
            None => {
                let mut start = ENVELOPE_START.to_vec();
                self.encoder.schema(Some(schema), &mut start)?;
                start.extend_from_slice(ENVELOPE_MIDDLE);
                let names = FieldNames::of(schema);
                let written = Arc::new(WrittenSchema { start, names });
                self.written.insert(key, Arc::clone(&written));
                written
            }
        };
        self.last_written = Some((Arc::clone(schema), written));
        Ok(())
    }

    /// The schema that a checked JSON text describes; `None` for `null`.
    fn schema_of(&mut self, decoder: &Decoder, text: &[u8]) -> Result<Option<SchemaRef>> {
        if let Some((last, schema)) = &self.last_read
            && **last == *text
        {
            return Ok(Some(Arc::clone(schema)));
        }
        if let Some(schema) = self.read.get(text).map(Arc::clone) {
            self.last_read = Some((text.into(), Arc::clone(&schema)));
            return Ok(Some(schema));
        }
        let Some(schema) = read_schema(decoder, text)? else {
            return Ok(None);
        };
        let text: Arc<[u8]> = text.into();
        self.read.insert(Arc::clone(&text), Arc::clone(&schema));
        self.last_read = Some((text, Arc::clone(&schema)));
        Ok(Some(schema))
    }

    /// Reads a message that has the schema of the one before it in the place where writers put it. `None` when it is not
    /// exactly that, or does not hold: the thorough way finds out and says why.
    fn decode_like_last(&self, decoder: &Decoder, bytes: &[u8]) -> Option<SchemaAndValue> {
        let (text, schema) = self.last_read.as_ref()?;
        let payload = bytes
            .strip_prefix(ENVELOPE_START)?
            .strip_prefix(&**text)?
            .strip_prefix(ENVELOPE_MIDDLE)?;
        // One level down, as the payload stands inside the envelope.
        let mut reader = Reader::inside(payload);
        let value = decoder.payload(&mut reader, Some(schema)).ok()?;
        (reader.next_byte() == b'}').then(|| SchemaAndValue {
            schema: Some(Arc::clone(schema)),
            value,
        })
    }

    fn decode_text(&mut self, bytes: &[u8]) -> Result<SchemaAndValue> {
        let decoder = self.decoder(bytes.len());
        if !self.schemas_enable {
            let mut reader = Reader::new(bytes);
            if reader.is_at_end() {
                return Ok(SchemaAndValue::NULL);
            }
            let value = decoder.payload(&mut reader, None)?;
            return Ok(SchemaAndValue { schema: None, value });
        }
        if let Some(schema) = &self.fixed_schema {
            // The message is the payload alone, even if it looks like an envelope.
            let value = decoder.payload(&mut Reader::new(bytes), Some(schema))?;
            return Ok(SchemaAndValue::new(Some(Arc::clone(schema)), value));
        }
        if let Some(decoded) = self.decode_like_last(&decoder, bytes) {
            return Ok(decoded);
        }
        // What that attempt has used does not count.
        let decoder = self.decoder(bytes.len());
        let mut reader = Reader::new(bytes);
        let envelope = if reader.is_at_end() {
            None
        } else {
            Envelope::read(&mut reader)?
        };
        let Some(Envelope { schema, payload }) = envelope else {
            return Err(ConnectError::data(
                "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain \
                 additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in \
                 your converter configuration.",
            ));
        };
        let schema = self.schema_of(&decoder, schema)?;
        let value = decoder.payload(&mut Reader::inside(payload), schema.as_ref())?;
        Ok(SchemaAndValue { schema, value })
    }
}

/// An object of exactly `schema` and `payload`, as their texts.
struct Envelope<'a> {
    schema: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Checks the next value; `None` if it is anything but an envelope.
    fn read(reader: &mut Reader<'a>) -> Result<Option<Self>> {
        if reader.peek()? != Kind::Object {
            reader.skip()?;
            return Ok(None);
        }
        let (mut schema, mut payload, mut has_others) = (None, None, false);
        let mut items = reader.begin()?;
        while let Some(name) = reader.next_member(&mut items)? {
            let text = reader.skip()?;
            match &*name {
                "schema" => schema = Some(text),
                "payload" => payload = Some(text),
                _ => has_others = true,
            }
        }
        Ok(match (schema, payload) {
            (Some(schema), Some(payload)) if !has_others => Some(Self { schema, payload }),
            _ => None,
        })
    }
}

impl Converter for JsonConverter {
    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()> {
        let config = JsonConverterConfig::parse(config, converter_type)?;
        *self = Self {
            schemas_enable: config.schemas_enable,
            fixed_schema: None,
            encoder: Encoder {
                numeric_decimals: config.numeric_decimals,
                replace_null_with_default: config.replace_null_with_default,
            },
            written: LruCache::new(config.schemas_cache_size),
            last_written: None,
            read: LruCache::new(config.schemas_cache_size),
            last_read: None,
        };
        if let Some(text) = config.schema_content {
            // The whole text is checked first, so that reading its parts cannot meet a syntax error.
            let text = Reader::new(text.as_bytes()).skip().map_err(|cause| {
                ConnectError::data("Failed to parse schema in converter config due to serialization error: ")
                    .caused_by(cause)
            })?;
            self.fixed_schema = read_schema(&self.decoder(text.len()), text)?;
        }
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        config::definition()
    }

    fn encode(
        &mut self,
        _topic: &str,
        _headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        if schema.is_none() && value.is_null() {
            return Ok(Encoded::Null);
        }
        if !self.schemas_enable {
            self.encoder.payload(schema.map(AsRef::as_ref), value, out)?;
            return Ok(Encoded::Bytes);
        }
        if let Some(schema) = schema
            && !matches!(&self.last_written, Some((last, _)) if Arc::ptr_eq(last, schema))
        {
            self.find_written(schema)?;
        }
        match (schema, &self.last_written) {
            (Some(schema), Some((_, written))) => {
                out.extend_from_slice(&written.start);
                self.encoder.payload_with(schema, &written.names, value, out)?;
            }
            _ => {
                out.extend_from_slice(b"{\"schema\":null,\"payload\":");
                self.encoder.payload(None, value, out)?;
            }
        }
        out.push(b'}');
        Ok(Encoded::Bytes)
    }

    fn decode(&mut self, _topic: &str, _headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        match bytes {
            Some(bytes) => self.decode_text(bytes),
            None => Ok(SchemaAndValue::NULL),
        }
    }
}

#[cfg(test)]
mod tests;
