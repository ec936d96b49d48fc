//! How Kafka's Java clients define their properties: importance and default, for listings of them.
//!
//! A fact sheet of the clients of Kafka 4.3, by key; types are those of the catalogue. The defaults here are the Java
//! clients' own, which is what `/validate` shows; those in force under Connect are in the catalogue, and differ for some. A
//! property of the catalogue that is not here is one that the 4.3 clients do not define.

use super::{A, ALL, C, P, entries};
use crate::properties::catalogue::Rule;
use crate::properties::{ClientKind, Type};
use PropertyDefault::{Null, Required, Text};
use PropertyImportance::{High, Low, Medium};

/// How much a user should care about a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyImportance {
    /// Everybody must look at it.
    High,
    /// Many set it.
    Medium,
    /// Few set it.
    Low,
}

/// What a Java client takes when nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyDefault {
    /// The property must be given.
    Required,
    /// Null.
    Null,
    /// This value, as text.
    Text(&'static str),
}

/// A property as Kafka's Java client defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyDefinition {
    /// The key.
    pub key: &'static str,
    /// What kind of value it takes.
    pub value_type: Type,
    /// How important it is.
    pub importance: PropertyImportance,
    /// The Java client's own default.
    pub default: PropertyDefault,
    /// What it is, and what comes of it here where that is not what a Java client makes of it.
    pub documentation: String,
}

/// The definition of a client's property; nothing when the Java clients of Kafka 4.3 have none.
#[must_use]
pub fn definition(client: ClientKind, key: &str) -> Option<PropertyDefinition> {
    let row = DEFINITIONS
        .iter()
        .find(|row| row.key == key && row.clients & client.bit() != 0)?;
    let entry = entries().find(|entry| entry.key == key && entry.applies_to(client))?;
    let what = format!("Property {key} of Kafka's Java {}", client.name());
    let documentation = match entry.rule {
        Rule::Harmless(why) => format!("{what}. Without effect here: {why}."),
        Rule::Refused { allowed: [], remedy } => format!("{what}. Not supported here: {remedy}."),
        Rule::Refused { allowed, remedy } => {
            format!(
                "{what}. Only {} is supported here: {remedy}.",
                allowed.join(" or ")
            )
        }
        _ => format!("{what}."),
    };
    Some(PropertyDefinition {
        key: row.key,
        value_type: entry.kind,
        importance: row.importance,
        default: row.default,
        documentation,
    })
}

struct Row {
    clients: u8,
    key: &'static str,
    importance: PropertyImportance,
    default: PropertyDefault,
}

const fn row(
    clients: u8,
    key: &'static str,
    importance: PropertyImportance,
    default: PropertyDefault,
) -> Row {
    Row {
        clients,
        key,
        importance,
        default,
    }
}

/// Java lists classes in this form.
const ASSIGNOR_CLASSES: &str = "class org.apache.kafka.clients.consumer.RangeAssignor,\
    class org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

