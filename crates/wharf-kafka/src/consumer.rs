//! The group consumer of sink tasks, owned by one thread.
//!
//! [`Consumer::poll_batch`] hands records, rebalances and answers to commits to a [`ConsumerHandler`], all on
//! the calling thread and outside of the client library's call-backs. What must stay true: a revocation is
//! acknowledged to the group only after [`ConsumerHandler::revoked`] returned, so the handler can flush,
//! close and commit while it still owns the partitions; records handed out before a rebalance precede it;
//! fetching starts only after [`ConsumerHandler::assigned`] returned, from where the handler sought to, and
//! not at all for what it paused.
//!
//! A consumer that is not polled for `max.poll.interval.ms` is thrown out of its group; the next polls
//! report its partitions as lost and join again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kept_records::KeptRecords;
use crate::native::client::{Client, Queue, Rebalance};
use crate::native::consumer as native;
use crate::native::lists::{Entry, List};
use crate::native::messages::{Batch, Item, MessageRef};
use crate::properties::{ClientKind, OffsetReset, RuntimeSettings, Translated};
use crate::types::{PartitionOffset, TopicMetadata, TopicPartition};
use crate::waker::{ConsumerWaker, WakerOwner};
use crate::{ErrorCode, KafkaError};

/// Largest number of messages taken from the library in one step, so that the limit on bytes is looked at in between.
const STEP: usize = 1024;
/// Guess of a message's size before one was seen.
const FIRST_GUESS: usize = 1024;
/// How long a seek may take; it is answered by the library's own threads.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// Receives what a consumer has to tell. All methods run on the polling thread.
///
/// Methods get the consumer to commit, seek, pause or ask for positions; they must not poll or close it. A failure
/// inside a method is the handler's own to remember; the rebalance goes on whatever happened.
pub trait ConsumerHandler {
    /// A record. Records of one partition come in order. Do not seek or pause from here: later records of the same batch
    /// are handed over all the same.
    fn message(&mut self, message: MessageRef<'_>);

    /// These partitions were added. Fetching starts when this returns.
    fn assigned(&mut self, consumer: &Consumer, partitions: &[TopicPartition]);

    /// These partitions are about to be given up; they are still ours until this returns.
    fn revoked(&mut self, consumer: &Consumer, partitions: &[TopicPartition]);

    /// These partitions are gone already and may belong to others; a commit would fail.
    fn lost(&mut self, consumer: &Consumer, partitions: &[TopicPartition]);

    /// The answer to [`Consumer::commit_async`] with this token.
    fn committed(&mut self, consumer: &Consumer, token: u64, result: Result<(), KafkaError>);
}

/// Which partitions are held, and what was asked for while they were being assigned.
#[derive(Default)]
struct Assignment {
    held: Vec<TopicPartition>,
    /// Positions set by a seek until a record was read there; the library knows them only from then on.
    sought: Vec<PartitionOffset>,
    /// Set while `assigned` runs: positions and pauses to apply when the library takes the partitions.
    starting: Option<Starting>,
}

#[derive(Default)]
struct Starting {
    partitions: Vec<TopicPartition>,
    positions: HashMap<TopicPartition, i64>,
    paused: Vec<TopicPartition>,
}

/// A member of a consumer group. `Send`, but not `Sync`: one thread polls it.
pub struct Consumer {
    // Declared before `client`, so dropped while it lives.
    batch: RefCell<Batch>,
    queue: Queue,
    commits: Queue,
    waker: WakerOwner,
    client: Arc<Client>,
    /// Whether records outlive the poll that gave them, until [`Consumer::take_kept`].
    keeps: Cell<bool>,
    kept: RefCell<Vec<Batch>>,
    assignment: RefCell<Assignment>,
    settings: RuntimeSettings,
    average: Cell<usize>,
}

impl Consumer {
    /// Makes a consumer; it joins its group with the first poll after [`Consumer::subscribe`].
    pub fn new(properties: &Translated) -> Result<Self, KafkaError> {
        let client = Client::new(ClientKind::Consumer, &properties.librdkafka)?;
        let queue = native::single_queue(&client).map_err(|(_, detail)| KafkaError::Create {
            client: ClientKind::Consumer.name(),
            detail,
        })?;
        let commits = Queue::new(&client);
        let waker = WakerOwner(ConsumerWaker::new(native::same_queue(&client)));
        Ok(Self {
            batch: RefCell::new(Batch::with_capacity(STEP)),
            queue,
            commits,
            waker,
            client: Arc::new(client),
            keeps: Cell::new(false),
            kept: RefCell::default(),
            assignment: RefCell::default(),
            settings: properties.runtime.clone(),
            average: Cell::new(FIRST_GUESS),
        })
    }

