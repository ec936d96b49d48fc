//! Connect values to messages, along a plan, straight from the borrowed view into the output.
//!
//! Fields are written in the order of their numbers, and zero, false and empty ones are left out where Protobuf has no presence for
//! them, both as upstream's library does.

use wharf_api::calendar::date_of;
use wharf_api::logical;
use wharf_api::value_ref::{DecimalRef, StructRef};
use wharf_api::{ConnectError, Result, Schema, SchemaRef, SchemaType, ValueRef};

use crate::descriptor::Scalar;
use crate::names;
use crate::to_connect::MAX_DEPTH;
use crate::wire::{WireType, close_block, open_block, write_block, write_tag, write_varint, zigzag};
use crate::write_plan::{WriteField, WriteMessage, WriteOne, WriteValue};

/// Writes values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoder {
    pub(crate) ignore_default_for_nullables: bool,
}

impl Encoder {
    /// Appends the content of a message that is not null.
    ///
    /// # Errors
    /// A data error when the value does not suit the schema.
    pub(crate) fn root(
        self,
        plan: &WriteValue,
        schema: &Schema,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.content(plan, schema, value, 0, out)
    }

    fn with_default<'v>(self, schema: &'v Schema, value: ValueRef<'v>) -> ValueRef<'v> {
        match (value, schema.default_value()) {
            (ValueRef::Null, Some(default)) if !self.ignore_default_for_nullables => default.as_ref(),
            _ => value,
        }
    }

