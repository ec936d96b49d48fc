//! What a failed read means for its table.

use std::time::{Duration, Instant};

use wharf_api::Result;

use super::{LOG, Source};
use crate::failure::Failure;
use crate::source::Relation;
use crate::source::config::{Mode, SourceConfig};

/// Between two warnings of a table that is not there.
const REMINDER: Duration = Duration::from_secs(600);
/// How long it may take until the tasks know a list of tables that has come.
const HANDING_ON: Duration = Duration::from_secs(60);
/// How many times a read of all rows may begin anew where `query.retry.attempts` does not say it.
const BULK_REPEATS: u32 = 5;

/// A table that is not there.
pub(super) struct Missing {
    since: Instant,
    told: Option<Instant>,
}

impl Source {
    /// Whether the failure is that the table is not there any more, which is told now and then.
    pub(super) fn is_gone(&mut self, failure: &Failure) -> bool {
        if !matches!(self.relation, Relation::Table(_)) || !failure.is_missing_table() {
            return false;
        }
        let now = Instant::now();
        let missing = self.missing.get_or_insert(Missing {
            since: now,
            told: None,
        });
        if missing.told.is_none_or(|told| now - told >= REMINDER) {
            missing.told = Some(now);
            tracing::warn!(
                target: LOG,
                "{} is not there any more: {failure}; other tables are read on, and this one if it comes back",
                self.relation
            );
        }
        true
    }

    /// Whether it is not there for so long that the connector would have given the task other tables, if it had found some.
    pub(super) fn is_lost(&self, config: &SourceConfig) -> bool {
        let time = config.table_poll_interval.saturating_mul(2) + HANDING_ON;
        self.missing
            .as_ref()
            .is_some_and(|missing| missing.since.elapsed() >= time)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wharf_api::{ConfigMap, OffsetMap};

    use super::*;
    use crate::failure::Trouble;
    use crate::source::handover::Handover;
    use crate::source::offset::Position;
    use crate::source::reader::Reader;
    use crate::table_id::TableId;

    fn reader_of(names: &[&str]) -> Reader {
        let config = [
            ("connection.url", "jdbc:sqlite:/nowhere/test.db"),
            ("mode", "bulk"),
            ("topic.prefix", "db-"),
            ("table.poll.interval.ms", "1000"),
        ];
        let config: ConfigMap = config
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let source = |name: &&str| {
            let table = TableId {
                catalog: None,
                schema: None,
                name: (*name).to_owned(),
            };
            let relation = Relation::Table(table);
            Source::new(
                relation,
                (*name).to_owned(),
                OffsetMap::new(),
                Position::default(),
            )
        };
        let parsed = SourceConfig::of(&config).unwrap();
        Reader {
            config: Arc::new(parsed.clone()),
            sources: names.iter().map(source).collect(),
            handover: Arc::new(Handover::default()),
            stop: Arc::new(|_| false),
            present: Box::new(move || Ok(parsed.clone())),
        }
    }

    #[test]
    fn a_table_that_is_gone_fails_the_task_only_when_no_other_is_left() {
        let gone = Failure::new(Trouble::Statement, "no such table: main.t");
        let mut reader = reader_of(&["a", "b"]);
        let for_long = |reader: &mut Reader, at: usize| {
            reader.put_off(at, &gone).unwrap();
            let missing = reader.sources[at].missing.as_mut().unwrap();
            missing.since = Instant::now().checked_sub(Duration::from_secs(63)).unwrap();
        };
        for_long(&mut reader, 0);
        // The other is read, or has gone a while ago.
        reader.put_off(0, &gone).unwrap();
        assert!(reader.sources[0].due > Instant::now() + Duration::from_secs(5));
        reader.put_off(1, &gone).unwrap();
        reader.put_off(0, &gone).unwrap();
        for_long(&mut reader, 1);
        let error = reader.put_off(0, &gone).unwrap_err();
        assert!(
            error.message().contains("no such table") && !error.is_retriable(),
            "{error}"
        );
        // One that has come back is enough.
        reader.sources[1].missing = None;
        reader.put_off(0, &gone).unwrap();
    }

    #[test]
    fn the_only_table_has_time_to_come_back() {
        let gone = Failure::new(Trouble::Statement, "relation is not there").with_code("42P01");
        let mut reader = reader_of(&["a"]);
        reader.put_off(0, &gone).unwrap();
        let missing = reader.sources[0].missing.as_mut().unwrap();
        missing.since = Instant::now().checked_sub(Duration::from_secs(63)).unwrap();
        assert!(reader.put_off(0, &gone).is_err());
        // What is no missing table fails at once.
        let other = Failure::new(Trouble::Statement, "no such column: x");
        assert!(reader_of(&["a", "b"]).put_off(0, &other).is_err());
    }
}
