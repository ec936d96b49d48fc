//! `FileStreamSource` and `FileStreamSink`: lines of a file to a topic, and records of topics to a file.
//!
//! The simplest connectors there are, so they are also the pattern for others: the source writes lines from its read
//! buffer straight into the batch, the sink walks the batch where it lies, and neither allocates per record.
//!
//! Behaviour, keys and messages are those of the connectors bundled with Kafka. The deliberate differences:
//!
//! - the source's `position` counts bytes; upstream counts characters and skips that many bytes, so it resumes in the
//!   wrong place after text that is not ASCII,
//! - a file that exists but cannot be read fails the task; upstream stays silent,
//! - a `poll` also ends when it has about 1 MiB, so that long lines do not fill the memory,
//! - standard input is read by a thread of its own, so that a task without input still stops at once; what a stopped
//!   task has read but not emitted goes to the next one instead of being lost.

mod file_stream_sink_connector;
mod file_stream_sink_task;
mod file_stream_source_connector;
mod file_stream_source_task;
mod input;
mod line_buffer;
mod stdin;

pub use file_stream_sink_connector::FileStreamSinkConnector;
pub use file_stream_sink_task::FileStreamSinkTask;
pub use file_stream_source_connector::FileStreamSourceConnector;
pub use file_stream_source_task::FileStreamSourceTask;

/// The key of the file's path; without it the console is used.
pub const FILE_CONFIG: &str = "file";
/// The key of the topic that lines go to.
pub const TOPIC_CONFIG: &str = "topic";
/// The key of the largest number of lines per `poll`.
pub const BATCH_SIZE_CONFIG: &str = "batch.size";

/// The path of the file in a parsed configuration. An empty one is as good as none.
fn file(config: &wharf_api::config::ParsedConfig) -> Option<&str> {
    config.get_string(FILE_CONFIG).filter(|path| !path.is_empty())
}

wharf_abi::export_plugins! {
    source_connector FileStreamSourceConnector {
        class: "org.apache.kafka.connect.file.FileStreamSourceConnector",
        task_class: "org.apache.kafka.connect.file.FileStreamSourceTask",
    }
    sink_connector FileStreamSinkConnector {
        class: "org.apache.kafka.connect.file.FileStreamSinkConnector",
        task_class: "org.apache.kafka.connect.file.FileStreamSinkTask",
    }
}
