//! The `tracing` subscriber: decides per call site, formats a line into a buffer that the thread keeps, and writes it to
//! stdout with one call.
//!
//! Spans are not used here: what a line belongs to is the thread's context, as upstream.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::level::LogLevel;
use super::levels::LoggerLevels;
use super::names::logger_name;
use super::{context, hidden, timestamp};

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Lines longer than this do not keep their buffer.
const KEPT_BYTES: usize = 16 * 1024;

/// The subscriber of the process.
pub(super) struct LogSubscriber {
    levels: &'static LoggerLevels,
}

impl LogSubscriber {
    pub(super) fn new(levels: &'static LoggerLevels) -> Self {
        Self { levels }
    }
}

impl Subscriber for LogSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // asked again after each change of levels
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span() && self.levels.enabled((*metadata.level()).into(), metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.levels.max_level().number() {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        let logger = logger_name(metadata.target());
        write(
            (*metadata.level()).into(),
            &logger,
            metadata.line(),
            &text.finish(),
        );
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Message and fields of an event.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(mut self) -> String {
        if self.message.is_empty() {
            self.fields.trim_start().to_owned()
        } else {
            self.message.push_str(&self.fields);
            self.message
        }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

impl Text {
    fn put(&mut self, field: &Field, value: std::fmt::Arguments<'_>) {
        // writing to a String cannot fail
        let _ = match field.name() {
            "message" => self.message.write_fmt(value),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

/// Writes a line to stdout. One that cannot be written is dropped: logging must not fail what it reports on.
pub(super) fn write(level: LogLevel, logger: &str, line_number: Option<u32>, message: &str) {
    // taken out while it is used, so that nothing called on the way could meet a borrowed buffer
    let mut line = LINE.try_with(RefCell::take).unwrap_or_default();
    line.clear();
    let message = hidden::hide(message);
    append_line(&mut line, SystemTime::now(), level, logger, line_number, &message);
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
    if line.capacity() <= KEPT_BYTES {
        let _ = LINE.try_with(|kept| kept.replace(line));
    }
}

fn append_line(
    line: &mut String,
    now: SystemTime,
    level: LogLevel,
    logger: &str,
    line_number: Option<u32>,
    message: &str,
) {
    line.push('[');
    timestamp::append_log_time(line, now);
    line.push_str("] ");
    line.push_str(level.name());
    line.push(' ');
    context::append_to(line);
    line.push_str(message);
    line.push_str(" (");
    line.push_str(logger);
    if let Some(number) = line_number {
        // writing to a String cannot fail
        let _ = write!(line, ":{number}");
    }
    line.push_str(")\n");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::with_context;
    use super::*;

    fn at_noon() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_795_262_400_123)
    }

    #[test]
    fn a_line_has_time_level_context_message_logger_and_line_number() {
        let mut line = String::new();
        append_line(&mut line, at_noon(), LogLevel::Warn, "a.B", Some(7), "x");
        assert_eq!(line, "[2026-11-21 12:00:00,123] WARN x (a.B:7)\n");
        let _guard = with_context("[conn|task-0] ");
        line.clear();
        append_line(&mut line, at_noon(), LogLevel::Info, "a.B", None, "message");
        assert_eq!(
            line,
            "[2026-11-21 12:00:00,123] INFO [conn|task-0] message (a.B)\n"
        );
    }

    /// Collects texts of events.
    struct Collector(&'static Mutex<Vec<String>>);

    impl Subscriber for Collector {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn event(&self, event: &Event<'_>) {
            let mut text = Text::default();
            event.record(&mut text);
            self.0.lock().unwrap().push(text.finish());
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn fields_follow_the_message() {
        static TEXTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
        tracing::subscriber::with_default(Collector(&TEXTS), || {
            tracing::info!(connector = "c", task = 1, "started {}", 5);
            tracing::info!(error = %"broken", list = ?[1]);
        });
        assert_eq!(
            *TEXTS.lock().unwrap(),
            ["started 5 connector=c task=1", "error=broken list=[1]"]
        );
    }

    #[test]
    fn interest_follows_the_level_of_the_target() {
        static LEVELS: std::sync::OnceLock<LoggerLevels> = std::sync::OnceLock::new();
        let levels = LEVELS.get_or_init(|| LoggerLevels::new(LogLevel::Warn));
        levels.apply_spec("loud=trace").unwrap();
        let seen = || {
            (
                tracing::enabled!(target: "loud::one", tracing::Level::TRACE),
                tracing::enabled!(target: "other", tracing::Level::INFO),
                tracing::enabled!(target: "other", tracing::Level::WARN),
            )
        };
        let seen = tracing::subscriber::with_default(LogSubscriber::new(levels), seen);
        assert_eq!(seen, (true, false, true));
    }
}
