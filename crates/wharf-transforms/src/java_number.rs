//! Numbers as Java reads them from text and narrows them.

use wharf_api::Value;
use wharf_api::values::digit_value;

/// `Long.parseLong` and its narrower kin: an optional sign and digits of any script, nothing else.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    // counted below zero, where there is room for one more
    let mut number = 0_i64;
    for digit in digits.chars() {
        number = number
            .checked_mul(10)?
            .checked_sub(i64::from(digit_value(digit)?))?;
    }
    if is_negative {
        Some(number)
    } else {
        number.checked_neg()
    }
}

/// The decimal part of what `Double.parseDouble` and `Float.parseFloat` take, in a form that Rust reads: blanks around it
/// and a type suffix are gone. Java's hexadecimal form is not taken.
pub(crate) fn float_text(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    // Rust also knows names of infinity and NaN in any case, which Java does not
    let is_decimal = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    is_decimal.then_some(digits)
}

/// `Number.longValue`: cut off, and as near as an `i64` comes; a decimal wraps.
pub(crate) fn to_i64(value: &Value) -> Option<i64> {
    // Rust's conversion from floating point truncates and saturates as Java's does.
    #[allow(clippy::cast_possible_truncation)]
    match value {
        Value::Float32(number) => Some(*number as i64),
        Value::Float64(number) => Some(*number as i64),
        Value::Decimal(decimal) => Some(decimal.to_i64_wrapping()),
        other => other.as_i64(),
    }
}

/// `Number.intValue`: as [`to_i64`], but integers drop their high bits, and floating point is as near as an `i32` comes.
pub(crate) fn to_i32(value: &Value) -> Option<i32> {
    #[allow(clippy::cast_possible_truncation)]
    match value {
        Value::Float32(number) => Some(*number as i32),
        Value::Float64(number) => Some(*number as i32),
        other => to_i64(other).map(|number| number as i32),
    }
}

/// `Number.doubleValue`.
pub(crate) fn to_f64(value: &Value) -> Option<f64> {
    match value {
        Value::Float32(number) => Some(f64::from(*number)),
        Value::Float64(number) => Some(*number),
        Value::Decimal(decimal) => Some(decimal.to_f64()),
        other => other.as_i64().map(|number| number as f64),
    }
}

/// `Number.floatValue`: one rounding from each class.
pub(crate) fn to_f32(value: &Value) -> Option<f32> {
    #[allow(clippy::cast_possible_truncation)]
    match value {
        Value::Float32(number) => Some(*number),
        Value::Float64(number) => Some(*number as f32),
        Value::Decimal(decimal) => Some(decimal.to_f32()),
        other => other.as_i64().map(|number| number as f32),
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::Decimal;

    use super::*;

    #[test]
    fn integers_are_read_as_java_reads_them() {
        for (text, expected) in [
            ("42", Some(42)),
            ("+7", Some(7)),
            ("-0", Some(0)),
            ("007", Some(7)),
            ("٣", Some(3)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("", None),
            ("+", None),
            ("--1", None),
            (" 42 ", None),
            ("4.2", None),
            ("1e3", None),
        ] {
            assert_eq!(parse_integer(text), expected, "{text}");
        }
    }

    #[test]
    fn floating_point_is_read_as_java_reads_it() {
        let parse = |text| float_text(text).and_then(|text| text.parse::<f64>().ok());
        for (text, expected) in [
            (" 42\t", Some(42.0)),
            ("4.2", Some(4.2)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e3f", Some(1000.0)),
            ("-1.5D", Some(-1.5)),
            ("Infinity", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("1e400", Some(f64::INFINITY)),
            ("inf", None),
            ("nan", None),
            ("", None),
            ("f", None),
            ("1 2", None),
            ("true", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn numbers_narrow_as_java_s_do() {
        for (value, int, long) in [
            (Value::from(5_000_000_000_i64), 705_032_704, 5_000_000_000),
            (Value::from(1e300), i32::MAX, i64::MAX),
            (Value::from(-3.99), -3, -3),
            (Value::from(f32::NAN), 0, 0),
            (Decimal::new(19_827, 1).into(), 1982, 1982),
        ] {
            assert_eq!((to_i32(&value), to_i64(&value)), (Some(int), Some(long)));
        }
        assert_eq!(to_i64(&"1".into()), None);
        assert_eq!(to_f32(&1e300.into()), Some(f32::INFINITY));
        assert_eq!(to_f64(&3.99_f32.into()), Some(3.990_000_009_536_743));
    }
}
