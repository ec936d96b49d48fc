//! A differential oracle: cases are answered by the classes of Kafka Connect themselves, the answers are kept in the tree,
//! and ours must give the same ones.
//!
//! The way of a case: [`cases`] makes it (by hand or from a seed), [`java`] asks the JVM, [`recorded`] keeps the answer,
//! [`ours`] gives our own, [`compare`] puts both side by side. [`codec`] is the form in which schemas and values travel;
//! `java/Codec.java` is its other half.
//!
//! What must stay true:
//! - Recording is deterministic: the same cases give the same files, whatever the machine.
//! - A difference is either declared in [`differences`] and in `docs/conformance.md`, or a defect. A declared one that has
//!   vanished is a defect too.
//! - Comparing needs no Java.
//!
//! A further kind of call (a transform, a predicate) is a variant of [`Call`], an `op` in `java/Oracle.java`, an arm in
//! [`ours`] and a table below [`cases`].

pub mod case;
pub mod cases;
pub mod codec;
pub mod compare;
pub mod differences;
pub mod java;
pub mod ours;
pub mod record_codec;
pub mod recorded;
pub mod report;

pub use case::{Call, Case, Kind, Usage, Zone};
