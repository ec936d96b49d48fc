//! The keys that the three registry converters share, and what they say.
//!
//! [`definition`] is the catalogue that a converter adds its own keys to; [`RegistryConfig::parse`] reads it. Values that
//! upstream has and this client does not (other credential sources, classes of one's own) are refused by name here, so that
//! they fail the validation and not the first record.

mod associations;
mod definition;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use wharf_api::config::{ConfigDef, ParsedConfig, Password};
use wharf_api::converter::PREVIEW;
use wharf_api::{ConfigMap, ConnectError, Result};

use crate::model::Guid;
use crate::rules::RuleOverrides;
use crate::subject::SubjectNameStrategy;
use crate::wire::{SchemaId, SchemaIdSource};

pub use associations::Associations;
pub use definition::definition;

/// The registry's addresses.
pub const SCHEMA_REGISTRY_URL: &str = "schema.registry.url";
/// Whether the first address is chosen by chance.
pub const SCHEMA_REGISTRY_URL_RANDOMIZE: &str = "schema.registry.url.randomize";
/// The most schemas kept in each of the client's caches.
pub const MAX_SCHEMAS_PER_SUBJECT: &str = "max.schemas.per.subject";
/// Whether the registry brings schemas into their normal form.
pub const NORMALIZE_SCHEMAS: &str = "normalize.schemas";
/// Whether schemas are registered when they are first written.
pub const AUTO_REGISTER_SCHEMAS: &str = "auto.register.schemas";
/// The id of the schema to write with.
pub const USE_SCHEMA_ID: &str = "use.schema.id";
/// The GUID of the schema to write with.
pub const USE_SCHEMA_GUID: &str = "use.schema.guid";
/// Whether the schema of that id must be able to read what is written.
pub const ID_COMPATIBILITY_STRICT: &str = "id.compatibility.strict";
/// Whether the subject's latest schema is written and read with.
pub const USE_LATEST_VERSION: &str = "use.latest.version";
/// Whether the latest schema must be able to read what is written.
pub const LATEST_COMPATIBILITY_STRICT: &str = "latest.compatibility.strict";
/// The metadata of the version to write and read with.
pub const USE_LATEST_WITH_METADATA: &str = "use.latest.with.metadata";
/// The most subjects whose latest schema is kept.
pub const LATEST_CACHE_SIZE: &str = "latest.cache.size";
/// How long a latest schema is kept.
pub const LATEST_CACHE_TTL: &str = "latest.cache.ttl.sec";
/// Where basic credentials come from.
pub const BASIC_AUTH_CREDENTIALS_SOURCE: &str = "basic.auth.credentials.source";
/// Where a bearer token comes from.
pub const BEARER_AUTH_CREDENTIALS_SOURCE: &str = "bearer.auth.credentials.source";
/// `user:password`, the newer key.
pub const USER_INFO: &str = "basic.auth.user.info";
/// `user:password`, the older key.
pub const SCHEMA_REGISTRY_USER_INFO: &str = "schema.registry.basic.auth.user.info";
/// Names the subject of keys.
pub const KEY_SUBJECT_NAME_STRATEGY: &str = "key.subject.name.strategy";
/// Names the subject of values.
pub const VALUE_SUBJECT_NAME_STRATEGY: &str = "value.subject.name.strategy";
/// Puts a key's schema id before the payload or into a header.
pub const KEY_SCHEMA_ID_SERIALIZER: &str = "key.schema.id.serializer";
/// Puts a value's schema id before the payload or into a header.
pub const VALUE_SCHEMA_ID_SERIALIZER: &str = "value.schema.id.serializer";
/// The most Connect schemas whose translation a converter keeps.
pub const SCHEMAS_CACHE_CONFIG: &str = "schemas.cache.config";
/// What the keys of TLS settings begin with.
pub const SSL_PREFIX: &str = CLIENT_PREFIX;

/// What upstream's client takes off its keys.
const CLIENT_PREFIX: &str = "schema.registry.";

const CONTEXT_NAME_STRATEGY: &str = "context.name.strategy";
const NULL_CONTEXT: &str = "io.confluent.kafka.serializers.context.NullContextNameStrategy";
const PREFIX_SERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer";
const HEADER_SERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
const DUAL_DESERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.DualSchemaIdDeserializer";
const PREFIX_DESERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.PrefixSchemaIdDeserializer";
const CONFIG_DESERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.ConfigSchemaIdDeserializer";
const REQUEST_HEADER_PREFIX: &str = "request.header.";

