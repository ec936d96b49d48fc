//! Text to value, by type. Grammar and messages are Kafka's, so that a value is accepted by both or by neither.

use std::borrow::Cow;

use super::{ParsedValue, Password, Type};
use crate::values::digit_value;
use crate::{ConnectError, Result};

/// Parses the text given for `name`. Blanks and control characters around it are dropped first.
///
/// Numbers are decimal with an optional sign; doubles follow Java (`1e3`, `NaN`, `Infinity`, suffixes `f` and `d`) but
/// for its hexadecimal form, which is refused. Lists are split at commas and keep empty items; a blank text is the
/// empty list. A class is taken by name: whether it exists is checked by the definition's class resolver.
///
/// # Errors
///
/// `Invalid value <text> for configuration <name>: <reason>`.
pub fn parse_type(name: &str, text: &str, value_type: Type) -> Result<ParsedValue> {
    let trimmed = java_trim(text);
    let not_a_number =
        || ConnectError::invalid_config(name, text, &format!("Not a number of type {value_type}"));
    Ok(match value_type {
        Type::Boolean if trimmed.eq_ignore_ascii_case("true") => ParsedValue::Boolean(true),
        Type::Boolean if trimmed.eq_ignore_ascii_case("false") => ParsedValue::Boolean(false),
        Type::Boolean => {
            let reason = "Expected value to be either true or false";
            return Err(ConnectError::invalid_config(name, text, reason));
        }
        Type::String => ParsedValue::String(trimmed.to_owned()),
        Type::Int => ParsedValue::Int(ascii_digits(trimmed).parse().map_err(|_| not_a_number())?),
        Type::Short => ParsedValue::Short(ascii_digits(trimmed).parse().map_err(|_| not_a_number())?),
        Type::Long => ParsedValue::Long(ascii_digits(trimmed).parse().map_err(|_| not_a_number())?),
        Type::Double => ParsedValue::Double(parse_double(trimmed).ok_or_else(not_a_number)?),
        Type::List => ParsedValue::List(split_list(trimmed)),
        Type::Class => ParsedValue::Class(trimmed.to_owned()),
        Type::Password => ParsedValue::Password(Password::new(trimmed)),
    })
}

/// Drops everything up to and including the blank (U+0020) at both ends, as `String.trim` does.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

fn split_list(trimmed: &str) -> Vec<String> {
    if trimmed.is_empty() {
        return Vec::new();
    }
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
    trimmed
        .split(',')
        .map(|item| item.trim_matches(is_space).to_owned())
        .collect()
}

/// Java's integers may be written with the digits of any script; its floating-point numbers may not.
fn ascii_digits(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let ascii = |c| digit_value(c).map_or(c, |digit| char::from(b'0' + digit));
    text.chars().map(ascii).collect()
}

fn parse_double(text: &str) -> Option<f64> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'+' => (1.0, &text[1..]),
        b'-' => (-1.0, &text[1..]),
        _ => (1.0, text),
    };
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let digits = unsigned.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(unsigned);
    // Rust also knows `inf` and `nan` in any case, which Java does not
    if !digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        || digits.starts_with(['+', '-'])
    {
        return None;
    }
    digits.parse::<f64>().ok().map(|number| sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> ParsedValue {
        ParsedValue::List(items.iter().map(|item| (*item).to_owned()).collect())
    }

    #[test]
    fn texts_are_accepted_by_type() {
        let cases = [
            (Type::Boolean, " TRUE ", ParsedValue::Boolean(true)),
            (Type::Boolean, "False", ParsedValue::Boolean(false)),
            (Type::String, "  a b\t\n", "a b".into()),
            (Type::Int, " +5 ", 5.into()),
            (Type::Int, "-2147483648", i32::MIN.into()),
            (Type::Short, "007", 7i16.into()),
            (Type::Short, "-١٢", (-12i16).into()),
            (Type::Long, "9223372036854775807", i64::MAX.into()),
            (Type::Double, "1e3", 1000.0.into()),
            (Type::Double, "1f", 1.0.into()),
            (Type::Double, "-.5D", (-0.5).into()),
            (Type::Double, "5", 5.0.into()),
            (Type::Double, "-Infinity", f64::NEG_INFINITY.into()),
            (Type::List, "", list(&[])),
            (Type::List, "  ", list(&[])),
            (Type::List, ",", list(&["", ""])),
            (Type::List, "a , b,,c, ", list(&["a", "b", "", "c", ""])),
            (Type::Class, " x.Y ", ParsedValue::Class("x.Y".into())),
            (Type::Password, " p ", ParsedValue::Password("p".into())),
        ];
        for (value_type, text, expected) in cases {
            assert_eq!(
                parse_type("k", text, value_type),
                Ok(expected),
                "{value_type} {text:?}"
            );
        }
        let nan = parse_type("k", "NaN", Type::Double).unwrap();
        assert!(matches!(nan, ParsedValue::Double(number) if number.is_nan()));
    }

    #[test]
    fn wrong_texts_are_refused_with_the_reason() {
        let cases = [
            (
                Type::Boolean,
                "truee",
                "Expected value to be either true or false",
            ),
            (Type::Boolean, "fals", "Expected value to be either true or false"),
            (Type::Boolean, "yes", "Expected value to be either true or false"),
            (Type::Boolean, "1", "Expected value to be either true or false"),
            (Type::Int, "hello", "Not a number of type INT"),
            (Type::Int, "42.5", "Not a number of type INT"),
            (Type::Int, "9223372036854775807", "Not a number of type INT"),
            (Type::Int, "0x10", "Not a number of type INT"),
            (Type::Int, "5L", "Not a number of type INT"),
            (Type::Int, "", "Not a number of type INT"),
            (Type::Short, "32768", "Not a number of type SHORT"),
            (Type::Long, "42.5", "Not a number of type LONG"),
            (Type::Long, "92233720368547758070", "Not a number of type LONG"),
            (Type::Long, "", "Not a number of type LONG"),
            (Type::Double, "hello", "Not a number of type DOUBLE"),
            (Type::Double, "nan", "Not a number of type DOUBLE"),
            (Type::Double, "inf", "Not a number of type DOUBLE"),
            (Type::Double, "+-1", "Not a number of type DOUBLE"),
            (Type::Double, "", "Not a number of type DOUBLE"),
            (Type::Double, "f", "Not a number of type DOUBLE"),
            (Type::Double, "١", "Not a number of type DOUBLE"),
        ];
        for (value_type, text, reason) in cases {
            let error = parse_type("k", text, value_type).unwrap_err();
            assert_eq!(
                error.message(),
                format!("Invalid value {text} for configuration k: {reason}")
            );
        }
    }
}
