//! The worker's log: lines like Connect's on stdout, and levels that `/admin/loggers` changes while it runs.
//!
//! Where it sits: every crate and plugin logs through `tracing`; here is the one subscriber. What must stay true:
//! - There is one name space of loggers, upstream's (`org.apache.kafka.connect.runtime.WorkerSourceTask`). Rust module
//!   paths are mapped into it ([`logger_name`]), so either spelling may be used in `WHARF_LOG` and over REST.
//! - A line that is switched off costs one atomic load: call sites of host and plugins ask again only when levels
//!   change. (Plugins of interface 1.0 ask each time; [`max_level_cell`] answers most of them.)
//! - No line shows a value that a config provider gave ([`HiddenValues`]), whoever writes it.
//! - Writing never fails a task: when stdout is gone, lines are dropped.
//!
//! A line: `[2026-11-21 12:00:00,123] INFO [conn|task-0] message key=value (logger:line)`. Times are UTC, so that logs of
//! several machines can be merged and no time zone data is needed.

mod context;
mod hidden;
mod level;
mod levels;
mod names;
mod subscriber;
pub mod timestamp;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use wharf_api::Result;

pub use self::context::{ContextGuard, with_context};
pub(crate) use self::hidden::HiddenValues;
pub use self::level::LogLevel;
pub use self::levels::LoggerLevels;
pub use self::names::logger_name;

/// The environment variable that holds the levels at start.
pub const ENV: &str = "WHARF_LOG";

static LEVELS: OnceLock<LoggerLevels> = OnceLock::new();
static MAX_LEVEL: AtomicUsize = AtomicUsize::new(0);

/// The loggers of this process. Before [`init`] everything is at INFO, and nothing is written.
pub fn levels() -> &'static LoggerLevels {
    LEVELS.get_or_init(|| LoggerLevels::new(LogLevel::Info))
}

/// Starts logging to stdout. `spec` is the value of `WHARF_LOG`: `info,org.apache.kafka.connect=debug`.
///
/// # Errors
/// The text is not of that form. Logging that was started before is left alone.
pub fn init(spec: &str) -> Result<()> {
    levels().apply_spec(spec)?;
    // an error means that a subscriber is there already, which is kept
    if tracing::subscriber::set_global_default(subscriber::LogSubscriber::new(levels())).is_ok() {
        refresh();
    }
    Ok(())
}

/// The most verbose level any logger takes: 0 none, 1 error, 2 warn, 3 info, 4 debug, 5 trace. For plugins, which read
/// it before they cross the border with a line.
#[must_use]
pub fn max_level_cell() -> &'static AtomicUsize {
    &MAX_LEVEL
}

/// Whether a line from a plugin would be written.
#[must_use]
pub fn enabled(level: LogLevel, target: &str) -> bool {
    level.number() <= MAX_LEVEL.load(Ordering::Relaxed) && levels().enabled(level, target)
}

/// Writes a line that came from a plugin, with this thread's context.
pub fn forward(level: LogLevel, target: &str, message: &str) {
    if enabled(level, target) {
        subscriber::write(level, &logger_name(target), None, message);
    }
}

/// Makes changed levels take effect everywhere.
fn refresh() {
    MAX_LEVEL.store(levels().max_level().number(), Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
    wharf_abi::host::log_levels_changed();
}
