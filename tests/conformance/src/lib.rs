//! The same scenarios against JVM Kafka Connect and against Wharf, and the report of what differs.
//!
//! A scenario file ([`scenario`]) says what is asked; an engine ([`engine`]) starts a worker that is asked; the runner
//! ([`runner`]) asks; what of the answers counts ([`answer`]) is compared ([`compare`]) with the peer's, which is alive
//! beside us or was recorded ([`recording`]). Differences on purpose are declared in steps and explained in one place
//! ([`differences`]), from which, and from the results of a run ([`results`]), `docs/conformance.md` is made
//! ([`document`]).
//!
//! What must stay true: scenarios hold no expectation but declared differences, the peer is the expectation; a
//! declared difference that has gone is as much a failure as a new one; names that change from run to run never reach
//! a recording.

pub mod answer;
pub mod compare;
pub mod differences;
pub mod document;
pub mod engine;
pub mod kafka;
pub mod mode;
pub mod names;
pub mod pointer;
pub mod recording;
pub mod report;
pub mod results;
pub mod runner;
pub mod scenario;
pub mod suite;

/// Reads YAML; only `true` and `false` are booleans, so that `on` and `no` in configurations stay words.
fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true })
}
