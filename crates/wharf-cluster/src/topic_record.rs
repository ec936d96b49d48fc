//! A record on its way into one of the internal topics.

/// Key and value as they are written; no value is a tombstone.
#[derive(Clone, PartialEq, Eq)]
pub struct TopicRecord {
    /// The key, UTF-8 on the wire. Both topics with such keys choose the partition by its murmur2 hash.
    pub key: String,
    /// The bytes of the value.
    pub value: Option<Vec<u8>>,
}

/// Shows the key only: values hold configurations and session keys.
impl std::fmt::Debug for TopicRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({})",
            self.key,
            if self.value.is_some() {
                "value"
            } else {
                "tombstone"
            }
        )
    }
}
