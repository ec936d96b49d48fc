//! The worker's SASL keys. Types and defaults are those of the clients, whose catalogue has them.
//!
//! Only distributed mode defines them: upstream's standalone worker hands them to its admin clients without looking at them.

use wharf_api::config::{ConfigKey, Importance, Type, Validator};
use wharf_kafka::{ClientKind, PropertyDefault, PropertyImportance, PropertyType, definition};

use super::worker_key::{Support, WorkerKey};
use super::worker_keys::is_blank;

const MECHANISMS: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER are built in; others, and leaving it out with a SASL \
                          protocol, are refused by name";
const LOGIN_MODULES: &str =
    "the login modules of PLAIN, SCRAM and OAUTHBEARER are known; others are refused by name";
const HANDLERS: &str = "Kafka's own handlers of tokens, unsecured or from an endpoint or a file, are known; others are refused by name";
const RETRIEVERS: &str = "DefaultJwtRetriever, ClientCredentialsJwtRetriever and FileJwtRetriever are known; others are refused by name";
const VALIDATORS: &str = "DefaultJwtValidator and ClientJwtValidator are known; others are refused by name";
const KERBEROS: &str = "only read for GSSAPI, which is refused by its own name";
const ASSERTION: &str = "only read with an assertion, which is refused by its own name";
const BROKER: &str = "only brokers validate tokens";
const NO_CLASSES: &str = "it is a Java class; use PLAIN, SCRAM, tokens or TLS certificates";
const NO_ASSERTION: &str = "assertions are not built in; use client id and secret, or a token in a file";

const fn refused(instead: &'static str) -> Support {
    Support::Refused {
        accepts: is_blank,
        instead,
    }
}

