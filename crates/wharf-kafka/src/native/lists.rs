//! Topic-partition lists: the one collection type in which librdkafka takes and gives offsets.

use std::ptr::{self, NonNull};
use std::slice;

use rdkafka::bindings as ffi;

use super::{c_string, text};
use crate::types::{PartitionOffset, TopicPartition};
use crate::{ErrorCode, KafkaError};

/// librdkafka's "no offset".
pub(crate) const OFFSET_INVALID: i64 = ffi::RD_KAFKA_OFFSET_INVALID as i64;

/// One entry of a list, copied out.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) partition: TopicPartition,
    pub(crate) offset: i64,
    /// What was committed with the offset.
    pub(crate) metadata: String,
    pub(crate) error: Option<ErrorCode>,
}

/// An owned `rd_kafka_topic_partition_list_t`.
pub(crate) struct List(NonNull<ffi::rd_kafka_topic_partition_list_t>);

impl List {
    fn empty(capacity: usize) -> Self {
        // SAFETY: plain allocation; librdkafka aborts rather than return NULL, and NULL is checked all the same.
        let raw = unsafe { ffi::rd_kafka_topic_partition_list_new(i32::try_from(capacity).unwrap_or(0)) };
        Self::adopt(raw)
    }

    /// Takes over a list that the caller owns.
    ///
    /// # Panics
    /// On NULL, which librdkafka returns only when memory is exhausted.
    pub(crate) fn adopt(raw: *mut ffi::rd_kafka_topic_partition_list_t) -> Self {
        Self(NonNull::new(raw).expect("librdkafka is out of memory"))
    }

    fn add(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaError> {
        let name = c_string(topic, "a topic name")?;
        // SAFETY: the list is alive and ours; the name is copied by the call; the returned entry belongs to the list.
        unsafe {
            let entry = ffi::rd_kafka_topic_partition_list_add(self.0.as_ptr(), name.as_ptr(), partition);
            (*entry).offset = offset;
        }
        Ok(())
    }

    /// Like [`List::add`], with a text that is committed together with the offset.
    fn add_committed(&mut self, at: &PartitionOffset, metadata: &str) -> Result<(), KafkaError> {
        self.add(&at.partition.topic, at.partition.partition, at.offset)?;
        if metadata.is_empty() {
            return Ok(());
        }
        // SAFETY: the entry was added by the call before, so there is a last one; it takes over the memory, which is
        // librdkafka's own and of the size that is written, and frees it with the list.
        unsafe {
            let list = self.0.as_ptr();
            let entry = (*list).elems.add((*list).cnt as usize - 1);
            let memory = ffi::rd_kafka_mem_malloc(ptr::null_mut(), metadata.len());
            if !memory.is_null() {
                ptr::copy_nonoverlapping(metadata.as_ptr(), memory.cast(), metadata.len());
                (*entry).metadata = memory;
                (*entry).metadata_size = metadata.len();
            }
        }
        Ok(())
    }

    /// A list of topic names, as `subscribe` takes it.
    pub(crate) fn of_topics(topics: &[String]) -> Result<Self, KafkaError> {
        let mut list = Self::empty(topics.len());
        for topic in topics {
            list.add(topic, -1, OFFSET_INVALID)?;
        }
        Ok(list)
    }

    /// A list of partitions without offsets.
    pub(crate) fn of_partitions(partitions: &[TopicPartition]) -> Result<Self, KafkaError> {
        let mut list = Self::empty(partitions.len());
        for partition in partitions {
            list.add(&partition.topic, partition.partition, OFFSET_INVALID)?;
        }
        Ok(list)
    }

    /// A list of partitions with offsets.
    pub(crate) fn of_offsets(offsets: &[PartitionOffset]) -> Result<Self, KafkaError> {
        let mut list = Self::empty(offsets.len());
        for PartitionOffset { partition, offset } in offsets {
            list.add(&partition.topic, partition.partition, *offset)?;
        }
        Ok(list)
    }

    /// A list of partitions with offsets and what is committed with them.
    pub(crate) fn of_committed(offsets: &[(PartitionOffset, String)]) -> Result<Self, KafkaError> {
        let mut list = Self::empty(offsets.len());
        for (at, metadata) in offsets {
            list.add_committed(at, metadata)?;
        }
        Ok(list)
    }

    /// The list for a C call; valid as long as `self`.
    pub(crate) fn raw(&self) -> *mut ffi::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }

    /// Copies the entries out.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        // SAFETY: `self` owns a valid list.
        unsafe { entries(self.raw()) }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::rd_kafka_topic_partition_list_destroy(self.raw()) };
    }
}

/// Copies one entry.
///
/// # Safety
/// `raw` points to a valid entry.
pub(crate) unsafe fn entry(raw: *const ffi::rd_kafka_topic_partition_t) -> Entry {
    // SAFETY: valid by the contract, metadata of that size included; the code is read as an integer because the generated enum
    // is not exhaustive.
    unsafe {
        let code = (&raw const (*raw).err).cast::<i32>().read();
        Entry {
            partition: TopicPartition {
                topic: text((*raw).topic).into(),
                partition: (*raw).partition,
            },
            offset: (*raw).offset,
            metadata: if (*raw).metadata.is_null() {
                String::new()
            } else {
                let bytes = slice::from_raw_parts((*raw).metadata.cast(), (*raw).metadata_size);
                String::from_utf8_lossy(bytes).into_owned()
            },
            error: (code != 0).then_some(ErrorCode(code)),
        }
    }
}

/// Copies the entries of a list that librdkafka keeps owning.
///
/// # Safety
/// `raw` is NULL or points to a list that lives during the call.
pub(crate) unsafe fn entries(raw: *const ffi::rd_kafka_topic_partition_list_t) -> Vec<Entry> {
    if raw.is_null() {
        return Vec::new();
    }
    // SAFETY: `cnt` entries are stored contiguously at `elems`.
    unsafe {
        (0..(*raw).cnt as usize)
            .map(|at| entry((*raw).elems.add(at)))
            .collect()
    }
}