    fn message(
        self,
        plan: &WriteMessage,
        schema: &Schema,
        value: StructRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if **value.schema() != *schema && !differ_in_default_only(value.schema(), schema) {
            return Err(ConnectError::data("Mismatching struct schema"));
        }
        if depth > MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "the value nests deeper than {MAX_DEPTH} levels, which ProtobufConverter cannot write; flatten it"
            )));
        }
        let fields = plan.fields.iter().zip(value.fields());
        if plan.is_ordered {
            for (plan, (field, value)) in fields {
                self.field(
                    plan,
                    field.schema(),
                    self.with_default(field.schema(), value),
                    depth,
                    out,
                )?;
            }
            return Ok(());
        }
        // The member of a oneof that is set has a number of its own, so the order is known only now.
        let mut ordered: Vec<(u32, FieldOrMember<'_>, &Schema, ValueRef<'_>)> =
            Vec::with_capacity(plan.fields.len());
        for (plan, (field, value)) in fields {
            let value = self.with_default(field.schema(), value);
            match plan {
                WriteField::One(WriteOne { number, .. })
                | WriteField::Repeated { number, .. }
                | WriteField::Map { number, .. } => {
                    ordered.push((*number, FieldOrMember::Field(plan), field.schema(), value));
                }
                WriteField::Oneof(members) => {
                    if let Some((one, schema, value)) = self.chosen(members, field.schema(), value)? {
                        ordered.push((one.number, FieldOrMember::Member(one), schema, value));
                    }
                }
            }
        }
        ordered.sort_by_key(|(number, ..)| *number);
        for (_, plan, schema, value) in ordered {
            match plan {
                FieldOrMember::Field(plan) => self.field(plan, schema, value, depth, out)?,
                FieldOrMember::Member(one) => self.one(one, schema, value, depth, out)?,
            }
        }
        Ok(())
    }

    /// The member of a oneof that is set; none when the whole is null.
    fn chosen<'p, 'v>(
        self,
        members: &'p [WriteOne],
        schema: &'v SchemaRef,
        value: ValueRef<'v>,
    ) -> Result<Option<(&'p WriteOne, &'v Schema, ValueRef<'v>)>> {
        let ValueRef::Struct(value) = value else {
            return if value.is_null() {
                Ok(None)
            } else {
                Err(invalid_type(schema, value))
            };
        };
        if **value.schema() != **schema {
            return Err(ConnectError::data("Mismatching struct schema"));
        }
        for (one, (field, value)) in members.iter().zip(value.fields()) {
            let value = self.with_default(field.schema(), value);
            if !value.is_null() {
                return Ok(Some((one, field.schema(), value)));
            }
        }
        Err(ConnectError::data("Cannot find non-null field"))
    }

    fn field(
        self,
        plan: &WriteField,
        schema: &Schema,
        value: ValueRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if value.is_null() {
            return Ok(());
        }
        match (plan, value) {
            (WriteField::One(one), value) => self.one(one, schema, value, depth, out),
            (
                WriteField::Repeated {
                    number,
                    is_packed,
                    element,
                },
                ValueRef::Array(items),
            ) => {
                let element_schema = element_schema(schema.value_schema()?)?;
                let null = || {
                    ConnectError::data("an element of an array is null, which a repeated field cannot have")
                };
                if items.is_empty() {
                    return Ok(());
                }
                if *is_packed {
                    write_tag(*number, WireType::Block, out);
                    let start = open_block(out);
                    for item in items.iter() {
                        if item.is_null() {
                            return Err(null());
                        }
                        scalar_content(element, element_schema, item, out)?;
                    }
                    close_block(start, out);
                    return Ok(());
                }
                for item in items.iter() {
                    if item.is_null() {
                        return Err(null());
                    }
                    self.tagged(*number, element, element_schema, item, depth, out)?;
                }
                Ok(())
            }
            (
                WriteField::Map {
                    number,
                    key,
                    value: value_plan,
                },
                ValueRef::Map(entries),
            ) => {
                let key_schema = element_schema(schema.key_schema()?)?;
                let value_schema = element_schema(schema.value_schema()?)?;
                for (entry_key, entry_value) in entries.iter() {
                    write_tag(*number, WireType::Block, out);
                    let start = open_block(out);
                    if !entry_key.is_null() {
                        self.one(key, key_schema, entry_key, depth + 1, out)?;
                    }
                    if !entry_value.is_null() {
                        self.one(value_plan, value_schema, entry_value, depth + 1, out)?;
                    }
                    close_block(start, out);
                }
                Ok(())
            }
            (_, value) => Err(invalid_type(schema, value)),
        }
    }

    fn one(
        self,
        plan: &WriteOne,
        schema: &Schema,
        value: ValueRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if !plan.has_presence && is_zero(&plan.value, value) {
            return Ok(());
        }
        self.tagged(plan.number, &plan.value, schema, value, depth, out)
    }

    fn tagged(
        self,
        number: u32,
        plan: &WriteValue,
        schema: &Schema,
        value: ValueRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match plan {
            WriteValue::Scalar(scalar, _) => {
                write_tag(number, wire_type_of(*scalar), out);
                scalar_content(plan, schema, value, out)
            }
            WriteValue::Enum(_) => {
                write_tag(number, WireType::Varint, out);
                scalar_content(plan, schema, value, out)
            }
            message => {
                write_tag(number, WireType::Block, out);
                let start = open_block(out);
                self.content(message, schema, value, depth + 1, out)?;
                close_block(start, out);
                Ok(())
            }
        }
    }

    /// What stands inside a message.
    fn content(
        self,
        plan: &WriteValue,
        schema: &Schema,
        value: ValueRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let date = |type_name: &str| match value {
            ValueRef::Date(millis) => Ok(millis),
            other => Err(ConnectError::data(format!(
                "Invalid type for {type_name}, expected Date but was class {}",
                other.java_class()
            ))),
        };
        let mut small = |number: u32, value: i64| {
            if value != 0 {
                write_tag(number, WireType::Varint, out);
                write_varint(value.cast_unsigned(), out);
            }
        };
        match plan {
            WriteValue::Message(plan) => match value {
                ValueRef::Struct(value) => return self.message(plan, schema, value, depth, out),
                other => return Err(invalid_type(schema, other)),
            },
            WriteValue::Wrapped(scalar, schema_type) => {
                let inner = WriteValue::Scalar(inside_wrapper(*scalar), *schema_type);
                if !is_zero(&inner, value) {
                    write_tag(1, wire_type_of(inside_wrapper(*scalar)), out);
                    scalar_content(&inner, schema, value, out)?;
                }
            }
            WriteValue::Decimal => match value {
                ValueRef::Decimal(decimal) => write_decimal(decimal, out),
                other => {
                    return Err(ConnectError::data(format!(
                        "Invalid type for Decimal, expected BigDecimal but was class {}",
                        other.java_class()
                    )));
                }
            },
            WriteValue::Date => {
                let millis = date("Date")?;
                if millis % logical::MILLIS_PER_DAY != 0 {
                    return Err(ConnectError::data(
                        "Kafka Connect Date type should not have any time fields set to non-zero values.",
                    ));
                }
                let (year, month, day) = date_of(millis / logical::MILLIS_PER_DAY);
                small(1, year);
                small(2, month);
                small(3, day);
            }
            WriteValue::Time => {
                let millis = date("Time")?;
                if !(0..=logical::MILLIS_PER_DAY).contains(&millis) {
                    return Err(ConnectError::data(
                        "Time values must use number of millis greater than 0 and less than 86400000",
                    ));
                }
                small(1, millis / 3_600_000 % 24);
                small(2, millis / 60_000 % 60);
                small(3, millis / 1000 % 60);
                small(4, millis % 1000 * 1_000_000);
            }
            WriteValue::Timestamp => {
                let millis = logical::timestamp_to_millis(schema, date("Timestamp")?)?;
                small(1, millis.div_euclid(1000));
                small(2, millis.rem_euclid(1000) * 1_000_000);
            }
            WriteValue::Scalar(..) | WriteValue::Enum(_) => return Err(invalid_type(schema, value)),
        }
        Ok(())
    }
}

