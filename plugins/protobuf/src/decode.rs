//! Messages to Connect values, along a plan.
//!
//! What is malformed is refused in the words of upstream's parser. The number of values is bounded, since two bytes can stand for a struct
//! of a thousand fields.

use std::collections::HashSet;

use wharf_api::{ConnectError, Decimal, Result, SchemaRef, SchemaType, Struct, Value, logical};

use crate::calendar;
use crate::descriptor::Scalar;
use crate::read_plan::{Many, ReadEntry, ReadField, ReadValue, Shape, Slot};
use crate::to_connect::ReadMessage;
use crate::wire::{Cursor, MAX_DEPTH, WireType, malformed, too_deep, unzigzag};

/// How many values a message may become, beside one for each of its bytes.
const MAX_VALUES: usize = 1 << 22;

/// Reads a message.
///
/// # Errors
/// A data error when the bytes are no message of that type, or become too many values.
pub(crate) fn decode(plan: &ReadMessage, bytes: &[u8]) -> Result<Value> {
    let mut decoder = Decoder {
        values_left: MAX_VALUES + bytes.len(),
    };
    decoder.block(&plan.value, bytes, 0)
}

struct Decoder {
    values_left: usize,
}

impl Decoder {
    fn take(&mut self, count: usize) -> Result<()> {
        self.values_left = self.values_left.checked_sub(count).ok_or_else(|| {
            ConnectError::data(format!(
                "the Protobuf message becomes more than {MAX_VALUES} values; it is damaged or too large"
            ))
        })?;
        Ok(())
    }

    fn message(&mut self, shape: &Shape, schema: &SchemaRef, bytes: &[u8], depth: usize) -> Result<Value> {
        if depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.take(shape.initial.len() + 1)?;
        let mut values = shape.initial.clone();
        let mut cursor = Cursor::new(bytes);
        // Messages that occur more than once are joined at the end; there are hardly any.
        let mut met: Vec<u32> = Vec::new();
        let mut again: Vec<&ReadField> = Vec::new();
        let mut has_maps = false;
        let mut next = 0;
        while !cursor.is_empty() {
            let (number, wire_type) = cursor.tag()?;
            if wire_type == WireType::EndGroup {
                return Err(malformed(
                    "Protocol message end-group tag did not match expected tag.",
                ));
            }
            // Writers keep the order of numbers, so the next field is mostly the one after the last.
            let field = match shape.fields.get(next) {
                Some(field) if field.number == number => Some(next),
                _ => shape
                    .fields
                    .binary_search_by_key(&number, |field| field.number)
                    .ok(),
            };
            let Some(position) = field else {
                cursor.skip(number, wire_type, depth)?;
                continue;
            };
            let field = &shape.fields[position];
            next = if field.many == Many::One {
                position + 1
            } else {
                position
            };
            let slot = &mut values[field.slot.field()];
            match field.many {
                Many::One => {
                    if field.value.is_message() {
                        if met.contains(&number) {
                            if !again.iter().any(|known| known.number == number) {
                                again.push(field);
                            }
                            cursor.skip(number, wire_type, depth)?;
                            continue;
                        }
                        met.push(number);
                    }
                    if let Some(value) = self.value(&field.value, &mut cursor, number, wire_type, depth)? {
                        put(&mut values, &field.slot, value);
                    }
                }
                Many::Repeated => {
                    let Value::Array(items) = slot else { continue };
                    if wire_type == WireType::Block && is_packable(&field.value) {
                        let mut packed = Cursor::new(cursor.block()?);
                        let single = packed_wire_type(&field.value);
                        while !packed.is_empty() {
                            if let Some(value) =
                                self.value(&field.value, &mut packed, number, single, depth)?
                            {
                                items.push(value);
                            }
                        }
                    } else if let Some(value) =
                        self.value(&field.value, &mut cursor, number, wire_type, depth)?
                    {
                        items.push(value);
                    }
                }
                Many::Map => {
                    has_maps = true;
                    let (Value::Map(entries), ReadValue::Entry(entry)) = (slot, &field.value) else {
                        continue;
                    };
                    if wire_type == WireType::Block {
                        entries.push(self.entry(entry, cursor.block()?, depth + 1)?);
                    } else {
                        cursor.skip(number, wire_type, depth)?;
                    }
                }
            }
        }
        for field in again {
            let parts = joined(bytes, field.number, depth)?;
            let value = self.block(&field.value, &parts, depth + 1)?;
            put(&mut values, &field.slot, value);
        }
        if has_maps {
            for field in shape.fields.iter().filter(|field| field.many == Many::Map) {
                if let Value::Map(entries) = &mut values[field.slot.field()] {
                    keep_last_of_each_key(entries);
                }
            }
        }
        Ok(Struct::from_values(SchemaRef::clone(schema), values).into())
    }

