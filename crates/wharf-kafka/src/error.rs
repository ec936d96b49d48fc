//! How this crate fails: one error enum, and what each Kafka error code means.
//!
//! Codes are kept as plain numbers, never as a closed enum, because a newer broker may answer with a
//! code this build has not heard of. Positive codes come from the broker (and −1), codes from −200 to
//! −100 are local to the client library. Each code knows its Kafka name, the Java exception class that
//! users of the Java clients see for it, and whether trying again can help; status traces and REST
//! answers rely on those names.

use std::fmt;

/// Package of the exceptions of the Java clients.
const JAVA: &str = "org.apache.kafka.common.errors.";

/// A Kafka error code, of the broker or of the client library.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i32);

/// What is known about one code.
struct Fact {
    code: i32,
    name: &'static str,
    java: &'static str,
    retriable: bool,
}

const fn fatal(code: i32, name: &'static str, java: &'static str) -> Fact {
    Fact {
        code,
        name,
        java,
        retriable: false,
    }
}

const fn retry(code: i32, name: &'static str, java: &'static str) -> Fact {
    Fact {
        code,
        name,
        java,
        retriable: true,
    }
}

/// The codes by number; `ErrorCode::fact` searches it by bisection, so it must stay sorted.
const FACTS: &[Fact] = &[
    retry(-195, "_TRANSPORT", "NetworkException"),
    fatal(-194, "_CRIT_SYS_RESOURCE", "UnknownServerException"),
    retry(-193, "_RESOLVE", "NetworkException"),
    retry(-192, "_MSG_TIMED_OUT", "TimeoutException"),
    retry(-190, "_UNKNOWN_PARTITION", "UnknownTopicOrPartitionException"),
    retry(-188, "_UNKNOWN_TOPIC", "UnknownTopicOrPartitionException"),
    retry(-187, "_ALL_BROKERS_DOWN", "NetworkException"),
    fatal(-186, "_INVALID_ARG", "InvalidConfigurationException"),
    retry(-185, "_TIMED_OUT", "TimeoutException"),
    retry(-184, "_QUEUE_FULL", "TimeoutException"),
    fatal(-181, "_SSL", "SslAuthenticationException"),
    retry(-180, "_WAIT_COORD", "CoordinatorNotAvailableException"),
    fatal(-179, "_UNKNOWN_GROUP", "InvalidGroupIdException"),
    fatal(-172, "_STATE", "UnknownServerException"),
    fatal(-169, "_AUTHENTICATION", "SaslAuthenticationException"),
    retry(-166, "_TIMED_OUT_QUEUE", "TimeoutException"),
    fatal(-165, "_UNSUPPORTED_FEATURE", "UnsupportedVersionException"),
    fatal(-152, "_PURGE_QUEUE", "TransactionAbortedException"),
    fatal(-151, "_PURGE_INFLIGHT", "TransactionAbortedException"),
    fatal(-150, "_FATAL", "UnknownServerException"),
    fatal(-147, "_MAX_POLL_EXCEEDED", "UnknownMemberIdException"),
    fatal(-144, "_FENCED", "ProducerFencedException"),
    fatal(-142, "_ASSIGNMENT_LOST", "RebalanceInProgressException"),
    fatal(-140, "_AUTO_OFFSET_RESET", "OffsetOutOfRangeException"),
    fatal(-1, "UNKNOWN_SERVER_ERROR", "UnknownServerException"),
    fatal(1, "OFFSET_OUT_OF_RANGE", "OffsetOutOfRangeException"),
    retry(2, "CORRUPT_MESSAGE", "CorruptRecordException"),
    retry(
        3,
        "UNKNOWN_TOPIC_OR_PARTITION",
        "UnknownTopicOrPartitionException",
    ),
    fatal(4, "INVALID_FETCH_SIZE", "InvalidFetchSizeException"),
    retry(5, "LEADER_NOT_AVAILABLE", "LeaderNotAvailableException"),
    retry(6, "NOT_LEADER_OR_FOLLOWER", "NotLeaderOrFollowerException"),
    retry(7, "REQUEST_TIMED_OUT", "TimeoutException"),
    fatal(8, "BROKER_NOT_AVAILABLE", "BrokerNotAvailableException"),
    retry(9, "REPLICA_NOT_AVAILABLE", "ReplicaNotAvailableException"),
    fatal(10, "MESSAGE_TOO_LARGE", "RecordTooLargeException"),
    fatal(11, "STALE_CONTROLLER_EPOCH", "ControllerMovedException"),
    fatal(12, "OFFSET_METADATA_TOO_LARGE", "OffsetMetadataTooLarge"),
    retry(13, "NETWORK_EXCEPTION", "NetworkException"),
    retry(
        14,
        "COORDINATOR_LOAD_IN_PROGRESS",
        "CoordinatorLoadInProgressException",
    ),
    retry(
        15,
        "COORDINATOR_NOT_AVAILABLE",
        "CoordinatorNotAvailableException",
    ),
    retry(16, "NOT_COORDINATOR", "NotCoordinatorException"),
    fatal(17, "INVALID_TOPIC_EXCEPTION", "InvalidTopicException"),
    fatal(18, "RECORD_LIST_TOO_LARGE", "RecordBatchTooLargeException"),
    retry(19, "NOT_ENOUGH_REPLICAS", "NotEnoughReplicasException"),
    retry(
        20,
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        "NotEnoughReplicasAfterAppendException",
    ),
    fatal(21, "INVALID_REQUIRED_ACKS", "InvalidRequiredAcksException"),
    fatal(22, "ILLEGAL_GENERATION", "IllegalGenerationException"),
    fatal(
        23,
        "INCONSISTENT_GROUP_PROTOCOL",
        "InconsistentGroupProtocolException",
    ),
    fatal(24, "INVALID_GROUP_ID", "InvalidGroupIdException"),
    fatal(25, "UNKNOWN_MEMBER_ID", "UnknownMemberIdException"),
    fatal(26, "INVALID_SESSION_TIMEOUT", "InvalidSessionTimeoutException"),
    fatal(27, "REBALANCE_IN_PROGRESS", "RebalanceInProgressException"),
    fatal(
        28,
        "INVALID_COMMIT_OFFSET_SIZE",
        "InvalidCommitOffsetSizeException",
    ),
    fatal(29, "TOPIC_AUTHORIZATION_FAILED", "TopicAuthorizationException"),
    fatal(30, "GROUP_AUTHORIZATION_FAILED", "GroupAuthorizationException"),
    fatal(
        31,
        "CLUSTER_AUTHORIZATION_FAILED",
        "ClusterAuthorizationException",
    ),
    fatal(32, "INVALID_TIMESTAMP", "InvalidTimestampException"),
    fatal(
        33,
        "UNSUPPORTED_SASL_MECHANISM",
        "UnsupportedSaslMechanismException",
    ),
    fatal(34, "ILLEGAL_SASL_STATE", "IllegalSaslStateException"),
    fatal(35, "UNSUPPORTED_VERSION", "UnsupportedVersionException"),
    fatal(36, "TOPIC_ALREADY_EXISTS", "TopicExistsException"),
    fatal(37, "INVALID_PARTITIONS", "InvalidPartitionsException"),
    fatal(
        38,
        "INVALID_REPLICATION_FACTOR",
        "InvalidReplicationFactorException",
    ),
    fatal(
        39,
        "INVALID_REPLICA_ASSIGNMENT",
        "InvalidReplicaAssignmentException",
    ),
    fatal(40, "INVALID_CONFIG", "InvalidConfigurationException"),
    retry(41, "NOT_CONTROLLER", "NotControllerException"),
    fatal(42, "INVALID_REQUEST", "InvalidRequestException"),
    fatal(
        43,
        "UNSUPPORTED_FOR_MESSAGE_FORMAT",
        "UnsupportedForMessageFormatException",
    ),
    fatal(44, "POLICY_VIOLATION", "PolicyViolationException"),
    fatal(45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "OutOfOrderSequenceException"),
    fatal(46, "DUPLICATE_SEQUENCE_NUMBER", "DuplicateSequenceException"),
    fatal(47, "INVALID_PRODUCER_EPOCH", "InvalidProducerEpochException"),
    fatal(48, "INVALID_TXN_STATE", "InvalidTxnStateException"),
    fatal(49, "INVALID_PRODUCER_ID_MAPPING", "InvalidPidMappingException"),
    fatal(50, "INVALID_TRANSACTION_TIMEOUT", "InvalidTxnTimeoutException"),
    retry(51, "CONCURRENT_TRANSACTIONS", "ConcurrentTransactionsException"),
    fatal(
        52,
        "TRANSACTION_COORDINATOR_FENCED",
        "TransactionCoordinatorFencedException",
    ),
    fatal(
        53,
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "TransactionalIdAuthorizationException",
    ),
    fatal(54, "SECURITY_DISABLED", "SecurityDisabledException"),
    fatal(55, "OPERATION_NOT_ATTEMPTED", "OperationNotAttemptedException"),
    retry(56, "KAFKA_STORAGE_ERROR", "KafkaStorageException"),
    fatal(57, "LOG_DIR_NOT_FOUND", "LogDirNotFoundException"),
    fatal(58, "SASL_AUTHENTICATION_FAILED", "SaslAuthenticationException"),
    fatal(59, "UNKNOWN_PRODUCER_ID", "UnknownProducerIdException"),
    fatal(60, "REASSIGNMENT_IN_PROGRESS", "ReassignmentInProgressException"),
    fatal(68, "NON_EMPTY_GROUP", "GroupNotEmptyException"),
    fatal(69, "GROUP_ID_NOT_FOUND", "GroupIdNotFoundException"),
    retry(
        70,
        "FETCH_SESSION_ID_NOT_FOUND",
        "FetchSessionIdNotFoundException",
    ),
    retry(
        71,
        "INVALID_FETCH_SESSION_EPOCH",
        "InvalidFetchSessionEpochException",
    ),
    retry(72, "LISTENER_NOT_FOUND", "ListenerNotFoundException"),
    fatal(73, "TOPIC_DELETION_DISABLED", "TopicDeletionDisabledException"),
    retry(74, "FENCED_LEADER_EPOCH", "FencedLeaderEpochException"),
    retry(75, "UNKNOWN_LEADER_EPOCH", "UnknownLeaderEpochException"),
    fatal(
        76,
        "UNSUPPORTED_COMPRESSION_TYPE",
        "UnsupportedCompressionTypeException",
    ),
    fatal(77, "STALE_BROKER_EPOCH", "StaleBrokerEpochException"),
    retry(78, "OFFSET_NOT_AVAILABLE", "OffsetNotAvailableException"),
    fatal(79, "MEMBER_ID_REQUIRED", "MemberIdRequiredException"),
    retry(
        80,
        "PREFERRED_LEADER_NOT_AVAILABLE",
        "PreferredLeaderNotAvailableException",
    ),
    fatal(81, "GROUP_MAX_SIZE_REACHED", "GroupMaxSizeReachedException"),
    fatal(82, "FENCED_INSTANCE_ID", "FencedInstanceIdException"),
    retry(
        83,
        "ELIGIBLE_LEADERS_NOT_AVAILABLE",
        "EligibleLeadersNotAvailableException",
    ),
    retry(84, "ELECTION_NOT_NEEDED", "ElectionNotNeededException"),
    fatal(
        85,
        "NO_REASSIGNMENT_IN_PROGRESS",
        "NoReassignmentInProgressException",
    ),
    fatal(86, "GROUP_SUBSCRIBED_TO_TOPIC", "GroupSubscribedToTopicException"),
    fatal(87, "INVALID_RECORD", "InvalidRecordException"),
    retry(88, "UNSTABLE_OFFSET_COMMIT", "UnstableOffsetCommitException"),
    retry(
        89,
        "THROTTLING_QUOTA_EXCEEDED",
        "ThrottlingQuotaExceededException",
    ),
    fatal(90, "PRODUCER_FENCED", "ProducerFencedException"),
    retry(100, "UNKNOWN_TOPIC_ID", "UnknownTopicIdException"),
    fatal(110, "FENCED_MEMBER_EPOCH", "FencedMemberEpochException"),
    fatal(111, "UNRELEASED_INSTANCE_ID", "UnreleasedInstanceIdException"),
    fatal(112, "UNSUPPORTED_ASSIGNOR", "UnsupportedAssignorException"),
    fatal(113, "STALE_MEMBER_EPOCH", "StaleMemberEpochException"),
    fatal(120, "TRANSACTION_ABORTABLE", "TransactionAbortableException"),
];

