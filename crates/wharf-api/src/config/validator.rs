//! Checks on parsed values, with Kafka's messages and display texts.

use std::fmt;
use std::sync::Arc;

use super::ParsedValue;
use super::parsed_value::java_double;
use crate::{ConnectError, Result};

/// The signature of a check of one's own.
type Check = dyn Fn(&str, &ParsedValue) -> Result<()> + Send + Sync;

/// A limit of [`Validator::Range`]; prints as Java prints a number of that kind.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Bound {
    /// For the integer types.
    Integer(i64),
    /// For [`Type::Double`](super::Type::Double).
    Double(f64),
}

impl Bound {
    fn as_f64(self) -> f64 {
        match self {
            // limits are compared as doubles, as Java does
            Self::Integer(number) => number as f64,
            Self::Double(number) => number,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Double(number) => f.write_str(&java_double(*number)),
        }
    }
}

macro_rules! bound_from {
    ($($number:ty => $variant:ident),*) => {$(
        impl From<$number> for Bound {
            fn from(number: $number) -> Self {
                Self::$variant(number.into())
            }
        }
    )*};
}

bound_from!(i16 => Integer, i32 => Integer, i64 => Integer, f64 => Double);

/// A check of a key's value. Runs on parsed values, on defaults, and on null after a value could not be parsed.
///
/// `Display` gives the text that listings show under "valid values".
#[derive(Clone)]
#[non_exhaustive]
pub enum Validator {
    /// A number that is not null and within both limits, where given.
    Range {
        /// The lowest allowed number.
        min: Option<Bound>,
        /// The highest allowed number.
        max: Option<Bound>,
    },
    /// One of these texts, exactly.
    OneOf(Vec<String>),
    /// One of these texts in any case; kept in capitals.
    OneOfIgnoreCase(Vec<String>),
    /// A list without blank items. Duplicates are dropped by parsing and refused by validation.
    ListOf {
        /// The allowed items; empty means any.
        items: Vec<String>,
        /// Whether the list may be empty.
        empty_allowed: bool,
        /// Whether there may be no list.
        null_allowed: bool,
    },
    /// Anything but null.
    NonNull,
    /// Null or a text that is not empty.
    NonEmptyString,
    /// Null or a text that is not empty and holds no control characters.
    NonEmptyStringWithoutControlChars,
    /// A list of at most this many items.
    ListSize(usize),
    /// A list with at least one item.
    NonEmptyList,
    /// All of these, in order; the first that fails speaks.
    All(Vec<Validator>),
    /// A check of one's own.
    Custom {
        /// The text for listings.
        display: String,
        /// Gets the key's name and value.
        check: Arc<Check>,
    },
    /// The display text of a validator that runs elsewhere, inside the plugin that made the definition. Accepts
    /// everything.
    Described(String),
    /// The validator of an embedded definition: it is told the name without the prefix, as in Kafka.
    Embedded {
        /// What to take off the name.
        prefix: String,
        /// The embedded key's validator.
        inner: Box<Validator>,
    },
}

impl Validator {
    /// A number not below `min`.
    #[must_use]
    pub fn at_least(min: impl Into<Bound>) -> Self {
        Self::Range {
            min: Some(min.into()),
            max: None,
        }
    }

    /// A number not below `min` and not above `max`.
    #[must_use]
    pub fn between(min: impl Into<Bound>, max: impl Into<Bound>) -> Self {
        Self::Range {
            min: Some(min.into()),
            max: Some(max.into()),
        }
    }