/// Key, meaning, and what this build does with it.
const KEYS: &[(&str, &str, Support)] = &[
    (
        "sasl.mechanism",
        "How the worker authenticates to brokers.",
        Support::WithinLimits(MECHANISMS),
    ),
    (
        "sasl.jaas.config",
        "Login module and credentials, in the form of JAAS.",
        Support::WithinLimits(LOGIN_MODULES),
    ),
    (
        "sasl.client.callback.handler.class",
        "Java class that gives credentials.",
        refused(NO_CLASSES),
    ),
    (
        "sasl.login.callback.handler.class",
        "Java class that gives tokens.",
        Support::WithinLimits(HANDLERS),
    ),
    (
        "sasl.login.class",
        "Java class that logs in.",
        refused(NO_CLASSES),
    ),
    (
        "sasl.kerberos.service.name",
        "Name of the brokers' Kerberos principal.",
        Support::NoEffect(KERBEROS),
    ),
    (
        "sasl.kerberos.kinit.cmd",
        "Path of kinit.",
        Support::NoEffect(KERBEROS),
    ),
    (
        "sasl.kerberos.ticket.renew.window.factor",
        "Part of a ticket's life after which it is renewed.",
        Support::NoEffect(KERBEROS),
    ),
    (
        "sasl.kerberos.ticket.renew.jitter",
        "Random part of the time until a ticket is renewed.",
        Support::NoEffect(KERBEROS),
    ),
    (
        "sasl.kerberos.min.time.before.relogin",
        "Shortest time between two logins, in milliseconds.",
        Support::NoEffect(KERBEROS),
    ),
    (
        "sasl.login.refresh.window.factor",
        "Part of a token's life after which it is renewed.",
        Support::Honoured,
    ),
    (
        "sasl.login.refresh.window.jitter",
        "Random part of the time until a token is renewed.",
        Support::Honoured,
    ),
    (
        "sasl.login.refresh.min.period.seconds",
        "Shortest time between two renewals, in seconds.",
        Support::Honoured,
    ),
    (
        "sasl.login.refresh.buffer.seconds",
        "Time before a token's end by which it is renewed, in seconds.",
        Support::Honoured,
    ),
    (
        "sasl.login.connect.timeout.ms",
        "Time to connect to the token endpoint, in milliseconds.",
        Support::Honoured,
    ),
    (
        "sasl.login.read.timeout.ms",
        "Time for the token endpoint's answer, in milliseconds.",
        Support::Honoured,
    ),
    (
        "sasl.login.retry.backoff.ms",
        "First wait before the token endpoint is asked again, in milliseconds.",
        Support::Honoured,
    ),
    (
        "sasl.login.retry.backoff.max.ms",
        "Longest wait before the token endpoint is asked again, in milliseconds.",
        Support::Honoured,
    ),
    (
        "sasl.oauthbearer.jwt.retriever.class",
        "Java class that fetches tokens.",
        Support::WithinLimits(RETRIEVERS),
    ),
    (
        "sasl.oauthbearer.jwt.validator.class",
        "Java class that checks tokens.",
        Support::WithinLimits(VALIDATORS),
    ),
    (
        "sasl.oauthbearer.token.endpoint.url",
        "Address that gives out tokens.",
        Support::Honoured,
    ),
    (
        "sasl.oauthbearer.scope",
        "Scope to ask the token endpoint for.",
        Support::Honoured,
    ),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "This client's id at the token endpoint.",
        Support::Honoured,
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "This client's secret at the token endpoint.",
        Support::Honoured,
    ),
    (
        "sasl.oauthbearer.assertion.algorithm",
        "Algorithm that signs assertions for the token endpoint.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.claim.aud",
        "Audience of assertions.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.claim.exp.seconds",
        "How long assertions hold, in seconds.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.claim.iss",
        "Issuer of assertions.",
        refused(NO_ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.claim.jti.include",
        "Whether assertions have an id.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        "How long before now assertions begin to hold, in seconds.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.claim.sub",
        "Subject of assertions.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.file",
        "File with a finished assertion.",
        refused(NO_ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.private.key.file",
        "File with the key that signs assertions.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "Password of that key.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.assertion.template.file",
        "File with further claims of assertions.",
        Support::NoEffect(ASSERTION),
    ),
    (
        "sasl.oauthbearer.scope.claim.name",
        "Name of the claim with the scope.",
        Support::Honoured,
    ),
    (
        "sasl.oauthbearer.sub.claim.name",
        "Name of the claim with the subject.",
        Support::Honoured,
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.url",
        "Address of the keys that sign tokens.",
        Support::NoEffect(BROKER),
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        "How long those keys are kept, in milliseconds.",
        Support::NoEffect(BROKER),
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        "First wait before they are asked for again, in milliseconds.",
        Support::NoEffect(BROKER),
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        "Longest wait before they are asked for again, in milliseconds.",
        Support::NoEffect(BROKER),
    ),
    (
        "sasl.oauthbearer.clock.skew.seconds",
        "How far clocks may differ, in seconds.",
        Support::NoEffect(BROKER),
    ),
    (
        "sasl.oauthbearer.expected.audience",
        "Audiences that tokens must name.",
        Support::NoEffect(BROKER),
    ),
    (
        "sasl.oauthbearer.expected.issuer",
        "Issuer that tokens must name.",
        Support::NoEffect(BROKER),
    ),
    (
        "sasl.oauthbearer.header.urlencode",
        "Whether id and secret are encoded as in addresses.",
        Support::Honoured,
    ),
];

/// SASL keys, for the worker's own clients.
pub(super) fn sasl_keys() -> Vec<WorkerKey> {
    let entry = |(name, doc, support): &(&'static str, &str, Support)| {
        let key = key(name)?.doc(*doc);
        Some(WorkerKey {
            key: match range(name) {
                Some(range) => key.validator(range),
                None => key,
            },
            support: *support,
        })
    };
    // a test holds that the clients define every one
    KEYS.iter().filter_map(entry).collect()
}

/// The key as Kafka's admin client defines it.
fn key(name: &str) -> Option<ConfigKey> {
    let found = definition(ClientKind::Admin, name)?;
    let value_type = match found.value_type {
        PropertyType::Boolean => Type::Boolean,
        PropertyType::Short => Type::Short,
        PropertyType::Int => Type::Int,
        PropertyType::Long => Type::Long,
        PropertyType::Double => Type::Double,
        PropertyType::Text => Type::String,
        PropertyType::List => Type::List,
        PropertyType::Class => Type::Class,
        PropertyType::Password => Type::Password,
    };
    let key = ConfigKey::new(name, value_type).importance(match found.importance {
        PropertyImportance::High => Importance::High,
        PropertyImportance::Medium => Importance::Medium,
        PropertyImportance::Low => Importance::Low,
    });
    Some(match found.default {
        PropertyDefault::Required => key,
        PropertyDefault::Null => key.default_null(),
        // Java lists classes with this word in front
        PropertyDefault::Text(text) => key.default(text.strip_prefix("class ").unwrap_or(text)),
    })
}

/// Kafka's ranges, checked even where a value has no effect.
fn range(name: &str) -> Option<Validator> {
    Some(match name {
        "sasl.login.refresh.window.factor" => Validator::between(0.5, 1.0),
        "sasl.login.refresh.window.jitter" => Validator::between(0.0, 0.25),
        "sasl.login.refresh.min.period.seconds" => Validator::between(0_i16, 900),
        "sasl.login.refresh.buffer.seconds" => Validator::between(0_i16, 3600),
        "sasl.oauthbearer.assertion.algorithm" => Validator::one_of_ignore_case(["ES256", "RS256"]),
        "sasl.oauthbearer.assertion.claim.exp.seconds" => Validator::between(0, 86_400),
        "sasl.oauthbearer.assertion.claim.nbf.seconds" => Validator::between(0, 3600),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_define_every_key_of_this_list() {
        let names: Vec<String> = sasl_keys()
            .iter()
            .map(|entry| entry.key.name().to_owned())
            .collect();
        let listed: Vec<&str> = KEYS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, listed);
    }

    #[test]
    fn types_and_defaults_are_those_of_the_clients() {
        let keys = sasl_keys();
        let find = |name: &str| {
            keys.iter()
                .find(|entry| entry.key.name() == name)
                .unwrap()
                .key
                .info()
        };
        assert_eq!(find("sasl.jaas.config").value_type, Type::Password);
        assert_eq!(find("sasl.mechanism").default_text().as_deref(), Some("GSSAPI"));
        assert_eq!(
            find("sasl.login.refresh.window.factor").validator.as_deref(),
            Some("[0.5,...,1.0]")
        );
        assert_eq!(
            find("sasl.oauthbearer.jwt.retriever.class")
                .default_text()
                .as_deref(),
            Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever")
        );
    }
}
