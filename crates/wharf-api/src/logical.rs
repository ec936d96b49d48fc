//! The four logical types: Decimal, Date, Time, Timestamp. Their schemas, encodings and guards, with upstream's wording.

use std::sync::{Arc, LazyLock};

use crate::decimal::Decimal;
use crate::error::{ConnectError, Result};
use crate::schema::{Schema, SchemaRef, SchemaType};

/// Schema name of decimals; base type BYTES, parameter `scale`.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// Schema name of dates; base type INT32, days since the epoch.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// Schema name of times of day; base type INT32, milliseconds after midnight.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// Schema name of timestamps; base type INT64, milliseconds since the epoch.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";
/// The parameter of a decimal schema that holds its scale.
pub const SCALE_PARAMETER: &str = "scale";
/// Milliseconds of a day.
pub const MILLIS_PER_DAY: i64 = 86_400_000;

fn named(schema_type: SchemaType, name: &str, optional: bool) -> SchemaRef {
    Arc::new(Schema {
        name: Some(name.to_owned()),
        version: Some(1),
        ..Schema::plain(schema_type, optional)
    })
}

macro_rules! logical_schemas {
    ($($plain:ident, $optional:ident => $type:ident, $name:ident;)*) => {$(
        #[doc = concat!("The required schema named by [`", stringify!($name), "`].")]
        #[must_use]
        pub fn $plain() -> SchemaRef {
            static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| named(SchemaType::$type, $name, false));
            Arc::clone(&SCHEMA)
        }

        #[doc = concat!("The optional schema named by [`", stringify!($name), "`].")]
        #[must_use]
        pub fn $optional() -> SchemaRef {
            static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| named(SchemaType::$type, $name, true));
            Arc::clone(&SCHEMA)
        }
    )*};
}

logical_schemas! {
    date, optional_date => Int32, DATE;
    time, optional_time => Int32, TIME;
    timestamp, optional_timestamp => Int64, TIMESTAMP;
}

/// The required decimal schema of the given scale.
#[must_use]
pub fn decimal(scale: i32) -> SchemaRef {
    let mut schema = Schema::clone(&named(SchemaType::Bytes, DECIMAL, false));
    schema.parameters = Some(vec![(SCALE_PARAMETER.to_owned(), scale.to_string())]);
    Arc::new(schema)
}

/// The optional decimal schema of the given scale.
#[must_use]
pub fn optional_decimal(scale: i32) -> SchemaRef {
    Arc::new(Schema {
        optional: true,
        ..Schema::clone(&decimal(scale))
    })
}

fn mismatch(what: &str) -> ConnectError {
    ConnectError::data(format!(
        "Requested conversion of {what} object but the schema does not match."
    ))
}

/// The scale of a decimal schema.
///
/// # Errors
/// A data error when the parameter is missing or not a number.
pub fn scale(schema: &Schema) -> Result<i32> {
    let text = schema.parameter(SCALE_PARAMETER).ok_or_else(|| {
        let missing = ConnectError::data("Invalid Decimal schema: scale parameter not found.");
        match schema.parameters() {
            Some(_) => missing,
            // upstream looks for it in parameters that are not there
            None => missing.with_class("java.lang.NullPointerException"),
        }
    })?;
    text.parse()
        .map_err(|_| ConnectError::data("Invalid scale parameter found in Decimal schema: "))
}

/// The encoding of a decimal.
///
/// # Errors
/// A data error when the scales differ.
pub fn decimal_to_bytes(schema: &Schema, value: &Decimal) -> Result<Vec<u8>> {
    let wanted = scale(schema)?;
    if value.scale() != wanted {
        return Err(ConnectError::data(format!(
            "Decimal value has mismatching scale for given Decimal schema. Schema has scale {wanted}, value has scale {}.",
            value.scale()
        )));
    }
    Ok(value.to_be_bytes())
}

/// The decimal encoded by these bytes.
///
/// # Errors
/// A data error when the schema has no valid scale.
pub fn decimal_from_bytes(schema: &Schema, bytes: &[u8]) -> Result<Decimal> {
    Ok(Decimal::from_be_bytes(bytes, scale(schema)?))
}