impl ErrorCode {
    /// Success.
    pub const NONE: Self = Self(0);
    /// The record is larger than the client or the broker accepts.
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    /// Topic or partition does not exist (yet).
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// Nobody leads the partition yet.
    pub const LEADER_NOT_AVAILABLE: Self = Self(5);
    /// The broker that was asked does not lead the partition.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// The partition had an election that the client does not know of.
    pub const FENCED_LEADER_EPOCH: Self = Self(74);
    /// The client knows of a later election than the broker.
    pub const UNKNOWN_LEADER_EPOCH: Self = Self(75);
    /// The principal may not use the topic.
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// The principal may not use the group.
    pub const GROUP_AUTHORIZATION_FAILED: Self = Self(30);
    /// The principal may not do this on the cluster.
    pub const CLUSTER_AUTHORIZATION_FAILED: Self = Self(31);
    /// The broker does not know this request.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The cluster has fewer brokers than a topic should have replicas.
    pub const INVALID_REPLICATION_FACTOR: Self = Self(38);
    /// The topic to be created is there already.
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    /// Group offsets cannot be altered through a member that is not (or no longer) known: the group is in use.
    pub const UNKNOWN_MEMBER_ID: Self = Self(25);
    /// The transaction's time was up, or another producer has claimed the transactional id.
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    /// The transactional id is not known by this producer id any more.
    pub const INVALID_PRODUCER_ID_MAPPING: Self = Self(49);
    /// Another producer has claimed the transactional id.
    pub const PRODUCER_FENCED: Self = Self(90);
    /// The group has active members.
    pub const NON_EMPTY_GROUP: Self = Self(68);
    /// The group does not exist.
    pub const GROUP_ID_NOT_FOUND: Self = Self(69);
    /// A member of the group is subscribed to the topic.
    pub const GROUP_SUBSCRIBED_TO_TOPIC: Self = Self(86);
    /// Local: the deadline of the call passed.
    pub const TIMED_OUT: Self = Self(-185);
    /// Local: the producer's buffer is full.
    pub const QUEUE_FULL: Self = Self(-184);
    /// Local: TLS failed.
    pub const SSL: Self = Self(-181);
    /// Local: authentication failed.
    pub const AUTHENTICATION: Self = Self(-169);
    /// The client library found nothing of what it looked for.
    pub(crate) const NO_ENTRY: Self = Self(-156);
    /// Local: the record was thrown away by [`crate::Producer::purge`] before it was sent.
    pub const PURGED_QUEUED: Self = Self(-152);
    /// Local: the record was thrown away by [`crate::Producer::purge`] while being sent.
    pub const PURGED_IN_FLIGHT: Self = Self(-151);
    /// Local: the client can no longer be used.
    pub const FATAL: Self = Self(-150);
    /// Local: the consumer was not polled within `max.poll.interval.ms` and left its group.
    pub const MAX_POLL_EXCEEDED: Self = Self(-147);
    /// Another client has taken over this client's identity.
    pub const FENCED: Self = Self(-144);
    /// Local: no position and no reset policy.
    pub const AUTO_OFFSET_RESET: Self = Self(-140);

