//! Numbers of the methods that are called across the border. A number is never reused.

/// Methods of plugin instances.
pub mod plugin {
    /// Configuration keys. All kinds but tasks.
    pub const CONFIG: u32 = 1;
    /// Connector, and since interface 1.1 converter, header converter, transformation and predicate: check a configuration.
    pub const VALIDATE: u32 = 2;
    /// Connector: start.
    pub const CONNECTOR_START: u32 = 3;
    /// Connector: configurations of tasks.
    pub const TASK_CONFIGS: u32 = 4;
    /// Connector: stop.
    pub const CONNECTOR_STOP: u32 = 5;
    /// Source connector: exactly-once support.
    pub const EXACTLY_ONCE_SUPPORT: u32 = 6;
    /// Source connector: transaction boundaries.
    pub const TRANSACTION_BOUNDARIES: u32 = 7;
    /// Connector: a user changes offsets.
    pub const ALTER_OFFSETS: u32 = 8;

    /// Source task: what it wants of the worker.
    pub const SOURCE_DESCRIBE: u32 = 20;
    /// Source task: start.
    pub const SOURCE_START: u32 = 21;
    /// Source task: the next batch.
    pub const SOURCE_POLL: u32 = 22;
    /// Source task: offsets were committed.
    pub const SOURCE_COMMIT: u32 = 23;
    /// Source task: records were acknowledged or dropped.
    pub const SOURCE_COMMIT_RECORDS: u32 = 24;
    /// Source task: stop.
    pub const SOURCE_STOP: u32 = 25;

    /// Sink task: start.
    pub const SINK_START: u32 = 30;
    /// Sink task: partitions come.
    pub const SINK_OPEN: u32 = 31;
    /// Sink task: a batch.
    pub const SINK_PUT: u32 = 32;
    /// Sink task: which offsets are safe.
    pub const SINK_PRE_COMMIT: u32 = 33;
    /// Sink task: partitions go.
    pub const SINK_CLOSE: u32 = 34;
    /// Sink task: stop.
    pub const SINK_STOP: u32 = 35;

    /// Converter, header converter, transformation, predicate, provider, policy: set up.
    pub const CONFIGURE: u32 = 40;
    /// Converter, header converter: values to bytes, a batch at a time.
    pub const ENCODE: u32 = 41;
    /// Converter, header converter: bytes to values, a batch at a time.
    pub const DECODE: u32 = 42;
    /// Transformation: a batch.
    pub const APPLY: u32 = 43;
    /// Predicate: a batch.
    pub const TEST: u32 = 44;
    /// Config provider: look up.
    pub const GET: u32 = 45;
    /// Override policy: decide.
    pub const CHECK_OVERRIDES: u32 = 46;
}

/// Methods of the worker.
pub mod host {
    /// Register a metric.
    pub const REGISTER_METRIC: u32 = 1;
    /// Move a metric.
    pub const RECORD_METRIC: u32 = 2;
    /// Wait, unless stopping.
    pub const WAIT: u32 = 3;
    /// Whether to stop.
    pub const IS_STOPPING: u32 = 4;
    /// Stored source offsets.
    pub const OFFSETS: u32 = 5;
    /// Present configuration of the task or connector.
    pub const CONFIGS: u32 = 6;
    /// New task configurations, please.
    pub const REQUEST_TASK_RECONFIGURATION: u32 = 7;
    /// The connector failed.
    pub const RAISE_ERROR: u32 = 8;
    /// Whether the task says where transactions end.
    pub const HAS_TRANSACTION_CONTEXT: u32 = 9;
    /// End a transaction.
    pub const END_TRANSACTION: u32 = 10;
    /// Go to other offsets.
    pub const REWIND: u32 = 11;
    /// Limit the next wait for records.
    pub const TIMEOUT: u32 = 12;
    /// Assigned partitions.
    pub const ASSIGNMENT: u32 = 13;
    /// Read no more from partitions.
    pub const PAUSE: u32 = 14;
    /// Read again from partitions.
    pub const RESUME: u32 = 15;
    /// Commit soon.
    pub const REQUEST_COMMIT: u32 = 16;
    /// Whether failed records can be reported.
    pub const CAN_REPORT_ERRORS: u32 = 17;
    /// Report a failed record.
    pub const REPORT_ERROR: u32 = 18;
    /// Wait for a report.
    pub const AWAIT_REPORT: u32 = 19;
    /// Converter: whether records of a batch may be answered with [`postponed`](crate::message::postponed).
    pub const TAKES_POSTPONED: u32 = 20;
}
