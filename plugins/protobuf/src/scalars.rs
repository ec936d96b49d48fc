//! What scalars are in Connect.

use wharf_api::{SchemaType, Value};

use crate::descriptor::Scalar;

/// The Connect type of a scalar.
pub(crate) fn scalar_type(scalar: Scalar) -> SchemaType {
    match scalar {
        Scalar::Double => SchemaType::Float64,
        Scalar::Float => SchemaType::Float32,
        Scalar::Bool => SchemaType::Boolean,
        Scalar::String => SchemaType::String,
        Scalar::Bytes => SchemaType::Bytes,
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => SchemaType::Int32,
        _ => SchemaType::Int64,
    }
}

/// The value of a field that is not in a message.
pub(crate) fn zero(schema_type: SchemaType) -> Value {
    match schema_type {
        SchemaType::Int8 => Value::Int8(0),
        SchemaType::Int16 => Value::Int16(0),
        SchemaType::Int32 => Value::Int32(0),
        SchemaType::Int64 => Value::Int64(0),
        SchemaType::Float32 => Value::Float32(0.0),
        SchemaType::Float64 => Value::Float64(0.0),
        SchemaType::Boolean => Value::Boolean(false),
        SchemaType::Bytes => Value::Bytes(Vec::new()),
        _ => Value::String(String::new()),
    }
}

/// The bytes of a default, which a descriptor holds as a text of C.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let [kind, after @ ..] = rest else { return None };
        rest = after;
        let digits = |most: usize, radix: u32, from: &[u8]| {
            let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
            from.iter().take(most).take_while(is_digit).count()
        };
        out.push(match kind {
            b'0'..=b'7' => {
                let more = digits(2, 8, rest);
                let number = std::str::from_utf8(&rest[..more]).ok()?;
                rest = &rest[more..];
                let number = format!("{}{number}", char::from(*kind));
                u8::try_from(u32::from_str_radix(&number, 8).ok()?).ok()?
            }
            b'x' | b'X' => {
                let length = digits(2, 16, rest);
                let number = std::str::from_utf8(&rest[..length]).ok()?;
                rest = &rest[length..];
                u8::from_str_radix(number, 16).ok()?
            }
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => *other,
        });
    }
    Some(out)
}

/// A default that proto2 declares.
pub(crate) fn declared_default(scalar: Scalar, schema_type: SchemaType, text: &str) -> Option<Value> {
    Some(match schema_type {
        SchemaType::Int8 => Value::Int8(text.parse().ok()?),
        SchemaType::Int16 => Value::Int16(text.parse().ok()?),
        SchemaType::Int32 => Value::Int32(text.parse().ok()?),
        SchemaType::Int64 if scalar == Scalar::Uint64 || scalar == Scalar::Fixed64 => {
            Value::Int64(text.parse::<u64>().ok()?.cast_signed())
        }
        SchemaType::Int64 => Value::Int64(text.parse().ok()?),
        SchemaType::Float32 => Value::Float32(text.parse().ok()?),
        SchemaType::Float64 => Value::Float64(text.parse().ok()?),
        SchemaType::Boolean => Value::Boolean(text.parse().ok()?),
        SchemaType::Bytes => Value::Bytes(unescaped(text)?),
        _ => Value::String(text.to_owned()),
    })
}
