//! The catalogue of keys that the three registry converters share.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedValue, Type, Validator};
use wharf_api::{ConnectError, Result};

use super::{
    AUTO_REGISTER_SCHEMAS, BASIC_AUTH_CREDENTIALS_SOURCE, BEARER_AUTH_CREDENTIALS_SOURCE,
    CONFIG_DESERIALIZER, CONTEXT_NAME_STRATEGY, DUAL_DESERIALIZER, HEADER_SERIALIZER,
    ID_COMPATIBILITY_STRICT, KEY_SCHEMA_ID_SERIALIZER, KEY_SUBJECT_NAME_STRATEGY, LATEST_CACHE_SIZE,
    LATEST_CACHE_TTL, LATEST_COMPATIBILITY_STRICT, MAX_SCHEMAS_PER_SUBJECT, NORMALIZE_SCHEMAS, NULL_CONTEXT,
    PREFIX_DESERIALIZER, PREFIX_SERIALIZER, SCHEMA_REGISTRY_URL, SCHEMA_REGISTRY_URL_RANDOMIZE,
    SCHEMA_REGISTRY_USER_INFO, SCHEMAS_CACHE_CONFIG, SSL_PREFIX, USE_LATEST_VERSION,
    USE_LATEST_WITH_METADATA, USE_SCHEMA_GUID, USE_SCHEMA_ID, USER_INFO, VALUE_SCHEMA_ID_SERIALIZER,
    VALUE_SUBJECT_NAME_STRATEGY, metadata,
};
use crate::model::Guid;
use crate::subject::SubjectNameStrategy;

fn key(name: &str, value_type: Type, importance: Importance, doc: &str) -> ConfigKey {
    ConfigKey::new(name, value_type).importance(importance).doc(doc)
}

/// One of these class names, told by name when it is another.
fn only(classes: &'static [&'static str]) -> Validator {
    Validator::custom(classes.join(" or "), move |name, value| match value.as_str() {
        Some(text) if !classes.contains(&text) => Err(ConnectError::invalid_config(
            name,
            text,
            &format!("only {} can be used here", classes.join(", ")),
        )),
        _ => Ok(()),
    })
}

/// The shared keys. A converter adds its own to them.
#[must_use]
pub fn definition() -> ConfigDef {
    use Importance::{High, Low};
    let base = ConfigDef::new()
        .define(
            key(
                "converter.type",
                Type::String,
                Low,
                "What the converter is used for. The worker sets it.",
            )
            .default("value")
            .validator(Validator::one_of(["key", "value", "header"])),
        )
        .define(
            key(
                SCHEMA_REGISTRY_URL,
                Type::List,
                High,
                "Addresses of the registry, separated by commas. When one fails the next is asked.",
            )
            .validator(Validator::custom("http or https URLs", check_urls)),
        )
        .define(
            key(
                SCHEMA_REGISTRY_URL_RANDOMIZE,
                Type::Boolean,
                Low,
                "Whether the first address to ask is chosen by chance.",
            )
            .default(false),
        )
        .define(
            key(
                MAX_SCHEMAS_PER_SUBJECT,
                Type::Int,
                Low,
                "The most schemas that each cache of the client holds.",
            )
            .default(1000),
        );
    let base = authentication(writing(base));
    super::rules::rules(super::associations::associations(parts_of_java(connection(base))))
}

