//! Values that must not be shown, taken out of texts that others wrote.
//!
//! Messages of validation show `[hidden]` for values of PASSWORD keys by themselves. A plugin's own messages may quote what
//! they were given, so every text goes through here before it is shown.

use wharf_api::ConfigMap;
use wharf_api::config::Type;
use wharf_kafka::PropertyType;

use crate::config::{ClientKind, WorkerMode};

/// What stands in for a secret.
const HIDDEN: &str = "[hidden]";
/// Shorter ones are hidden only where they stand alone: they are parts of ordinary words.
const SHORT: usize = 4;

/// Secret values, longest first.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Of a worker file: its own PASSWORD keys, and those that it hands on to clients by prefix.
    pub(super) fn of_worker(properties: &ConfigMap) -> Self {
        let def = WorkerMode::Distributed.config_def();
        let prefixes = [
            ("producer.", ClientKind::Producer),
            ("consumer.", ClientKind::Consumer),
            ("admin.", ClientKind::Admin),
        ];
        let is_secret = |key: &str| {
            def.key(key)
                .is_some_and(|key| key.info().value_type == Type::Password)
                || ClientKind::ALL.iter().any(|kind| is_client_secret(*kind, key))
                || prefixes.iter().any(|(prefix, kind)| {
                    key.strip_prefix(prefix)
                        .is_some_and(|key| is_client_secret(*kind, key))
                })
        };
        Self::of(
            properties
                .iter()
                .filter(|(key, _)| is_secret(key))
                .map(|(_, value)| value.as_str()),
        )
    }

    /// Of a connector's configuration, as far as its keys are known to be secret: those named, and settings of clients.
    pub(super) fn of_connector(config: &ConfigMap, named: &[String]) -> Self {
        let is_secret = |key: &str| {
            named.iter().any(|name| name == key)
                || ClientKind::ALL.iter().any(|kind| {
                    key.strip_prefix(kind.override_prefix())
                        .is_some_and(|key| is_client_secret(*kind, key))
                })
        };
        Self::of(
            config
                .iter()
                .filter(|(key, _)| is_secret(key))
                .map(|(_, value)| value.as_str()),
        )
    }

    fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut secrets: Vec<String> = values
            .map(|value| value.trim().to_owned())
            // a reference to a config provider is not what it stands for
            .filter(|value| !value.is_empty() && !value.contains("${"))
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// The text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = replaced(&text, secret);
        }
        text
    }
}

fn is_client_secret(kind: ClientKind, key: &str) -> bool {
    let kind = match kind {
        ClientKind::Producer => wharf_kafka::ClientKind::Producer,
        ClientKind::Consumer => wharf_kafka::ClientKind::Consumer,
        ClientKind::Admin => wharf_kafka::ClientKind::Admin,
    };
    wharf_kafka::definition(kind, key).is_some_and(|found| found.value_type == PropertyType::Password)
}

fn replaced(text: &str, secret: &str) -> String {
    if secret.len() >= SHORT {
        return text.replace(secret, HIDDEN);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, _) in text.match_indices(secret) {
        let before = text[..at].chars().next_back();
        let after = text[at + secret.len()..].chars().next();
        let alone = |neighbour: Option<char>| neighbour.is_none_or(|char| !char.is_alphanumeric());
        if at >= rest && alone(before) && alone(after) {
            out.push_str(&text[rest..at]);
            out.push_str(HIDDEN);
            rest = at + secret.len();
        }
    }
    out.push_str(&text[rest..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn passwords_of_a_worker_file_and_of_its_clients_are_hidden() {
        let secrets = Secrets::of_worker(&map(&[
            ("ssl.key.password", "s3cret"),
            ("producer.sasl.jaas.config", "Login password=\"deep\";"),
            ("group.id", "workers"),
        ]));
        assert_eq!(
            secrets.hide("s3cret of workers: Login password=\"deep\"; (s3cret)"),
            "[hidden] of workers: [hidden] ([hidden])"
        );
    }

    #[test]
    fn a_connectors_secrets_are_those_of_named_keys_and_of_clients() {
        let config = map(&[
            ("db.password", "hunter2"),
            ("pin", "12"),
            ("producer.override.ssl.key.password", "hunter2-long"),
            ("topic", "orders"),
            ("token", "${vault:a:b}"),
        ]);
        let named = ["db.password", "pin", "token"].map(str::to_owned);
        let secrets = Secrets::of_connector(&config, &named);
        assert_eq!(
            secrets.hide("orders with hunter2-long, hunter2, 12 of 1234, ${vault:a:b}"),
            "orders with [hidden], [hidden], [hidden] of 1234, ${vault:a:b}"
        );
    }
}
