//! Groups of any protocol type with what their members told each other, by librdkafka's older request for groups: the newer
//! one knows consumers only and gives no bytes.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as ffi;

use super::client::Client;
use super::{c_string, describe, millis, text};
use crate::KafkaError;
use crate::groups::{GroupMember, GroupMembers};

/// Some brokers did not answer, others did.
const PARTIAL: i32 = -158;

/// A list that librdkafka made for us.
struct GroupList(*const ffi::rd_kafka_group_list);

impl Drop for GroupList {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: owned, destroyed once.
            unsafe { ffi::rd_kafka_group_list_destroy(self.0) };
        }
    }
}

/// The group of this name; `None` when no broker that answered knows it.
pub(crate) fn group_members(
    client: &Client,
    group: &str,
    timeout: Duration,
) -> Result<Option<GroupMembers>, KafkaError> {
    let name = c_string(group, "a group id")?;
    let operation = || format!("listing the members of group {group}");
    let mut raw: *const ffi::rd_kafka_group_list = ptr::null();
    // SAFETY: the handle and the name are valid for the call, which blocks; what it leaves at `raw` is ours.
    let code = unsafe {
        ffi::rd_kafka_list_groups(client.raw(), name.as_ptr(), &raw mut raw, millis(timeout).max(1))
    };
    let list = GroupList(raw);
    let number = code as i32;
    if number != 0 && number != PARTIAL {
        return Err(KafkaError::operation(operation(), number, describe(code)));
    }
    // SAFETY: the list is alive until `list` is dropped, and its counts describe its arrays; everything is copied. Codes are
    // read as integers, because brokers send more of them than the generated enum has.
    let found = unsafe {
        groups(list.0)
            .iter()
            .find(|info| text(info.group) == group)
            .map(|info| ((&raw const info.err).cast::<i32>().read(), copy(info)))
    };
    match found {
        Some((0, members)) => Ok(Some(members)),
        Some((refused, _)) => Err(KafkaError::operation(
            operation(),
            refused,
            "the coordinator of the group refused it",
        )),
        // A broker that is silent may know it.
        None if number == PARTIAL => Err(KafkaError::operation(operation(), number, describe(code))),
        None => Ok(None),
    }
}

/// # Safety
/// `list` is NULL or valid for `'a`.
unsafe fn groups<'a>(list: *const ffi::rd_kafka_group_list) -> &'a [ffi::rd_kafka_group_info] {
    if list.is_null() {
        return &[];
    }
    // SAFETY: valid by the contract; `group_cnt` entries are at `groups`, which is not read when there are none.
    unsafe {
        let count = count((*list).group_cnt);
        if count == 0 {
            return &[];
        }
        slice::from_raw_parts((*list).groups, count)
    }
}

fn count(number: c_int) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// # Safety
/// `info` is an entry of a list that is alive.
unsafe fn copy(info: &ffi::rd_kafka_group_info) -> GroupMembers {
    // SAFETY: texts are NULL or terminated; `member_cnt` members are at `members`, which may be NULL when there are none.
    unsafe {
        let members = if info.members.is_null() {
            &[]
        } else {
            slice::from_raw_parts(info.members, count(info.member_cnt))
        };
        GroupMembers {
            state: text(info.state),
            protocol_type: text(info.protocol_type),
            protocol: text(info.protocol),
            members: members
                .iter()
                .map(|member| GroupMember {
                    member_id: text(member.member_id),
                    client_id: text(member.client_id),
                    host: text(member.client_host),
                    metadata: bytes(member.member_metadata, member.member_metadata_size),
                    assignment: bytes(member.member_assignment, member.member_assignment_size),
                })
                .collect(),
        }
    }
}

/// # Safety
/// `start` is NULL or points to `length` bytes.
unsafe fn bytes(start: *const c_void, length: c_int) -> Vec<u8> {
    if start.is_null() {
        return Vec::new();
    }
    // SAFETY: by the contract.
    unsafe { slice::from_raw_parts(start.cast::<u8>(), count(length)) }.to_vec()
}