    fn fact(self) -> Option<&'static Fact> {
        FACTS
            .binary_search_by_key(&self.0, |fact| fact.code)
            .ok()
            .map(|at| &FACTS[at])
    }

    /// Kafka's name of the code, for example `TOPIC_AUTHORIZATION_FAILED`; local codes start with `_`.
    pub fn name(self) -> &'static str {
        self.fact().map_or("UNKNOWN", |fact| fact.name)
    }

    /// Full name of the exception class by which the Java clients report this code.
    pub fn java_class(self) -> String {
        format!(
            "{JAVA}{}",
            self.fact().map_or("UnknownServerException", |fact| fact.java)
        )
    }

    /// Whether Kafka regards the failure as passing.
    pub fn is_retriable(self) -> bool {
        self.fact().is_some_and(|fact| fact.retriable)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an operation on Kafka failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// The broker or the client library refused or lost the operation.
    #[error("{operation} failed: {detail} ({code})")]
    Operation {
        /// What was tried, on which thing: `commit of group connect-x`.
        operation: String,
        /// Kafka's code.
        code: ErrorCode,
        /// Kafka's explanation.
        detail: String,
    },
    /// The client could not be made from its properties.
    #[error("cannot create a kafka {client}: {detail}")]
    Create {
        /// `producer`, `consumer` or `admin client`.
        client: &'static str,
        /// What the client library objects to.
        detail: String,
    },
    /// A text holds a NUL byte, which no name in Kafka may.
    #[error("{what} must not contain a NUL character")]
    NulByte {
        /// Which text.
        what: String,
    },
}

