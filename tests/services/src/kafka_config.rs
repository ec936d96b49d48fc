//! What a test broker is configured with: one node, KRaft, loopback only, and nothing that waits.

use std::path::Path;

/// The two ports of a combined broker and controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    /// Clients connect here.
    pub(crate) broker: u16,
    /// The Raft quorum of one speaks here.
    pub(crate) controller: u16,
}

/// The server properties; `overrides` come last, and the last of repeated keys wins in a properties file.
pub(crate) fn server_properties(ports: Ports, dir: &Path, overrides: &[(String, String)]) -> String {
    let Ports { broker, controller } = ports;
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         # records of tests may be of any age, and half a minute after its start a broker looks for those to delete\n\
         log.retention.ms=-1\n\
         # a killed broker may come back only when its old session is over, 9 s by default\n\
         broker.session.timeout.ms=4000\n\
         broker.heartbeat.interval.ms=1000\n\
         # shorter than any client accepts by default, so that a test can lose a member quickly\n\
         group.min.session.timeout.ms=100\n",
        escape(&dir.join("data").to_string_lossy())
    );
    for (key, value) in overrides {
        text.push_str(&format!("{}={}\n", escape(key), escape(value)));
    }
    text
}

/// A further listener on `behind`, of which clients are told that it is at `proxy`.
pub(crate) fn proxied_properties(ports: Ports, behind: u16, proxy: u16) -> [(String, String); 3] {
    let Ports { broker, controller } = ports;
    let plain = format!("PLAINTEXT://127.0.0.1:{broker}");
    [
        (
            "listeners".to_owned(),
            format!("{plain},PROXIED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}"),
        ),
        (
            "advertised.listeners".to_owned(),
            format!("{plain},PROXIED://127.0.0.1:{proxy}"),
        ),
        (
            "listener.security.protocol.map".to_owned(),
            "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
        ),
    ]
}

/// A broker that is no controller; its controller is another one's.
pub(crate) fn joining_properties(ports: Ports, controller: u16, node: u32) -> [(String, String); 4] {
    [
        ("process.roles".to_owned(), "broker".to_owned()),
        ("node.id".to_owned(), node.to_string()),
        (
            "listeners".to_owned(),
            format!("PLAINTEXT://127.0.0.1:{}", ports.broker),
        ),
        (
            "controller.quorum.bootstrap.servers".to_owned(),
            format!("127.0.0.1:{controller}"),
        ),
    ]
}

/// Console only: the process's output already goes to a file of ours.
pub(crate) const LOGGING: &str = "status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
";

/// A cluster id as Kafka wants it: 16 bytes in URL-safe base64 without padding, 22 characters.
///
/// Made here because asking Kafka's own tool for one would start another JVM. The highest bit is cleared: an id that
/// began with `-` would be read as an option by Kafka's own tools.
pub(crate) fn cluster_id(bytes: u128) -> String {
    let bytes = bytes & (u128::MAX >> 1);
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..22)
        .map(|i| {
            let index = if i < 21 {
                bytes >> (122 - 6 * i)
            } else {
                bytes << 4
            };
            char::from(ALPHABET[(index & 63) as usize])
        })
        .collect()
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_come_after_the_defaults() {
        let ports = Ports {
            broker: 1,
            controller: 2,
        };
        let text = server_properties(ports, Path::new("/d"), &[("node.id".into(), "7".into())]);
        assert!(text.contains("log.dirs=/d/data\n"), "{text}");
        assert!(
            text.contains("listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"),
            "{text}"
        );
        assert!(text.find("node.id=1\n") < text.find("node.id=7\n"), "{text}");
    }

    #[test]
    fn a_cluster_id_is_url_safe_base64_of_16_bytes() {
        let cases = [
            (0, "AAAAAAAAAAAAAAAAAAAAAA"),
            (u128::MAX, "f____________________w"),
            (0b11_1110_u128 << 122, "eAAAAAAAAAAAAAAAAAAAAA"),
            (
                0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f,
                "AAECAwQFBgcICQoLDA0ODw",
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(cluster_id(bytes), expected);
        }
    }
}
