//! The connector that stands in for another one while records are replayed through it: its configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{replay_connector, replay_topic, replay_topic_regex};

/// Upstream's transform that gives records another topic; workers of both kinds have it.
const ROUTER: &str = "org.apache.kafka.connect.transforms.RegexRouter";
/// Its alias in the configuration.
const ALIAS: &str = "wharfReplayTopic";

/// Settings by which a connector makes the identity of what it writes of partition and offset: key, whether the value does so, and
/// in what words.
type OfCoordinates = (&'static str, fn(&str) -> bool, &'static str);
const OF_COORDINATES: [OfCoordinates; 5] = [
    (
        "pk.mode",
        |value| value.eq_ignore_ascii_case("kafka"),
        "primary keys",
    ),
    (
        "key.ignore",
        |value| value.eq_ignore_ascii_case("true"),
        "document ids",
    ),
    (
        "topic.key.ignore",
        |value| !value.trim().is_empty(),
        "document ids",
    ),
    ("storage.class", |_| true, "file names"),
    (
        "document.id.strategy",
        |value| value.ends_with("KafkaMetaDataStrategy"),
        "document ids",
    ),
];

/// A connector's configuration as the REST API has it.
pub(super) type Config = BTreeMap<String, String>;

/// Why records cannot be sent through a connector of this configuration without doing harm.
pub(super) fn harm(connector: &str, config: &Config) -> Option<String> {
    let (key, _, what) = OF_COORDINATES
        .iter()
        .find(|(key, does, _)| config.get(*key).is_some_and(|value| does(value.trim())))?;
    let value = &config[*key];
    Some(format!(
        "connector {connector} has {key}={value}: it makes {what} of partition and offset, and a record that is sent through it has \
         those of the replay topic, so that it would overwrite another record's; send with --to original, where each record gets an \
         offset of its own"
    ))
}

/// The configuration of the connector that stands in for `connector` and reads the replay topics of `topics`.
pub(super) fn stand_in(connector: &str, config: &Config, topics: &BTreeSet<String>) -> Config {
    let mut config = config.clone();
    for key in [
        "topics.regex",
        // One of its own: a name that two groups share would take the connector's records from it.
        "consumer.override.group.id",
        "consumer.override.group.instance.id",
        // The name of a client need not be unique, but metrics of two would be one.
        "consumer.override.client.id",
        "initial_state",
    ] {
        config.remove(key);
    }
    let names: Vec<String> = topics
        .iter()
        .map(|topic| replay_topic(connector, topic))
        .collect();
    let mut set = |key: &str, value: String| config.insert(key.to_owned(), value);
    set("name", replay_connector(connector));
    set("topics", names.join(","));
    // Order is that of the dead letter topic.
    set("tasks.max", "1".to_owned());
    set(&format!("transforms.{ALIAS}.type"), ROUTER.to_owned());
    set(
        &format!("transforms.{ALIAS}.regex"),
        replay_topic_regex(connector),
    );
    set(&format!("transforms.{ALIAS}.replacement"), "$1".to_owned());
    let chain = match config.get("transforms").map(|list| list.trim()) {
        None | Some("") => ALIAS.to_owned(),
        Some(list) => format!("{ALIAS},{list}"),
    };
    config.insert("transforms".to_owned(), chain);
    config
}

/// The topics whose replay topics a stand-in reads.
pub(super) fn topics_of(connector: &str, stand_in: &Config) -> BTreeSet<String> {
    let prefix = replay_topic(connector, "");
    let list = stand_in.get("topics").map(String::as_str).unwrap_or_default();
    list.split(',')
        .filter_map(|name| name.trim().strip_prefix(&prefix))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> Config {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_stand_in_differs_in_name_topics_group_and_one_more_transform() {
        let topics: BTreeSet<String> = ["orders", "b.c"].map(str::to_owned).into();
        let of = map(&[
            ("name", "sink"),
            ("connector.class", "X"),
            ("topics.regex", ".*"),
            ("tasks.max", "8"),
            ("consumer.override.group.id", "mine"),
            ("consumer.override.max.poll.records", "5"),
            ("transforms", "a,b"),
            ("transforms.a.type", "A"),
            ("errors.deadletterqueue.topic.name", "dlq"),
        ]);
        let made = stand_in("sink", &of, &topics);
        assert_eq!(
            made,
            map(&[
                ("name", "wharf-replay.sink"),
                ("connector.class", "X"),
                ("topics", "wharf-replay.sink.b.c,wharf-replay.sink.orders"),
                ("tasks.max", "1"),
                ("consumer.override.max.poll.records", "5"),
                ("transforms", "wharfReplayTopic,a,b"),
                ("transforms.a.type", "A"),
                ("transforms.wharfReplayTopic.type", ROUTER),
                ("transforms.wharfReplayTopic.regex", "wharf-replay\\.sink\\.(.*)"),
                ("transforms.wharfReplayTopic.replacement", "$1"),
                ("errors.deadletterqueue.topic.name", "dlq"),
            ])
        );
        assert_eq!(topics_of("sink", &made), topics);
        let plain = stand_in("sink", &map(&[]), &topics);
        assert_eq!(plain["transforms"], "wharfReplayTopic");
    }

    #[test]
    fn connectors_whose_results_are_named_by_offsets_are_refused() {
        for (key, value, harms) in [
            ("pk.mode", "kafka", true),
            ("pk.mode", "record_key", false),
            ("key.ignore", "TRUE", true),
            ("key.ignore", "false", false),
            ("topic.key.ignore", "orders", true),
            ("storage.class", "io.confluent.connect.s3.storage.S3Storage", true),
            (
                "document.id.strategy",
                "com.mongodb.x.KafkaMetaDataStrategy",
                true,
            ),
            ("document.id.strategy", "com.mongodb.x.BsonOidStrategy", false),
            ("file", "x", false),
        ] {
            let found = harm("sink", &map(&[(key, value)]));
            assert_eq!(found.is_some(), harms, "{key}={value}: {found:?}");
        }
    }
}