    fn failed(&self, what: &str) -> impl FnOnce(native::Failure) -> KafkaError {
        let operation = format!(
            "{what} (consumer {} of group {})",
            self.client.id(),
            self.settings.group_id
        );
        move |(code, detail)| KafkaError::operation(operation, code, detail)
    }

    /// What ends a wait in [`Consumer::poll_batch`] from other threads.
    pub fn waker(&self) -> ConsumerWaker {
        self.waker.0.clone()
    }

    /// Replaces the subscription; rebalances follow with the next polls.
    pub fn subscribe(&self, topics: &[String]) -> Result<(), KafkaError> {
        let topics = List::of_topics(topics)?;
        native::subscribe(&self.client, &topics).map_err(self.failed("subscription"))
    }

    /// Gives up the subscription; the revocation follows with the next poll.
    pub fn unsubscribe(&self) -> Result<(), KafkaError> {
        native::unsubscribe(&self.client).map_err(self.failed("unsubscription"))
    }

    /// Waits at most `timeout`, less when woken, for something to happen and hands it over, without waiting for more: up to `max_records`
    /// records, stopping once their keys and values exceed `max_bytes` (a bound kept by estimate, so a batch may be
    /// larger by what a few unusually large records weigh; at least one record comes). Returns the number of records.
    ///
    /// # Errors
    /// What the Java consumer throws from `poll`: refused authentication or authorization, fencing, no offset and no
    /// reset policy. Records handed over before it are valid.
    pub fn poll_batch(
        &self,
        timeout: Duration,
        max_records: usize,
        max_bytes: usize,
        handler: &mut impl ConsumerHandler,
    ) -> Result<usize, KafkaError> {
        self.serve(handler);
        let mut batch = self.batch.borrow_mut();
        let (mut count, mut bytes, mut seen) = (0, 0, 0);
        let mut outcome = Ok(());
        let sought = !self.assignment.borrow().sought.is_empty();
        if native::wait_one(&self.client, timeout, &mut batch) {
            loop {
                for item in batch.iter(seen) {
                    match item {
                        Item::Message(message) => {
                            if sought {
                                self.forget_sought(&message);
                            }
                            count += 1;
                            bytes += message.size();
                            handler.message(message);
                        }
                        Item::End { .. } => {}
                        Item::Error { code, topic, detail } => {
                            if let Some(error) = self.judge(code, &topic, detail) {
                                outcome = Err(error);
                            }
                        }
                    }
                }
                seen = batch.len();
                let room = self.room(
                    max_records - count.min(max_records),
                    max_bytes.saturating_sub(bytes),
                );
                if room == 0 || outcome.is_err() {
                    break;
                }
                batch.fill(self.queue.raw(), room);
                if batch.len() == seen {
                    break;
                }
            }
        }
        if self.keeps.get() && count > 0 {
            let full = std::mem::replace(&mut *batch, Batch::with_capacity(STEP));
            self.kept.borrow_mut().push(full);
        } else {
            batch.clear();
        }
        drop(batch);
        if let Some(size) = bytes.checked_div(count) {
            // Old sizes fade, so that the guess follows the data.
            self.average.set((self.average.get() * 3 + size.max(1)) / 4);
        }
        self.serve(handler);
        if let Some(error) = self.client.take_failure() {
            return Err(error);
        }
        outcome.map(|()| count)
    }

    /// Lets the records of each poll outlive it, until they are asked for by [`take_kept`](Self::take_kept). They stay in the
    /// library's buffers, nothing is copied.
    pub fn keep_records(&self) {
        self.keeps.set(true);
    }

    /// The records of all polls since the last call.
    pub fn take_kept(&self) -> KeptRecords {
        KeptRecords::new(self.kept.take(), Arc::clone(&self.client))
    }

    #[cold]
    fn forget_sought(&self, message: &MessageRef<'_>) {
        self.assignment
            .borrow_mut()
            .sought
            .retain(|PartitionOffset { partition, .. }| {
                partition.partition != message.partition() || &*partition.topic != message.topic()
            });
    }

