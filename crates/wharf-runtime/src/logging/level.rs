//! Levels of log4j, which clients of `/admin/loggers` use, over the five of `tracing`.

use std::fmt;
use std::str::FromStr;

use wharf_api::ConnectError;

/// A level, from silent to everything. FATAL and ALL have no events of their own: they switch like OFF and TRACE, but
/// are remembered as they were set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Nothing, as no event here is fatal.
    Fatal,
    /// Errors.
    Error,
    /// Warnings too.
    Warn,
    /// The life of connectors in few lines.
    Info,
    /// Details of what the worker does.
    Debug,
    /// Events per record.
    Trace,
    /// Everything.
    All,
}

impl LogLevel {
    /// All levels, the quietest first.
    pub const VALUES: [Self; 8] = [
        Self::Off,
        Self::Fatal,
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
        Self::All,
    ];

    /// The name in capitals.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
            Self::All => "ALL",
        }
    }

    /// 0 nothing, 1 error, 2 warn, 3 info, 4 debug, 5 trace: the numbers of the plugin border.
    #[must_use]
    pub fn number(self) -> usize {
        match self {
            Self::Off | Self::Fatal => 0,
            Self::Error => 1,
            Self::Warn => 2,
            Self::Info => 3,
            Self::Debug => 4,
            Self::Trace | Self::All => 5,
        }
    }

    /// The level of an event with this [`number`](Self::number); 0 counts as an error, large numbers as TRACE.
    #[must_use]
    pub fn of_event(number: usize) -> Self {
        match number {
            0 | 1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            _ => Self::Trace,
        }
    }
}

impl From<tracing::Level> for LogLevel {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LogLevel {
    type Err = ConnectError;

    /// In any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::VALUES
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| {
                ConnectError::config(format!(
                    "invalid log level '{text}': use one of {}",
                    Self::VALUES.map(Self::name).join(", ")
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        for level in LogLevel::VALUES {
            assert_eq!(level.name().to_lowercase().parse::<LogLevel>(), Ok(level));
        }
        assert!(
            "verbose"
                .parse::<LogLevel>()
                .unwrap_err()
                .message()
                .contains("'verbose'")
        );
    }

    #[test]
    fn numbers_of_events_are_read_back() {
        for level in [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ] {
            assert_eq!(LogLevel::of_event(level.number()), level);
        }
    }
}