/// Days since the epoch of a date given in milliseconds.
///
/// # Errors
/// A data error when the schema is not a date or the value is not midnight UTC.
pub fn date_to_days(schema: &Schema, millis: i64) -> Result<i32> {
    if schema.name() != Some(DATE) {
        return Err(mismatch("Date"));
    }
    if millis % MILLIS_PER_DAY != 0 {
        return Err(ConnectError::data(
            "Kafka Connect Date type should not have any time fields set to non-zero values.",
        ));
    }
    // Java narrows by dropping the high bits.
    #[allow(clippy::cast_possible_truncation)]
    Ok((millis / MILLIS_PER_DAY) as i32)
}

/// Milliseconds of a date given in days.
///
/// # Errors
/// A data error when the schema is not a date.
pub fn date_from_days(schema: &Schema, days: i32) -> Result<i64> {
    if schema.name() != Some(DATE) {
        return Err(mismatch("Date"));
    }
    Ok(i64::from(days) * MILLIS_PER_DAY)
}

/// The encoding of a time of day.
///
/// # Errors
/// A data error when the schema is not a time or the value lies outside one day.
pub fn time_to_millis(schema: &Schema, millis: i64) -> Result<i32> {
    if schema.name() != Some(TIME) {
        return Err(mismatch("Time"));
    }
    match i32::try_from(millis) {
        Ok(value) if (0..=MILLIS_PER_DAY).contains(&millis) => Ok(value),
        _ => Err(ConnectError::data(
            "Kafka Connect Time type should not have any date fields set to non-zero values.",
        )),
    }
}

/// The time of day encoded by this number.
///
/// # Errors
/// A data error when the schema is not a time or the number lies outside one day.
pub fn time_from_millis(schema: &Schema, millis: i32) -> Result<i64> {
    if schema.name() != Some(TIME) {
        return Err(mismatch("Date"));
    }
    if !(0..=MILLIS_PER_DAY).contains(&i64::from(millis)) {
        return Err(ConnectError::data(
            "Time values must use number of milliseconds greater than 0 and less than 86400000",
        ));
    }
    Ok(i64::from(millis))
}

/// The encoding of a timestamp.
///
/// # Errors
/// A data error when the schema is not a timestamp.
pub fn timestamp_to_millis(schema: &Schema, millis: i64) -> Result<i64> {
    if schema.name() == Some(TIMESTAMP) {
        Ok(millis)
    } else {
        Err(mismatch("Timestamp"))
    }
}

/// The timestamp encoded by this number.
///
/// # Errors
/// A data error when the schema is not a timestamp.
pub fn timestamp_from_millis(schema: &Schema, millis: i64) -> Result<i64> {
    timestamp_to_millis(schema, millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_of_the_reference() {
        assert_eq!(
            decimal_to_bytes(&decimal(2), &Decimal::new(156, 2)).unwrap(),
            [0x00, 0x9c]
        );
        assert!(
            decimal_to_bytes(&decimal(2), &Decimal::new(156, 3))
                .unwrap_err()
                .message()
                .contains("mismatching scale")
        );
        let plain = Schema {
            parameters: None,
            ..Schema::clone(&decimal(2))
        };
        let error = decimal_to_bytes(&plain, &Decimal::new(156, 2)).unwrap_err();
        assert_eq!(error.class(), "java.lang.NullPointerException");
        assert_eq!(date_to_days(&date(), 10_000 * MILLIS_PER_DAY).unwrap(), 10_000);
        assert_eq!(date_to_days(&date(), -MILLIS_PER_DAY).unwrap(), -1);
        assert!(date_to_days(&date(), 10_000 * MILLIS_PER_DAY + 1000).is_err());
        assert!(date_to_days(&time(), 0).is_err());
        assert_eq!(time_to_millis(&time(), MILLIS_PER_DAY).unwrap(), 86_400_000);
        assert!(time_to_millis(&time(), -1).is_err());
        assert!(time_from_millis(&time(), 86_400_001).is_err());
        assert_eq!(timestamp_to_millis(&timestamp(), -5).unwrap(), -5);
        assert!(timestamp_from_millis(&date(), 1).is_err());
    }
}
