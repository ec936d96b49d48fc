//! Up to which number a table is read at a time.
//!
//! A number is taken before its row is committed, so a smaller one may show up after a greater one. The rows up to the greatest that is there
//! are read when nobody is left who may have taken a smaller one, or when that takes too long.

use std::time::{Duration, Instant};

use super::scan::Relation;
use crate::failure::Answer;
use crate::session::ReadSession;

/// How often it is looked whether those who wrote have ended.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

const LOG: &str = "io.confluent.connect.jdbc.source.JdbcSourceTask";

/// The greatest number that was there, and who may still commit smaller ones.
#[derive(Debug)]
pub(crate) struct Horizon {
    pub(crate) last: i64,
    /// Transactions, as the database calls them.
    writers: Vec<String>,
    found: Instant,
    /// What has to pass in any case.
    delay: Duration,
}

impl Horizon {
    pub(crate) fn new(last: i64, writers: Vec<String>, delay: Duration) -> Self {
        Self {
            last,
            writers,
            found: Instant::now(),
            delay,
        }
    }

    /// Whether rows up to it may be read now; those who write are waited for so long.
    pub(crate) fn is_reached(
        &mut self,
        session: &mut dyn ReadSession,
        wait: Duration,
        relation: &Relation,
    ) -> Answer<bool> {
        if !self.writers.is_empty() {
            self.writers = session.unfinished(&self.writers)?;
        }
        let waited = self.found.elapsed();
        if waited < self.delay {
            return Ok(false);
        }
        if self.writers.is_empty() {
            return Ok(true);
        }
        if waited < wait {
            return Ok(false);
        }
        tracing::warn!(
            target: LOG,
            "rows of {relation} are read though {} have been writing to it for longer than wharf.incrementing.wait.ms: rows that they commit \
             with numbers up to {} are missed",
            self.writers.join(", "),
            self.last
        );
        self.writers.clear();
        Ok(true)
    }
}
