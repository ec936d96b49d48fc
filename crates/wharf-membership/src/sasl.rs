//! What is said to prove who this client is.
//!
//! A conversation is a small machine: it gives the first token, takes the broker's answer, and gives the next one or is done.

use std::fmt::Write as _;
use std::time::SystemTime;

use rsasl::prelude::{Mechname, SASLClient, SASLConfig, Session, State};
use wharf_oauth::Token;

use crate::SaslSettings;

/// Ends the SASL exchange after a refusal, RFC 7628 section 3.2.3.
const REFUSAL_TAKEN: &[u8] = b"\x01";
const TOKEN_LIFETIME_SECONDS: u64 = 3_600;

/// A conversation under way.
pub(crate) enum Conversation {
    /// SCRAM, by rsasl.
    Scram(Session),
    /// One token, an empty answer.
    Plain,
    /// One token; a refusal comes as a text in a successful answer.
    Bearer,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send this; more is to come.
    Send(Vec<u8>),
    /// Authenticated.
    Done,
}

impl Conversation {
    /// A conversation with its first message. `fetched` is the token in force where tokens are fetched.
    pub(crate) fn begin(settings: &SaslSettings, fetched: Option<&Token>) -> Result<(Self, Vec<u8>), String> {
        match settings {
            SaslSettings::Password {
                mechanism,
                username,
                password,
            } if mechanism == "PLAIN" => {
                let token = format!("\0{username}\0{password}").into_bytes();
                Ok((Self::Plain, token))
            }
            SaslSettings::Password {
                mechanism,
                username,
                password,
            } => {
                let config = SASLConfig::with_credentials(None, username.clone(), password.clone())
                    .map_err(|error| error.to_string())?;
                let name = Mechname::parse(mechanism.as_bytes()).map_err(|error| error.to_string())?;
                let mut session = SASLClient::new(config)
                    .start_suggested(&[name])
                    .map_err(|error| error.to_string())?;
                let mut token = Vec::new();
                session
                    .step(None, &mut token)
                    .map_err(|error| error.to_string())?;
                Ok((Self::Scram(session), token))
            }
            SaslSettings::UnsecuredToken { config } => {
                let token = bearer(config, SystemTime::now())?;
                Ok((Self::Bearer, token))
            }
            SaslSettings::Token(_) => {
                let token = fetched.ok_or("no token was fetched")?;
                let mut extensions = String::new();
                for (name, value) in token.extensions() {
                    let _ = write!(extensions, "{name}={value}\u{1}");
                }
                Ok((Self::Bearer, first_message(token.value(), &extensions)))
            }
        }
    }

    /// Takes the broker's answer to the last token.
    pub(crate) fn step(&mut self, answer: &[u8]) -> Result<Step, String> {
        match self {
            Self::Plain => Ok(Step::Done),
            // A refusal is a JSON text; the exchange has to be ended before the broker gives its error.
            Self::Bearer if answer.is_empty() => Ok(Step::Done),
            Self::Bearer => Ok(Step::Send(REFUSAL_TAKEN.to_vec())),
            Self::Scram(session) => {
                let mut token = Vec::new();
                let state = session.step(Some(answer), &mut token).map_err(|error| {
                    format!("the broker could not prove that it knows the password: {error}")
                })?;
                Ok(match state {
                    State::Running => Step::Send(token),
                    State::Finished(_) if !token.is_empty() => Step::Send(token),
                    State::Finished(_) => Step::Done,
                })
            }
        }
    }
}

