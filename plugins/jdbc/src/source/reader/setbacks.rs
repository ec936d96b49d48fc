//! What a failed read means for its table.

use std::time::{Duration, Instant};

use wharf_api::Result;

use super::{LOG, Source};
use crate::failure::Failure;
use crate::source::Relation;
use crate::source::config::{Mode, SourceConfig};

/// How long it may take until the tasks know a list of tables that has come.
const HANDING_ON: Duration = Duration::from_secs(60);
/// How many times a read of all rows may begin anew where `query.retry.attempts` does not say it.
const BULK_REPEATS: u32 = 5;

impl Source {
    /// A table that is not there any more is no reason to stop: the connector gives the tasks other tables when it has looked which there are.
    /// Where it does not, the failure stands.
    pub(super) fn is_set_aside(&mut self, failure: &Failure, config: &SourceConfig) -> bool {
        if !matches!(self.relation, Relation::Table(_)) || !failure.is_missing_table() {
            return false;
        }
        let since = *self.missing.get_or_insert_with(|| {
            tracing::warn!(
                target: LOG,
                "{} is not there any more: {failure}; other tables are read on, and this one if it comes back",
                self.relation
            );
            Instant::now()
        });
        since.elapsed() < config.table_poll_interval.saturating_mul(2) + HANDING_ON
    }

    /// In bulk a read that is broken off begins anew, and its rows are given out again: not without end.
    pub(super) fn count_repeats(&mut self, failure: &Failure, config: &SourceConfig) -> Result<()> {
        if config.mode != Mode::Bulk || self.given == 0 {
            return Ok(());
        }
        self.repeats += 1;
        let repeats = self.repeats;
        if repeats <= config.query_retries.unwrap_or(BULK_REPEATS) {
            return Ok(());
        }
        Err(failure.to_final_error().context(format!(
            "reading all of {} was broken off {repeats} times, each time when rows had been given out, which come again with each try; \
             given up (query.retry.attempts, or {BULK_REPEATS} without it). On a hot standby see max_standby_streaming_delay and \
             hot_standby_feedback; smaller statements come with wharf.split.size",
            self.relation
        )))
    }

    /// A statement that took all the time that it had, and gave nothing: most likely it sorts the table.
    pub(super) fn explained(&self, mut failure: Failure, took: Duration, config: &SourceConfig) -> Failure {
        let limit = config.connection.statement_timeout;
        if config.mode != Mode::Bulk
            && self.given == 0
            && !limit.is_zero()
            && took >= limit
            && let Some(prepared) = &self.prepared
        {
            failure.message.push_str(&format!(
                "; no row came within wharf.statement.timeout.ms, and so it will be each time: make an index on ({}), by which rows come \
                 without sorting the table, or set a longer time",
                prepared.scan.order()
            ));
        }
        failure
    }
}