    /// One of these texts, exactly.
    #[must_use]
    pub fn one_of<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::OneOf(texts.into_iter().map(Into::into).collect())
    }

    /// One of these texts, in any case.
    #[must_use]
    pub fn one_of_ignore_case<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::OneOfIgnoreCase(texts.into_iter().map(|text| text.into().to_uppercase()).collect())
    }

    /// A list, possibly empty, of these texts.
    #[must_use]
    pub fn list_of<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        let items = texts.into_iter().map(Into::into).collect();
        Self::ListOf {
            items,
            empty_allowed: true,
            null_allowed: false,
        }
    }

    /// A list of any texts without duplicates.
    #[must_use]
    pub fn distinct_list(empty_allowed: bool, null_allowed: bool) -> Self {
        Self::ListOf {
            items: Vec::new(),
            empty_allowed,
            null_allowed,
        }
    }

    /// A check of one's own, with its text for listings.
    ///
    /// The check should fail with [`ConnectError::invalid_config`], so that the message names key and value.
    #[must_use]
    pub fn custom(
        display: impl Into<String>,
        check: impl Fn(&str, &ParsedValue) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::Custom {
            display: display.into(),
            check: Arc::new(check),
        }
    }

    /// Checks the value of `name`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in Kafka's words for the built-in checks.
    pub fn ensure_valid(&self, name: &str, value: &ParsedValue) -> Result<()> {
        let fail = |reason: &str| Err(ConnectError::invalid_config(name, value, reason));
        match self {
            Self::Range { min, max } => {
                let Some(number) = value.as_f64() else {
                    return fail("Value must be non-null");
                };
                match (min, max) {
                    (Some(min), _) if number < min.as_f64() => fail(&format!("Value must be at least {min}")),
                    (_, Some(max)) if number > max.as_f64() => {
                        fail(&format!("Value must be no more than {max}"))
                    }
                    _ => Ok(()),
                }
            }
            Self::OneOf(texts) => match value.as_str() {
                Some(text) if texts.iter().any(|item| item == text) => Ok(()),
                _ => fail(&format!("String must be one of: {}", texts.join(", "))),
            },
            Self::OneOfIgnoreCase(texts) => match value.as_str().map(str::to_uppercase) {
                Some(text) if texts.contains(&text) => Ok(()),
                _ => fail(&format!(
                    "String must be one of (case insensitive): {}",
                    texts.join(", ")
                )),
            },
            Self::ListOf {
                items,
                empty_allowed,
                null_allowed,
            } => check_list(name, value, items, *empty_allowed, *null_allowed),
            Self::NonNull if value.is_null() => fail("entry must be non null"),
            Self::NonEmptyString if value.as_str() == Some("") => fail("String must be non-empty"),
            Self::NonEmptyStringWithoutControlChars => match value.as_str() {
                None => Ok(()),
                Some("") => fail("String may not be empty"),
                Some(text) => {
                    let codes: Vec<String> = text
                        .chars()
                        .filter(|c| c.is_control())
                        .map(|c| u32::from(c).to_string())
                        .collect();
                    if codes.is_empty() {
                        return Ok(());
                    }
                    fail(&format!(
                        "String may not contain control sequences but had the following ASCII chars: {}",
                        codes.join(", ")
                    ))
                }
            },
            Self::ListSize(limit) if value.as_list().is_some_and(|items| items.len() > *limit) => {
                fail(&format!("exceeds maximum list size of [{limit}]."))
            }
            Self::NonEmptyList if value.as_list().is_none_or(<[String]>::is_empty) => fail("Empty list"),
            Self::All(validators) => validators
                .iter()
                .try_for_each(|inner| inner.ensure_valid(name, value)),
            Self::Custom { check, .. } => check(name, value),
            Self::Embedded { prefix, inner } => {
                inner.ensure_valid(name.strip_prefix(prefix.as_str()).unwrap_or(name), value)
            }
            Self::NonNull
            | Self::NonEmptyString
            | Self::ListSize(_)
            | Self::NonEmptyList
            | Self::Described(_) => Ok(()),
        }
    }

    /// Whether parsing drops repeated items for this validator.
    pub(super) fn drops_duplicates(&self) -> bool {
        matches!(self, Self::ListOf { .. })
    }
}

fn check_list(
    name: &str,
    value: &ParsedValue,
    allowed: &[String],
    empty_allowed: bool,
    null_allowed: bool,
) -> Result<()> {
    let fail = |what: &str| Err(ConnectError::config(format!("Configuration '{name}' {what}")));
    let Some(items) = value.as_list() else {
        return if null_allowed {
            Ok(())
        } else {
            fail("values must not be null.")
        };
    };
    if items.is_empty() && !empty_allowed {
        let valid = match allowed {
            [] => "any non-empty value".to_owned(),
            texts => format!("[{}]", texts.join(", ")),
        };
        return fail(&format!("must not be empty. Valid values include: {valid}"));
    }
    if items
        .iter()
        .enumerate()
        .any(|(index, item)| items[..index].contains(item))
    {
        return fail("values must not be duplicated.");
    }
    for item in items {
        if item.is_empty() {
            return fail("values must not be empty.");
        }
        if !allowed.is_empty() && !allowed.contains(item) {
            let reason = format!("String must be one of: {}", allowed.join(", "));
            return Err(ConnectError::invalid_config(name, item, &reason));
        }
    }
    Ok(())
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { min, max } => {
                let low = min.map(|min| format!("{min},")).unwrap_or_default();
                let high = max.map(|max| format!(",{max}")).unwrap_or_default();
                write!(f, "[{low}...{high}]")
            }
            Self::OneOf(texts) => write!(f, "[{}]", texts.join(", ")),
            Self::OneOfIgnoreCase(texts) => write!(f, "(case insensitive) [{}]", texts.join(", ")),
            Self::ListOf { items, .. } if items.is_empty() => Ok(()),
            Self::ListOf { items, .. } => write!(f, "[{}]", items.join(", ")),
            Self::NonNull => f.write_str("non-null string"),
            Self::NonEmptyString => f.write_str("non-empty string"),
            Self::NonEmptyStringWithoutControlChars => {
                f.write_str("non-empty string without ISO control characters")
            }
            Self::ListSize(limit) => write!(f, "List containing maximum of {limit} elements"),
            Self::NonEmptyList => f.write_str("non-empty list"),
            Self::All(validators) => f.write_str(
                &validators
                    .iter()
                    .map(Self::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            Self::Custom { display, .. } | Self::Described(display) => f.write_str(display),
            Self::Embedded { inner, .. } => inner.fmt(f),
        }
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({self})")
    }
}

#[cfg(test)]
#[path = "validator_tests.rs"]
mod tests;