impl KafkaError {
    pub(crate) fn operation(operation: impl Into<String>, code: i32, detail: impl Into<String>) -> Self {
        Self::Operation {
            operation: operation.into(),
            code: ErrorCode(code),
            detail: detail.into(),
        }
    }

    /// Kafka's code, when there is one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Operation { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether trying the same again may succeed.
    pub fn is_retriable(&self) -> bool {
        self.code().is_some_and(ErrorCode::is_retriable)
    }

    /// Whether the deadline of the operation passed.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::TIMED_OUT | ErrorCode(7) | ErrorCode(-192) | ErrorCode(-166))
        )
    }

    /// Full name of the Java exception class a user of the Java clients would see.
    pub fn java_class(&self) -> String {
        match self {
            Self::Operation { code, .. } => code.java_class(),
            Self::Create { .. } | Self::NulByte { .. } => "org.apache.kafka.common.KafkaException".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_codes_is_sorted_so_that_bisection_finds_every_code() {
        assert!(FACTS.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn codes_map_to_the_exception_classes_of_the_java_clients() {
        for (code, class, retriable) in [
            (10, "RecordTooLargeException", false),
            (29, "TopicAuthorizationException", false),
            (3, "UnknownTopicOrPartitionException", true),
            (-192, "TimeoutException", true),
            (68, "GroupNotEmptyException", false),
            (9999, "UnknownServerException", false),
        ] {
            assert_eq!(
                ErrorCode(code).java_class(),
                format!("org.apache.kafka.common.errors.{class}")
            );
            assert_eq!(ErrorCode(code).is_retriable(), retriable, "{code}");
        }
    }

    #[test]
    fn an_error_says_what_failed_why_and_with_which_code() {
        let error = KafkaError::operation("commit of group connect-x", 27, "group is rebalancing");
        assert_eq!(
            error.to_string(),
            "commit of group connect-x failed: group is rebalancing (REBALANCE_IN_PROGRESS)"
        );
    }
}
