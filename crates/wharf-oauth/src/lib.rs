//! Tokens by which Kafka's clients log in with OAUTHBEARER, as upstream's `OAuthBearerLoginCallbackHandler` gets them.
//!
//! [`TokenSettings`] say where tokens come from: an endpoint, by the OAuth grant for client credentials, or a file. A
//! [`TokenSource`] holds the one in force for everybody with equal settings, renews it in good time, and tells those who listen.
//!
//! What must stay true:
//! - Nothing is fetched before somebody needs a token, and one fetch serves all.
//! - Nobody's thread waits for an endpoint but the one of this crate.
//! - Tokens and secrets are in no error, no log line and no `Debug` output.

mod endpoint;
mod error;
mod jwt;
mod schedule;
mod settings;
mod source;

pub use self::endpoint::check_url;
pub use self::error::TokenError;
pub use self::jwt::Token;
pub use self::settings::{Endpoint, Refresh, Retriever, TokenSettings};
pub use self::source::{TokenListener, TokenSource};
