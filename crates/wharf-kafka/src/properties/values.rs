//! Types and ranges of Java's client properties, with the words in which Kafka reports a wrong value.

use super::catalogue::{Entry, Type, Valid};

/// Checks `value` against type and range and returns it trimmed as Kafka would read it.
pub(super) fn check(entry: &Entry, value: &str) -> Result<String, String> {
    let key = entry.key;
    let trimmed = value.trim();
    let wrong = |what: &str| format!("Invalid value {value} for configuration {key}: {what}");
    let number = |name: &str, low: i64, high: i64| match trimmed.parse::<i64>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(wrong(&format!("Not a number of type {name}"))),
    };
    let parsed = match entry.kind {
        Type::Short => Some(number("SHORT", i16::MIN.into(), i16::MAX.into())?),
        Type::Int => Some(number("INT", i32::MIN.into(), i32::MAX.into())?),
        Type::Long => Some(number("LONG", i64::MIN, i64::MAX)?),
        Type::Boolean => {
            let lower = trimmed.to_ascii_lowercase();
            return match lower.as_str() {
                "true" | "false" => Ok(lower),
                _ => Err(wrong("Expected value to be either true or false")),
            };
        }
        Type::Double => {
            trimmed
                .parse::<f64>()
                .map_err(|_| wrong("Not a number of type DOUBLE"))?;
            None
        }
        Type::List => {
            let items: Vec<_> = trimmed
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect();
            return Ok(items.join(","));
        }
        // Blanks may belong to a password.
        Type::Password => return Ok(value.to_owned()),
        Type::Text | Type::Class => None,
    };
    match entry.valid {
        Valid::Any => {}
        Valid::AtLeast(low) => {
            if parsed.is_some_and(|number| number < low) {
                return Err(wrong(&format!("Value must be at least {low}")));
            }
        }
        Valid::Between(low, high) => {
            if parsed.is_some_and(|number| number < low) {
                return Err(wrong(&format!("Value must be at least {low}")));
            }
            if parsed.is_some_and(|number| number > high) {
                return Err(wrong(&format!("Value must be no more than {high}")));
            }
        }
        Valid::Within(low, high) => {
            let number = trimmed.parse::<f64>().unwrap_or(low);
            if number < low {
                return Err(wrong(&format!("Value must be at least {low}")));
            }
            if number > high {
                return Err(wrong(&format!("Value must be no more than {high}")));
            }
        }
        Valid::OneOf(names) => {
            if !names.contains(&trimmed) {
                return Err(wrong(&format!("String must be one of: {}", names.join(", "))));
            }
        }
        Valid::OneOfAnyCase(names) => {
            return match names.iter().find(|name| name.eq_ignore_ascii_case(trimmed)) {
                Some(name) => Ok((*name).to_owned()),
                None => Err(wrong(&format!(
                    "String must be one of (case insensitive): {}",
                    names.join(", ")
                ))),
            };
        }
    }
    Ok(parsed.map_or_else(|| trimmed.to_owned(), |number| number.to_string()))
}
