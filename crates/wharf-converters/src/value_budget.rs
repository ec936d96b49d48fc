//! How many values a message may become.
//!
//! Two bytes can stand for a struct of a thousand fields that are not set, or for a default that is long: what a schema adds to
//! a message is not bounded by the message's length. It is counted here, so that a few bytes do not fill the memory.

use std::cell::Cell;

use wharf_api::{ConnectError, Result, Value};

/// How many values a message may become, beside one for each of its bytes.
pub const MAX_VALUES: usize = 1 << 22;
/// So many bytes of a text that a schema adds count as one more value: about what a value itself takes.
const BYTES_OF_A_VALUE: usize = 32;

/// What is left for a message. Shared by all who read parts of it.
#[derive(Debug)]
pub struct ValueBudget {
    left: Cell<usize>,
}

impl ValueBudget {
    /// The budget of a message of so many bytes.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self {
            left: Cell::new(MAX_VALUES.saturating_add(length)),
        }
    }

    /// Takes so many values.
    ///
    /// # Errors
    /// A data error when there are not as many left.
    #[inline]
    pub fn take(&self, values: usize) -> Result<()> {
        match self.left.get().checked_sub(values) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(exhausted()),
        }
    }

    /// A copy of a value that the schema has, a default for example, for a place that is counted already.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn copy(&self, value: &Value) -> Result<Value> {
        self.take(weight(value) - 1)?;
        Ok(value.clone())
    }
}

#[cold]
fn exhausted() -> ConnectError {
    ConnectError::data(format!(
        "the message becomes more than {MAX_VALUES} values; it is damaged or too large"
    ))
}

/// As how many values one counts: itself, those in it, and long texts by their length.
#[must_use]
pub fn weight(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => weight_of_bytes(text.len()),
        Value::Bytes(bytes) => weight_of_bytes(bytes.len()),
        Value::Decimal(decimal) => {
            weight_of_bytes(usize::try_from(decimal.unscaled().bits() / 8).unwrap_or(usize::MAX))
        }
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| weight(key) + weight(value))
            .sum(),
        Value::Struct(value) => value.values().iter().map(weight).sum(),
        _ => 0,
    }
}

/// As how many values a text of so many bytes counts beside the value that it is.
#[must_use]
pub fn weight_of_bytes(length: usize) -> usize {
    length / BYTES_OF_A_VALUE
}

#[cfg(test)]
mod tests {
    use wharf_api::Decimal;

    use super::*;

    #[test]
    fn what_is_left_is_taken_once_and_more_is_refused() {
        let budget = ValueBudget::new(10);
        budget.take(MAX_VALUES).unwrap();
        budget.take(9).unwrap();
        let error = budget.take(2).unwrap_err();
        assert_eq!(error.kind(), wharf_api::ErrorKind::Data);
        assert!(error.message().contains("more than 4194304 values"), "{error}");
        let list = Value::Array(vec![Value::Null; 2]);
        assert!(budget.copy(&list).is_err());
        let budget = ValueBudget::new(1);
        budget.take(MAX_VALUES - 1).unwrap();
        assert_eq!(budget.copy(&list).unwrap(), list);
        assert!(budget.take(1).is_err());
    }

    #[test]
    fn values_count_with_all_they_hold() {
        for (value, weighs) in [
            (Value::Null, 1),
            (Value::from("short"), 1),
            (Value::from("x".repeat(320)), 11),
            (Value::Bytes(vec![0; 64]), 3),
            (Decimal::from_be_bytes(&[1; 65], 0).into(), 3),
            (Value::Array(vec![Value::Null, Value::Array(vec![1.into()])]), 4),
            (Value::Map(vec![("k".into(), "x".repeat(32).into())]), 4),
        ] {
            assert_eq!(weight(&value), weighs, "{value:?}");
        }
    }
}
