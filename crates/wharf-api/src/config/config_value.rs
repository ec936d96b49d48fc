//! What validation says about one key.

use super::ParsedValue;

/// The value of one key with everything validation found out about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigValue {
    /// The key.
    pub name: String,
    /// The parsed value or the default; null when there is neither or the text could not be parsed.
    pub value: ParsedValue,
    /// What the key's recommender offers; empty without one.
    pub recommended_values: Vec<ParsedValue>,
    /// Messages, in the order they were found. More than one per key is normal.
    pub errors: Vec<String>,
    /// Whether a form should show the key.
    pub visible: bool,
}

impl ConfigValue {
    /// A null value without errors.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: ParsedValue::Null,
            recommended_values: Vec::new(),
            errors: Vec::new(),
            visible: true,
        }
    }

    /// A value without errors.
    #[must_use]
    pub fn with_value(name: impl Into<String>, value: impl Into<ParsedValue>) -> Self {
        Self {
            value: value.into(),
            ..Self::new(name)
        }
    }

    /// Adds a message.
    pub fn add_error(&mut self, message: impl Into<String>) {
        self.errors.push(message.into());
    }
}
