//! JSON schemas to [`Schema`](wharf_api::Schema). Cached by the caller, so this may take its time.

use std::borrow::Cow;

use wharf_api::{ConnectError, Result, SchemaBuilder, SchemaRef, SchemaType};

use super::decode::Decoder;
use super::reader::{Kind, Reader};

/// The members of a JSON object, each with the text of its value. Of two with the same name the last counts.
struct Members<'a>(Vec<(Cow<'a, str>, &'a [u8])>);

impl<'a> Members<'a> {
    /// Those of an object; none of anything else.
    fn of(text: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(text);
        let mut members = Vec::new();
        if reader.peek()? == Kind::Object {
            let mut items = reader.begin()?;
            while let Some(name) = reader.next_member(&mut items)? {
                members.push((name, reader.skip()?));
            }
        }
        Ok(Self(members))
    }

    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0
            .iter()
            .rev()
            .find(|(member, _)| member == name)
            .map(|(_, text)| *text)
    }

    /// The value of a member, if it is there and not null.
    fn non_null(&self, name: &str) -> Option<&'a [u8]> {
        self.get(name).filter(|text| *text != b"null")
    }

    /// The value of a member, if it is a string.
    fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>> {
        match self.get(name) {
            Some(text) if text.starts_with(b"\"") => Reader::new(text).string().map(Some),
            _ => Ok(None),
        }
    }
}

/// The schema that a JSON text describes; `None` for JSON `null`. Attributes of the wrong type are ignored where
/// upstream ignores them.
pub(super) fn read_schema(decoder: &Decoder, text: &[u8]) -> Result<Option<SchemaRef>> {
    if Reader::new(text).peek()? == Kind::Null {
        return Ok(None);
    }
    let members = Members::of(text)?;
    let mut builder = start(decoder, &members)?;
    if members.get("optional") == Some(b"true".as_slice()) {
        builder = builder.optional();
    }
    if let Some(name) = members.text("name")? {
        builder = builder.name(name);
    }
    if let Some(version) = version(&members)? {
        builder = builder.version(version);
    }
    if let Some(doc) = members.text("doc")? {
        builder = builder.doc(doc);
    }
    for (key, value) in parameters(&members)? {
        builder = builder.parameter(key, value);
    }
    if let Some(default) = members.non_null("default") {
        // A struct's default is built against the schema that it becomes the default of.
        let without_default = builder.clone().build()?;
        let mut reader = Reader::new(default);
        builder = builder.default_value(decoder.payload(&mut reader, Some(&without_default))?);
    }
    builder.build().map(Some)
}

fn start(decoder: &Decoder, members: &Members<'_>) -> Result<SchemaBuilder> {
    let type_name = members
        .text("type")?
        .ok_or_else(|| ConnectError::data("Schema must contain 'type' field"))?;
    let part = |name: &str, missing: &str| match members.get(name) {
        Some(text) => read_schema(decoder, text)?.ok_or_else(|| ConnectError::data(missing)),
        None => Err(ConnectError::data(missing)),
    };
    // A part of a map that is null fails one step later than one that is missing.
    let map_part = |name: &str, missing: &str, argument: &str| match members.get(name) {
        Some(text) => read_schema(decoder, text)?
            .ok_or_else(|| ConnectError::schema_builder(format!("{argument} cannot be null."))),
        None => Err(ConnectError::data(missing)),
    };
    Ok(match &*type_name {
        "boolean" => SchemaBuilder::boolean(),
        "int8" => SchemaBuilder::int8(),
        "int16" => SchemaBuilder::int16(),
        "int32" => SchemaBuilder::int32(),
        "int64" => SchemaBuilder::int64(),
        "float" => SchemaBuilder::float32(),
        "double" => SchemaBuilder::float64(),
        "bytes" => SchemaBuilder::bytes(),
        "string" => SchemaBuilder::string(),
        "array" => SchemaBuilder::array(part("items", "Array schema did not specify the element type")?),
        "map" => SchemaBuilder::map(
            map_part("keys", "Map schema did not specify the key type", "keySchema")?,
            map_part(
                "values",
                "Map schema did not specify the value type",
                "valueSchema",
            )?,
        ),
        "struct" => fields(decoder, members)?,
        unknown => return Err(ConnectError::data(format!("Unknown schema type: {unknown}"))),
    })
}

fn fields(decoder: &Decoder, members: &Members<'_>) -> Result<SchemaBuilder> {
    let list = members
        .get("fields")
        .filter(|text| text.starts_with(b"["))
        .ok_or_else(|| ConnectError::data("Struct schema's \"fields\" argument is not an array."))?;
    let mut builder = SchemaBuilder::new(SchemaType::Struct);
    let mut reader = Reader::new(list);
    let mut items = reader.begin()?;
    while reader.next_element(&mut items)? {
        let field = reader.skip()?;
        let unnamed = || ConnectError::data("Struct schema's field name not specified properly");
        let name = Members::of(field)?.text("field")?.ok_or_else(unnamed)?;
        let schema = read_schema(decoder, field)?.ok_or_else(unnamed)?;
        builder = builder.field(name, schema);
    }
    Ok(builder)
}

fn version(members: &Members<'_>) -> Result<Option<i32>> {
    let Some(text) = members.get("version") else {
        return Ok(None);
    };
    let mut reader = Reader::new(text);
    if reader.peek()? != Kind::Number {
        return Ok(None);
    }
    let number = reader.number()?;
    if !number.is_integer() {
        return Ok(None);
    }
    match number.integer().and_then(|version| i32::try_from(version).ok()) {
        Some(version) => Ok(Some(version)),
        None => Err(ConnectError::data(format!(
            "the schema version {} does not fit 32 bits; correct the schema",
            number.text()
        ))),
    }
}

fn parameters(members: &Members<'_>) -> Result<Vec<(String, String)>> {
    let Some(text) = members.get("parameters").filter(|text| text.starts_with(b"{")) else {
        return Ok(Vec::new());
    };
    let parameters = Members::of(text)?;
    parameters
        .0
        .iter()
        .map(|(key, _)| match parameters.text(key)? {
            Some(value) => Ok((key.clone().into_owned(), value.into_owned())),
            None => Err(ConnectError::data("Schema parameters must have string values.")),
        })
        .collect()
}
