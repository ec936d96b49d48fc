//! Properties of the consumer alone.

use super::Rule::{Clamped, Direct, Later, Mapped};
use super::Type::{Boolean, Class, Int, List, Text};
use super::Valid::{Any, AtLeast, OneOf, OneOfAnyCase};
use super::{C, Entry, entry, harmless, later, refused};
use super::{JAVA_ASSIGNORS, RECORDS_ARE_BYTES};
use crate::properties::mapped::{
    auto_commit, auto_commit_interval, fetch_max, group_id, max_poll_interval, max_poll_records, offset_reset,
};

pub(super) const ENTRIES: &[Entry] = &[
    entry(C, "group.id", Text, None, Any, Mapped(group_id)),
    entry(
        C,
        "group.instance.id",
        Text,
        None,
        Any,
        Direct("group.instance.id"),
    ),
    entry(
        C,
        "group.protocol",
        Text,
        Some("classic"),
        OneOfAnyCase(&["classic", "consumer"]),
        Direct("group.protocol"),
    ),
    entry(
        C,
        "group.remote.assignor",
        Text,
        None,
        Any,
        Direct("group.remote.assignor"),
    ),
    later(C, "partition.assignment.strategy", List, Some(JAVA_ASSIGNORS)),
    entry(C, "session.timeout.ms", Int, Some("45000"), AtLeast(0), Later),
    entry(C, "heartbeat.interval.ms", Int, Some("3000"), AtLeast(0), Later),
    entry(
        C,
        "max.poll.interval.ms",
        Int,
        Some("300000"),
        AtLeast(1),
        Mapped(max_poll_interval),
    ),
    entry(
        C,
        "max.poll.records",
        Int,
        Some("500"),
        AtLeast(1),
        Mapped(max_poll_records),
    ),
    entry(
        C,
        "enable.auto.commit",
        Boolean,
        Some("false"),
        Any,
        Mapped(auto_commit),
    ), // Connect's
    entry(
        C,
        "auto.commit.interval.ms",
        Int,
        Some("5000"),
        AtLeast(0),
        Mapped(auto_commit_interval),
    ),
    entry(
        C,
        "auto.offset.reset",
        Text,
        Some("earliest"),
        Any,
        Mapped(offset_reset),
    ), // Connect's
    entry(
        C,
        "isolation.level",
        Text,
        Some("read_uncommitted"),
        OneOf(&["read_committed", "read_uncommitted"]),
        Direct("isolation.level"),
    ),
    entry(
        C,
        "fetch.min.bytes",
        Int,
        Some("1"),
        AtLeast(0),
        Clamped("fetch.min.bytes", 1, 100_000_000),
    ),
    entry(
        C,
        "fetch.max.bytes",
        Int,
        Some("52428800"),
        AtLeast(0),
        Mapped(fetch_max),
    ),
    entry(
        C,
        "fetch.max.wait.ms",
        Int,
        Some("500"),
        AtLeast(0),
        Clamped("fetch.wait.max.ms", 0, 300_000),
    ),
    entry(
        C,
        "max.partition.fetch.bytes",
        Int,
        Some("1048576"),
        AtLeast(0),
        Clamped("max.partition.fetch.bytes", 1, 1_000_000_000),
    ),
    entry(C, "check.crcs", Boolean, Some("true"), Any, Direct("check.crcs")),
    entry(
        C,
        "allow.auto.create.topics",
        Boolean,
        Some("true"),
        Any,
        Direct("allow.auto.create.topics"),
    ),
    refused(
        C,
        "exclude.internal.topics",
        Boolean,
        &["true"],
        "topics are subscribed by name; leave it out",
    ),
    harmless(
        C,
        "internal.leave.group.on.close",
        Boolean,
        "static members stay, others leave, as in Java",
    ),
    harmless(C, "key.deserializer", Class, RECORDS_ARE_BYTES),
    harmless(C, "value.deserializer", Class, RECORDS_ARE_BYTES),
    harmless(
        C,
        "share.acknowledgement.mode",
        Text,
        "only share consumers read it",
    ),
    harmless(C, "share.acquire.mode", Text, "only share consumers read it"),
];
