//! Every property of the Java 4.x producer, consumer and admin client, and how each is handled here.
//!
//! Defaults are Java's, except where Connect sets its own before the user's properties (those carry a note). A
//! property that is not in this table is reported as unknown, as the Java clients do.

mod connection;
mod consumer;
pub(super) mod definitions;
mod producer;
mod security;

use super::{ClientKind, Draft};

/// The clients a property belongs to, as bits.
const P: u8 = 1;
const C: u8 = 2;
const A: u8 = 4;
const ALL: u8 = P | C | A;

/// Kafka's types of properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Boolean,
    /// A 16-bit integer.
    Short,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer.
    Long,
    /// A floating point number.
    Double,
    /// Any text.
    Text,
    /// Texts with commas between them.
    List,
    /// The name of a Java class.
    Class,
    /// A secret.
    Password,
}

/// Which values Kafka accepts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// For numbers that need not be whole.
    Within(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
}

/// How a property is handled.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Same meaning under this name.
    Direct(&'static str),
    /// Same meaning under this name, but a narrower range.
    Clamped(&'static str, i64, i64),
    /// Needs thought.
    Mapped(fn(&str, &mut Draft<'_>)),
    /// Combined with others in `security` or `finish`.
    Later,
    /// Has no effect here, and not honouring it cannot be noticed but in metrics or tuning; says why.
    Harmless(&'static str),
    /// Cannot be honoured, unless it has one of these values; says what to do.
    Refused {
        allowed: &'static [&'static str],
        remedy: &'static str,
    },
}

/// One property.
pub(super) struct Entry {
    pub(super) key: &'static str,
    clients: u8,
    pub(super) kind: Type,
    /// Java's effective default under Connect; `None` is null.
    pub(super) default: Option<&'static str>,
    pub(super) valid: Valid,
    pub(super) rule: Rule,
}

impl Entry {
    pub(super) fn applies_to(&self, client: ClientKind) -> bool {
        self.clients & client.bit() != 0
    }
}

impl ClientKind {
    /// The client in the catalogue's sets of clients.
    const fn bit(self) -> u8 {
        match self {
            Self::Producer => P,
            Self::Consumer => C,
            Self::Admin => A,
        }
    }
}

const fn entry(
    clients: u8,
    key: &'static str,
    kind: Type,
    default: Option<&'static str>,
    valid: Valid,
    rule: Rule,
) -> Entry {
    Entry {
        key,
        clients,
        kind,
        default,
        valid,
        rule,
    }
}

const fn harmless(clients: u8, key: &'static str, kind: Type, why: &'static str) -> Entry {
    entry(clients, key, kind, None, Valid::Any, Rule::Harmless(why))
}

const fn refused(
    clients: u8,
    key: &'static str,
    kind: Type,
    allowed: &'static [&'static str],
    remedy: &'static str,
) -> Entry {
    entry(
        clients,
        key,
        kind,
        None,
        Valid::Any,
        Rule::Refused { allowed, remedy },
    )
}

const fn later(clients: u8, key: &'static str, kind: Type, default: Option<&'static str>) -> Entry {
    entry(clients, key, kind, default, Valid::Any, Rule::Later)
}

pub(super) const INT_MAX: i64 = i32::MAX as i64;
const RECORDS_ARE_BYTES: &str = "clients of the worker always carry bytes; converters do the rest";

/// The consumer's assignors when nothing is set.
pub(super) const JAVA_ASSIGNORS: &str = "org.apache.kafka.clients.consumer.RangeAssignor,\
    org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

/// All properties. A key occurs once for each client it means something to.
pub(super) fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        connection::ENTRIES,
        producer::ENTRIES,
        consumer::ENTRIES,
        security::ENTRIES,
    ]
    .into_iter()
    .flatten()
}
