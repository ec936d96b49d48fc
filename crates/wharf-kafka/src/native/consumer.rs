//! The group consumer's calls, one function each.

use std::ffi::CStr;
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as ffi;

use super::client::{Client, Event, Queue};
use super::lists::{Entry, List, entries};
use super::messages::Batch;
use super::{describe, millis, take_error};

/// Code and words of a failed call.
pub(crate) type Failure = (i32, String);

fn check(code: ffi::rd_kafka_resp_err_t) -> Result<(), Failure> {
    match code as i32 {
        0 => Ok(()),
        number => Err((number, describe(code))),
    }
}

fn check_error(error: *mut ffi::rd_kafka_error_t) -> Result<(), Failure> {
    take_error(error).map_or(Ok(()), Err)
}

/// Makes one queue of everything a consumer has to tell, and returns it.
pub(crate) fn single_queue(client: &Client) -> Result<Queue, Failure> {
    // SAFETY: the handle is valid; the returned queue reference is ours. NULL is returned only without `group.id`,
    // which `rd_kafka_poll_set_consumer` has refused by then.
    unsafe {
        check(ffi::rd_kafka_poll_set_consumer(client.raw()))?;
        Queue::adopt(ffi::rd_kafka_queue_get_consumer(client.raw()))
            .ok_or_else(|| (-179, "a consumer needs a group.id".to_owned()))
    }
}

/// The queue of [`single_queue`], held once more.
pub(crate) fn same_queue(client: &Client) -> Option<Queue> {
    // SAFETY: the handle is valid; the returned queue reference is ours.
    Queue::adopt(unsafe { ffi::rd_kafka_queue_get_consumer(client.raw()) })
}

pub(crate) fn subscribe(client: &Client, topics: &List) -> Result<(), Failure> {
    // SAFETY: handle and list are valid; the list is copied.
    check(unsafe { ffi::rd_kafka_subscribe(client.raw(), topics.raw()) })
}

pub(crate) fn unsubscribe(client: &Client) -> Result<(), Failure> {
    // SAFETY: the handle is valid.
    check(unsafe { ffi::rd_kafka_unsubscribe(client.raw()) })
}

/// Waits for one message or error; `false` when none came or a rebalance interrupted the wait.
pub(crate) fn wait_one(client: &Client, timeout: Duration, into: &mut Batch) -> bool {
    // SAFETY: the handle is valid; a returned message is ours and goes into a batch that its caller drops before the client.
    unsafe {
        let message = ffi::rd_kafka_consumer_poll(client.raw(), millis(timeout));
        if message.is_null() {
            return false;
        }
        into.push(message);
        true
    }
}

/// Whether the group's protocol moves partitions one by one.
pub(crate) fn is_cooperative(client: &Client) -> bool {
    // SAFETY: the handle is valid; the result is NULL or a static string.
    unsafe {
        let protocol = ffi::rd_kafka_rebalance_protocol(client.raw());
        !protocol.is_null() && CStr::from_ptr(protocol) == c"COOPERATIVE"
    }
}

/// Whether the partitions being revoked already belong to others.
pub(crate) fn assignment_lost(client: &Client) -> bool {
    // SAFETY: the handle is valid.
    unsafe { ffi::rd_kafka_assignment_lost(client.raw()) != 0 }
}

/// Acknowledges an assignment: fetching starts.
pub(crate) fn assign(client: &Client, partitions: &List, cooperative: bool) -> Result<(), Failure> {
    // SAFETY: handle and list are valid; the list is copied.
    unsafe {
        if cooperative {
            check_error(ffi::rd_kafka_incremental_assign(client.raw(), partitions.raw()))
        } else {
            check(ffi::rd_kafka_assign(client.raw(), partitions.raw()))
        }
    }
}

/// Acknowledges a revocation: the group goes on.
pub(crate) fn unassign(client: &Client, partitions: &List, cooperative: bool) -> Result<(), Failure> {
    // SAFETY: as in `assign`; NULL means "nothing assigned".
    unsafe {
        if cooperative {
            check_error(ffi::rd_kafka_incremental_unassign(client.raw(), partitions.raw()))
        } else {
            check(ffi::rd_kafka_assign(client.raw(), ptr::null()))
        }
    }
}

pub(crate) fn pause(client: &Client, partitions: &List) -> Result<(), Failure> {
    // SAFETY: handle and list are valid.
    check(unsafe { ffi::rd_kafka_pause_partitions(client.raw(), partitions.raw()) })
}

pub(crate) fn resume(client: &Client, partitions: &List) -> Result<(), Failure> {
    // SAFETY: handle and list are valid.
    check(unsafe { ffi::rd_kafka_resume_partitions(client.raw(), partitions.raw()) })
}

/// Moves the fetch positions; waits at most `timeout` for it to be done. Results are in the list.
pub(crate) fn seek(client: &Client, offsets: &List, timeout: Duration) -> Result<(), Failure> {
    // SAFETY: handle and list are valid.
    check_error(unsafe { ffi::rd_kafka_seek_partitions(client.raw(), offsets.raw(), millis(timeout)) })
}

/// Fills in the offsets up to which messages were handed out.
pub(crate) fn position(client: &Client, partitions: &List) -> Result<(), Failure> {
    // SAFETY: handle and list are valid.
    check(unsafe { ffi::rd_kafka_position(client.raw(), partitions.raw()) })
}

/// Fills in the offsets the group has committed.
pub(crate) fn committed(client: &Client, partitions: &List, timeout: Duration) -> Result<(), Failure> {
    // SAFETY: handle and list are valid.
    check(unsafe { ffi::rd_kafka_committed(client.raw(), partitions.raw(), millis(timeout)) })
}

/// Sends a commit; the answer arrives on `queue` with `token`.
pub(crate) fn commit(client: &Client, offsets: &List, queue: &Queue, token: u64) -> Result<(), Failure> {
    // SAFETY: all handles are valid; the list is copied; without a call-back the answer is an event; the opaque is a
    // number in pointer's clothes and never dereferenced.
    check(unsafe {
        ffi::rd_kafka_commit_queue(
            client.raw(),
            offsets.raw(),
            queue.raw(),
            None,
            ptr::without_provenance_mut(token as usize),
        )
    })
}

/// The answer to a commit: token, and error or the entries.
pub(crate) fn commit_answer(event: &Event) -> Option<(u64, Result<Vec<Entry>, Failure>)> {
    if event.kind() != ffi::RD_KAFKA_EVENT_OFFSET_COMMIT {
        return None;
    }
    // SAFETY: the event is valid and of this kind; its list belongs to it and is copied.
    let (token, list) = unsafe {
        (
            ffi::rd_kafka_event_opaque(event.raw()).addr() as u64,
            entries(ffi::rd_kafka_event_topic_partition_list(event.raw())),
        )
    };
    Some((token, event.error().map_or(Ok(list), Err)))
}

/// Starts leaving the group; remaining rebalances arrive on `queue`.
pub(crate) fn start_close(client: &Client, queue: &Queue) -> Result<(), Failure> {
    // SAFETY: both handles are valid.
    check_error(unsafe { ffi::rd_kafka_consumer_close_queue(client.raw(), queue.raw()) })
}

/// Whether the group was left.
pub(crate) fn is_closed(client: &Client) -> bool {
    // SAFETY: the handle is valid.
    unsafe { ffi::rd_kafka_consumer_closed(client.raw()) != 0 }
}
