//! Tasks behind the border.

use std::sync::Arc;

use wharf_api::batch::RecordBatchRef;
use wharf_api::flat::SchemaCache;
use wharf_api::{
    ConfigMap, ConnectError, Offsets, RecordBatch, Result, SinkTask, SinkTaskContext, SourceTask,
    SourceTaskContext, TopicPartition, Value,
};

use super::host::HostObject;
use super::panics::contain;
use super::{Instance, Response};
use crate::message::{Message, RecordAck, map, part};
use crate::method::plugin as method;

/// After a batch larger than this the buffer gives memory back.
const KEPT_BUFFER: usize = 4 << 20;

pub(super) struct SourceTaskInstance<T> {
    task: T,
    host: Arc<HostObject>,
    batch: RecordBatch,
    /// The finished bytes of `batch`; empty when there are no records.
    ready: bool,
    schemas: SchemaCache,
}

impl<T: SourceTask> SourceTaskInstance<T> {
    pub(super) fn new(host: HostObject) -> Self {
        Self {
            task: T::default(),
            host: Arc::new(host),
            batch: RecordBatch::new(),
            ready: false,
            schemas: SchemaCache::default(),
        }
    }

    fn commit_records(&mut self, args: &[u8]) -> Result<()> {
        let message = wharf_api::flat::decode_value(args)?;
        let Value::Bytes(bytes) = part(&message, "batch") else {
            return Err(ConnectError::data(
                "a message on the plugin border has no valid batch",
            ));
        };
        let acks = Vec::<RecordAck>::from_value(part(&message, "acks"))?;
        let batch = RecordBatchRef::parse(bytes, &mut self.schemas)?;
        let mut first_error = None;
        let mut acks = acks.into_iter().peekable();
        for (position, record) in batch.iter().enumerate() {
            let record = record?;
            while let Some(ack) = acks.next_if(|ack| ack.record == position) {
                // One that panics must not keep the others from being told.
                let told = contain(|| self.task.commit_record(&record, ack.metadata.as_ref()));
                if let Err(error) = told {
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

impl<T: SourceTask> Instance for SourceTaskInstance<T> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        match method {
            method::SOURCE_POLL => {
                self.ready = false;
                self.batch.clear();
                self.batch.shrink_to(KEPT_BUFFER);
                self.task.poll(&mut self.batch)?;
                if self.batch.is_empty() {
                    return Response::none();
                }
                self.batch.finish()?;
                self.ready = true;
                Ok(Some(Response::Kept))
            }
            method::SOURCE_DESCRIBE => {
                Response::message(&map([("commits_records", T::COMMITS_RECORDS.into())]))
            }
            method::SOURCE_START => {
                let context = SourceTaskContext::new(Arc::clone(&self.host));
                self.task.start(context, &ConfigMap::from_bytes(args)?)?;
                Response::none()
            }
            method::SOURCE_COMMIT => {
                self.task.commit()?;
                Response::none()
            }
            method::SOURCE_COMMIT_RECORDS => {
                self.commit_records(args)?;
                Response::none()
            }
            method::SOURCE_STOP => {
                self.task.stop()?;
                Response::none()
            }
            _ => Ok(None),
        }
    }

    fn kept(&self) -> &[u8] {
        if self.ready {
            self.batch.finished_bytes()
        } else {
            &[]
        }
    }
}

pub(super) struct SinkTaskInstance<T> {
    task: T,
    host: Arc<HostObject>,
    schemas: SchemaCache,
}

impl<T: SinkTask> SinkTaskInstance<T> {
    pub(super) fn new(host: HostObject) -> Self {
        Self {
            task: T::default(),
            host: Arc::new(host),
            schemas: SchemaCache::default(),
        }
    }
}

impl<T: SinkTask> Instance for SinkTaskInstance<T> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        match method {
            method::SINK_PUT => {
                let batch = RecordBatchRef::parse(args, &mut self.schemas)?;
                self.task.put(&batch)?;
                Response::none()
            }
            method::SINK_START => {
                let context = SinkTaskContext::new(Arc::clone(&self.host));
                self.task.start(context, &ConfigMap::from_bytes(args)?)?;
                Response::none()
            }
            method::SINK_OPEN => {
                self.task.open(&Vec::<TopicPartition>::from_bytes(args)?)?;
                Response::none()
            }
            method::SINK_PRE_COMMIT => Response::message(&self.task.pre_commit(&Offsets::from_bytes(args)?)?),
            method::SINK_CLOSE => {
                self.task.close(&Vec::<TopicPartition>::from_bytes(args)?)?;
                Response::none()
            }
            method::SINK_STOP => {
                self.task.stop()?;
                Response::none()
            }
            _ => Ok(None),
        }
    }
}
