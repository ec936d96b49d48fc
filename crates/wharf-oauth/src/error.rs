//! Why there is no token.

/// A token could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no OAuth token from {place}: {reason}")]
pub struct TokenError {
    pub(crate) place: String,
    pub(crate) reason: String,
    pub(crate) is_final: bool,
}

impl TokenError {
    /// The endpoint or the file said no, and will until somebody changes something; otherwise trying again may help.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.is_final
    }
}
