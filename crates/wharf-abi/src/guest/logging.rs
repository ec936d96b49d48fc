//! Carries a plugin's `tracing` events to the worker's log.
//!
//! A library has its own copy of tracing's globals, so without this its events would vanish. The worker decides by level
//! and target whether they are written. The answer is kept for each call site until the worker says that levels have
//! changed ([`levels_changed`]), so that a line that is switched off costs what it costs in any program: one load.

use std::fmt::Write as _;
use std::sync::OnceLock;

use tracing_core::dispatcher::{Dispatch, set_global_default};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Interest, Level, LevelFilter, Metadata, Subscriber};

use crate::module::HostTableRef;
use crate::raw::RawSlice;

static HOST: OnceLock<HostTableRef> = OnceLock::new();

pub(super) fn install(host: HostTableRef) {
    if HOST.set(host).is_ok() {
        // In a program that links the plugin statically the program's own subscriber stays.
        let _ = set_global_default(Dispatch::new(Forwarder));
    }
}

/// Writes a line without tracing.
pub(super) fn write(level: u32, target: &str, message: &str) {
    if let Some(host) = HOST.get() {
        host.log()(
            level,
            RawSlice::new(target.as_bytes()),
            RawSlice::new(message.as_bytes()),
        );
    }
}

/// Behind `PluginModule::log_levels_changed`.
#[cfg(not(wharf_interface_1_0))]
pub(super) extern "C" fn levels_changed() {
    // Call sites are asked anew, which is a call of the worker for each; it may not panic into the worker.
    let _ = super::panics::contain(|| {
        tracing_core::callsite::rebuild_interest_cache();
        Ok(())
    });
}

fn level_filter(number: u32) -> LevelFilter {
    match number {
        0 => LevelFilter::OFF,
        1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3 => LevelFilter::INFO,
        4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

fn number(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

struct Forwarder;

impl Subscriber for Forwarder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if cfg!(wharf_interface_1_0) {
            // Nobody tells of changes.
            Interest::sometimes()
        } else if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        if cfg!(wharf_interface_1_0) {
            return Some(LevelFilter::TRACE);
        }
        Some(
            HOST.get()
                .map_or(LevelFilter::OFF, |host| level_filter(host.max_log_level()())),
        )
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = number(*metadata.level());
        metadata.is_event()
            && HOST.get().is_some_and(|host| {
                level <= host.max_log_level()()
                    && host.log_enabled()(level, RawSlice::new(metadata.target().as_bytes()))
            })
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        line.message.push_str(&line.fields);
        write(
            number(*event.metadata().level()),
            event.metadata().target(),
            &line.message,
        );
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn current_span(&self) -> Current {
        Current::none()
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = if field.name() == "message" {
            self.message.write_str(value)
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }
}