fn writing(base: ConfigDef) -> ConfigDef {
    use Importance::{Low, Medium};
    base.define(
        key(NORMALIZE_SCHEMAS, Type::Boolean, Medium, "Whether the registry normalizes schemas before it compares them.")
            .default(false),
    )
    .define(
        key(
            AUTO_REGISTER_SCHEMAS,
            Type::Boolean,
            Medium,
            "Whether a schema that is new to its subject is registered. Otherwise it must be there already.",
        )
        .default(true),
    )
    .define(
        key(
            USE_SCHEMA_ID,
            Type::Int,
            Low,
            "The id of the schema to write with; -1 for none. It needs auto.register.schemas=false.",
        )
        .default(-1),
    )
    .define(
        key(
            USE_SCHEMA_GUID,
            Type::String,
            Low,
            "The GUID of the schema to write with. It needs auto.register.schemas=false.",
        )
        .default_null()
        .validator(Validator::custom("a GUID", |name, value| match value.as_str() {
            Some(text) if Guid::parse(text).is_none() => {
                Err(ConnectError::invalid_config(name, text, "not a GUID"))
            }
            _ => Ok(()),
        })),
    )
    .define(
        key(
            ID_COMPATIBILITY_STRICT,
            Type::Boolean,
            Low,
            "Whether the schema of use.schema.id must be able to read what is written.",
        )
        .default(true),
    )
    .define(
        key(
            USE_LATEST_VERSION,
            Type::Boolean,
            Low,
            "Whether records are written, and read, with the latest schema of their subject. For writing it needs \
             auto.register.schemas=false.",
        )
        .default(false),
    )
    .define(
        key(
            LATEST_COMPATIBILITY_STRICT,
            Type::Boolean,
            Low,
            "Whether the latest schema must be able to read what is written.",
        )
        .default(true),
    )
    .define(
        key(
            USE_LATEST_WITH_METADATA,
            Type::String,
            Low,
            "Writes and reads with the latest version that has these metadata: key=value, separated by commas.",
        )
        .default_null()
        .validator(Validator::custom("key=value,...", |name, value| match value.as_str() {
            Some(text) if metadata(text).is_none() => {
                Err(ConnectError::invalid_config(name, text, "must be key=value, separated by commas"))
            }
            _ => Ok(()),
        })),
    )
    .define(
        key(LATEST_CACHE_SIZE, Type::Int, Low, "The most subjects whose latest schema is kept, where it is more than max.schemas.per.subject.").default(1000),
    )
    .define(
        key(LATEST_CACHE_TTL, Type::Int, Low, "How many seconds a latest schema is kept; -1 is for ever.").default(-1),
    )
    .define(
        key(CONTEXT_NAME_STRATEGY, Type::Class, Medium, "The registry context that subjects belong to.")
            .default(NULL_CONTEXT)
            .validator(only(&[NULL_CONTEXT])),
    )
    .define(subject_key(KEY_SUBJECT_NAME_STRATEGY, "How the subject of a key's schema is named."))
    .define(id_serializer(KEY_SCHEMA_ID_SERIALIZER))
    .define(id_deserializer("key.schema.id.deserializer"))
    .define(subject_key(VALUE_SUBJECT_NAME_STRATEGY, "How the subject of a value's schema is named."))
    .define(id_serializer(VALUE_SCHEMA_ID_SERIALIZER))
    .define(id_deserializer("value.schema.id.deserializer"))
    .define(
        key(
            SCHEMAS_CACHE_CONFIG,
            Type::Int,
            Low,
            "The most schemas whose translation is kept, for each direction.",
        )
        .default(1000),
    )
}

fn subject_key(name: &str, doc: &str) -> ConfigKey {
    key(name, Type::Class, Importance::Medium, doc)
        .default(SubjectNameStrategy::default().class())
        .validator(only(SubjectNameStrategy::CLASSES))
}

fn id_serializer(name: &str) -> ConfigKey {
    key(
        name,
        Type::Class,
        Importance::Medium,
        "Where the schema's id is written: before the payload, or as a GUID in a record header.",
    )
    .default(PREFIX_SERIALIZER)
    .validator(only(&[PREFIX_SERIALIZER, HEADER_SERIALIZER]))
}

fn id_deserializer(name: &str) -> ConfigKey {
    key(
        name,
        Type::Class,
        Importance::Medium,
        "Where the schema's id is looked for: in the record header, then before the payload (DualSchemaIdDeserializer), before the \
         payload only (PrefixSchemaIdDeserializer), or in use.schema.id or use.schema.guid, for messages without one \
         (ConfigSchemaIdDeserializer).",
    )
    .default(DUAL_DESERIALIZER)
    .validator(only(&[DUAL_DESERIALIZER, PREFIX_DESERIALIZER, CONFIG_DESERIALIZER]))
}