/// `a=b,c=d` as pairs.
fn metadata(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .map(|entry| {
            let (name, value) = entry.split_once('=')?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// Keys of the client: upstream's takes each of them with [`CLIENT_PREFIX`] in front as well.
const CLIENT_KEYS: &[&str] = &[
    "http.connect.timeout.ms",
    "http.read.timeout.ms",
    "max.retries",
    "retries.wait.ms",
    "retries.max.wait.ms",
    "basic.auth.credentials.source",
    "basic.auth.user.info",
    "bearer.auth.credentials.source",
    "bearer.auth.token",
    "bearer.auth.issuer.endpoint.url",
    "bearer.auth.client.id",
    "bearer.auth.client.secret",
    "bearer.auth.scope",
    "bearer.auth.scope.claim.name",
    "bearer.auth.sub.claim.name",
    "bearer.auth.logical.cluster",
    "bearer.auth.identity.pool.id",
    "bearer.auth.cache.expiry.buffer.seconds",
    "bearer.auth.custom.provider.class",
    "bearer.auth.uami.endpoint.url",
    "bearer.auth.uami.endpoint.query",
    "sasl.jaas.config",
    "sasl.oauthbearer.token.endpoint.url",
    "proxy.host",
    "proxy.port",
];

/// Parses a configuration by a definition that holds the shared keys. A key of the client may be there with `schema.registry.` in front
/// or without; where both are, the one that the definition has counts.
///
/// # Errors
/// A config error that names the key.
pub fn parse(definition: &ConfigDef, config: &ConfigMap) -> Result<ParsedConfig> {
    let mut named = config.clone();
    for &key in CLIENT_KEYS {
        // This one is a key of its own, the older name of the same.
        let prefixed = format!("{CLIENT_PREFIX}{key}");
        if prefixed != SCHEMA_REGISTRY_USER_INFO
            && !named.contains_key(key)
            && let Some(value) = config.get(&prefixed)
        {
            named.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(value) = config.get("url.randomize") {
        let entry = named.entry(SCHEMA_REGISTRY_URL_RANDOMIZE.to_owned());
        entry.or_insert_with(|| value.clone());
    }
    definition.parse(&named)
}

/// What a record is written with, in the order in which the keys count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteWith {
    /// Its own schema, registered when it is new.
    Registered,
    /// Its own schema, which a task would register when it is new.
    Previewed,
    /// The schema of this id.
    Id(i32),
    /// The schema of this GUID.
    Guid(Guid),
    /// The latest version with these metadata.
    LatestWithMetadata(Vec<(String, String)>),
    /// The subject's latest version.
    Latest,
    /// Its own schema, which must be registered already.
    LookedUp,
}

/// The parsed shared configuration.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// Addresses, at least one.
    pub urls: Vec<String>,
    /// Whether the first one is chosen by chance.
    pub randomize_urls: bool,
    /// What records are written with.
    pub write_with: WriteWith,
    /// Whether the registry normalizes.
    pub normalize: bool,
    /// Whether the registry copies tags of the version before into a schema that is registered.
    pub propagate_tags: bool,
    /// Whether the schema of an id must be able to read what is written.
    pub id_compatibility_strict: bool,
    /// Whether the latest schema must be able to read what is written.
    pub latest_compatibility_strict: bool,
    /// Whether records are read with the subject's latest schema.
    pub read_latest: bool,
    /// Whether records are read with the latest version that has these metadata.
    pub read_latest_with_metadata: Option<Vec<(String, String)>>,
    /// How subjects of keys are named.
    pub key_subjects: SubjectNameStrategy,
    /// How subjects of values are named.
    pub value_subjects: SubjectNameStrategy,
    /// How topics are associated with subjects.
    pub associations: Associations,
    /// Where this is, for rules that count in one place only.
    pub execution_environment: Option<String>,
    /// Whether records go together with their schemas.
    pub backup: bool,
    /// What is said of rules, whatever they say themselves.
    pub rule_overrides: RuleOverrides,
    /// Whether a key's schema is named in a header.
    pub key_id_in_header: bool,
    /// Whether a value's schema is named in a header.
    pub value_id_in_header: bool,
    /// Where a key that is read says its schema.
    pub key_id_source: SchemaIdSource,
    /// Where a value that is read says its schema.
    pub value_id_source: SchemaIdSource,
    /// The most schemas in each cache of the client.
    pub max_schemas: usize,
    /// The most Connect schemas whose translation a converter keeps.
    pub schemas_cache: usize,
    /// The most latest schemas kept.
    pub latest_cache: usize,
    /// How long a latest schema is kept; `None` is for ever.
    pub latest_time_to_live: Option<Duration>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub read_timeout: Duration,
    /// How often a request is tried again.
    pub max_retries: u32,
    /// The most to wait before the first retry.
    pub retry_wait: Duration,
    /// The most to wait before any retry.
    pub retry_max_wait: Duration,
    /// Proxy, as host and port.
    pub proxy: Option<(String, u16)>,
    /// Headers to send with every request.
    pub headers: Vec<(String, String)>,
    /// The whole configuration, for credentials and stores.
    pub(crate) parsed: ParsedConfig,
}

fn count(config: &ParsedConfig, key: &str) -> Result<usize> {
    Ok(usize::try_from(config.int(key)?).unwrap_or(0))
}

fn millis(config: &ParsedConfig, key: &str) -> Result<Duration> {
    Ok(Duration::from_millis(
        u64::try_from(config.int(key)?).unwrap_or(0),
    ))
}

fn id_source(parsed: &ParsedConfig, key: &str) -> Result<SchemaIdSource> {
    let given = |key: &str| parsed.originals().get(key).filter(|text| !text.is_empty());
    let id = match parsed.class(key)? {
        PREFIX_DESERIALIZER => return Ok(SchemaIdSource::Prefix),
        CONFIG_DESERIALIZER => match given(USE_SCHEMA_ID) {
            Some(_) => Some(SchemaId::Id(parsed.int(USE_SCHEMA_ID)?)),
            None => given(USE_SCHEMA_GUID)
                .and_then(|text| Guid::parse(text))
                .map(SchemaId::Guid),
        },
        _ => return Ok(SchemaIdSource::HeaderOrPrefix),
    };
    match id {
        Some(id) => Ok(SchemaIdSource::Configured(id, Arc::new([]))),
        None => Err(ConnectError::invalid_config(
            key,
            CONFIG_DESERIALIZER,
            &format!("needs {USE_SCHEMA_ID} or {USE_SCHEMA_GUID}"),
        )),
    }
}

impl RegistryConfig {
    /// Reads the shared keys out of a configuration that `definition` has parsed.
    ///
    /// # Errors
    /// A config error that names the key.
    pub fn from_parsed(parsed: ParsedConfig) -> Result<Self> {
        rules::check_prefixed(&parsed)?;
        let metadata = parsed.get_string(USE_LATEST_WITH_METADATA).and_then(metadata);
        let is_preview = parsed
            .originals()
            .get(PREVIEW)
            .is_some_and(|value| value == "true");
        let write_with = if parsed.boolean(AUTO_REGISTER_SCHEMAS)? {
            match is_preview {
                true => WriteWith::Previewed,
                false => WriteWith::Registered,
            }
        } else if parsed.int(USE_SCHEMA_ID)? >= 0 {
            WriteWith::Id(parsed.int(USE_SCHEMA_ID)?)
        } else if let Some(guid) = parsed.get_string(USE_SCHEMA_GUID).and_then(Guid::parse) {
            WriteWith::Guid(guid)
        } else if let Some(metadata) = &metadata {
            WriteWith::LatestWithMetadata(metadata.clone())
        } else if parsed.boolean(USE_LATEST_VERSION)? {
            WriteWith::Latest
        } else {
            WriteWith::LookedUp
        };
        let proxy = match (parsed.string("proxy.host")?, parsed.int("proxy.port")?) {
            ("", _) => None,
            (host, port) => match u16::try_from(port) {
                Ok(port) if port > 0 => Some((host.to_owned(), port)),
                _ => {
                    return Err(ConnectError::invalid_config(
                        "proxy.port",
                        port,
                        "must be a port when proxy.host is set",
                    ));
                }
            },
        };
        let headers = parsed.originals_with_prefix(REQUEST_HEADER_PREFIX);
        let ttl = parsed.int(LATEST_CACHE_TTL)?;
        Ok(Self {
            urls: parsed.list(SCHEMA_REGISTRY_URL)?.to_vec(),
            randomize_urls: parsed.boolean(SCHEMA_REGISTRY_URL_RANDOMIZE)?,
            write_with,
            normalize: parsed.boolean(NORMALIZE_SCHEMAS)?,
            propagate_tags: parsed.boolean("propagate.schema.tags")?,
            id_compatibility_strict: parsed.boolean(ID_COMPATIBILITY_STRICT)?,
            latest_compatibility_strict: parsed.boolean(LATEST_COMPATIBILITY_STRICT)?,
            read_latest: parsed.boolean(USE_LATEST_VERSION)?,
            read_latest_with_metadata: metadata,
            key_subjects: SubjectNameStrategy::from_config(&parsed, KEY_SUBJECT_NAME_STRATEGY)?,
            value_subjects: SubjectNameStrategy::from_config(&parsed, VALUE_SUBJECT_NAME_STRATEGY)?,
            associations: Associations::from_parsed(&parsed)?,
            execution_environment: parsed.get_string("execution.environment").map(str::to_owned),
            backup: parsed.boolean(rules::BACKUP)?,
            rule_overrides: RuleOverrides::from_config(parsed.originals()),
            key_id_in_header: parsed.class(KEY_SCHEMA_ID_SERIALIZER)? == HEADER_SERIALIZER,
            value_id_in_header: parsed.class(VALUE_SCHEMA_ID_SERIALIZER)? == HEADER_SERIALIZER,
            key_id_source: id_source(&parsed, "key.schema.id.deserializer")?,
            value_id_source: id_source(&parsed, "value.schema.id.deserializer")?,
            max_schemas: count(&parsed, MAX_SCHEMAS_PER_SUBJECT)?,
            schemas_cache: count(&parsed, SCHEMAS_CACHE_CONFIG)?,
            latest_cache: count(&parsed, LATEST_CACHE_SIZE)?,
            latest_time_to_live: u64::try_from(ttl).ok().map(Duration::from_secs),
            connect_timeout: millis(&parsed, "http.connect.timeout.ms")?,
            read_timeout: millis(&parsed, "http.read.timeout.ms")?,
            max_retries: u32::try_from(parsed.int("max.retries")?).unwrap_or(0),
            retry_wait: millis(&parsed, "retries.wait.ms")?,
            retry_max_wait: millis(&parsed, "retries.max.wait.ms")?,
            proxy,
            headers: headers.into_iter().collect(),
            parsed,
        })
    }

    /// Parses a configuration that has no other keys than the shared ones.
    ///
    /// # Errors
    /// A config error that names the key.
    pub fn parse(config: &ConfigMap) -> Result<Self> {
        Self::from_parsed(parse(&definition(), config)?)
    }

    /// A key as it was given, unless it was empty.
    pub(crate) fn original(&self, key: &str) -> Option<&str> {
        self.parsed
            .originals()
            .get(key)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    pub(crate) fn secret(&self, key: &str) -> Option<&str> {
        self.parsed
            .get_password(key)
            .map(Password::reveal)
            .filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> ConfigMap {
        let url = [(SCHEMA_REGISTRY_URL, "http://localhost:8081")];
        url.iter()
            .chain(entries)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn definition_holds() {
        definition().check().unwrap();
    }

    #[test]
    fn what_is_written_with_follows_upstream_s_order() {
        let off = ("auto.register.schemas", "false");
        let guid = "89791762-2336-4186-9674-299b90a802e2";
        for (entries, expected) in [
            (&[][..], WriteWith::Registered),
            (&[("use.latest.version", "true")], WriteWith::Registered),
            (&[off], WriteWith::LookedUp),
            (
                &[off, ("use.latest.version", "true"), ("use.schema.id", "7")],
                WriteWith::Id(7),
            ),
            (
                &[off, ("use.schema.guid", guid), ("use.latest.version", "true")],
                WriteWith::Guid(Guid::parse(guid).unwrap()),
            ),
            (
                &[
                    off,
                    ("use.latest.with.metadata", "a=b, c=d"),
                    ("use.latest.version", "true"),
                ],
                WriteWith::LatestWithMetadata(vec![
                    ("a".to_owned(), "b".to_owned()),
                    ("c".to_owned(), "d".to_owned()),
                ]),
            ),
            (&[off, ("use.latest.version", "true")], WriteWith::Latest),
        ] {
            assert_eq!(
                RegistryConfig::parse(&config(entries)).unwrap().write_with,
                expected
            );
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        for (key, value) in [
            ("schema.registry.url", "mock://x"),
            ("schema.registry.url", ""),
            ("bearer.auth.credentials.source", "CUSTOM"),
            ("value.subject.name.strategy", "com.example.Mine"),
            ("context.name.strategy", "com.example.Mine"),
            ("value.schema.id.serializer", "com.example.Mine"),
            ("use.schema.guid", "x"),
            ("use.latest.with.metadata", "x"),
            ("proxy.port", "99999999"),
            ("rule.executors.encrypt.class", "com.example.Encrypt"),
            ("rule.executors._default_.param.secret", "s"),
            ("rule.actions.dlq.param.topic", "t"),
            ("validation.rules.execution", "BEFORE_DOMAIN_RULES"),
            ("validation.rules.execution", "after_domain_rules"),
            ("validation.rules.execution", "SOMETIMES"),
            ("subject.name.strategy.fallback.type", "OTHER"),
            ("execution.environment", "MOON"),
        ] {
            let mut entries = vec![(key, value)];
            if key == "proxy.port" {
                entries.push(("proxy.host", "proxy"));
            }
            let error = RegistryConfig::parse(&config(&entries)).unwrap_err();
            assert!(error.message().contains(key), "{key}: {error}");
        }
        let secret = config(&[("schema.registry.url", "ftp://user:s3cret@host")]);
        assert!(
            !RegistryConfig::parse(&secret)
                .unwrap_err()
                .to_string()
                .contains("s3cret")
        );
    }

    #[test]
    fn keys_of_the_client_may_be_named_in_full() {
        let parsed = RegistryConfig::parse(&config(&[
            ("schema.registry.basic.auth.credentials.source", "USER_INFO"),
            ("schema.registry.basic.auth.user.info", "u:p"),
            ("schema.registry.max.retries", "7"),
            ("schema.registry.retries.wait.ms", "8"),
            ("retries.wait.ms", "9"),
            ("url.randomize", "true"),
        ]))
        .unwrap();
        assert_eq!(parsed.original(BASIC_AUTH_CREDENTIALS_SOURCE), Some("USER_INFO"));
        assert_eq!(parsed.secret(SCHEMA_REGISTRY_USER_INFO), Some("u:p"));
        assert_eq!((parsed.max_retries, parsed.retry_wait.as_millis()), (7, 9));
        assert!(parsed.randomize_urls);
        let error = RegistryConfig::parse(&config(&[(
            "schema.registry.bearer.auth.credentials.source",
            "CUSTOM",
        )]));
        assert!(
            error
                .unwrap_err()
                .message()
                .contains("bearer.auth.credentials.source")
        );
    }

    #[test]
    fn what_has_no_effect_or_the_default_is_accepted() {
        RegistryConfig::parse(&config(&[
            ("rule.executors", "encrypt"),
            ("rule.executors.encrypt.disabled", "true"),
            ("rule.executors._default_.onFailure", "NONE"),
            ("rule.executors._default_.onSuccess", "NONE"),
            ("rule.actions", "dlq"),
            ("rule.service.loader.enable", "false"),
            ("validation.rules.execution", "disabled"),
            ("validation.rules.fail.fast", "true"),
            ("propagate.schema.tags", "true"),
            ("schema.format", "resolved"),
            ("schema.backup.enabled", "TRUE"),
            ("rule.metrics.enable", "false"),
            ("validation.rules.executor.class", "com.example.Mine"),
            ("schema.reflection", "true"),
        ]))
        .unwrap();
    }

    #[test]
    fn settings_of_rules_are_refused_without_their_values() {
        let key = "rule.executors._default_.param.secret";
        let error = RegistryConfig::parse(&config(&[(key, "s3cret")])).unwrap_err();
        assert!(
            error.message().contains(key) && error.message().contains("remove the key"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[test]
    fn ids_of_messages_may_be_configured() {
        const CLASS: (&str, &str) = ("value.schema.id.deserializer", CONFIG_DESERIALIZER);
        let guid = "89791762-2336-4186-9674-299b90a802e2";
        let source = |entries: &[(&str, &str)]| {
            RegistryConfig::parse(&config(entries)).map(|config| config.value_id_source)
        };
        for (entries, expected) in [
            (&[CLASS, ("use.schema.id", "7")][..], SchemaId::Id(7)),
            (
                &[CLASS, ("use.schema.guid", guid)],
                SchemaId::Guid(Guid::parse(guid).unwrap()),
            ),
            (
                &[CLASS, ("use.schema.guid", guid), ("use.schema.id", "7")],
                SchemaId::Id(7),
            ),
        ] {
            let expected = SchemaIdSource::Configured(expected, Arc::new([]));
            assert_eq!(source(entries).unwrap(), expected);
        }
        assert_eq!(source(&[]).unwrap(), SchemaIdSource::HeaderOrPrefix);
        assert_eq!(
            source(&[(CLASS.0, PREFIX_DESERIALIZER)]).unwrap(),
            SchemaIdSource::Prefix
        );
        assert!(source(&[CLASS]).unwrap_err().message().contains("use.schema.id"));
    }

    #[test]
    fn request_headers_and_times_are_read() {
        let parsed = RegistryConfig::parse(&config(&[
            ("request.header.X-A", "1"),
            ("latest.cache.ttl.sec", "5"),
            ("retries.wait.ms", "7"),
        ]))
        .unwrap();
        assert_eq!(parsed.headers, [("X-A".to_owned(), "1".to_owned())]);
        assert_eq!(parsed.latest_time_to_live, Some(Duration::from_secs(5)));
        assert_eq!(parsed.retry_wait, Duration::from_millis(7));
    }
}
