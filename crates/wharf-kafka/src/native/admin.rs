//! Admin requests: build the C objects, wait for the one answer, copy what it says.

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::{Duration, Instant};

use rdkafka::bindings as ffi;

use super::client::{Client, Event, Queue};
use super::lists::{Entry, List, entries, entry};
use super::{c_string, millis, text};
use crate::KafkaError;
use crate::types::PartitionOffset;

/// How long one step of a wait lasts before it is looked whether the connection was refused.
const STEP: Duration = Duration::from_millis(250);
/// librdkafka's code for time that is over.
const TIMED_OUT: i32 = -185;
/// Kafka's code for an error without one.
const UNKNOWN: i32 = -1;

/// Code and words of a failed request.
pub(crate) type Failure = (i32, String);

/// Options of one request.
struct Options(NonNull<ffi::rd_kafka_AdminOptions_t>);

impl Options {
    fn new(client: &Client, operation: ffi::rd_kafka_admin_op_t, timeout: Duration) -> Self {
        let mut reason = [0 as c_char; 256];
        let millis = millis(timeout).max(1);
        // SAFETY: the handle is valid; the setting is in range (at least 1 ms, at most an hour's worth), otherwise the
        // library's default of a minute stays, and the deadline of `ask` rules anyway.
        unsafe {
            let raw = ffi::rd_kafka_AdminOptions_new(client.raw(), operation);
            ffi::rd_kafka_AdminOptions_set_request_timeout(
                raw,
                millis.min(3_600_000),
                reason.as_mut_ptr(),
                reason.len(),
            );
            Self(NonNull::new(raw).expect("librdkafka is out of memory"))
        }
    }

    fn raw(&self) -> *mut ffi::rd_kafka_AdminOptions_t {
        self.0.as_ptr()
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::rd_kafka_AdminOptions_destroy(self.raw()) };
    }
}

/// Sends a request by `send` and waits for its answer.
fn ask(client: &Client, timeout: Duration, send: impl FnOnce(&Queue)) -> Result<Event, Failure> {
    ask_unless(client, timeout, send, || None)
}

/// The same for the first request of a client: refused credentials stay refused, and where nobody answers it is said why, as far as
/// that is known.
fn ask_first(client: &Client, timeout: Duration, send: impl FnOnce(&Queue)) -> Result<Event, Failure> {
    let refused = || {
        client.serve();
        client.take_failure().map(|failure| match failure {
            KafkaError::Operation { code, detail, .. } => (code.0, detail),
            other => (UNKNOWN, other.to_string()),
        })
    };
    ask_unless(client, timeout, send, refused).map_err(|(code, mut reason)| {
        if code == TIMED_OUT
            && let Some(trouble) = client.last_trouble()
        {
            reason.push_str("; last trouble: ");
            reason.push_str(&trouble);
        }
        (code, reason)
    })
}

fn ask_unless(
    client: &Client,
    timeout: Duration,
    send: impl FnOnce(&Queue),
    refused: impl Fn() -> Option<Failure>,
) -> Result<Event, Failure> {
    let queue = Queue::new(client);
    let deadline = Instant::now() + timeout;
    send(&queue);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match queue.poll(left.min(STEP)) {
            Some(event) if event.kind() == ffi::RD_KAFKA_EVENT_ERROR => {}
            Some(event) => {
                return match event.error() {
                    Some(error) => Err(error),
                    None => Ok(event),
                };
            }
            None if left.is_zero() => return Err((TIMED_OUT, "the time allowed is over".to_owned())),
            None => {
                if let Some(failure) = refused() {
                    return Err(failure);
                }
            }
        }
    }
}

/// Reads an error object that something else owns.
///
/// # Safety
/// `error` is NULL or valid.
unsafe fn peek(error: *const ffi::rd_kafka_error_t) -> Option<Failure> {
    if error.is_null() {
        return None;
    }
    // SAFETY: valid by the contract. An error object with code 0 means success.
    unsafe {
        match ffi::rd_kafka_error_code(error) as i32 {
            0 => None,
            code => Some((code, text(ffi::rd_kafka_error_string(error)))),
        }
    }
}

/// The `count` pointers at `start`.
///
/// # Safety
/// `start` is NULL or points to `count` pointers that live for `'a`.
unsafe fn array<'a, T>(start: *mut *const T, count: usize) -> &'a [*const T] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: by the contract.
    unsafe { slice::from_raw_parts(start, count) }
}