fn authentication(base: ConfigDef) -> ConfigDef {
    use Importance::{Low, Medium};
    let text = |name: &str, doc: &str| key(name, Type::String, Medium, doc).default_null();
    let secret = |name: &str, doc: &str| key(name, Type::Password, Medium, doc).default("");
    base.define(
        key(
            BASIC_AUTH_CREDENTIALS_SOURCE,
            Type::String,
            Medium,
            "Where user and password come from: URL, USER_INFO or SASL_INHERIT.",
        )
        .default("URL")
        .validator(Validator::one_of(["URL", "USER_INFO", "SASL_INHERIT"])),
    )
    .define(
        key(
            BEARER_AUTH_CREDENTIALS_SOURCE,
            Type::String,
            Medium,
            "Where a bearer token comes from, if one is sent: STATIC_TOKEN, OAUTHBEARER, SASL_OAUTHBEARER_INHERIT (the login of the \
             Kafka client, from sasl.jaas.config and sasl.oauthbearer.token.endpoint.url) or UAMI (a managed identity of Azure).",
        )
        .default("STATIC_TOKEN")
        .validator(only(&[
            "STATIC_TOKEN",
            "OAUTHBEARER",
            "SASL_OAUTHBEARER_INHERIT",
            "UAMI",
        ])),
    )
    .define(secret(
        SCHEMA_REGISTRY_USER_INFO,
        "The older name of basic.auth.user.info.",
    ))
    .define(secret(USER_INFO, "user:password, for the source USER_INFO."))
    .define(secret(
        "bearer.auth.token",
        "The token, for the source STATIC_TOKEN.",
    ))
    .define(text(
        "bearer.auth.issuer.endpoint.url",
        "Where tokens are asked for, for the source OAUTHBEARER.",
    ))
    .define(text("bearer.auth.client.id", "The client id at the issuer."))
    .define(
        key(
            "bearer.auth.client.secret",
            Type::Password,
            Medium,
            "The client secret at the issuer.",
        )
        .default_null(),
    )
    .define(text("bearer.auth.scope", "The scope to ask for."))
    .define(
        key(
            "bearer.auth.scope.claim.name",
            Type::String,
            Low,
            "The claim that holds the scope; tokens are not looked into.",
        )
        .default("scope"),
    )
    .define(
        key(
            "bearer.auth.sub.claim.name",
            Type::String,
            Low,
            "The claim that holds the subject; tokens are not looked into.",
        )
        .default("sub"),
    )
    .define(text(
        "bearer.auth.custom.provider.class",
        "The Java class that gives tokens, for the source CUSTOM, which cannot be used here; it has no effect.",
    ))
    .define(text(
        "bearer.auth.identity.pool.id",
        "Sent as the header Confluent-Identity-Pool-Id.",
    ))
    .define(text(
        "bearer.auth.logical.cluster",
        "Sent as the header target-sr-cluster.",
    ))
    .define(
        key(
            "bearer.auth.cache.expiry.buffer.seconds",
            Type::Short,
            Low,
            "How long before its end a token is replaced.",
        )
        .default(300)
        .validator(Validator::between(0, 3600)),
    )
}

