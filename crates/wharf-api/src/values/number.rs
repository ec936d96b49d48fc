//! The smallest type that holds a number given as text.

use crate::converter::SchemaAndValue;
use crate::decimal::Decimal;
use crate::logical;
use crate::schema::Schema;
use crate::value::Value;

/// The number, or `None` when the text is none.
pub(super) fn parse_number(text: &str) -> Option<SchemaAndValue> {
    let decimal = text.parse::<Decimal>().ok()?;
    if let Some(number) = decimal.to_i64_exact() {
        return Some(smallest_integer(number));
    }
    if decimal.scale() == 0 {
        return Some(SchemaAndValue::new(Some(logical::decimal(0)), decimal));
    }
    let single = decimal.to_f32();
    if single.is_finite() {
        return Some(SchemaAndValue::new(Some(Schema::float32()), single));
    }
    let double = decimal.to_f64();
    Some(if double.is_finite() {
        SchemaAndValue::new(Some(Schema::float64()), double)
    } else {
        SchemaAndValue::new(Some(logical::decimal(decimal.scale())), decimal)
    })
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
