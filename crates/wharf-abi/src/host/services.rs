//! What plugins may ask of the worker: messages decoded and given to the worker's typed objects.

use std::sync::Arc;
use std::time::Duration;

use wharf_api::connector::ConnectorHost;
use wharf_api::plugin::PluginHost;
use wharf_api::sink::{ReportedRecord, SinkTaskHost};
use wharf_api::source::{SourceTaskHost, TransactionEnd};
use wharf_api::{ConnectError, OffsetMap, Offsets, Result, TopicPartition, Value};

use crate::message::{Message, MetricRegistration, part};
use crate::method::host as method;

/// The worker's object behind an instance.
pub trait HostServices: Send + Sync {
    /// Serves a call. `None` says that the method is not known here.
    ///
    /// # Errors
    /// What the plugin is told.
    fn call(&self, method: u32, args: &[u8]) -> Result<Option<Vec<u8>>>;
}

/// For instances that get no services: those made to be asked for their configuration, transformations.
#[derive(Debug, Clone, Copy)]
pub struct NoServices;

impl HostServices for NoServices {
    fn call(&self, method: u32, _args: &[u8]) -> Result<Option<Vec<u8>>> {
        match method {
            method::IS_STOPPING => Ok(Some(false.to_bytes()?)),
            _ => Ok(None),
        }
    }
}

/// Services of a task's converter: it hears when the task is to stop, and may leave records of a batch for later.
pub struct ConverterServices<F>(pub F);

impl<F: Fn() -> bool + Send + Sync> HostServices for ConverterServices<F> {
    fn call(&self, method: u32, _args: &[u8]) -> Result<Option<Vec<u8>>> {
        match method {
            method::IS_STOPPING => answer(&(self.0)()),
            method::TAKES_POSTPONED => answer(&true),
            _ => Ok(None),
        }
    }
}

/// Services of a connector.
pub struct ConnectorServices<H>(pub Arc<H>);

/// Services of a source task.
pub struct SourceTaskServices<H>(pub Arc<H>);

/// Services of a sink task.
pub struct SinkTaskServices<H>(pub Arc<H>);

fn answer(message: &impl Message) -> Result<Option<Vec<u8>>> {
    message.to_bytes().map(Some)
}

fn done() -> Result<Option<Vec<u8>>> {
    Ok(Some(Vec::new()))
}

fn duration(args: &[u8]) -> Result<Duration> {
    Ok(Duration::from_millis(
        u64::try_from(i64::from_bytes(args)?).unwrap_or(0),
    ))
}

/// Calls that every plugin may make.
fn common(host: &impl PluginHost, method: u32, args: &[u8]) -> Result<Option<Vec<u8>>> {
    match method {
        method::REGISTER_METRIC => {
            let metric = MetricRegistration::from_bytes(args)?;
            let tags: Vec<(&str, &str)> = metric
                .tags
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            let number = host.register_metric(metric.kind, &metric.name, &metric.description, &tags)?;
            answer(&i64::try_from(number).unwrap_or(i64::MAX))
        }
        method::RECORD_METRIC => {
            let message = Value::from_bytes(args)?;
            if let (Some(metric), Value::Float64(value)) =
                (part(&message, "metric").as_i64(), part(&message, "value"))
            {
                host.record_metric(u64::try_from(metric).unwrap_or(u64::MAX), *value);
            }
            done()
        }
        method::WAIT => answer(&host.wait(duration(args)?)),
        method::IS_STOPPING => answer(&host.is_stopping()),
        _ => Ok(None),
    }
}

impl<H: ConnectorHost> HostServices for ConnectorServices<H> {
    fn call(&self, method: u32, args: &[u8]) -> Result<Option<Vec<u8>>> {
        match method {
            method::REQUEST_TASK_RECONFIGURATION => {
                self.0.request_task_reconfiguration();
                done()
            }
            method::RAISE_ERROR => {
                self.0.raise_error(ConnectError::from_bytes(args)?);
                done()
            }
            method::OFFSETS => answer(&self.0.offsets(&Vec::<OffsetMap>::from_bytes(args)?)?),
            method::CONFIGS => answer(&self.0.configs()),
            _ => common(self.0.as_ref(), method, args),
        }
    }
}

impl<H: SourceTaskHost> HostServices for SourceTaskServices<H> {
    fn call(&self, method: u32, args: &[u8]) -> Result<Option<Vec<u8>>> {
        match method {
            method::OFFSETS => answer(&self.0.offsets(&Vec::<OffsetMap>::from_bytes(args)?)?),
            method::CONFIGS => answer(&self.0.configs()),
            method::HAS_TRANSACTION_CONTEXT => answer(&self.0.has_transaction_context()),
            method::END_TRANSACTION => {
                self.0.end_transaction(TransactionEnd::from_bytes(args)?)?;
                done()
            }
            _ => common(self.0.as_ref(), method, args),
        }
    }
}

impl<H: SinkTaskHost> HostServices for SinkTaskServices<H> {
    fn call(&self, method: u32, args: &[u8]) -> Result<Option<Vec<u8>>> {
        match method {
            method::CONFIGS => answer(&self.0.configs()),
            method::REWIND => {
                self.0.rewind(&Offsets::from_bytes(args)?);
                done()
            }
            method::TIMEOUT => {
                self.0.timeout(duration(args)?);
                done()
            }
            method::ASSIGNMENT => answer(&self.0.assignment()),
            method::PAUSE => {
                self.0.pause(&Vec::<TopicPartition>::from_bytes(args)?)?;
                done()
            }
            method::RESUME => {
                self.0.resume(&Vec::<TopicPartition>::from_bytes(args)?)?;
                done()
            }
            method::REQUEST_COMMIT => {
                self.0.request_commit();
                done()
            }
            method::CAN_REPORT_ERRORS => answer(&self.0.can_report_errors()),
            method::REPORT_ERROR => {
                let message = Value::from_bytes(args)?;
                let record = ReportedRecord::from_value(part(&message, "record"))?;
                let error = ConnectError::from_value(part(&message, "error"))?;
                answer(&i64::try_from(self.0.report_error(&record, &error)?).unwrap_or(i64::MAX))
            }
            method::AWAIT_REPORT => {
                self.0
                    .await_report(u64::try_from(i64::from_bytes(args)?).unwrap_or(u64::MAX))?;
                done()
            }
            _ => common(self.0.as_ref(), method, args),
        }
    }
}
