//! The smallest type that holds a number given as text.

use crate::converter::SchemaAndValue;
use crate::decimal::Decimal;
use crate::error::{ConnectError, Result};
use crate::logical;
use crate::schema::Schema;
use crate::value::Value;

/// Java's big integers end at this many decimal digits.
const LARGEST_POWER: i64 = 646_456_992;

/// The number, or `None` when the text is none.
///
/// # Errors
/// Where Java's arithmetic overflows, for exponents near the limit of 32 bits.
pub(super) fn parse_number(text: &str) -> Result<Option<SchemaAndValue>> {
    let Ok(decimal) = text.parse::<Decimal>() else {
        return Ok(None);
    };
    let scale = i64::from(decimal.scale());
    let is_zero = decimal.unscaled().magnitude().bits() == 0;
    if !is_zero && scale.abs() > LARGEST_POWER {
        return Err(ConnectError::connect("BigInteger would overflow supported range")
            .with_class("java.lang.ArithmeticException"));
    }
    if let Some(number) = decimal.to_i64_exact() {
        return Ok(Some(smallest_integer(number)));
    }
    if scale == 0 {
        return Ok(Some(SchemaAndValue::new(Some(logical::decimal(0)), decimal)));
    }
    let single = decimal.to_f32();
    if single.is_finite() {
        return Ok(Some(SchemaAndValue::new(Some(Schema::float32()), single)));
    }
    let double = decimal.to_f64();
    Ok(Some(if double.is_finite() {
        SchemaAndValue::new(Some(Schema::float64()), double)
    } else {
        SchemaAndValue::new(Some(logical::decimal(decimal.scale())), decimal)
    }))
}

fn smallest_integer(number: i64) -> SchemaAndValue {
    let (schema, value) = if let Ok(small) = i8::try_from(number) {
        (Schema::int8(), Value::Int8(small))
    } else if let Ok(small) = i16::try_from(number) {
        (Schema::int16(), Value::Int16(small))
    } else if let Ok(small) = i32::try_from(number) {
        (Schema::int32(), Value::Int32(small))
    } else {
        (Schema::int64(), Value::Int64(number))
    };
    SchemaAndValue {
        schema: Some(schema),
        value,
    }
}
