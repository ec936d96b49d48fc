//! Names that a replay makes for itself. A part that stands for a connector has no dot in it, so that a name is read in one way.

use wharf_kafka::murmur2;

/// What all of them begin with.
const PREFIX: &str = "wharf-replay.";
/// Kafka's limit for names of topics.
pub(super) const LONGEST_TOPIC: usize = 249;

/// A text for use in names of topics and connectors. Where it is not the text itself a number makes it the text's own.
fn label(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    let plain: String = text
        .chars()
        .map(|char| if is_plain(char) { char } else { '_' })
        .collect();
    format!("{plain}-{}", digest(text))
}

/// A short number for a text, always the same.
fn digest(text: &str) -> String {
    format!("{:08x}", murmur2(text.as_bytes()))
}

/// The connector that stands in for another one in a replay through it.
#[must_use]
pub fn replay_connector(connector: &str) -> String {
    format!("{PREFIX}{}", label(connector))
}

/// The topic by which records of a topic go to that connector.
#[must_use]
pub fn replay_topic(connector: &str, topic: &str) -> String {
    format!("{}.{topic}", replay_connector(connector))
}

/// A regular expression, as upstream's RegexRouter takes it, that finds the topic in the names of those topics.
pub(super) fn replay_topic_regex(connector: &str) -> String {
    format!("{}\\.(.*)", replay_connector(connector).replace('.', "\\."))
}

/// The group that keeps the progress of a replay, by what is replayed from which topic.
pub(super) fn default_group(topic: &str, identity: &str) -> String {
    format!("wharf-dlq-replay.{topic}.{}", digest(identity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::JavaRegex;

    #[test]
    fn names_of_replay_topics_are_each_ones_own_and_lead_back_to_the_topic() {
        for (connector, topic, name) in [
            ("orders-sink", "orders", Some("wharf-replay.orders-sink.orders")),
            ("a", "b.c", Some("wharf-replay.a.b.c")),
            ("a.b", "c", None),
            ("ä sink", "c", None),
        ] {
            let made = replay_topic(connector, topic);
            if let Some(name) = name {
                assert_eq!(made, name);
            }
            assert!(
                made.chars()
                    .all(|char| char.is_ascii_alphanumeric() || "._-".contains(char)),
                "{made}"
            );
            assert_eq!(
                made.strip_suffix(topic),
                Some(format!("{}.", replay_connector(connector)).as_str())
            );
            let regex = JavaRegex::new(&replay_topic_regex(connector)).unwrap();
            assert!(regex.matches(&made), "{made}");
        }
        assert_ne!(replay_topic("a", "b.c"), replay_topic("a.b", "c"));
        assert_ne!(replay_connector("a b"), replay_connector("a.b"));
    }

    #[test]
    fn another_selection_has_another_group() {
        assert_ne!(
            default_group("t", "to original"),
            default_group("t", "to original, connector a")
        );
        assert_eq!(default_group("t", "x"), default_group("t", "x"));
    }
}
