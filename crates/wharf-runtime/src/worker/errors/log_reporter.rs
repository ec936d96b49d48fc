//! The line in the log for a record that failed: upstream's words, at level ERROR.

use std::sync::Arc;

use super::counters::ErrorCounters;
use super::stage::RecordFailure;
use crate::config::ErrorConfig;
use crate::herder::TaskId;

/// Logs failures; made only where the user asked for it.
pub(crate) struct LogReporter {
    task: TaskId,
    include_messages: bool,
    counters: Arc<ErrorCounters>,
}

impl LogReporter {
    /// `None` unless failures are to be logged.
    pub(crate) fn new(config: &ErrorConfig, task: &TaskId, counters: &Arc<ErrorCounters>) -> Option<Self> {
        config.log_enable.then(|| Self {
            task: task.clone(),
            include_messages: config.log_include_messages,
            counters: Arc::clone(counters),
        })
    }

    /// Logs a failure; `record` describes the record in upstream's words.
    pub(super) fn report(&self, failure: &RecordFailure, record: impl FnOnce() -> String) {
        let record = if self.include_messages {
            record()
        } else {
            String::new()
        };
        tracing::error!(
            "{}\n{}",
            self.line(failure, &record),
            failure.error.trace().trim_end()
        );
        self.counters.logged();
    }

    fn line(&self, failure: &RecordFailure, record: &str) -> String {
        format!(
            "Error encountered in task {}. Executing stage '{}' with class '{}'{record}.",
            self.task,
            failure.stage.name(),
            failure.class
        )
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{ConnectError, TimestampType};

    use super::*;
    use crate::worker::errors::{ConsumedRecord, Stage};

    #[test]
    fn the_line_is_upstream_s_with_and_without_the_record() {
        let task = TaskId {
            connector: "c".to_owned(),
            task: 2,
        };
        let counters = Arc::new(ErrorCounters::default());
        assert!(LogReporter::new(&ErrorConfig::default(), &task, &counters).is_none());
        let config = ErrorConfig {
            log_enable: true,
            ..ErrorConfig::default()
        };
        let reporter = LogReporter::new(&config, &task, &counters).unwrap();
        let failure = RecordFailure {
            stage: Stage::Transformation,
            class: "a.B".to_owned(),
            error: ConnectError::data("x"),
            is_tolerated: true,
        };
        let mut record = ConsumedRecord {
            topic: "t".into(),
            partition: 1,
            offset: 7,
            timestamp: Some(5),
            timestamp_type: TimestampType::LogAppendTime,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        let start = "Error encountered in task c-2. Executing stage 'TRANSFORMATION' with class 'a.B'";
        assert_eq!(reporter.line(&failure, ""), format!("{start}."));
        assert_eq!(
            reporter.line(&failure, &record.log_text()),
            format!(
                "{start}, where consumed record is {{topic='t', partition=1, offset=7, timestamp=5, \
                 timestampType=LogAppendTime}}."
            )
        );
        record.timestamp_type = TimestampType::None;
        assert_eq!(
            reporter.line(&failure, &record.log_text()),
            format!("{start}, where consumed record is {{topic='t', partition=1, offset=7}}.")
        );
        reporter.report(&failure, || panic!("the record is not to be shown"));
        assert_eq!(counters.counts().errors_logged, 1);
    }
}