    /// How many more messages to take at once.
    fn room(&self, records: usize, bytes: usize) -> usize {
        if bytes == 0 {
            return 0;
        }
        records.min(STEP).min((bytes / self.average.get().max(1)).max(1))
    }

    /// Decides about an error between the messages: `None` when the consumer goes on by itself, as the Java consumer does.
    fn judge(&self, code: ErrorCode, topic: &str, detail: String) -> Option<KafkaError> {
        let refused = matches!(
            code,
            ErrorCode::TOPIC_AUTHORIZATION_FAILED
                | ErrorCode::GROUP_AUTHORIZATION_FAILED
                | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
                | ErrorCode::AUTHENTICATION
                | ErrorCode::SSL
                | ErrorCode::FATAL
                | ErrorCode::AUTO_OFFSET_RESET
                | ErrorCode(17 | 23 | 24 | 26 | 33 | 35 | 58 | 81 | 82 | 111 | 112)
        );
        if refused {
            return Some(self.failed(&format!("consuming {topic}"))((code.0, detail)));
        }
        tracing::warn!(
            target: crate::logging::CONSUMER_TARGET,
            client_id = self.client.id(),
            topic,
            code = code.name(),
            "{detail}"
        );
        None
    }

    /// Hands over answers to commits and rebalances.
    fn serve(&self, handler: &mut impl ConsumerHandler) {
        while let Some(event) = self.commits.poll(Duration::ZERO) {
            if let Some((token, answer)) = native::commit_answer(&event) {
                handler.committed(self, token, self.commit_outcome(answer));
            }
        }
        while let Some(rebalance) = self.client.next_rebalance() {
            match rebalance {
                Rebalance::Assign(entries) => self.assign(entries, handler),
                Rebalance::Revoke(entries) => self.revoke(entries, handler),
            }
        }
    }

    fn assign(&self, entries: Vec<Entry>, handler: &mut impl ConsumerHandler) {
        let cooperative = native::is_cooperative(&self.client);
        let partitions: Vec<_> = entries.into_iter().map(|entry| entry.partition).collect();
        {
            let mut assignment = self.assignment.borrow_mut();
            assignment.held.extend(partitions.iter().cloned());
            assignment.starting = Some(Starting {
                partitions: partitions.clone(),
                ..Starting::default()
            });
        }
        handler.assigned(self, &partitions);
        let starting = self.assignment.borrow_mut().starting.take().unwrap_or_default();
        let offsets: Vec<_> = partitions
            .into_iter()
            .map(|partition| {
                let offset = starting.positions.get(&partition).copied();
                PartitionOffset {
                    partition,
                    offset: offset.unwrap_or(crate::native::lists::OFFSET_INVALID),
                }
            })
            .collect();
        self.assignment.borrow_mut().sought.extend(
            starting
                .positions
                .into_iter()
                .map(|(partition, offset)| PartitionOffset { partition, offset }),
        );
        let outcome = List::of_offsets(&offsets).and_then(|list| {
            // The library remembers a pause from an earlier time that this partition was ours; the group does not.
            // Partitions it does not know yet are none of its concern.
            let _ = native::resume(&self.client, &list);
            native::assign(&self.client, &list, cooperative).map_err(self.failed("taking an assignment"))?;
            if starting.paused.is_empty() {
                return Ok(());
            }
            let paused = List::of_partitions(&starting.paused)?;
            native::pause(&self.client, &paused).map_err(self.failed("pausing"))
        });
        self.note(outcome);
    }

    fn revoke(&self, entries: Vec<Entry>, handler: &mut impl ConsumerHandler) {
        let cooperative = native::is_cooperative(&self.client);
        let partitions: Vec<_> = entries.into_iter().map(|entry| entry.partition).collect();
        if partitions.is_empty() {
            // A member without partitions has nothing to let go of; Java's listener is not called either.
        } else if native::assignment_lost(&self.client) {
            handler.lost(self, &partitions);
        } else {
            handler.revoked(self, &partitions);
        }
        {
            let mut assignment = self.assignment.borrow_mut();
            assignment.held.retain(|held| !partitions.contains(held));
            assignment
                .sought
                .retain(|sought| !partitions.contains(&sought.partition));
        }
        let outcome = List::of_partitions(&partitions).and_then(|list| {
            native::unassign(&self.client, &list, cooperative).map_err(self.failed("giving up partitions"))
        });
        self.note(outcome);
    }

