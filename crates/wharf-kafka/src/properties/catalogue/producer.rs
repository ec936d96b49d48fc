//! Properties of the producer alone.

use super::Rule::{Clamped, Direct, Harmless, Later, Mapped};
use super::Type::{Boolean, Class, Int, Long, Text};
use super::Valid::{Any, AtLeast, Between, OneOf};
use super::{A, Entry, P, entry, harmless, refused};
use super::{INT_MAX, RECORDS_ARE_BYTES};
use crate::properties::mapped::{acks, buffer_memory, ignore_keys, max_block};

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        P,
        "acks",
        Text,
        Some("all"),
        OneOf(&["all", "-1", "0", "1"]),
        Mapped(acks),
    ), // Connect's
    entry(
        P,
        "enable.idempotence",
        Boolean,
        Some("false"),
        Any,
        Direct("enable.idempotence"),
    ), // Connect's
    entry(
        P,
        "max.in.flight.requests.per.connection", // Connect's
        Int,
        Some("1"),
        AtLeast(1),
        Clamped("max.in.flight.requests.per.connection", 1, 1_000_000),
    ),
    entry(
        P,
        "delivery.timeout.ms", // Connect's
        Int,
        Some("2147483647"),
        AtLeast(0),
        Clamped("message.timeout.ms", 1, INT_MAX),
    ),
    entry(
        P,
        "max.block.ms",
        Long,
        Some("9223372036854775807"),
        AtLeast(0),
        Mapped(max_block),
    ), // Connect's
    entry(
        P,
        "retries",
        Int,
        Some("2147483647"),
        AtLeast(0),
        Direct("message.send.max.retries"),
    ),
    entry(
        A,
        "retries",
        Int,
        Some("2147483647"),
        AtLeast(0),
        Harmless("admin calls are retried until their deadline"),
    ),
    entry(
        P,
        "linger.ms",
        Long,
        Some("5"),
        AtLeast(0),
        Clamped("linger.ms", 0, 900_000),
    ),
    entry(
        P,
        "batch.size",
        Int,
        Some("16384"),
        AtLeast(0),
        Clamped("batch.size", 1, INT_MAX),
    ),
    entry(
        P,
        "buffer.memory",
        Long,
        Some("33554432"),
        AtLeast(0),
        Mapped(buffer_memory),
    ),
    entry(
        P,
        "max.request.size",
        Int,
        Some("1048576"),
        AtLeast(0),
        Clamped("message.max.bytes", 1000, 1_000_000_000),
    ),
    entry(
        P,
        "compression.type",
        Text,
        Some("none"),
        OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]),
        Direct("compression.type"),
    ),
    entry(
        P,
        "compression.gzip.level",
        Int,
        Some("-1"),
        Between(-1, 9),
        Later,
    ),
    entry(P, "compression.lz4.level", Int, Some("9"), Between(1, 17), Later),
    entry(
        P,
        "compression.zstd.level",
        Int,
        Some("3"),
        Between(-131_072, 22),
        Later,
    ),
    entry(
        P,
        "partitioner.ignore.keys",
        Boolean,
        Some("false"),
        Any,
        Mapped(ignore_keys),
    ),
    refused(
        P,
        "partitioner.class",
        Class,
        &[],
        "leave it out; records with a key go where Java's default puts them",
    ),
    harmless(
        P,
        "partitioner.adaptive.partitioning.enable",
        Boolean,
        "only moves records without key",
    ),
    harmless(
        P,
        "partitioner.availability.timeout.ms",
        Long,
        "only moves records without key",
    ),
    entry(P, "transactional.id", Text, None, Any, Direct("transactional.id")),
    entry(
        P,
        "transaction.timeout.ms",
        Int,
        Some("60000"),
        Any,
        Clamped("transaction.timeout.ms", 1000, INT_MAX),
    ),
    refused(
        P,
        "transaction.two.phase.commit.enable",
        Boolean,
        &["false"],
        "leave it out",
    ),
    harmless(P, "key.serializer", Class, RECORDS_ARE_BYTES),
    harmless(P, "value.serializer", Class, RECORDS_ARE_BYTES),
];
