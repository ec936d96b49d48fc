//! Carries a plugin's `tracing` events to the worker's log.
//!
//! A library has its own copy of tracing's globals, so without this its events would vanish. The worker decides by level
//! and target, at every event, whether it is written; its present most verbose level is asked first.

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
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
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