/// Creates one topic.
pub(crate) fn create_topic(
    client: &Client,
    name: &str,
    partitions: i32,
    replicas: i16,
    configs: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<Result<(), Failure>, KafkaError> {
    let c_name = c_string(name, "a topic name")?;
    let mut pairs = Vec::with_capacity(configs.len());
    for (key, value) in configs {
        pairs.push((
            c_string(key, "a topic setting")?,
            c_string(value, "a topic setting")?,
        ));
    }
    let options = Options::new(
        client,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS,
        timeout,
    );
    let mut reason = [0 as c_char; 256];
    // SAFETY: all pointers are valid for their calls; the topic object is ours and destroyed below, after the call that
    // copies it; the result belongs to the event.
    unsafe {
        let topic = ffi::rd_kafka_NewTopic_new(
            c_name.as_ptr(),
            partitions,
            i32::from(replicas),
            reason.as_mut_ptr(),
            reason.len(),
        );
        if topic.is_null() {
            return Ok(Err((37, text(reason.as_ptr()))));
        }
        for (key, value) in &pairs {
            ffi::rd_kafka_NewTopic_set_config(topic, key.as_ptr(), value.as_ptr());
        }
        let answer = ask(client, timeout, |queue| {
            let mut topics = [topic];
            ffi::rd_kafka_CreateTopics(client.raw(), topics.as_mut_ptr(), 1, options.raw(), queue.raw());
        });
        ffi::rd_kafka_NewTopic_destroy(topic);
        let event = match answer {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let mut count = 0;
        let result = ffi::rd_kafka_event_CreateTopics_result(event.raw());
        for topic in array(
            ffi::rd_kafka_CreateTopics_result_topics(result, &raw mut count),
            count,
        ) {
            let code = ffi::rd_kafka_topic_result_error(*topic) as i32;
            if code != 0 {
                return Ok(Err((code, text(ffi::rd_kafka_topic_result_error_string(*topic)))));
            }
        }
        Ok(Ok(()))
    }
}

/// Partition counts of the named topics, or each one's error; never creates one.
#[expect(
    clippy::type_complexity,
    reason = "one private call, spelled out where it is used"
)]
pub(crate) fn describe_topics(
    client: &Client,
    names: &[String],
    timeout: Duration,
) -> Result<Result<Vec<(String, Result<usize, Failure>)>, Failure>, KafkaError> {
    let owned = names
        .iter()
        .map(|name| c_string(name, "a topic name"))
        .collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<_> = owned.iter().map(|name| name.as_ptr()).collect();
    let options = Options::new(
        client,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        timeout,
    );
    // SAFETY: names are copied into the collection, which is ours and destroyed after the call; results belong to the event.
    unsafe {
        let topics = ffi::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let answer = ask_first(client, timeout, |queue| {
            ffi::rd_kafka_DescribeTopics(client.raw(), topics, options.raw(), queue.raw());
        });
        ffi::rd_kafka_TopicCollection_destroy(topics);
        let event = match answer {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let mut count = 0;
        let result = ffi::rd_kafka_event_DescribeTopics_result(event.raw());
        let found = array(
            ffi::rd_kafka_DescribeTopics_result_topics(result, &raw mut count),
            count,
        );
        Ok(Ok(found
            .iter()
            .map(|topic| {
                let name = text(ffi::rd_kafka_TopicDescription_name(*topic));
                let outcome = peek(ffi::rd_kafka_TopicDescription_error(*topic)).map_or_else(
                    || {
                        let mut partitions = 0;
                        ffi::rd_kafka_TopicDescription_partitions(*topic, &raw mut partitions);
                        Ok(partitions)
                    },
                    Err,
                );
                (name, outcome)
            })
            .collect()))
    }
}

/// The settings of a topic, as far as the broker tells them.
pub(crate) fn describe_topic_configs(
    client: &Client,
    name: &str,
    timeout: Duration,
) -> Result<Result<BTreeMap<String, String>, Failure>, KafkaError> {
    let c_name = c_string(name, "a topic name")?;
    let options = Options::new(
        client,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
        timeout,
    );
    // SAFETY: the resource is ours and destroyed after the call, which copies it; results belong to the event.
    unsafe {
        let resource = ffi::rd_kafka_ConfigResource_new(
            ffi::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
            c_name.as_ptr(),
        );
        let answer = ask(client, timeout, |queue| {
            let mut resources = [resource];
            ffi::rd_kafka_DescribeConfigs(
                client.raw(),
                resources.as_mut_ptr(),
                1,
                options.raw(),
                queue.raw(),
            );
        });
        ffi::rd_kafka_ConfigResource_destroy(resource);
        let event = match answer {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let mut count = 0;
        let result = ffi::rd_kafka_event_DescribeConfigs_result(event.raw());
        let resources = array(
            ffi::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count),
            count,
        );
        let mut settings = BTreeMap::new();
        for resource in resources {
            let code = ffi::rd_kafka_ConfigResource_error(*resource) as i32;
            if code != 0 {
                return Ok(Err((
                    code,
                    text(ffi::rd_kafka_ConfigResource_error_string(*resource)),
                )));
            }
            let mut count = 0;
            for entry in array(
                ffi::rd_kafka_ConfigResource_configs(*resource, &raw mut count),
                count,
            ) {
                // A value that the broker keeps to itself is NULL.
                let value = ffi::rd_kafka_ConfigEntry_value(*entry);
                if !value.is_null() {
                    settings.insert(text(ffi::rd_kafka_ConfigEntry_name(*entry)), text(value));
                }
            }
        }
        Ok(Ok(settings))
    }
}

/// The three requests about a group's offsets.
#[derive(Clone, Copy)]
pub(crate) enum GroupOffsets<'a> {
    /// All offsets of the group.
    List,
    Alter(&'a List),
    Delete(&'a List),
}

/// Runs one of them; the entries carry the offsets or errors of each partition.
pub(crate) fn group_offsets(
    client: &Client,
    group: &str,
    request: GroupOffsets<'_>,
    timeout: Duration,
) -> Result<Result<Vec<Entry>, Failure>, KafkaError> {
    use ffi::rd_kafka_admin_op_t as op;
    let name = c_string(group, "a group id")?;
    let operation = match request {
        GroupOffsets::List => op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
        GroupOffsets::Alter(_) => op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
        GroupOffsets::Delete(_) => op::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS,
    };
    let options = Options::new(client, operation, timeout);
    // SAFETY: request objects are made here, copied by the request call and destroyed here; results belong to the event.
    let answer = ask(client, timeout, |queue| unsafe {
        match request {
            GroupOffsets::List => {
                let mut one = [ffi::rd_kafka_ListConsumerGroupOffsets_new(
                    name.as_ptr(),
                    ptr::null(),
                )];
                ffi::rd_kafka_ListConsumerGroupOffsets(
                    client.raw(),
                    one.as_mut_ptr(),
                    1,
                    options.raw(),
                    queue.raw(),
                );
                ffi::rd_kafka_ListConsumerGroupOffsets_destroy(one[0]);
            }
            GroupOffsets::Alter(offsets) => {
                let mut one = [ffi::rd_kafka_AlterConsumerGroupOffsets_new(
                    name.as_ptr(),
                    offsets.raw(),
                )];
                ffi::rd_kafka_AlterConsumerGroupOffsets(
                    client.raw(),
                    one.as_mut_ptr(),
                    1,
                    options.raw(),
                    queue.raw(),
                );
                ffi::rd_kafka_AlterConsumerGroupOffsets_destroy(one[0]);
            }
            GroupOffsets::Delete(partitions) => {
                let mut one = [ffi::rd_kafka_DeleteConsumerGroupOffsets_new(
                    name.as_ptr(),
                    partitions.raw(),
                )];
                ffi::rd_kafka_DeleteConsumerGroupOffsets(
                    client.raw(),
                    one.as_mut_ptr(),
                    1,
                    options.raw(),
                    queue.raw(),
                );
                ffi::rd_kafka_DeleteConsumerGroupOffsets_destroy(one[0]);
            }
        }
    });
    let event = match answer {
        Ok(event) => event,
        Err(error) => return Ok(Err(error)),
    };
    let mut count = 0;
    // SAFETY: the event is of the kind that was asked for; its arrays live as long as it.
    unsafe {
        let groups = match request {
            GroupOffsets::List => ffi::rd_kafka_ListConsumerGroupOffsets_result_groups(
                ffi::rd_kafka_event_ListConsumerGroupOffsets_result(event.raw()),
                &raw mut count,
            ),
            GroupOffsets::Alter(_) => ffi::rd_kafka_AlterConsumerGroupOffsets_result_groups(
                ffi::rd_kafka_event_AlterConsumerGroupOffsets_result(event.raw()),
                &raw mut count,
            ),
            GroupOffsets::Delete(_) => ffi::rd_kafka_DeleteConsumerGroupOffsets_result_groups(
                ffi::rd_kafka_event_DeleteConsumerGroupOffsets_result(event.raw()),
                &raw mut count,
            ),
        };
        let Some(group) = array(groups, count).first() else {
            return Ok(Ok(Vec::new()));
        };
        if let Some(error) = peek(ffi::rd_kafka_group_result_error(*group)) {
            return Ok(Err(error));
        }
        Ok(Ok(entries(ffi::rd_kafka_group_result_partitions(*group))))
    }
}

/// Deletes a topic.
pub(crate) fn delete_topic(
    client: &Client,
    name: &str,
    timeout: Duration,
) -> Result<Result<(), Failure>, KafkaError> {
    let name = c_string(name, "a topic name")?;
    let options = Options::new(
        client,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS,
        timeout,
    );
    // SAFETY: as in `create_topic`.
    unsafe {
        let answer = ask(client, timeout, |queue| {
            let mut one = [ffi::rd_kafka_DeleteTopic_new(name.as_ptr())];
            ffi::rd_kafka_DeleteTopics(client.raw(), one.as_mut_ptr(), 1, options.raw(), queue.raw());
            ffi::rd_kafka_DeleteTopic_destroy(one[0]);
        });
        let event = match answer {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let mut count = 0;
        let result = ffi::rd_kafka_event_DeleteTopics_result(event.raw());
        for topic in array(
            ffi::rd_kafka_DeleteTopics_result_topics(result, &raw mut count),
            count,
        ) {
            let code = ffi::rd_kafka_topic_result_error(*topic) as i32;
            if code != 0 {
                return Ok(Err((code, text(ffi::rd_kafka_topic_result_error_string(*topic)))));
            }
        }
        Ok(Ok(()))
    }
}

/// Deletes a group with all its offsets.
pub(crate) fn delete_group(
    client: &Client,
    group: &str,
    timeout: Duration,
) -> Result<Result<(), Failure>, KafkaError> {
    let name = c_string(group, "a group id")?;
    let options = Options::new(
        client,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS,
        timeout,
    );
    // SAFETY: as in `group_offsets`.
    unsafe {
        let answer = ask(client, timeout, |queue| {
            let mut one = [ffi::rd_kafka_DeleteGroup_new(name.as_ptr())];
            ffi::rd_kafka_DeleteGroups(client.raw(), one.as_mut_ptr(), 1, options.raw(), queue.raw());
            ffi::rd_kafka_DeleteGroup_destroy(one[0]);
        });
        let event = match answer {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let mut count = 0;
        let result = ffi::rd_kafka_event_DeleteGroups_result(event.raw());
        let groups = array(
            ffi::rd_kafka_DeleteGroups_result_groups(result, &raw mut count),
            count,
        );
        Ok(groups
            .first()
            .and_then(|group| peek(ffi::rd_kafka_group_result_error(*group)))
            .map_or(Ok(()), Err))
    }
}

/// State name and number of members of a group.
pub(crate) fn describe_group(
    client: &Client,
    group: &str,
    timeout: Duration,
) -> Result<Result<(String, usize), Failure>, KafkaError> {
    let name = c_string(group, "a group id")?;
    let options = Options::new(
        client,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
        timeout,
    );
    // SAFETY: as in `group_offsets`.
    unsafe {
        let answer = ask(client, timeout, |queue| {
            let mut one = [name.as_ptr()];
            ffi::rd_kafka_DescribeConsumerGroups(
                client.raw(),
                one.as_mut_ptr(),
                1,
                options.raw(),
                queue.raw(),
            );
        });
        let event = match answer {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let mut count = 0;
        let result = ffi::rd_kafka_event_DescribeConsumerGroups_result(event.raw());
        let groups = array(
            ffi::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count),
            count,
        );
        let Some(found) = groups.first() else {
            return Ok(Err((69, "no such group".to_owned())));
        };
        if let Some(error) = peek(ffi::rd_kafka_ConsumerGroupDescription_error(*found)) {
            return Ok(Err(error));
        }
        let state = ffi::rd_kafka_ConsumerGroupDescription_state(*found);
        let members = ffi::rd_kafka_ConsumerGroupDescription_member_count(*found);
        Ok(Ok((
            text(ffi::rd_kafka_consumer_group_state_name(state)),
            members,
        )))
    }
}

/// Offsets by specification: each entry's offset is −2 (earliest), −1 (latest) or a timestamp.
pub(crate) fn list_offsets(
    client: &Client,
    specs: &[PartitionOffset],
    committed_only: bool,
    timeout: Duration,
) -> Result<Result<Vec<Entry>, Failure>, KafkaError> {
    let list = List::of_offsets(specs)?;
    let options = Options::new(
        client,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
        timeout,
    );
    // SAFETY: as in `group_offsets`; an error object returned by the option setter is ours to destroy.
    unsafe {
        if committed_only {
            super::take_error(ffi::rd_kafka_AdminOptions_set_isolation_level(
                options.raw(),
                ffi::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            ));
        }
        let answer = ask(client, timeout, |queue| {
            ffi::rd_kafka_ListOffsets(client.raw(), list.raw(), options.raw(), queue.raw());
        });
        let event = match answer {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let mut count = 0;
        let result = ffi::rd_kafka_event_ListOffsets_result(event.raw());
        let infos = array(
            ffi::rd_kafka_ListOffsets_result_infos(result, &raw mut count),
            count,
        );
        Ok(Ok(infos
            .iter()
            .map(|info| entry(ffi::rd_kafka_ListOffsetsResultInfo_topic_partition(*info)))
            .collect()))
    }
}
