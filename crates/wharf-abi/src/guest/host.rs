//! The worker, as seen from a plugin: typed calls over the callback table.

use std::ffi::c_void;
use std::sync::OnceLock;
use std::time::Duration;

use wharf_api::connector::ConnectorHost;
use wharf_api::plugin::{MetricKind, PluginHost};
use wharf_api::sink::{ReportedRecord, SinkTaskHost};
use wharf_api::source::{SourceTaskHost, TransactionEnd};
use wharf_api::{ConfigMap, ConnectError, OffsetMap, Offsets, Result, TopicPartition, Value};

use crate::message::{Message, MetricRegistration, map};
use crate::method::host as method;
use crate::module::HostTableRef;
use crate::raw::{RawOutput, RawSlice, Received, Status};

static HOST: OnceLock<HostTableRef> = OnceLock::new();

pub(super) fn set(host: HostTableRef) {
    // A second `init` brings the same table.
    let _ = HOST.set(host);
}

/// A reference to the worker's object behind an instance.
#[derive(Debug)]
pub struct HostObject(*const c_void);

// SAFETY: the worker's objects are `Send + Sync`, and its table's functions may be called from any thread.
unsafe impl Send for HostObject {}
// SAFETY: as above.
unsafe impl Sync for HostObject {}

impl HostObject {
    /// Takes over one reference.
    ///
    /// # Safety
    /// `object` must be null or one reference to an object of the worker whose table was set.
    pub(super) unsafe fn take(object: *const c_void) -> Self {
        Self(object)
    }

    fn call(&self, method: u32, args: &impl Message) -> Result<Received> {
        let Some(host) = HOST.get().filter(|_| !self.0.is_null()) else {
            return Err(ConnectError::illegal_state(
                "the plugin is not connected to a worker",
            ));
        };
        let args = args.to_bytes()?;
        let mut output = RawOutput::EMPTY;
        let status = host.call()(self.0, method, RawSlice::new(&args), &mut output);
        // SAFETY: the worker filled the output in this call.
        let received = unsafe { Received::new(output) };
        match Status::from_number(status) {
            Status::Ok => Ok(received),
            Status::Unsupported => Err(ConnectError::unsupported(format!(
                "this worker does not know method {method} of plugins"
            ))),
            Status::Error => Err(ConnectError::from_bytes(received.bytes())
                .unwrap_or_else(|_| ConnectError::connect("the worker gave an unreadable error"))),
        }
    }

    fn ask<T: Message>(&self, method: u32, args: &impl Message) -> Result<T> {
        T::from_bytes(self.call(method, args)?.bytes())
    }

    fn tell(&self, method: u32, args: &impl Message) -> Result<()> {
        self.call(method, args).map(|_| ())
    }
}

impl Clone for HostObject {
    fn clone(&self) -> Self {
        if let Some(host) = HOST.get().filter(|_| !self.0.is_null()) {
            host.retain()(self.0);
        }
        Self(self.0)
    }
}

impl Drop for HostObject {
    fn drop(&mut self) {
        if let Some(host) = HOST.get().filter(|_| !self.0.is_null()) {
            host.release()(self.0);
        }
    }
}

/// Rounded up: none at all would say that there is nothing to wait for.
fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

impl HostObject {
    /// Whether the worker converts records of a batch again that were left out of it.
    pub(super) fn takes_postponed(&self) -> bool {
        self.ask(method::TAKES_POSTPONED, &Value::Null).unwrap_or(false)
    }
}

