//! Time as callers bring it.

/// Milliseconds since any fixed point; only differences mean something.
pub type Millis = u64;