    /// One value; `None` when it is not of the field's kind on the wire, which makes it an unknown one, or an enum's unknown number.
    fn value(
        &mut self,
        value: &ReadValue,
        cursor: &mut Cursor<'_>,
        number: u32,
        wire_type: WireType,
        depth: usize,
    ) -> Result<Option<Value>> {
        self.take(1)?;
        match value {
            ReadValue::Scalar(scalar, schema_type) if wire_type_of(*scalar) == wire_type => {
                scalar_value(*scalar, *schema_type, cursor).map(Some)
            }
            ReadValue::Enum(read) if wire_type == WireType::Varint => {
                // An enum's number is one of 32 bits.
                #[allow(clippy::cast_possible_truncation)]
                let number = cursor.varint()? as i32;
                Ok(read.value(number))
            }
            ReadValue::Group { shape, schema } if wire_type == WireType::StartGroup => {
                let bytes = cursor.group(number, depth)?;
                self.message(shape, schema, bytes, depth + 1).map(Some)
            }
            ReadValue::Scalar(..) | ReadValue::Enum(_) | ReadValue::Group { .. } => {
                cursor.skip(number, wire_type, depth)?;
                Ok(None)
            }
            message if wire_type == WireType::Block => {
                self.block(message, cursor.block()?, depth + 1).map(Some)
            }
            _ => {
                cursor.skip(number, wire_type, depth)?;
                Ok(None)
            }
        }
    }

