//! The table of the catalogue: number of a metric, how it moves, upstream's attribute, its name, labels of its own, meaning.

use super::{Group, Kind, MetricDef};

static APP: Group = Group {
    upstream: Some("app-info"),
    labels: &[],
    doc: "This worker.",
};
static CONNECTOR: Group = Group {
    upstream: Some("connector-metrics"),
    labels: &["connector"],
    doc: "A connector instance that is on this worker.",
};
static TASK: Group = Group {
    upstream: Some("connector-task-metrics"),
    labels: &["connector", "task"],
    doc: "A task that is on this worker, whether it runs or has failed.",
};
static TRANSFORM: Group = Group {
    upstream: Some("connector-transform-metrics"),
    labels: &["connector", "task", "transform"],
    doc: "A transform of a task that is on this worker, by its alias.",
};
static PREDICATE: Group = Group {
    upstream: Some("connector-predicate-metrics"),
    labels: &["connector", "task", "predicate"],
    doc: "A predicate that a transform of a task on this worker asks, by its alias.",
};
static SOURCE: Group = Group {
    upstream: Some("source-task-metrics"),
    labels: &["connector", "task"],
    doc: "A source task that is on this worker.",
};
static SINK: Group = Group {
    upstream: Some("sink-task-metrics"),
    labels: &["connector", "task"],
    doc: "A sink task that is on this worker.",
};
static ERROR: Group = Group {
    upstream: Some("task-error-metrics"),
    labels: &["connector", "task"],
    doc: "What went wrong with single records of a task that is on this worker.",
};
static WORKER: Group = Group {
    upstream: Some("connect-worker-metrics"),
    labels: &[],
    doc: "This worker.",
};
static WORKER_CONNECTOR: Group = Group {
    upstream: Some("connect-worker-metrics"),
    labels: &["connector"],
    doc: "A connector of which at least one task is on this worker.",
};
static REBALANCE: Group = Group {
    upstream: Some("connect-worker-rebalance-metrics"),
    labels: &[],
    doc: "This worker as a member of its group; distributed mode only.",
};
static COORDINATOR: Group = Group {
    upstream: Some("connect-coordinator-metrics"),
    labels: &["client_id"],
    doc: "The client by which this worker is a member of its group; distributed mode only.",
};
static OWN_TASK: Group = Group {
    upstream: None,
    labels: &["connector", "task"],
    doc: "A task that is on this worker.",
};
static OWN_WORKER: Group = Group {
    upstream: None,
    labels: &[],
    doc: "This worker.",
};