enum FieldOrMember<'p> {
    Field(&'p WriteField),
    Member(&'p WriteOne),
}

/// Upstream puts every integer of 32 bits into the same wrapper, and every one of 64 bits.
fn inside_wrapper(scalar: Scalar) -> Scalar {
    match scalar {
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 | Scalar::Uint32 | Scalar::Fixed32 => Scalar::Int32,
        Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 | Scalar::Uint64 | Scalar::Fixed64 => Scalar::Int64,
        other => other,
    }
}

fn element_schema(schema: Option<&SchemaRef>) -> Result<&Schema> {
    schema
        .map(AsRef::as_ref)
        .ok_or_else(|| ConnectError::data("an array or map has no schema for its elements"))
}

/// A struct that is a schema's default was built before the schema had one, so its own schema cannot have it.
fn differ_in_default_only(own: &Schema, declared: &Schema) -> bool {
    declared.default_value().is_some()
        && own.default_value().is_none()
        && own.is_optional() == declared.is_optional()
        && own.name() == declared.name()
        && own.version() == declared.version()
        && own.doc() == declared.doc()
        && own.parameters() == declared.parameters()
        && own.fields().ok() == declared.fields().ok()
}

fn wire_type_of(scalar: Scalar) -> WireType {
    match scalar {
        Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => WireType::Fixed64,
        Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => WireType::Fixed32,
        Scalar::String | Scalar::Bytes => WireType::Block,
        _ => WireType::Varint,
    }
}

/// Whether a value is the one that a field without presence has anyway. Minus zero is not.
fn is_zero(plan: &WriteValue, value: ValueRef<'_>) -> bool {
    match (plan, value) {
        (WriteValue::Enum(symbols), ValueRef::String(text)) => symbols
            .first()
            .is_some_and(|(first, number)| first == text && *number == 0),
        (_, ValueRef::Boolean(value)) => !value,
        (_, ValueRef::Float32(value)) => value.to_bits() == 0,
        (_, ValueRef::Float64(value)) => value.to_bits() == 0,
        (_, ValueRef::String(text)) => text.is_empty(),
        (_, ValueRef::Bytes(bytes)) => bytes.is_empty(),
        (_, value) => value.as_i64() == Some(0),
    }
}

fn scalar_content(plan: &WriteValue, schema: &Schema, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
    let (scalar, schema_type) = match plan {
        WriteValue::Scalar(scalar, schema_type) => (*scalar, *schema_type),
        WriteValue::Enum(symbols) => {
            let number = match value {
                ValueRef::String(text) => symbols
                    .iter()
                    .find(|(symbol, _)| symbol == text)
                    .map(|(_, number)| *number),
                value => value.as_i64().and_then(|number| i32::try_from(number).ok()),
            };
            let number = number.ok_or_else(|| match value {
                ValueRef::String(text) => ConnectError::data(format!(
                    "the enum {} has no symbol {text}; correct the data or the parameters {}.*",
                    schema.name().unwrap_or_default(),
                    names::ENUM
                )),
                other => invalid_type(schema, other),
            })?;
            write_varint(i64::from(number).cast_unsigned(), out);
            return Ok(());
        }
        _ => return Err(invalid_type(schema, value)),
    };
    match (scalar, value) {
        (Scalar::Double, ValueRef::Float64(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Scalar::Float, ValueRef::Float32(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Scalar::Bool, ValueRef::Boolean(value)) => out.push(u8::from(value)),
        (Scalar::String, ValueRef::String(text)) => write_block(text.as_bytes(), out),
        (Scalar::Bytes, ValueRef::Bytes(bytes)) => write_block(bytes, out),
        (Scalar::Double | Scalar::Float | Scalar::Bool | Scalar::String | Scalar::Bytes, other) => {
            return Err(invalid_type(schema, other));
        }
        (scalar, value) => {
            let is_integer = matches!(
                (schema_type, value),
                (SchemaType::Int8, ValueRef::Int8(_))
                    | (SchemaType::Int16, ValueRef::Int16(_))
                    | (SchemaType::Int32, ValueRef::Int32(_))
                    | (SchemaType::Int64, ValueRef::Int64(_))
            );
            let number = value
                .as_i64()
                .filter(|_| is_integer)
                .ok_or_else(|| invalid_type(schema, value))?;
            write_integer(scalar, number, out);
        }
    }
    Ok(())
}

// Upstream cuts unsigned integers of 32 bits, which Connect holds in 64.
#[allow(clippy::cast_possible_truncation)]
fn write_integer(scalar: Scalar, number: i64, out: &mut Vec<u8>) {
    match scalar {
        Scalar::Uint32 => write_varint(number.cast_unsigned() & 0xffff_ffff, out),
        Scalar::Sint32 => write_varint(zigzag(number) & 0xffff_ffff, out),
        Scalar::Sint64 => write_varint(zigzag(number), out),
        Scalar::Fixed32 | Scalar::Sfixed32 => out.extend_from_slice(&(number as i32).to_le_bytes()),
        Scalar::Fixed64 | Scalar::Sfixed64 => out.extend_from_slice(&number.to_le_bytes()),
        Scalar::Int32 => write_varint(i64::from(number as i32).cast_unsigned(), out),
        _ => write_varint(number.cast_unsigned(), out),
    }
}

/// Value, precision and scale, as `confluent.type.Decimal` has them.
fn write_decimal(decimal: DecimalRef<'_>, out: &mut Vec<u8>) {
    write_tag(1, WireType::Block, out);
    write_block(&decimal.be_bytes(), out);
    let precision = decimal.to_decimal().unscaled().magnitude().to_string().len();
    write_tag(2, WireType::Varint, out);
    write_varint(precision as u64, out);
    if decimal.scale() != 0 {
        write_tag(3, WireType::Varint, out);
        write_varint(i64::from(decimal.scale()).cast_unsigned(), out);
    }
}

#[cold]
fn invalid_type(schema: &Schema, value: ValueRef<'_>) -> ConnectError {
    ConnectError::data(format!(
        "Invalid type for {}: class {}",
        schema.schema_type(),
        value.java_class()
    ))
}