const DEFINITIONS: &[Row] = &[
    row(P, "acks", Low, Text("all")),
    row(C, "allow.auto.create.topics", Medium, Text("true")),
    row(C, "auto.commit.interval.ms", Low, Text("5000")),
    row(C, "auto.offset.reset", Medium, Text("latest")),
    row(P, "batch.size", Medium, Text("16384")),
    row(A, "bootstrap.controllers", High, Text("")),
    row(P | C, "bootstrap.servers", High, Required),
    row(A, "bootstrap.servers", High, Text("")),
    row(P, "buffer.memory", High, Text("33554432")),
    row(C, "check.crcs", Low, Text("true")),
    row(ALL, "client.dns.lookup", Medium, Text("use_all_dns_ips")),
    row(C, "client.id", Low, Text("")),
    row(P | A, "client.id", Medium, Text("")),
    row(C, "client.rack", Low, Text("")),
    row(P, "compression.gzip.level", Medium, Text("-1")),
    row(P, "compression.lz4.level", Medium, Text("9")),
    row(P, "compression.type", High, Text("none")),
    row(P, "compression.zstd.level", Medium, Text("3")),
    row(ALL, "config.providers", Low, Text("")),
    row(A, "connections.max.idle.ms", Medium, Text("300000")),
    row(P | C, "connections.max.idle.ms", Medium, Text("540000")),
    row(C | A, "default.api.timeout.ms", Medium, Text("60000")),
    row(P, "delivery.timeout.ms", Medium, Text("120000")),
    row(C, "enable.auto.commit", Medium, Text("true")),
    row(P, "enable.idempotence", Low, Text("true")),
    row(A, "enable.metrics.push", Low, Text("false")),
    row(P | C, "enable.metrics.push", Low, Text("true")),
    row(C, "exclude.internal.topics", Medium, Text("true")),
    row(C, "fetch.max.bytes", Medium, Text("52428800")),
    row(C, "fetch.max.wait.ms", Low, Text("500")),
    row(C, "fetch.min.bytes", High, Text("1")),
    row(C, "group.id", High, Null),
    row(C, "group.instance.id", Medium, Null),
    row(C, "group.protocol", High, Text("classic")),
    row(C, "group.remote.assignor", Medium, Null),
    row(C, "heartbeat.interval.ms", High, Text("3000")),
    row(P | C, "interceptor.classes", Low, Text("")),
    row(C, "isolation.level", Medium, Text("read_uncommitted")),
    row(C, "key.deserializer", High, Required),
    row(P, "key.serializer", High, Required),
    row(P, "linger.ms", Medium, Text("5")),
    row(P, "max.block.ms", Medium, Text("60000")),
    row(P, "max.in.flight.requests.per.connection", Low, Text("5")),
    row(C, "max.partition.fetch.bytes", High, Text("1048576")),
    row(C, "max.poll.interval.ms", Medium, Text("300000")),
    row(C, "max.poll.records", Medium, Text("500")),
    row(P, "max.request.size", Medium, Text("1048576")),
    row(ALL, "metadata.max.age.ms", Low, Text("300000")),
    row(P, "metadata.max.idle.ms", Low, Text("300000")),
    row(
        ALL,
        "metadata.recovery.rebootstrap.trigger.ms",
        Low,
        Text("300000"),
    ),
    row(ALL, "metadata.recovery.strategy", Low, Text("rebootstrap")),
    row(
        ALL,
        "metric.reporters",
        Low,
        Text("org.apache.kafka.common.metrics.JmxReporter"),
    ),
    row(ALL, "metrics.num.samples", Low, Text("2")),
    row(ALL, "metrics.recording.level", Low, Text("INFO")),
    row(ALL, "metrics.sample.window.ms", Low, Text("30000")),
    row(C, "partition.assignment.strategy", Medium, Text(ASSIGNOR_CLASSES)),
    row(P, "partitioner.adaptive.partitioning.enable", Low, Text("true")),
    row(P, "partitioner.availability.timeout.ms", Low, Text("0")),
    row(P, "partitioner.class", Medium, Null),
    row(P, "partitioner.ignore.keys", Medium, Text("false")),
    row(P, "receive.buffer.bytes", Medium, Text("32768")),
    row(C | A, "receive.buffer.bytes", Medium, Text("65536")),
    row(ALL, "reconnect.backoff.max.ms", Low, Text("1000")),
    row(ALL, "reconnect.backoff.ms", Low, Text("50")),
    row(ALL, "request.timeout.ms", Medium, Text("30000")),
    row(P, "retries", High, Text("2147483647")),
    row(A, "retries", Low, Text("2147483647")),
    row(ALL, "retry.backoff.max.ms", Low, Text("1000")),
    row(ALL, "retry.backoff.ms", Low, Text("100")),
    row(ALL, "sasl.client.callback.handler.class", Medium, Null),
    row(ALL, "sasl.jaas.config", Medium, Null),
    row(ALL, "sasl.kerberos.kinit.cmd", Low, Text("/usr/bin/kinit")),
    row(ALL, "sasl.kerberos.min.time.before.relogin", Low, Text("60000")),
    row(ALL, "sasl.kerberos.service.name", Medium, Null),
    row(ALL, "sasl.kerberos.ticket.renew.jitter", Low, Text("0.05")),
    row(ALL, "sasl.kerberos.ticket.renew.window.factor", Low, Text("0.8")),
    row(ALL, "sasl.login.callback.handler.class", Medium, Null),
    row(ALL, "sasl.login.class", Medium, Null),
    row(ALL, "sasl.login.connect.timeout.ms", Low, Null),
    row(ALL, "sasl.login.read.timeout.ms", Low, Null),
    row(ALL, "sasl.login.refresh.buffer.seconds", Low, Text("300")),
    row(ALL, "sasl.login.refresh.min.period.seconds", Low, Text("60")),
    row(ALL, "sasl.login.refresh.window.factor", Low, Text("0.8")),
    row(ALL, "sasl.login.refresh.window.jitter", Low, Text("0.05")),
    row(ALL, "sasl.login.retry.backoff.max.ms", Low, Text("10000")),
    row(ALL, "sasl.login.retry.backoff.ms", Low, Text("100")),
    row(ALL, "sasl.mechanism", Medium, Text("GSSAPI")),
    row(ALL, "sasl.oauthbearer.assertion.algorithm", Medium, Text("RS256")),
    row(ALL, "sasl.oauthbearer.assertion.claim.aud", Medium, Null),
    row(
        ALL,
        "sasl.oauthbearer.assertion.claim.exp.seconds",
        Low,
        Text("300"),
    ),
    row(ALL, "sasl.oauthbearer.assertion.claim.iss", Medium, Null),
    row(
        ALL,
        "sasl.oauthbearer.assertion.claim.jti.include",
        Medium,
        Text("false"),
    ),
    row(
        ALL,
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        Low,
        Text("60"),
    ),
    row(ALL, "sasl.oauthbearer.assertion.claim.sub", Medium, Null),
    row(ALL, "sasl.oauthbearer.assertion.file", Medium, Null),
    row(ALL, "sasl.oauthbearer.assertion.private.key.file", Medium, Null),
    row(
        ALL,
        "sasl.oauthbearer.assertion.private.key.passphrase",
        Medium,
        Null,
    ),
    row(ALL, "sasl.oauthbearer.assertion.template.file", Medium, Null),
    row(ALL, "sasl.oauthbearer.client.credentials.client.id", Medium, Null),
    row(
        ALL,
        "sasl.oauthbearer.client.credentials.client.secret",
        Medium,
        Null,
    ),
    row(ALL, "sasl.oauthbearer.clock.skew.seconds", Low, Text("30")),
    row(ALL, "sasl.oauthbearer.expected.audience", Low, Text("")),
    row(ALL, "sasl.oauthbearer.expected.issuer", Low, Null),
    row(ALL, "sasl.oauthbearer.header.urlencode", Low, Text("false")),
    row(
        ALL,
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        Low,
        Text("3600000"),
    ),
    row(
        ALL,
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        Low,
        Text("10000"),
    ),
    row(
        ALL,
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        Low,
        Text("100"),
    ),
    row(ALL, "sasl.oauthbearer.jwks.endpoint.url", Medium, Null),
    row(
        ALL,
        "sasl.oauthbearer.jwt.retriever.class",
        Medium,
        Text("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
    ),
    row(
        ALL,
        "sasl.oauthbearer.jwt.validator.class",
        Medium,
        Text("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
    ),
    row(ALL, "sasl.oauthbearer.scope", Medium, Null),
    row(ALL, "sasl.oauthbearer.scope.claim.name", Low, Text("scope")),
    row(ALL, "sasl.oauthbearer.sub.claim.name", Low, Text("sub")),
    row(ALL, "sasl.oauthbearer.token.endpoint.url", Medium, Null),
    row(ALL, "security.protocol", Medium, Text("PLAINTEXT")),
    row(ALL, "security.providers", Low, Null),
    row(ALL, "send.buffer.bytes", Medium, Text("131072")),
    row(C, "session.timeout.ms", High, Text("45000")),
    row(C, "share.acknowledgement.mode", Medium, Text("implicit")),
    row(C, "share.acquire.mode", Medium, Text("BATCH_OPTIMIZED")),
    row(
        ALL,
        "socket.connection.setup.timeout.max.ms",
        Medium,
        Text("30000"),
    ),
    row(ALL, "socket.connection.setup.timeout.ms", Medium, Text("10000")),
    row(ALL, "ssl.cipher.suites", Low, Text("")),
    row(ALL, "ssl.enabled.protocols", Medium, Text("TLSv1.2,TLSv1.3")),
    row(ALL, "ssl.endpoint.identification.algorithm", Low, Text("https")),
    row(ALL, "ssl.engine.factory.class", Low, Null),
    row(ALL, "ssl.key.password", High, Null),
    row(ALL, "ssl.keymanager.algorithm", Low, Text("SunX509")),
    row(ALL, "ssl.keystore.certificate.chain", High, Null),
    row(ALL, "ssl.keystore.key", High, Null),
    row(ALL, "ssl.keystore.location", High, Null),
    row(ALL, "ssl.keystore.password", High, Null),
    row(ALL, "ssl.keystore.type", Medium, Text("JKS")),
    row(ALL, "ssl.protocol", Medium, Text("TLSv1.3")),
    row(ALL, "ssl.provider", Medium, Null),
    row(ALL, "ssl.secure.random.implementation", Low, Null),
    row(ALL, "ssl.trustmanager.algorithm", Low, Text("PKIX")),
    row(ALL, "ssl.truststore.certificates", High, Null),
    row(ALL, "ssl.truststore.location", High, Null),
    row(ALL, "ssl.truststore.password", High, Null),
    row(ALL, "ssl.truststore.type", Medium, Text("JKS")),
    row(P, "transaction.timeout.ms", Low, Text("60000")),
    row(P, "transaction.two.phase.commit.enable", Low, Text("false")),
    row(P, "transactional.id", Low, Null),
    row(C, "value.deserializer", High, Required),
    row(P, "value.serializer", High, Required),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::values;

    const KINDS: [ClientKind; 3] = [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin];

    #[test]
    fn every_property_that_java_defines_is_in_the_catalogue() {
        for row in DEFINITIONS {
            for kind in KINDS.into_iter().filter(|kind| row.clients & kind.bit() != 0) {
                let found = definition(kind, row.key);
                assert!(
                    found.is_some_and(|found| found.key == row.key),
                    "{} of {kind:?}",
                    row.key
                );
                let rows = DEFINITIONS.iter().filter(|other| other.key == row.key);
                assert_eq!(
                    rows.filter(|other| other.clients & kind.bit() != 0).count(),
                    1,
                    "{} of {kind:?}",
                    row.key
                );
            }
        }
    }

    #[test]
    fn the_catalogue_has_few_properties_that_java_does_not_define() {
        let mut undefined: Vec<(ClientKind, &str)> = KINDS
            .into_iter()
            .flat_map(|kind| entries().map(move |entry| (kind, entry)))
            .filter(|(kind, entry)| entry.applies_to(*kind) && definition(*kind, entry.key).is_none())
            .map(|(kind, entry)| (kind, entry.key))
            .collect();
        // Gone since 4.0, internal, or of later clients.
        undefined.retain(|(_, key)| *key != "auto.include.jmx.reporter");
        let expected = [
            (ClientKind::Producer, "client.rack"),
            (ClientKind::Consumer, "internal.leave.group.on.close"),
        ];
        assert_eq!(undefined, expected);
    }

    #[test]
    fn defaults_are_values_of_their_type() {
        for row in DEFINITIONS {
            for entry in entries().filter(|entry| entry.key == row.key) {
                if let Text(default) = row.default {
                    assert!(values::check(entry, default).is_ok(), "{} = {default}", row.key);
                }
            }
        }
    }

    #[test]
    fn defaults_are_those_of_the_java_clients_and_not_those_under_connect() {
        let cases = [
            (
                ClientKind::Producer,
                "enable.idempotence",
                Type::Boolean,
                Text("true"),
            ),
            (
                ClientKind::Producer,
                "delivery.timeout.ms",
                Type::Int,
                Text("120000"),
            ),
            (
                ClientKind::Consumer,
                "auto.offset.reset",
                Type::Text,
                Text("latest"),
            ),
            (ClientKind::Producer, "key.serializer", Type::Class, Required),
            (ClientKind::Admin, "sasl.jaas.config", Type::Password, Null),
            (
                ClientKind::Admin,
                "connections.max.idle.ms",
                Type::Long,
                Text("300000"),
            ),
        ];
        for (client, key, value_type, default) in cases {
            let found = definition(client, key).unwrap();
            assert_eq!((found.value_type, found.default), (value_type, default), "{key}");
        }
        assert_eq!(definition(ClientKind::Admin, "linger.ms"), None);
    }

    #[test]
    fn the_documentation_says_what_is_different_here() {
        let text = |client, key| definition(client, key).unwrap().documentation;
        assert_eq!(
            text(ClientKind::Producer, "linger.ms"),
            "Property linger.ms of Kafka's Java producer."
        );
        assert!(text(ClientKind::Consumer, "interceptor.classes").contains("Not supported here: "));
        assert!(
            text(ClientKind::Admin, "ssl.protocol").contains("Only TLS or TLSv1.2 or TLSv1.3 is supported")
        );
        assert!(text(ClientKind::Consumer, "metrics.num.samples").contains("Without effect here: "));
    }
}