    /// A message from its bytes.
    fn block(&mut self, value: &ReadValue, bytes: &[u8], depth: usize) -> Result<Value> {
        match value {
            ReadValue::Message { shape, schema } | ReadValue::Group { shape, schema } => {
                self.message(shape, schema, bytes, depth)
            }
            ReadValue::Wrapped(scalar, schema_type) => wrapped(*scalar, *schema_type, bytes, depth),
            ReadValue::Decimal => decimal(bytes, depth),
            ReadValue::Date => {
                let [year, month, day, _] = small_integers(bytes, depth)?;
                calendar::days(year, month, day)
                    .map(|days| Value::Date(days * logical::MILLIS_PER_DAY))
                    .ok_or_else(|| {
                        ConnectError::data(format!("{year}-{month}-{day} in a google.type.Date is no date"))
                    })
            }
            ReadValue::Time => {
                let [hours, minutes, seconds, nanos] = small_integers(bytes, depth)?;
                let is_valid = (0..24).contains(&hours)
                    && (0..60).contains(&minutes)
                    && (0..60).contains(&seconds)
                    && (0..1_000_000_000).contains(&nanos);
                if !is_valid {
                    return Err(ConnectError::data(format!(
                        "{hours}:{minutes}:{seconds} and {nanos} ns in a google.type.TimeOfDay is no time of day"
                    )));
                }
                Ok(Value::Date(
                    ((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos / 1_000_000,
                ))
            }
            ReadValue::Timestamp => {
                let [seconds, nanos, ..] = small_integers(bytes, depth)?;
                let is_valid = (-62_135_596_800..=253_402_300_799).contains(&seconds)
                    && (0..1_000_000_000).contains(&nanos);
                if !is_valid {
                    return Err(ConnectError::data(format!(
                        "Timestamp is not valid. See proto definition for valid values. Seconds ({seconds}) must be in range \
                         [-62,135,596,800, +253,402,300,799]. Nanos ({nanos}) must be in range [0, +999,999,999]."
                    )));
                }
                Ok(Value::Date(seconds * 1000 + nanos / 1_000_000))
            }
            ReadValue::Entry(entry) => {
                let (key, value) = self.entry(entry, bytes, depth)?;
                Ok(Value::Map(vec![(key, value)]))
            }
            ReadValue::Scalar(..) | ReadValue::Enum(_) => {
                Err(malformed("a scalar stands where a message was expected"))
            }
        }
    }

    fn entry(&mut self, entry: &ReadEntry, bytes: &[u8], depth: usize) -> Result<(Value, Value)> {
        let mut cursor = Cursor::new(bytes);
        let (mut key, mut value) = (None, None);
        while !cursor.is_empty() {
            let (number, wire_type) = cursor.tag()?;
            match number {
                1 => {
                    key = self
                        .value(&entry.key, &mut cursor, number, wire_type, depth)?
                        .or(key)
                }
                2 => {
                    value = self
                        .value(&entry.value, &mut cursor, number, wire_type, depth)?
                        .or(value)
                }
                _ => cursor.skip(number, wire_type, depth)?,
            }
        }
        self.take(2)?;
        Ok((
            key.unwrap_or_else(|| entry.default_key.clone()),
            value.unwrap_or_else(|| entry.default_value.clone()),
        ))
    }
}

fn put(values: &mut [Value], slot: &Slot, value: Value) {
    match slot {
        Slot::Field(field) => values[*field] = value,
        Slot::Flattened { field, others } => {
            others.iter().for_each(|other| values[*other] = Value::Null);
            values[*field] = value;
        }
        Slot::Member { field, union, member } => {
            let mut members = vec![Value::Null; *member + 1];
            members[*member] = value;
            values[*field] = Struct::from_values(SchemaRef::clone(union), members).into();
        }
    }
}

/// All occurrences of a message, one after the other: reading them together merges them, as Protobuf defines it.
fn joined(bytes: &[u8], wanted: u32, depth: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut cursor = Cursor::new(bytes);
    while !cursor.is_empty() {
        let (number, wire_type) = cursor.tag()?;
        match wire_type {
            WireType::Block if number == wanted => out.extend_from_slice(cursor.block()?),
            WireType::StartGroup if number == wanted => out.extend_from_slice(cursor.group(number, depth)?),
            _ => cursor.skip(number, wire_type, depth)?,
        }
    }
    Ok(out)
}

fn keep_last_of_each_key(entries: &mut Vec<(Value, Value)>) {
    if entries.len() < 2 {
        return;
    }
    let mut seen: HashSet<String> = HashSet::with_capacity(entries.len());
    let mut kept: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
    for (key, value) in entries.drain(..).rev() {
        // Keys are texts, integers or truth values of one type.
        let identity = match &key {
            Value::String(text) => text.clone(),
            other => format!("{other:?}"),
        };
        if seen.insert(identity) {
            kept.push((key, value));
        }
    }
    kept.reverse();
    *entries = kept;
}

fn wire_type_of(scalar: Scalar) -> WireType {
    match scalar {
        Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => WireType::Fixed64,
        Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => WireType::Fixed32,
        Scalar::String | Scalar::Bytes => WireType::Block,
        _ => WireType::Varint,
    }
}

fn is_packable(value: &ReadValue) -> bool {
    match value {
        ReadValue::Scalar(scalar, _) => scalar.is_packable(),
        ReadValue::Enum(_) => true,
        _ => false,
    }
}

fn packed_wire_type(value: &ReadValue) -> WireType {
    match value {
        ReadValue::Scalar(scalar, _) => wire_type_of(*scalar),
        _ => WireType::Varint,
    }
}

// Protobuf defines that integers are cut to their width.
#[allow(clippy::cast_possible_truncation)]
fn scalar_value(scalar: Scalar, schema_type: SchemaType, cursor: &mut Cursor<'_>) -> Result<Value> {
    let integer = match scalar {
        Scalar::Double => return Ok(Value::Float64(f64::from_le_bytes(cursor.fixed()?))),
        Scalar::Float => return Ok(Value::Float32(f32::from_le_bytes(cursor.fixed()?))),
        Scalar::Bool => return Ok(Value::Boolean(cursor.varint()? != 0)),
        Scalar::String => {
            let text = std::str::from_utf8(cursor.block()?)
                .map_err(|_| malformed("Protocol message had invalid UTF-8."))?;
            return Ok(Value::String(text.to_owned()));
        }
        Scalar::Bytes => return Ok(Value::Bytes(cursor.block()?.to_vec())),
        Scalar::Int32 => i64::from(cursor.varint()? as i32),
        Scalar::Uint32 => i64::from(cursor.varint()? as u32),
        Scalar::Int64 | Scalar::Uint64 => cursor.varint()?.cast_signed(),
        Scalar::Sint32 => i64::from(unzigzag(cursor.varint()? & 0xffff_ffff) as i32),
        Scalar::Sint64 => unzigzag(cursor.varint()?),
        Scalar::Fixed32 => i64::from(u32::from_le_bytes(cursor.fixed()?)),
        Scalar::Sfixed32 => i64::from(i32::from_le_bytes(cursor.fixed()?)),
        Scalar::Fixed64 | Scalar::Sfixed64 => i64::from_le_bytes(cursor.fixed()?),
    };
    let narrow = |fits: Option<Value>| {
        fits.ok_or_else(|| {
            ConnectError::data(format!(
                "the number {integer} is not one of type {schema_type}, which the schema's connect.type says; correct the data or \
                 the schema"
            ))
        })
    };
    match schema_type {
        SchemaType::Int8 => narrow(i8::try_from(integer).ok().map(Value::Int8)),
        SchemaType::Int16 => narrow(i16::try_from(integer).ok().map(Value::Int16)),
        SchemaType::Int32 => Ok(Value::Int32(integer as i32)),
        _ => Ok(Value::Int64(integer)),
    }
}

fn wrapped(scalar: Scalar, schema_type: SchemaType, bytes: &[u8], depth: usize) -> Result<Value> {
    let mut cursor = Cursor::new(bytes);
    let mut value = match schema_type {
        SchemaType::Boolean => Value::Boolean(false),
        SchemaType::Float32 => Value::Float32(0.0),
        SchemaType::Float64 => Value::Float64(0.0),
        SchemaType::String => Value::String(String::new()),
        SchemaType::Bytes => Value::Bytes(Vec::new()),
        SchemaType::Int32 => Value::Int32(0),
        _ => Value::Int64(0),
    };
    while !cursor.is_empty() {
        let (number, wire_type) = cursor.tag()?;
        if number == 1 && wire_type == wire_type_of(scalar) {
            value = scalar_value(scalar, schema_type, &mut cursor)?;
        } else {
            cursor.skip(number, wire_type, depth)?;
        }
    }
    Ok(value)
}

/// The fields 1 to 4 of a message of integers.
fn small_integers(bytes: &[u8], depth: usize) -> Result<[i64; 4]> {
    let mut cursor = Cursor::new(bytes);
    let mut found = [0; 4];
    while !cursor.is_empty() {
        let (number, wire_type) = cursor.tag()?;
        match (number, wire_type) {
            (1..=4, WireType::Varint) => found[number as usize - 1] = cursor.varint()?.cast_signed(),
            _ => cursor.skip(number, wire_type, depth)?,
        }
    }
    Ok(found)
}

/// Value, precision and scale. A precision that the value exceeds rounds it, as `BigDecimal` does with a `MathContext`.
fn decimal(bytes: &[u8], depth: usize) -> Result<Value> {
    let mut cursor = Cursor::new(bytes);
    let (mut unscaled, mut scale, mut precision) = (&[][..], 0_i64, 0_i64);
    while !cursor.is_empty() {
        let (number, wire_type) = cursor.tag()?;
        match (number, wire_type) {
            (1, WireType::Block) => unscaled = cursor.block()?,
            (2, WireType::Varint) => precision = cursor.varint()?.cast_signed(),
            (3, WireType::Varint) => scale = cursor.varint()?.cast_signed(),
            _ => cursor.skip(number, wire_type, depth)?,
        }
    }
    if unscaled.is_empty() {
        return Err(ConnectError::data("a confluent.type.Decimal has no value")
            .with_class("java.lang.NumberFormatException"));
    }
    // The scale is one of 32 bits.
    #[allow(clippy::cast_possible_truncation)]
    let decimal = Decimal::from_be_bytes(unscaled, scale as i32);
    let digits = decimal.unscaled().magnitude().to_string().len();
    if precision > 0 && digits as i64 > precision {
        return Err(ConnectError::data(format!(
            "a confluent.type.Decimal has {digits} digits, more than the {precision} of its own precision; correct the data"
        )));
    }
    Ok(Value::Decimal(decimal))
}
