//! A group of workers that moves records while its workers are killed, frozen and stopped and its broker is restarted, at random.
//!
//! Source files grow during the whole run; file sources write them to topics, file sinks write the topics to files. After every
//! few blows, and at the end, everything has to come to rest: each connector and task runs on exactly one living worker, every
//! worker says so, and no record that was written is missing in its topic and its sink's file. What was doubled is counted;
//! where sources write exactly once it has to be nothing in the topics.
//!
//! Doubled records in the files of sinks fail no run, not even one with exactly-once sources: `FileStreamSink` is at-least-once, as
//! upstream's. What a task wrote before it was killed and whose offsets it had not committed yet, its successor writes again.
//!
//! What is done when follows from the seed alone ([`Settings`]); `cargo xtask chaos --seed N` repeats it.
//!
//! This is test code throughout: it panics when something is not as it should be.

mod broker;
mod load;
mod random;
mod record;
mod run;
mod schedule;
mod settings;
mod topic;

pub use random::any_seed;
pub use run::{Outcome, run};
pub use settings::{SESSION, Settings};
