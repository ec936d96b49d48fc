//! Messages to Connect values, along a plan.
//!
//! What is malformed is refused in the words of upstream's parser. The number of values is bounded, since two bytes can stand for a struct
//! of a thousand fields.

use std::collections::HashSet;

use wharf_api::{ConnectError, Decimal, Result, SchemaRef, SchemaType, Struct, Value, logical};
use wharf_converters::value_budget::{ValueBudget, weight_of_bytes};

use crate::calendar;
use crate::descriptor::Scalar;
use crate::read_plan::{Many, ReadEntry, ReadField, ReadValue, Shape, Slot};
use crate::to_connect::ReadMessage;
use crate::wire::{Cursor, MAX_DEPTH, WireType, malformed, too_deep, unzigzag};

/// Reads a message.
///
/// # Errors
/// A data error when the bytes are no message of that type, or become too many values.
pub(crate) fn decode(plan: &ReadMessage, bytes: &[u8]) -> Result<Value> {
    let mut decoder = Decoder {
        budget: ValueBudget::new(bytes.len()),
    };
    decoder.block(&plan.value, &[bytes], 0)
}

struct Decoder {
    budget: ValueBudget,
}

impl Decoder {
    /// A message from its parts, as if they stood one after the other: reading them together merges them, as Protobuf defines it.
    fn message(&mut self, shape: &Shape, schema: &SchemaRef, parts: &[&[u8]], depth: usize) -> Result<Value> {
        if depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.budget.take(shape.weight + 1)?;
        let mut values = shape.initial.clone();
        // Messages that occur more than once are read at the end; there are hardly any.
        let mut met: Vec<u32> = Vec::new();
        let mut again: Vec<&ReadField> = Vec::new();
        let mut has_maps = false;
        let mut next = 0;
        for part in parts {
            let mut cursor = Cursor::new(part);
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
                        if let Some(value) =
                            self.value(&field.value, &mut cursor, number, wire_type, depth)?
                        {
                            self.put(&mut values, &field.slot, value)?;
                        }
                    }
                    Many::Repeated => {
                        let Value::Array(items) = slot else { continue };
                        self.elements(&field.value, items, &mut cursor, (number, wire_type), depth)?;
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
        }
        for field in again {
            let occurrences = occurrences(parts, field.number, depth)?;
            let value = self.block(&field.value, &occurrences, depth + 1)?;
            self.put(&mut values, &field.slot, value)?;
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

    /// One element, or all of a packed block.
    fn elements(
        &mut self,
        value: &ReadValue,
        items: &mut Vec<Value>,
        cursor: &mut Cursor<'_>,
        (number, wire_type): (u32, WireType),
        depth: usize,
    ) -> Result<()> {
        if wire_type != WireType::Block || !is_packable(value) {
            items.extend(self.value(value, cursor, number, wire_type, depth)?);
            return Ok(());
        }
        let mut packed = Cursor::new(cursor.block()?);
        let single = packed_wire_type(value);
        while !packed.is_empty() {
            items.extend(self.value(value, &mut packed, number, single, depth)?);
        }
        Ok(())
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
        self.budget.take(1)?;
        match value {
            ReadValue::Scalar(scalar, schema_type) if wire_type_of(*scalar) == wire_type => {
                scalar_value(*scalar, *schema_type, cursor).map(Some)
            }
            ReadValue::Enum(read) if wire_type == WireType::Varint => {
                // An enum's number is one of 32 bits.
                #[allow(clippy::cast_possible_truncation)]
                let number = cursor.varint()? as i32;
                let value = read.value(number);
                if let Some(Value::String(name)) = &value {
                    self.budget.take(weight_of_bytes(name.len()))?;
                }
                Ok(value)
            }
            ReadValue::Group { shape, schema } if wire_type == WireType::StartGroup => {
                let bytes = cursor.group(number, depth)?;
                self.message(shape, schema, &[bytes], depth + 1).map(Some)
            }
            ReadValue::Scalar(..) | ReadValue::Enum(_) | ReadValue::Group { .. } => {
                cursor.skip(number, wire_type, depth)?;
                Ok(None)
            }
            message if wire_type == WireType::Block => {
                self.block(message, &[cursor.block()?], depth + 1).map(Some)
            }
            _ => {
                cursor.skip(number, wire_type, depth)?;
                Ok(None)
            }
        }
    }

    /// A message from its parts.
    fn block(&mut self, value: &ReadValue, parts: &[&[u8]], depth: usize) -> Result<Value> {
        if let ReadValue::Message { shape, schema } | ReadValue::Group { shape, schema } = value {
            return self.message(shape, schema, parts, depth);
        }
        let joined;
        let bytes = match parts {
            [bytes] => bytes,
            _ => {
                joined = parts.concat();
                &joined[..]
            }
        };
        match value {
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
            _ => Err(malformed("a scalar stands where a message was expected")),
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
        self.budget.take(2)?;
        let or_default = |found: Option<Value>, default| found.map_or_else(|| self.budget.copy(default), Ok);
        Ok((
            or_default(key, &entry.default_key)?,
            or_default(value, &entry.default_value)?,
        ))
    }

    fn put(&self, values: &mut [Value], slot: &Slot, value: Value) -> Result<()> {
        match slot {
            Slot::Field(field) => values[*field] = value,
            Slot::Flattened { field, others } => {
                others.iter().for_each(|other| values[*other] = Value::Null);
                values[*field] = value;
            }
            Slot::Member { field, union, member } => {
                self.budget.take(*member + 1)?;
                let mut members = vec![Value::Null; *member + 1];
                members[*member] = value;
                values[*field] = Struct::from_values(SchemaRef::clone(union), members).into();
            }
        }
        Ok(())
    }
}

/// All occurrences of a message.
fn occurrences<'a>(parts: &[&'a [u8]], wanted: u32, depth: usize) -> Result<Vec<&'a [u8]>> {
    let mut found = Vec::new();
    for part in parts {
        let mut cursor = Cursor::new(part);
        while !cursor.is_empty() {
            let (number, wire_type) = cursor.tag()?;
            match wire_type {
                WireType::Block if number == wanted => found.push(cursor.block()?),
                WireType::StartGroup if number == wanted => found.push(cursor.group(number, depth)?),
                _ => cursor.skip(number, wire_type, depth)?,
            }
        }
    }
    Ok(found)
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
