//! [`Schema`]s to JSON. Cached by the caller, so this may take its time.

use wharf_api::{Result, Schema, SchemaRef, SchemaType};

use super::encode::{Encoder, deeper, write_boolean};
use super::text::{write_integer, write_string};

impl Encoder {
    /// Appends the JSON form of a schema; `null` for none.
    pub(super) fn schema(&self, schema: Option<&SchemaRef>, out: &mut Vec<u8>) -> Result<()> {
        self.schema_of_field(schema, None, 0, out)
    }

    fn schema_of_field(
        &self,
        schema: Option<&SchemaRef>,
        field: Option<&str>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(schema) = schema else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        let depth = deeper(depth)?;
        out.extend_from_slice(b"{\"type\":");
        write_string(type_name(schema.schema_type()), out);
        match schema.schema_type() {
            SchemaType::Array => {
                out.extend_from_slice(b",\"items\":");
                self.schema_of_field(schema.value_schema()?, None, depth, out)?;
            }
            SchemaType::Map => {
                out.extend_from_slice(b",\"keys\":");
                self.schema_of_field(schema.key_schema()?, None, depth, out)?;
                out.extend_from_slice(b",\"values\":");
                self.schema_of_field(schema.value_schema()?, None, depth, out)?;
            }
            SchemaType::Struct => {
                out.extend_from_slice(b",\"fields\":[");
                for field in schema.fields()? {
                    if field.index() > 0 {
                        out.push(b',');
                    }
                    self.schema_of_field(Some(field.schema()), Some(field.name()), depth, out)?;
                }
                out.push(b']');
            }
            _ => {}
        }
        out.extend_from_slice(b",\"optional\":");
        write_boolean(schema.is_optional(), out);
        self.attributes(schema, out)?;
        if let Some(field) = field {
            write_text_member("field", field, out);
        }
        out.push(b'}');
        Ok(())
    }

    /// Those that are left out when they are not set.
    fn attributes(&self, schema: &Schema, out: &mut Vec<u8>) -> Result<()> {
        if let Some(name) = schema.name() {
            write_text_member("name", name, out);
        }
        if let Some(version) = schema.version() {
            out.extend_from_slice(b",\"version\":");
            write_integer(version, out);
        }
        if let Some(doc) = schema.doc() {
            write_text_member("doc", doc, out);
        }
        if let Some(parameters) = schema.parameters() {
            out.extend_from_slice(b",\"parameters\":{");
            for (position, (key, value)) in parameters.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_string(value, out);
            }
            out.push(b'}');
        }
        if let Some(default) = schema.default_value() {
            out.extend_from_slice(b",\"default\":");
            self.payload(Some(schema), default.as_ref(), out)?;
        }
        Ok(())
    }
}

fn write_text_member(name: &str, text: &str, out: &mut Vec<u8>) {
    out.push(b',');
    write_string(name, out);
    out.push(b':');
    write_string(text, out);
}

/// The name of a type in JSON schemas. Floats have Java's names there.
fn type_name(schema_type: SchemaType) -> &'static str {
    match schema_type {
        SchemaType::Int8 => "int8",
        SchemaType::Int16 => "int16",
        SchemaType::Int32 => "int32",
        SchemaType::Int64 => "int64",
        SchemaType::Float32 => "float",
        SchemaType::Float64 => "double",
        SchemaType::Boolean => "boolean",
        SchemaType::String => "string",
        SchemaType::Bytes => "bytes",
        SchemaType::Array => "array",
        SchemaType::Map => "map",
        SchemaType::Struct => "struct",
    }
}
