//! A configuration value after parsing, and its two text forms.

use std::fmt;

use super::{Password, Type};

/// A value of one of the [`Type`]s, or null.
///
/// [`to_text`](Self::to_text) is the form a configuration file would have (and REST answers show);
/// `Display` is the form Java prints inside messages: lists in brackets, `null` for null.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum ParsedValue {
    /// No value.
    #[default]
    Null,
    /// A [`Type::Boolean`].
    Boolean(bool),
    /// A [`Type::String`].
    String(String),
    /// A [`Type::Int`].
    Int(i32),
    /// A [`Type::Short`].
    Short(i16),
    /// A [`Type::Long`].
    Long(i64),
    /// A [`Type::Double`].
    Double(f64),
    /// A [`Type::List`].
    List(Vec<String>),
    /// A [`Type::Class`], by the name that was given.
    Class(String),
    /// A [`Type::Password`].
    Password(Password),
}

impl ParsedValue {
    /// The type, or nothing for null.
    #[must_use]
    pub fn value_type(&self) -> Option<Type> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(_) => Type::Boolean,
            Self::String(_) => Type::String,
            Self::Int(_) => Type::Int,
            Self::Short(_) => Type::Short,
            Self::Long(_) => Type::Long,
            Self::Double(_) => Type::Double,
            Self::List(_) => Type::List,
            Self::Class(_) => Type::Class,
            Self::Password(_) => Type::Password,
        })
    }

    /// Whether this is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The form of configuration files and REST answers: lists joined with commas, secrets as `[hidden]`, nothing for
    /// null.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::List(items) => Some(items.join(",")),
            Self::Class(name) => Some(name.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The text of a string or class name.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Class(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[String]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The number as a double, for any of the number types.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        Some(match self {
            Self::Int(number) => f64::from(*number),
            Self::Short(number) => f64::from(*number),
            // Java compares limits as doubles too, so the loss above 2^53 is the contract
            Self::Long(number) => *number as f64,
            Self::Double(number) => *number,
            _ => return None,
        })
    }
}

impl fmt::Display for ParsedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::String(text) => f.write_str(text),
            Self::Int(number) => write!(f, "{number}"),
            Self::Short(number) => write!(f, "{number}"),
            Self::Long(number) => write!(f, "{number}"),
            Self::Double(number) => f.write_str(&java_double(*number)),
            Self::List(items) => write!(f, "[{}]", items.join(", ")),
            Self::Class(name) => write!(f, "class {name}"),
            Self::Password(password) => write!(f, "{password}"),
        }
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident),*) => {$(
        impl From<$source> for ParsedValue {
            fn from(value: $source) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from!(bool => Boolean, &str => String, String => String, i32 => Int, i16 => Short, i64 => Long, f64 => Double,
    Vec<String> => List, Password => Password);

impl<T: Into<Self>> From<Option<T>> for ParsedValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A double as Java prints it: `1.0`, `0.001`, `1.0E7`, `NaN`, `Infinity`.
pub(super) fn java_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_in_java() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.8, "0.8"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1234567.5, "1234567.5"),
            (1e7, "1.0E7"),
            (-1.25e10, "-1.25E10"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, text) in cases {
            assert_eq!(java_double(number), text);
        }
    }

    #[test]
    fn file_form_and_message_form_differ_for_lists_classes_and_null() {
        let list = ParsedValue::List(vec!["a".into(), "b".into()]);
        assert_eq!(list.to_text().as_deref(), Some("a,b"));
        assert_eq!(list.to_string(), "[a, b]");
        let class = ParsedValue::Class("x.Y".into());
        assert_eq!(class.to_text().as_deref(), Some("x.Y"));
        assert_eq!(class.to_string(), "class x.Y");
        assert_eq!(ParsedValue::Null.to_text(), None);
        assert_eq!(ParsedValue::Null.to_string(), "null");
        let secret = ParsedValue::Password("p".into());
        assert_eq!(
            (secret.to_text().as_deref(), secret.to_string().as_str()),
            (Some("[hidden]"), "[hidden]")
        );
        assert_eq!(format!("{secret:?}"), "Password([hidden])");
    }
}