    /// A rebalance step the library refuses (it is closing, or a newer rebalance overtook it) ends by itself.
    fn note(&self, outcome: Result<(), KafkaError>) {
        if let Err(error) = outcome {
            tracing::warn!(target: crate::logging::CONSUMER_TARGET, client_id = self.client.id(), "{error}");
        }
    }

    /// Partitions held now; inside `assigned` with the new ones, inside `revoked` still with the old ones.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.assignment.borrow().held.clone()
    }

    /// Stops handing out records of these partitions, prefetched ones included, until [`Consumer::resume`].
    pub fn pause(&self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let later = self.while_starting(partitions, |starting, partition| {
            if !starting.paused.contains(partition) {
                starting.paused.push(partition.clone());
            }
        });
        if later.is_empty() {
            return Ok(());
        }
        let list = List::of_partitions(&later)?;
        native::pause(&self.client, &list).map_err(self.failed("pausing"))?;
        self.first_error("pausing", &list)
    }

    /// Undoes [`Consumer::pause`].
    pub fn resume(&self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let later = self.while_starting(partitions, |starting, partition| {
            starting.paused.retain(|paused| paused != partition);
        });
        if later.is_empty() {
            return Ok(());
        }
        let list = List::of_partitions(&later)?;
        native::resume(&self.client, &list).map_err(self.failed("resuming"))?;
        self.first_error("resuming", &list)
    }

    /// The next poll reads on from these offsets; prefetched records are forgotten.
    pub fn seek(&self, offsets: &[PartitionOffset]) -> Result<(), KafkaError> {
        let mut now = Vec::new();
        for offset in offsets {
            let target = offset.offset;
            let later =
                self.while_starting(std::slice::from_ref(&offset.partition), |starting, partition| {
                    starting.positions.insert(partition.clone(), target);
                });
            if !later.is_empty() {
                now.push(offset.clone());
            }
        }
        if now.is_empty() {
            return Ok(());
        }
        let list = List::of_offsets(&now)?;
        native::seek(&self.client, &list, SEEK_TIMEOUT).map_err(self.failed("seeking"))?;
        self.first_error("seeking", &list)?;
        let mut assignment = self.assignment.borrow_mut();
        assignment
            .sought
            .retain(|old| !now.iter().any(|new| new.partition == old.partition));
        assignment.sought.extend(now);
        Ok(())
    }

    /// Applies `change` for the partitions being assigned right now and returns the others.
    fn while_starting(
        &self,
        partitions: &[TopicPartition],
        mut change: impl FnMut(&mut Starting, &TopicPartition),
    ) -> Vec<TopicPartition> {
        let mut assignment = self.assignment.borrow_mut();
        let Some(starting) = assignment.starting.as_mut() else {
            return partitions.to_vec();
        };
        let (fresh, others): (Vec<_>, Vec<_>) = partitions
            .iter()
            .cloned()
            .partition(|partition| starting.partitions.contains(partition));
        for partition in &fresh {
            change(starting, partition);
        }
        others
    }

    fn first_error(&self, what: &str, list: &List) -> Result<(), KafkaError> {
        match list
            .entries()
            .into_iter()
            .find_map(|entry| Some((entry.partition, entry.error?)))
        {
            Some((partition, code)) => Err(self.failed(&format!("{what} {partition}"))((
                code.0,
                "refused for this partition".to_owned(),
            ))),
            None => Ok(()),
        }
    }

    /// Offset of the next record that a poll would hand out: the position reached, else the committed offset, else what
    /// `auto.offset.reset` leads to. Waits for the broker at most `timeout` per partition.
    pub fn position(&self, partition: &TopicPartition, timeout: Duration) -> Result<i64, KafkaError> {
        if let Some(starting) = &self.assignment.borrow().starting
            && let Some(offset) = starting.positions.get(partition)
        {
            return Ok(*offset);
        }
        if let Some(sought) = self
            .assignment
            .borrow()
            .sought
            .iter()
            .find(|sought| sought.partition == *partition)
        {
            return Ok(sought.offset);
        }
        let list = List::of_partitions(std::slice::from_ref(partition))?;
        native::position(&self.client, &list).map_err(self.failed(&format!("position of {partition}")))?;
        if let Some(entry) = list.entries().first()
            && entry.offset >= 0
        {
            return Ok(entry.offset);
        }
        if let Some(committed) = self.committed(std::slice::from_ref(partition), timeout)?.pop() {
            return Ok(committed.offset);
        }
        let (first, next) = self
            .client
            .watermarks(&partition.topic, partition.partition, timeout)?;
        let offset = match self.settings.auto_offset_reset {
            OffsetReset::Earliest => first,
            OffsetReset::Latest => next,
            OffsetReset::None => {
                let detail = "there is no committed offset and auto.offset.reset is none".to_owned();
                let code = ErrorCode::AUTO_OFFSET_RESET.0;
                return Err(self.failed(&format!("position of {partition}"))((code, detail)));
            }
        };
        // As with Java's client this settles where fetching starts. The library would ask again, and with `latest` it would
        // skip what was written in between.
        if let Some(starting) = &mut self.assignment.borrow_mut().starting {
            starting.positions.insert(partition.clone(), offset);
        }
        Ok(offset)
    }

