//! Hiding values that look like secrets in texts that echo a configuration.
//!
//! Used where the connector's class, and so the type of its keys, is unknown: upstream prints everything there.

use wharf_runtime::herder::RawConfig;

/// What stands in for a secret, as for keys of type PASSWORD.
pub const HIDDEN: &str = "[hidden]";

/// Words that make a key secret wherever they appear in it.
const SECRET_WORDS: [&str; 8] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "jaas",
    "private",
];

/// Words that make a key secret when they are its last part: `api.key`, `ssl.keystore.key`, but not `key.converter`.
const SECRET_ENDINGS: [&str; 7] = ["key", "keys", "pass", "pwd", "auth", "userinfo", "sas"];

/// Whether the value of a key with this name should not be shown.
#[must_use]
pub fn looks_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let last = key.rsplit(['.', '_', '-']).next().unwrap_or(&key);
    SECRET_WORDS.iter().any(|word| key.contains(word))
        || SECRET_ENDINGS.contains(&last)
        || last.ends_with("apikey")
        || last.ends_with("accesskey")
        || key.ends_with("user.info")
}

/// The configuration as Java prints a map, secrets hidden.
#[must_use]
pub fn masked(config: &RawConfig) -> String {
    let entries: Vec<String> = config
        .iter()
        .map(|(key, value)| match value {
            Some(_) if looks_secret(key) => format!("{key}={HIDDEN}"),
            Some(value) => format!("{key}={value}"),
            None => format!("{key}=null"),
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_hold_secrets_are_told_from_others() {
        for key in [
            "connection.password",
            "ssl.keystore.key",
            "sasl.jaas.config",
            "api.key",
            "aws_secret_access_key",
            "auth.token",
            "apiKey",
            "basic.auth.credentials.source",
            "producer.override.sasl.jaas.config",
            "schema.registry.basic.auth.user.info",
            "DB_PWD",
        ] {
            assert!(looks_secret(key), "{key}");
        }
        for key in [
            "key.converter",
            "file",
            "topic",
            "tasks.max",
            "key.converter.schemas.enable",
            "monkey",
        ] {
            assert!(!looks_secret(key), "{key}");
        }
    }

    #[test]
    fn a_masked_configuration_looks_like_a_java_map() {
        let config = [
            ("a".to_owned(), Some("1".to_owned())),
            ("b.password".to_owned(), Some("x".to_owned())),
            ("c".to_owned(), None),
        ];
        assert_eq!(masked(&config.into()), "{a=1, b.password=[hidden], c=null}");
    }
}
