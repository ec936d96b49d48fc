//! Consumed records that outlive the poll that gave them, in the client library's buffers: for who may have to write them
//! elsewhere as they were.
//!
//! What must stay true: messages are given back while their client lives, on whatever thread.

use std::sync::Arc;

use crate::native::client::Client;
use crate::native::messages::{Batch, Item, MessageRef};

/// Consumed records that outlive their poll.
pub struct KeptRecords {
    // Before `_client`: messages are given back while their client lives.
    batches: Vec<Batch>,
    /// Where the next record is looked for first: behind the one that was found last.
    next: (usize, usize),
    _client: Arc<Client>,
}

impl KeptRecords {
    pub(crate) fn new(batches: Vec<Batch>, client: Arc<Client>) -> Self {
        Self {
            batches,
            next: (0, 0),
            _client: client,
        }
    }

    /// Adds what was kept later.
    pub fn append(&mut self, mut later: Self) {
        self.batches.append(&mut later.batches);
    }

    /// Bytes of keys and values.
    pub fn size(&self) -> usize {
        self.batches
            .iter()
            .flat_map(|batch| batch.iter(0))
            .map(|item| match item {
                Item::Message(message) => message.size(),
                _ => 0,
            })
            .sum()
    }

    /// One of the records. Those that are asked for in their order are found at once.
    pub fn find(&mut self, topic: &str, partition: i32, offset: i64) -> Option<MessageRef<'_>> {
        let is_wanted = |message: &MessageRef<'_>| {
            message.offset() == offset && message.partition() == partition && message.topic() == topic
        };
        let place = |from: (usize, usize)| {
            let behind = self.batches.iter().enumerate().skip(from.0);
            behind.flat_map(move |(at, batch)| {
                let start = if at == from.0 { from.1 } else { 0 };
                batch
                    .iter(start)
                    .enumerate()
                    .map(move |(index, item)| ((at, start + index), item))
            })
        };
        let found = place(self.next)
            .chain(place((0, 0)))
            .find_map(|(at, item)| match item {
                Item::Message(message) if is_wanted(&message) => Some((at, message)),
                _ => None,
            })?;
        self.next = (found.0.0, found.0.1 + 1);
        Some(found.1)
    }
}
