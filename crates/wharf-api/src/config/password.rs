//! A text that must not be printed.

use std::fmt;

/// A secret. `Debug` and `Display` print `[hidden]`; [`reveal`](Self::reveal) gives the text.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Password(String);

impl Password {
    /// What is printed in place of every secret.
    pub const HIDDEN: &str = "[hidden]";

    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself. Must not reach logs, errors or REST answers.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

impl From<&str> for Password {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl From<String> for Password {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let password = Password::new("s3cret");
        assert_eq!(
            format!("{password} {password:?} {password:#?}"),
            "[hidden] [hidden] [hidden]"
        );
        assert_eq!(password.reveal(), "s3cret");
    }
}