    /// Committed offsets of those partitions that have one.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<PartitionOffset>, KafkaError> {
        let list = List::of_partitions(partitions)?;
        native::committed(&self.client, &list, timeout)
            .map_err(self.failed("asking for committed offsets"))?;
        self.first_error("asking for the committed offset of", &list)?;
        Ok(list
            .entries()
            .into_iter()
            .filter(|entry| entry.offset >= 0)
            .map(|entry| PartitionOffset {
                partition: entry.partition,
                offset: entry.offset,
            })
            .collect())
    }

    fn commit_outcome(&self, answer: Result<Vec<Entry>, native::Failure>) -> Result<(), KafkaError> {
        let entries = answer.map_err(self.failed("commit of offsets"))?;
        match entries
            .into_iter()
            .find_map(|entry| Some((entry.partition, entry.error?)))
        {
            Some((partition, code)) => {
                let detail = "refused for this partition".to_owned();
                Err(self.failed(&format!("commit of the offset of {partition}"))((
                    code.0, detail,
                )))
            }
            None => Ok(()),
        }
    }

    /// Commits and waits for the answer, at most `timeout`. After a time-out the commit may still take effect.
    pub fn commit_sync(&self, offsets: &[PartitionOffset], timeout: Duration) -> Result<(), KafkaError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let list = List::of_offsets(offsets)?;
        let queue = Queue::new(&self.client);
        native::commit(&self.client, &list, &queue, 0).map_err(self.failed("commit of offsets"))?;
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match queue.poll(left).as_ref().and_then(native::commit_answer) {
                Some((_, answer)) => return self.commit_outcome(answer),
                None if left.is_zero() => {
                    let detail = format!("no answer within {} ms", timeout.as_millis());
                    return Err(self.failed("commit of offsets")((ErrorCode::TIMED_OUT.0, detail)));
                }
                None => {}
            }
        }
    }

    /// Commits without waiting; [`ConsumerHandler::committed`] gets the answer with `token` from a later poll. When this
    /// returns an error, no answer will come.
    pub fn commit_async(&self, offsets: &[PartitionOffset], token: u64) -> Result<(), KafkaError> {
        let list = List::of_offsets(offsets)?;
        native::commit(&self.client, &list, &self.commits, token).map_err(self.failed("commit of offsets"))
    }

    /// All topics of the cluster, for subscriptions by pattern.
    pub fn list_topics(&self, timeout: Duration) -> Result<Vec<TopicMetadata>, KafkaError> {
        self.client.topics(timeout)
    }

    /// What the properties said about things that the caller looks after.
    pub fn settings(&self) -> &RuntimeSettings {
        &self.settings
    }

    /// Leaves the group: the handler gets a last `revoked` (or `lost`) and the answers to open commits, then the client
    /// is destroyed in the background. Returns `false` when the group did not answer within `timeout`; it then notices
    /// by `session.timeout.ms`.
    pub fn close(self, timeout: Duration, handler: &mut impl ConsumerHandler) -> bool {
        self.serve(handler);
        if let Err(error) = native::start_close(&self.client, &self.queue).map_err(self.failed("closing")) {
            self.note(Err(error));
            return false;
        }
        let deadline = Instant::now() + timeout;
        let mut discarded = Batch::with_capacity(1);
        while !native::is_closed(&self.client) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            native::wait_one(&self.client, left.min(Duration::from_millis(50)), &mut discarded);
            discarded.clear();
            self.serve(handler);
        }
        self.serve(handler);
        true
    }
}