impl PluginHost for HostObject {
    fn register_metric(
        &self,
        kind: MetricKind,
        name: &str,
        description: &str,
        tags: &[(&str, &str)],
    ) -> Result<u64> {
        let registration = MetricRegistration {
            kind,
            name: name.to_owned(),
            description: description.to_owned(),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let number: i64 = self.ask(method::REGISTER_METRIC, &registration)?;
        u64::try_from(number).map_err(|_| ConnectError::data("the worker gave a metric a negative number"))
    }

    fn record_metric(&self, metric: u64, value: f64) {
        let metric = i64::try_from(metric).unwrap_or(-1);
        // Metrics never fail a plugin.
        let _ = self.tell(
            method::RECORD_METRIC,
            &map([("metric", metric.into()), ("value", value.into())]),
        );
    }

    fn wait(&self, time: Duration) -> bool {
        // Without a worker there is nothing to go on for.
        self.ask(method::WAIT, &millis(time)).unwrap_or(true)
    }

    fn is_stopping(&self) -> bool {
        self.ask(method::IS_STOPPING, &Value::Null).unwrap_or(true)
    }
}

impl ConnectorHost for HostObject {
    fn request_task_reconfiguration(&self) {
        if let Err(error) = self.tell(method::REQUEST_TASK_RECONFIGURATION, &Value::Null) {
            tracing_warn(&error);
        }
    }

    fn raise_error(&self, error: ConnectError) {
        if let Err(failure) = self.tell(method::RAISE_ERROR, &error) {
            tracing_warn(&failure);
        }
    }

    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        self.ask(method::OFFSETS, &partitions.to_vec())
    }

    fn configs(&self) -> ConfigMap {
        self.ask(method::CONFIGS, &Value::Null).unwrap_or_default()
    }
}

fn tracing_warn(error: &ConnectError) {
    super::logging::write(
        2,
        "wharf_abi::guest",
        &format!("a call to the worker failed: {error:#}"),
    );
}

impl SourceTaskHost for HostObject {
    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        self.ask(method::OFFSETS, &partitions.to_vec())
    }

    fn configs(&self) -> ConfigMap {
        self.ask(method::CONFIGS, &Value::Null).unwrap_or_default()
    }

    fn has_transaction_context(&self) -> bool {
        self.ask(method::HAS_TRANSACTION_CONTEXT, &Value::Null)
            .unwrap_or(false)
    }

    fn end_transaction(&self, end: TransactionEnd) -> Result<()> {
        self.tell(method::END_TRANSACTION, &end)
    }
}

impl SinkTaskHost for HostObject {
    fn configs(&self) -> ConfigMap {
        self.ask(method::CONFIGS, &Value::Null).unwrap_or_default()
    }

    fn rewind(&self, offsets: &Offsets) {
        if let Err(error) = self.tell(method::REWIND, offsets) {
            tracing_warn(&error);
        }
    }

    fn timeout(&self, time: Duration) {
        if let Err(error) = self.tell(method::TIMEOUT, &millis(time)) {
            tracing_warn(&error);
        }
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        self.ask(method::ASSIGNMENT, &Value::Null).unwrap_or_default()
    }

    fn pause(&self, partitions: &[TopicPartition]) -> Result<()> {
        self.tell(method::PAUSE, &partitions.to_vec())
    }

    fn resume(&self, partitions: &[TopicPartition]) -> Result<()> {
        self.tell(method::RESUME, &partitions.to_vec())
    }

    fn request_commit(&self) {
        if let Err(error) = self.tell(method::REQUEST_COMMIT, &Value::Null) {
            tracing_warn(&error);
        }
    }

    fn can_report_errors(&self) -> bool {
        self.ask(method::CAN_REPORT_ERRORS, &Value::Null).unwrap_or(false)
    }

    fn report_error(&self, record: &ReportedRecord, error: &ConnectError) -> Result<u64> {
        let message = map([("record", record.to_value()), ("error", error.to_value())]);
        let number: i64 = self.ask(method::REPORT_ERROR, &message)?;
        u64::try_from(number).map_err(|_| ConnectError::data("the worker gave a report a negative number"))
    }

    fn await_report(&self, report: u64) -> Result<()> {
        self.tell(method::AWAIT_REPORT, &i64::try_from(report).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_millisecond_is_waited_for_too() {
        let cases = [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(999), 1),
            (Duration::from_millis(20), 20),
            (Duration::from_micros(20_001), 21),
            (Duration::MAX, i64::MAX),
        ];
        for (time, expected) in cases {
            assert_eq!(millis(time), expected, "{time:?}");
        }
    }
}