/// The client's first message of OAUTHBEARER with a JSON web token that is not signed, RFC 7515 appendix A.5.
///
/// `config` is librdkafka's: `principal=… scope=a,b lifeSeconds=60 extension_x=y`, and names for the claims.
fn bearer(config: &str, now: SystemTime) -> Result<Vec<u8>, String> {
    let (mut principal, mut scope) = ("", "");
    let (mut principal_claim, mut scope_claim) = ("sub", "scope");
    let mut lifetime = TOKEN_LIFETIME_SECONDS;
    let mut extensions = String::new();
    for part in config.split_whitespace() {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("sasl.oauthbearer.config: {part} has no value"))?;
        match key {
            "principal" => principal = value,
            "principalClaimName" => principal_claim = value,
            "scope" => scope = value,
            "scopeClaimName" => scope_claim = value,
            "lifeSeconds" => {
                lifetime = value
                    .parse()
                    .map_err(|_| format!("sasl.oauthbearer.config: lifeSeconds={value} is not a number"))?;
            }
            other => {
                let name = other
                    .strip_prefix("extension_")
                    .ok_or_else(|| format!("sasl.oauthbearer.config: {other} is not known"))?;
                let _ = write!(extensions, "{name}={value}\u{1}");
            }
        }
    }
    let issued = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_| "the clock is before 1970".to_owned())?
        .as_secs();
    let mut claims = format!(
        "{{{}:{},\"iat\":{issued},\"exp\":{}",
        quoted(principal_claim),
        quoted(principal),
        issued + lifetime
    );
    if !scope.is_empty() {
        let scopes: Vec<String> = scope.split(',').map(quoted).collect();
        let _ = write!(claims, ",{}:[{}]", quoted(scope_claim), scopes.join(","));
    }
    claims.push('}');
    let token = format!(
        "{}.{}.",
        base64url(br#"{"alg":"none"}"#),
        base64url(claims.as_bytes())
    );
    Ok(first_message(&token, &extensions))
}

/// RFC 7628 section 3.1; each extension ends with its separator.
fn first_message(token: &str, extensions: &str) -> Vec<u8> {
    format!("n,,\u{1}auth=Bearer {token}\u{1}{extensions}\u{1}").into_bytes()
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn base64url(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes)
        .chars()
        .filter(|c| !matches!(c, '=' | '\n'))
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn plain_is_one_token() {
        let settings = SaslSettings::Password {
            mechanism: "PLAIN".into(),
            username: "alice".into(),
            password: "secret".into(),
        };
        let (mut conversation, token) = Conversation::begin(&settings, None).unwrap();
        assert_eq!(token, b"\0alice\0secret");
        assert_eq!(conversation.step(b""), Ok(Step::Done));
    }

    #[test]
    fn scram_begins_with_the_user_and_refuses_an_answer_that_proves_nothing() {
        let settings = SaslSettings::Password {
            mechanism: "SCRAM-SHA-512".into(),
            username: "alice".into(),
            password: "secret".into(),
        };
        let (mut conversation, token) = Conversation::begin(&settings, None).unwrap();
        let text = String::from_utf8(token).unwrap();
        assert!(text.starts_with("n,,n=alice,r="), "{text}");
        let error = conversation.step(b"r=other,s=c2FsdA==,i=4096").unwrap_err();
        assert!(error.contains("prove"), "{error}");
    }

    #[test]
    fn an_unsecured_token_holds_principal_times_scope_and_extensions() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let message = bearer("principal=al\"ice scope=a,b lifeSeconds=60 extension_x=y", now).unwrap();
        let text = String::from_utf8(message).unwrap();
        let token = text
            .strip_prefix("n,,\u{1}auth=Bearer ")
            .and_then(|rest| rest.strip_suffix("\u{1}x=y\u{1}\u{1}"))
            .unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts[0], "eyJhbGciOiJub25lIn0");
        assert_eq!(
            parts[1],
            base64url(br#"{"sub":"al\"ice","iat":1000,"exp":1060,"scope":["a","b"]}"#)
        );
        assert_eq!(parts[2], "");
        assert_eq!(
            bearer("principal", now).unwrap_err(),
            "sasl.oauthbearer.config: principal has no value"
        );
        assert_eq!(
            bearer("colour=red", now).unwrap_err(),
            "sasl.oauthbearer.config: colour is not known"
        );
    }

    #[test]
    fn a_refused_token_is_acknowledged_so_that_the_broker_gives_its_reason() {
        let settings = SaslSettings::UnsecuredToken {
            config: "principal=a".into(),
        };
        let (mut conversation, _) = Conversation::begin(&settings, None).unwrap();
        assert_eq!(
            conversation.step(br#"{"status":"invalid_token"}"#),
            Ok(Step::Send(b"\x01".to_vec()))
        );
        assert_eq!(conversation.step(b""), Ok(Step::Done));
    }
}
