//! Where in the life of a record an error happened, by upstream's names, which stand in dead letters and logs.

use wharf_api::ConnectError;

/// A step of a record's way through the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// A transform, its predicate included.
    Transformation,
    KeyConverter,
    ValueConverter,
    HeaderConverter,
    /// Kafka did not take a source's record.
    KafkaProduce,
    /// A sink task reported the record.
    TaskPut,
}

impl Stage {
    /// Upstream's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Transformation => "TRANSFORMATION",
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::KafkaProduce => "KAFKA_PRODUCE",
            Self::TaskPut => "TASK_PUT",
        }
    }

    /// What to say of a failure here, in a sentence whose object is the record.
    pub(super) fn failed(self, class: &str) -> String {
        match self {
            Self::Transformation => format!("the transform {class} cannot process"),
            Self::KeyConverter => format!("the key converter {class} cannot convert"),
            Self::ValueConverter => format!("the value converter {class} cannot convert"),
            Self::HeaderConverter => format!("the header converter {class} cannot convert a header of"),
            Self::KafkaProduce => "Kafka does not take".to_owned(),
            Self::TaskPut => "the task cannot write".to_owned(),
        }
    }
}

/// A record that failed, for good as far as this attempt of the task goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordFailure {
    pub(crate) stage: Stage,
    /// Java class name of the converter, transform or kind of task.
    pub(crate) class: String,
    /// What it said, without any words of the worker.
    pub(crate) error: ConnectError,
    /// Whether the record may be skipped; otherwise the task fails.
    pub(crate) is_tolerated: bool,
}

impl RecordFailure {
    /// The error with which the task fails; `place` says which record.
    pub(crate) fn fatal(&self, place: impl std::fmt::Display) -> ConnectError {
        let what = format!("{} the record at {place}", self.stage.failed(&self.class));
        ConnectError::connect("Tolerance exceeded in error handler")
            .caused_by(self.error.clone().context(what))
    }
}
