//! What a token says of itself, as far as a client looks: upstream's `ClientJwtValidator`.
//!
//! Signatures are for brokers. Reasons name claims, never values.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::TokenSettings;

/// A JSON web token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    value: String,
    subject: String,
    extensions: Vec<(String, String)>,
    pub(crate) starts: Option<u64>,
    pub(crate) ends: u64,
}

impl Token {
    /// The token itself, which is a secret.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whom it was given to.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// SASL extensions that go with it, without those of equal names.
    #[must_use]
    pub fn extensions(&self) -> &[(String, String)] {
        &self.extensions
    }

    /// How long it still holds at `now`, both in milliseconds.
    pub(crate) fn left(&self, now: u64) -> u64 {
        self.ends.saturating_sub(now)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(text: &str, settings: &TokenSettings) -> Result<Self, String> {
        let value = text.trim();
        let parts: Vec<&str> = value.split('.').collect();
        let [_, payload, _] = parts.as_slice() else {
            return Err(format!(
                "what was given out is no JSON web token: it has {} parts instead of three",
                parts.len()
            ));
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err("what was given out is no JSON web token: one of its parts is empty".to_owned());
        }
        let unreadable = || "the claims of the token cannot be read".to_owned();
        let claims = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .map_err(|_| unreadable())?;
        let claims: Map<String, Value> = serde_json::from_slice(&claims).map_err(|_| unreadable())?;
        scopes(&claims, &settings.scope_claim)?;
        let ends = millis(&claims, "exp")?.ok_or("the token lacks the claim exp")?;
        let name = &settings.subject_claim;
        let subject = claims.get(name).and_then(Value::as_str).map(str::trim);
        let subject = subject.filter(|subject| !subject.is_empty()).ok_or_else(|| {
            format!("the token lacks the claim {name}; sasl.oauthbearer.sub.claim.name names another one")
        })?;
        Ok(Self {
            value: value.to_owned(),
            subject: subject.to_owned(),
            extensions: settings.extensions.clone().into_iter().collect(),
            starts: millis(&claims, "iat")?,
            ends,
        })
    }
}

/// A time of a claim in milliseconds.
fn millis(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let seconds = value.as_u64().or_else(|| {
                let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0)?;
                Some(seconds as u64)
            });
            match seconds {
                Some(seconds) => Ok(Some(seconds.saturating_mul(1_000))),
                None => Err(format!(
                    "the claim {name} of the token is no number of seconds since 1970"
                )),
            }
        }
    }
}

/// A scope may be absent, one text, or a list of texts that differ.
fn scopes(claims: &Map<String, Value>, name: &str) -> Result<(), String> {
    let list = match claims.get(name) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        _ => return Ok(()),
    };
    let mut seen = Vec::with_capacity(list.len());
    for scope in list {
        let scope = scope.as_str().map(str::trim).filter(|scope| !scope.is_empty());
        let scope = scope.ok_or_else(|| format!("the claim {name} of the token holds an empty scope"))?;
        if seen.contains(&scope) {
            return Err(format!("the claim {name} of the token holds a scope twice"));
        }
        seen.push(scope);
    }
    Ok(())
}

impl fmt::Debug for Token {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("subject", &self.subject)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retriever;
    use crate::settings::tests::settings;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_read_with_its_subject_and_times() {
        let mut settings = settings(Retriever::File("f".to_owned()));
        let text = token(r#"{"sub":" alice ","exp":1000.7,"iat":900,"scope":["a","b"]}"#);
        let read = Token::read(&format!(" {text}\n"), &settings).unwrap();
        assert_eq!(read.value(), text);
        assert_eq!(read.subject(), "alice");
        assert_eq!((read.starts, read.ends), (Some(900_000), 1_000_000));
        assert_eq!((read.left(999_000), read.left(1_000_001)), (1_000, 0));
        assert!(!format!("{read:?}").contains(&text));
        settings.subject_claim = "azp".to_owned();
        let read = Token::read(&token(r#"{"azp":"bob","exp":1}"#), &settings).unwrap();
        assert_eq!((read.subject(), read.starts), ("bob", None));
    }

    #[test]
    fn what_upstream_refuses_is_refused_with_the_claim_and_without_the_token() {
        let settings = settings(Retriever::File("f".to_owned()));
        for (text, words) in [
            ("opaque-t0ken".to_owned(), "1 parts"),
            (String::new(), "1 parts"),
            ("a.b".to_owned(), "2 parts"),
            ("a.b.".to_owned(), "empty"),
            ("a.!.c".to_owned(), "cannot be read"),
            (token("[]"), "cannot be read"),
            (token(r#"{"sub":"t0ken"}"#), "claim exp"),
            (token(r#"{"sub":"t0ken","exp":"soon"}"#), "claim exp"),
            (token(r#"{"sub":"t0ken","exp":-1}"#), "claim exp"),
            (token(r#"{"exp":1}"#), "claim sub"),
            (token(r#"{"sub":"  ","exp":1}"#), "claim sub"),
            (token(r#"{"sub":1,"exp":1}"#), "claim sub"),
            (token(r#"{"sub":"t0ken","exp":1,"iat":-5}"#), "claim iat"),
            (token(r#"{"sub":"t0ken","exp":1,"scope":""}"#), "empty scope"),
            (token(r#"{"sub":"t0ken","exp":1,"scope":["a",1]}"#), "empty scope"),
            (token(r#"{"sub":"t0ken","exp":1,"scope":["a"," a"]}"#), "twice"),
        ] {
            let reason = Token::read(&text, &settings).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
            assert!(!reason.contains("t0ken"), "{reason}");
        }
    }
}