fn connection(base: ConfigDef) -> ConfigDef {
    use Importance::{High, Low, Medium};
    let number = |name: &str, default: i32, doc: &str| {
        key(name, Type::Int, Low, doc)
            .default(default)
            .validator(Validator::at_least(0))
    };
    let ssl = |name: &str, value_type, importance, doc: &str| {
        key(&format!("{SSL_PREFIX}{name}"), value_type, importance, doc).default_null()
    };
    base.define(
        key(
            "proxy.host",
            Type::String,
            Low,
            "The proxy that the registry is reached through.",
        )
        .default(""),
    )
    .define(key("proxy.port", Type::Int, Low, "The proxy's port.").default(-1))
    .define(number(
        "http.connect.timeout.ms",
        60_000,
        "How long making a connection may take.",
    ))
    .define(number(
        "http.read.timeout.ms",
        60_000,
        "How long an answer may take.",
    ))
    .define(number(
        "max.retries",
        3,
        "How often a request is tried again, at each address.",
    ))
    .define(number(
        "retries.wait.ms",
        1_000,
        "The most to wait before the first retry; each further one doubles it.",
    ))
    .define(number(
        "retries.max.wait.ms",
        20_000,
        "The most to wait before any retry.",
    ))
    .define(ssl(
        "ssl.truststore.location",
        Type::String,
        High,
        "The file of trusted certificates: PKCS12 or PEM.",
    ))
    .define(ssl(
        "ssl.truststore.password",
        Type::Password,
        High,
        "Its password.",
    ))
    .define(ssl("ssl.truststore.type", Type::String, Medium, "PKCS12 or PEM.").default("JKS"))
    .define(ssl(
        "ssl.truststore.certificates",
        Type::Password,
        High,
        "Trusted certificates as PEM text.",
    ))
    .define(ssl(
        "ssl.keystore.location",
        Type::String,
        High,
        "The file of the client's key: PKCS12 or PEM.",
    ))
    .define(ssl(
        "ssl.keystore.password",
        Type::Password,
        High,
        "Its password.",
    ))
    .define(ssl("ssl.keystore.type", Type::String, Medium, "PKCS12 or PEM.").default("JKS"))
    .define(ssl(
        "ssl.keystore.key",
        Type::Password,
        High,
        "The client's key as PEM text.",
    ))
    .define(ssl(
        "ssl.keystore.certificate.chain",
        Type::Password,
        High,
        "The client's certificates as PEM text.",
    ))
    .define(ssl(
        "ssl.key.password",
        Type::Password,
        High,
        "The password of the client's key.",
    ))
    .define(
        ssl(
            "ssl.protocol",
            Type::String,
            Medium,
            "TLSv1.2 or TLSv1.3, the newest to speak.",
        )
        .default("TLSv1.3"),
    )
    .define(
        ssl(
            "ssl.enabled.protocols",
            Type::List,
            Medium,
            "The versions of TLS to speak.",
        )
        .default("TLSv1.2,TLSv1.3"),
    )
    .define(
        ssl(
            "ssl.cipher.suites",
            Type::List,
            Low,
            "Cipher suites by OpenSSL's names; the usual ones when empty.",
        )
        .default(""),
    )
    .define(
        ssl(
            "ssl.endpoint.identification.algorithm",
            Type::String,
            Low,
            "https checks the server's name; empty does not.",
        )
        .default("https"),
    )
}

/// Names of Java's parts, which have no counterpart here: whoever sets another than the usual one is told that it cannot be honoured.
fn parts_of_java(base: ConfigDef) -> ConfigDef {
    use Importance::{Low, Medium};
    const DOC: &str =
        "The name of a part of Java's TLS. Another than the default cannot be honoured here: leave it out.";
    let part = |name: &str, value_type, importance| {
        key(&format!("{SSL_PREFIX}{name}"), value_type, importance, DOC).default_null()
    };
    base.define(part("ssl.provider", Type::String, Medium))
        .define(part("ssl.keymanager.algorithm", Type::String, Low).default("SunX509"))
        .define(part("ssl.trustmanager.algorithm", Type::String, Low).default("PKIX"))
        .define(part("ssl.secure.random.implementation", Type::String, Low))
        .define(part("ssl.engine.factory.class", Type::Class, Low))
        .define(
            key(
                "schema.reflection",
                Type::Boolean,
                Low,
                "Upstream's serializers use it for objects of Java classes only; it has no effect on Connect data.",
            )
            .default(false),
        )
}

fn check_urls(name: &str, value: &ParsedValue) -> Result<()> {
    let Some(urls) = value.as_list() else {
        // A missing value has its own message.
        return Ok(());
    };
    if urls.is_empty() {
        return Err(ConnectError::invalid_config(
            name,
            value,
            "at least one URL is needed",
        ));
    }
    for url in urls {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(ConnectError::invalid_config(
                name,
                crate::http::without_user_info(url),
                "must begin with http:// or https://",
            ));
        }
    }
    Ok(())
}