catalogue! {
    APP {
        AppInfo Info "version, commit-id" "kafka_connect_app_info" ["worker_id", "version", "commit_id", "connect_kafka_cluster_id", "connect_group_id"]
            "The worker; connect_group_id in distributed mode only, and one label more for each metrics.context. property";
        AppStartTime Gauge "start-time-ms" "kafka_connect_app_info_start_time_ms"
            "When the worker started, in milliseconds since 1970";
    }
    CONNECTOR {
        ConnectorInfo Info "connector-type, connector-class, connector-version" "kafka_connect_connector_info" ["connector_type", "connector_class", "connector_version"]
            "What the connector is: source or sink, its class, the version that its plugin states";
        ConnectorStatus Gauge "status" "kafka_connect_connector_status" ["status"]
            "1, with the state in lower case: unassigned, running, paused, stopped, failed or restarting";
    }
    TASK {
        TaskInfo Info "connector-type, connector-class, connector-version, task-class, task-version, key-converter-class, key-converter-version, value-converter-class, value-converter-version, header-converter-class, header-converter-version" "kafka_connect_connector_task_info" ["connector_type", "connector_class", "connector_version", "task_class", "task_version", "key_converter_class", "key_converter_version", "value_converter_class", "value_converter_version", "header_converter_class", "header_converter_version"]
            "What the task is made of: its connector, its class and its converters, each with the version that its plugin states; a task's version is its connector's";
        TaskStatus Gauge "status" "kafka_connect_connector_task_status" ["status"]
            "1, with the state in lower case: unassigned, running, paused, failed or restarting";
        RunningRatio Gauge "running-ratio" "kafka_connect_connector_task_running_ratio"
            "Share of the task's life in which it was running, 0 to 1";
        PauseRatio Gauge "pause-ratio" "kafka_connect_connector_task_pause_ratio"
            "Share of the task's life in which it was paused, 0 to 1";
        OffsetCommitMaxTime Gauge "offset-commit-max-time-ms" "kafka_connect_connector_task_offset_commit_max_time_ms"
            "Longest time of a successful commit of offsets";
        OffsetCommitAvgTime Gauge "offset-commit-avg-time-ms" "kafka_connect_connector_task_offset_commit_avg_time_ms"
            "Mean time of successful commits of offsets";
        BatchSizeMax Gauge "batch-size-max" "kafka_connect_connector_task_batch_size_max"
            "Most records in one batch";
        BatchSizeAvg Gauge "batch-size-avg" "kafka_connect_connector_task_batch_size_avg"
            "Mean number of records in a batch";
        OffsetCommitFailurePercentage Gauge "offset-commit-failure-percentage" "kafka_connect_connector_task_offset_commit_failure_percentage"
            "Share of the commits of offsets that failed, 0 to 1";
        OffsetCommitSuccessPercentage Gauge "offset-commit-success-percentage" "kafka_connect_connector_task_offset_commit_success_percentage"
            "Share of the commits of offsets that succeeded, 0 to 1";
    }
    TRANSFORM {
        TransformInfo Info "transform-class, transform-version" "kafka_connect_connector_transform_info" ["transform_class", "transform_version"]
            "The transform's class, and the version that its plugin states";
    }
    PREDICATE {
        PredicateInfo Info "predicate-class, predicate-version" "kafka_connect_connector_predicate_info" ["predicate_class", "predicate_version"]
            "The predicate's class, and the version that its plugin states";
    }
    SOURCE {
        SourceRecordPollRate Gauge "source-record-poll-rate" "kafka_connect_source_task_source_record_poll_rate"
            "Records that the task gave, per second";
        SourceRecordPollTotal Counter "source-record-poll-total" "kafka_connect_source_task_source_record_poll_total"
            "Records that the task gave";
        SourceRecordWriteRate Gauge "source-record-write-rate" "kafka_connect_source_task_source_record_write_rate"
            "Records that Kafka acknowledged, per second; not those that were filtered out or skipped";
        SourceRecordWriteTotal Counter "source-record-write-total" "kafka_connect_source_task_source_record_write_total"
            "Records that Kafka acknowledged; not those that were filtered out or skipped";
        PollBatchMaxTime Gauge "poll-batch-max-time-ms" "kafka_connect_source_task_poll_batch_max_time_ms"
            "Longest time that the task took to give records";
        PollBatchAvgTime Gauge "poll-batch-avg-time-ms" "kafka_connect_source_task_poll_batch_avg_time_ms"
            "Mean time that the task took to give records";
        SourceRecordActiveCount Gauge "source-record-active-count" "kafka_connect_source_task_source_record_active_count"
            "Records that the task gave and that are not written yet";
        SourceRecordActiveCountMax Gauge "source-record-active-count-max" "kafka_connect_source_task_source_record_active_count_max"
            "Most records that were given and not written yet";
        SourceRecordActiveCountAvg Gauge "source-record-active-count-avg" "kafka_connect_source_task_source_record_active_count_avg"
            "Mean number of records that were given and not written yet";
        TransactionSizeMin Gauge "transaction-size-min" "kafka_connect_source_task_transaction_size_min"
            "Fewest records in a committed transaction (exactly-once)";
        TransactionSizeMax Gauge "transaction-size-max" "kafka_connect_source_task_transaction_size_max"
            "Most records in a committed transaction (exactly-once)";
        TransactionSizeAvg Gauge "transaction-size-avg" "kafka_connect_source_task_transaction_size_avg"
            "Mean number of records in a committed transaction (exactly-once)";
    }
    SINK {
        SinkRecordReadRate Gauge "sink-record-read-rate" "kafka_connect_sink_task_sink_record_read_rate"
            "Records read from Kafka, before transformations, per second";
        SinkRecordReadTotal Counter "sink-record-read-total" "kafka_connect_sink_task_sink_record_read_total"
            "Records read from Kafka, before transformations";
        SinkRecordSendRate Gauge "sink-record-send-rate" "kafka_connect_sink_task_sink_record_send_rate"
            "Records that the task took, per second";
        SinkRecordSendTotal Counter "sink-record-send-total" "kafka_connect_sink_task_sink_record_send_total"
            "Records that the task took";
        PartitionCount Gauge "partition-count" "kafka_connect_sink_task_partition_count"
            "Topic partitions that are assigned to the task";
        OffsetCommitSeqNo Gauge "offset-commit-seq-no" "kafka_connect_sink_task_offset_commit_seq_no"
            "Number of the last commit of offsets that was begun";
        OffsetCommitCompletionRate Gauge "offset-commit-completion-rate" "kafka_connect_sink_task_offset_commit_completion_rate"
            "Commits of offsets that succeeded, those without news included, per second";
        OffsetCommitCompletionTotal Counter "offset-commit-completion-total" "kafka_connect_sink_task_offset_commit_completion_total"
            "Commits of offsets that succeeded, those without news included";
        OffsetCommitSkipRate Gauge "offset-commit-skip-rate" "kafka_connect_sink_task_offset_commit_skip_rate"
            "Commits that were answered after they had been given up, per second";
        OffsetCommitSkipTotal Counter "offset-commit-skip-total" "kafka_connect_sink_task_offset_commit_skip_total"
            "Commits that were answered after they had been given up";
        PutBatchMaxTime Gauge "put-batch-max-time-ms" "kafka_connect_sink_task_put_batch_max_time_ms"
            "Longest time that the task took to take a batch";
        PutBatchAvgTime Gauge "put-batch-avg-time-ms" "kafka_connect_sink_task_put_batch_avg_time_ms"
            "Mean time that the task took to take a batch";
        SinkRecordActiveCount Gauge "sink-record-active-count" "kafka_connect_sink_task_sink_record_active_count"
            "Records that were read and whose offsets are not committed yet";
        SinkRecordActiveCountMax Gauge "sink-record-active-count-max" "kafka_connect_sink_task_sink_record_active_count_max"
            "Most records that were read and not committed yet";
        SinkRecordActiveCountAvg Gauge "sink-record-active-count-avg" "kafka_connect_sink_task_sink_record_active_count_avg"
            "Mean number of records that were read and not committed yet";
    }
    ERROR {
        RecordFailures Counter "total-record-failures" "kafka_connect_task_error_record_failures_total"
            "Attempts of an operation with a record that failed, retries included";
        RecordErrors Counter "total-record-errors" "kafka_connect_task_error_record_errors_total"
            "Operations with a record that failed in the end";
        RecordsSkipped Counter "total-records-skipped" "kafka_connect_task_error_records_skipped_total"
            "Records that were skipped because of errors";
        Retries Counter "total-retries" "kafka_connect_task_error_retries_total"
            "Operations that were tried again";
        ErrorsLogged Counter "total-errors-logged" "kafka_connect_task_error_errors_logged_total"
            "Errors that were written to the log";
        DeadLetterRequests Counter "deadletterqueue-produce-requests" "kafka_connect_task_error_deadletterqueue_produce_requests_total"
            "Records that were to be written to the dead letter queue";
        DeadLetterFailures Counter "deadletterqueue-produce-failures" "kafka_connect_task_error_deadletterqueue_produce_failures_total"
            "Records that could not be written to the dead letter queue";
        LastErrorTimestamp Gauge "last-error-timestamp" "kafka_connect_task_error_last_error_timestamp_ms"
            "When an operation failed last, in milliseconds since 1970; 0 for never";
    }
    WORKER {
        ConnectorCount Gauge "connector-count" "kafka_connect_worker_connector_count"
            "Connector instances on this worker";
        TaskCount Gauge "task-count" "kafka_connect_worker_task_count"
            "Tasks on this worker";
        ConnectorStartupAttempts Counter "connector-startup-attempts-total" "kafka_connect_worker_connector_startup_attempts_total"
            "Starts of connectors that have come to an end";
        ConnectorStartupSuccess Counter "connector-startup-success-total" "kafka_connect_worker_connector_startup_success_total"
            "Starts of connectors that succeeded";
        ConnectorStartupFailure Counter "connector-startup-failure-total" "kafka_connect_worker_connector_startup_failure_total"
            "Starts of connectors that failed";
        ConnectorStartupSuccessPercentage Gauge "connector-startup-success-percentage" "kafka_connect_worker_connector_startup_success_percentage"
            "Share of the starts of connectors that succeeded, 0 to 1";
        ConnectorStartupFailurePercentage Gauge "connector-startup-failure-percentage" "kafka_connect_worker_connector_startup_failure_percentage"
            "Share of the starts of connectors that failed, 0 to 1";
        TaskStartupAttempts Counter "task-startup-attempts-total" "kafka_connect_worker_task_startup_attempts_total"
            "Starts of tasks that have come to an end";
        TaskStartupSuccess Counter "task-startup-success-total" "kafka_connect_worker_task_startup_success_total"
            "Starts of tasks that succeeded";
        TaskStartupFailure Counter "task-startup-failure-total" "kafka_connect_worker_task_startup_failure_total"
            "Tasks that failed before they were running";
        TaskStartupSuccessPercentage Gauge "task-startup-success-percentage" "kafka_connect_worker_task_startup_success_percentage"
            "Share of the starts of tasks that succeeded, 0 to 1";
        TaskStartupFailurePercentage Gauge "task-startup-failure-percentage" "kafka_connect_worker_task_startup_failure_percentage"
            "Share of the starts of tasks that failed, 0 to 1";
    }
    WORKER_CONNECTOR {
        ConnectorTotalTasks Gauge "connector-total-task-count" "kafka_connect_worker_connector_total_task_count"
            "Tasks of the connector that are on this worker";
        ConnectorRunningTasks Gauge "connector-running-task-count" "kafka_connect_worker_connector_running_task_count"
            "Tasks of the connector on this worker that are running";
        ConnectorPausedTasks Gauge "connector-paused-task-count" "kafka_connect_worker_connector_paused_task_count"
            "Tasks of the connector on this worker that are paused";
        ConnectorFailedTasks Gauge "connector-failed-task-count" "kafka_connect_worker_connector_failed_task_count"
            "Tasks of the connector on this worker that have failed";
        ConnectorUnassignedTasks Gauge "connector-unassigned-task-count" "kafka_connect_worker_connector_unassigned_task_count"
            "Tasks of the connector on this worker that are not running yet";
        ConnectorDestroyedTasks Gauge "connector-destroyed-task-count" "kafka_connect_worker_connector_destroyed_task_count"
            "Always 0: a task that is destroyed is on no worker";
        ConnectorRestartingTasks Gauge "connector-restarting-task-count" "kafka_connect_worker_connector_restarting_task_count"
            "Tasks of the connector on this worker that are being restarted";
    }
    REBALANCE {
        RebalanceInfo Info "connect-protocol, leader-name" "kafka_connect_worker_rebalance_info" ["connect_protocol", "leader_name"]
            "EAGER, COMPATIBLE or SESSIONED, and the URL of the leader; empty before the first generation";
        Epoch Gauge "epoch" "kafka_connect_worker_rebalance_epoch"
            "Generation of the group that this worker joined last; -1 before the first";
        CompletedRebalances Counter "completed-rebalances-total" "kafka_connect_worker_rebalance_completed_rebalances_total"
            "Rebalances after which this worker began to work";
        Rebalancing Gauge "rebalancing" "kafka_connect_worker_rebalance_rebalancing"
            "1 from an assignment until it is carried out, otherwise 0";
        RebalanceMaxTime Gauge "rebalance-max-time-ms" "kafka_connect_worker_rebalance_rebalance_max_time_ms"
            "Longest time from an assignment until it was carried out";
        RebalanceAvgTime Gauge "rebalance-avg-time-ms" "kafka_connect_worker_rebalance_rebalance_avg_time_ms"
            "Mean time from an assignment until it was carried out";
        TimeSinceLastRebalance Gauge "time-since-last-rebalance-ms" "kafka_connect_worker_rebalance_time_since_last_rebalance_ms"
            "Time since an assignment was carried out last; infinite before the first";
    }
    COORDINATOR {
        AssignedConnectors Gauge "assigned-connectors" "kafka_connect_coordinator_assigned_connectors"
            "Connectors that are assigned to this worker";
        AssignedTasks Gauge "assigned-tasks" "kafka_connect_coordinator_assigned_tasks"
            "Tasks that are assigned to this worker";
        HeartbeatRate Gauge "heartbeat-rate" "kafka_connect_coordinator_heartbeat_rate"
            "Heartbeats that were answered, per second";
        HeartbeatTotal Counter "heartbeat-total" "kafka_connect_coordinator_heartbeat_total"
            "Heartbeats that were answered";
        HeartbeatResponseTimeMax Gauge "heartbeat-response-time-max" "kafka_connect_coordinator_heartbeat_response_time_max_ms"
            "Longest time until a heartbeat was answered";
        LastHeartbeatSecondsAgo Gauge "last-heartbeat-seconds-ago" "kafka_connect_coordinator_last_heartbeat_seconds_ago"
            "Time since a heartbeat was sent last; -1 for never";
        JoinRate Gauge "join-rate" "kafka_connect_coordinator_join_rate"
            "JoinGroup requests that succeeded, per second";
        JoinTotal Counter "join-total" "kafka_connect_coordinator_join_total"
            "JoinGroup requests that succeeded";
        JoinTimeAvg Gauge "join-time-avg" "kafka_connect_coordinator_join_time_avg_ms"
            "Mean time of JoinGroup requests that succeeded";
        JoinTimeMax Gauge "join-time-max" "kafka_connect_coordinator_join_time_max_ms"
            "Longest time of a JoinGroup request that succeeded";
        SyncRate Gauge "sync-rate" "kafka_connect_coordinator_sync_rate"
            "SyncGroup requests that succeeded, per second";
        SyncTotal Counter "sync-total" "kafka_connect_coordinator_sync_total"
            "SyncGroup requests that succeeded";
        SyncTimeAvg Gauge "sync-time-avg" "kafka_connect_coordinator_sync_time_avg_ms"
            "Mean time of SyncGroup requests that succeeded";
        SyncTimeMax Gauge "sync-time-max" "kafka_connect_coordinator_sync_time_max_ms"
            "Longest time of a SyncGroup request that succeeded";
        RebalanceTotal Counter "rebalance-total" "kafka_connect_coordinator_rebalance_total"
            "Rebalances that succeeded";
        RebalanceRatePerHour Gauge "rebalance-rate-per-hour" "kafka_connect_coordinator_rebalance_rate_per_hour"
            "Rebalances that succeeded, per hour";
        RebalanceLatencyAvg Gauge "rebalance-latency-avg" "kafka_connect_coordinator_rebalance_latency_avg_ms"
            "Mean time from the first JoinGroup request of a rebalance to its assignment";
        RebalanceLatencyMax Gauge "rebalance-latency-max" "kafka_connect_coordinator_rebalance_latency_max_ms"
            "Longest time from the first JoinGroup request of a rebalance to its assignment";
        RebalanceLatencyTotal Counter "rebalance-latency-total" "kafka_connect_coordinator_rebalance_latency_ms_total"
            "Time from the first JoinGroup requests of rebalances to their assignments, in all";
        FailedRebalanceTotal Counter "failed-rebalance-total" "kafka_connect_coordinator_failed_rebalance_total"
            "JoinGroup and SyncGroup requests that failed";
        FailedRebalanceRatePerHour Gauge "failed-rebalance-rate-per-hour" "kafka_connect_coordinator_failed_rebalance_rate_per_hour"
            "JoinGroup and SyncGroup requests that failed, per hour";
        LastRebalanceSecondsAgo Gauge "last-rebalance-seconds-ago" "kafka_connect_coordinator_last_rebalance_seconds_ago"
            "Time since a rebalance succeeded last; -1 for never";
    }
    OWN_TASK {
        BatchStageSeconds Histogram "" "wharf_task_batch_stage_seconds" ["stage"]
            "Time of a step over a whole batch, by stage: poll, border (reading or making the bytes that cross to the plugin), put and commit";
        RecordStageSeconds Histogram "" "wharf_task_record_stage_seconds" ["stage"]
            "Time of a step with one record, by stage: transform, convert and send; one record of 61 is timed";
        RecordLagSeconds Histogram "" "wharf_task_record_lag_seconds"
            "Age of records, by their timestamps, when a sink task had taken them or Kafka had acknowledged those of a source task";
    }
    OWN_WORKER {
        WorkerMemoryHeld Gauge "" "wharf_worker_memory_held_bytes"
            "Bytes of records that the worker's tasks hold or have reserved";
        WorkerMemoryLimit Gauge "" "wharf_worker_memory_limit_bytes"
            "Bytes of records that they may hold: wharf.worker.memory.max.bytes";
        WorkerLease Gauge "" "wharf_worker_lease_valid"
            "1 while the work of this worker is surely its own, otherwise 0; always 1 in standalone mode";
    }
}
