//! Suggestions for values that depend on other values.

use std::sync::Arc;

use super::{ParsedConfig, ParsedValue};
use crate::Result;

/// Supplies the values a user may choose from and says whether a key matters, given the other values.
///
/// Called during validation only, after every key was parsed, with null for values that could not be parsed.
/// An error of kind config becomes a message on the key.
pub trait Recommender: Send + Sync {
    /// The values that make sense for `name` now. Empty means: no suggestion.
    ///
    /// # Errors
    ///
    /// Whatever is returned becomes a message on the key, and the recommendations stay as they were.
    fn valid_values(&self, name: &str, config: &ParsedConfig) -> Result<Vec<ParsedValue>>;

    /// Whether `name` matters now.
    ///
    /// # Errors
    ///
    /// As for [`valid_values`](Self::valid_values).
    fn visible(&self, name: &str, config: &ParsedConfig) -> Result<bool> {
        let _ = (name, config);
        Ok(true)
    }
}

/// A recommender of an embedded definition: it sees names and values without the prefix.
pub(super) struct Embedded {
    pub(super) prefix: String,
    pub(super) inner: Arc<dyn Recommender>,
}

impl Recommender for Embedded {
    fn valid_values(&self, name: &str, config: &ParsedConfig) -> Result<Vec<ParsedValue>> {
        let name = name.strip_prefix(&self.prefix).unwrap_or(name);
        self.inner
            .valid_values(name, &config.without_prefix(&self.prefix))
    }

    fn visible(&self, name: &str, config: &ParsedConfig) -> Result<bool> {
        let name = name.strip_prefix(&self.prefix).unwrap_or(name);
        self.inner.visible(name, &config.without_prefix(&self.prefix))
    }
}
