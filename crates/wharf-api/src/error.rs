//! The one error type that connectors, tasks, converters and the worker exchange.
//!
//! An error has a [`ErrorKind`] (what the worker does with it), a message, the Java exception class that a user of
//! Kafka Connect knows it by, and a chain of causes. It crosses the plugin border unchanged and ends up in the
//! `trace` of a status, in logs and in REST answers, so its message must name the thing, the reason and the remedy.

use std::fmt;

/// What kind of failure happened, and so what the worker does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call may succeed when it is made again: `poll` is polled again, `put` gets the same batch again.
    Retriable,
    /// A record cannot be processed; another one may well be.
    Data,
    /// A schema was built wrongly.
    SchemaBuilder,
    /// A value cannot be projected from one schema to another.
    SchemaProjector,
    /// A configuration value is wrong.
    Config,
    /// Something that was asked for does not exist.
    NotFound,
    /// Something that was to be created exists already.
    AlreadyExists,
    /// The call is not allowed in the worker's or task's present state.
    IllegalWorkerState,
    /// The plugin does not implement this call.
    Unsupported,
    /// Any other failure; the task or connector fails.
    Connect,
    /// Plugin code panicked; the panic was contained and the task or connector fails.
    Panic,
}

impl ErrorKind {
    /// The Java exception class that stands for this kind in traces and dead letter headers.
    #[must_use]
    pub fn java_class(self) -> &'static str {
        match self {
            Self::Retriable => "org.apache.kafka.connect.errors.RetriableException",
            Self::Data => "org.apache.kafka.connect.errors.DataException",
            Self::SchemaBuilder => "org.apache.kafka.connect.errors.SchemaBuilderException",
            Self::SchemaProjector => "org.apache.kafka.connect.errors.SchemaProjectorException",
            Self::Config => "org.apache.kafka.common.config.ConfigException",
            Self::NotFound => "org.apache.kafka.connect.errors.NotFoundException",
            Self::AlreadyExists => "org.apache.kafka.connect.errors.AlreadyExistsException",
            Self::IllegalWorkerState => "org.apache.kafka.connect.errors.IllegalWorkerStateException",
            Self::Unsupported => "java.lang.UnsupportedOperationException",
            Self::Connect => "org.apache.kafka.connect.errors.ConnectException",
            Self::Panic => "java.lang.RuntimeException",
        }
    }

    /// A stable short name, used on the plugin border.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Retriable => "retriable",
            Self::Data => "data",
            Self::SchemaBuilder => "schema_builder",
            Self::SchemaProjector => "schema_projector",
            Self::Config => "config",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::IllegalWorkerState => "illegal_worker_state",
            Self::Unsupported => "unsupported",
            Self::Connect => "connect",
            Self::Panic => "panic",
        }
    }

    /// The kind with this [`name`](Self::name). A name from a newer interface becomes [`ErrorKind::Connect`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "retriable" => Self::Retriable,
            "data" => Self::Data,
            "schema_builder" => Self::SchemaBuilder,
            "schema_projector" => Self::SchemaProjector,
            "config" => Self::Config,
            "not_found" => Self::NotFound,
            "already_exists" => Self::AlreadyExists,
            "illegal_worker_state" => Self::IllegalWorkerState,
            "unsupported" => Self::Unsupported,
            "panic" => Self::Panic,
            _ => Self::Connect,
        }
    }
}

/// A failure, with its kind, message, Java exception class and causes.
///
/// It is one pointer wide: every read of a record gives a [`Result`], and a wide error would make each of them wide.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectError(Box<Content>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    kind: ErrorKind,
    message: String,
    class: Option<String>,
    cause: Option<ConnectError>,
    frames: Vec<String>,
}

/// What Java's clients throw out of a wait that is ended from outside.
const INTERRUPTED: &str = "org.apache.kafka.common.errors.InterruptException";

/// The result of most calls of this crate.
pub type Result<T, E = ConnectError> = std::result::Result<T, E>;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(message: impl Into<String>) -> Self {
            Self::new(ErrorKind::$kind, message)
        }
    )*};
}

impl ConnectError {
    /// An error of the given kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Content {
            kind,
            message,
            class: None,
            cause: None,
            frames: Vec::new(),
        }))
    }

    constructors! {
        /// The call may succeed when made again.
        retriable => Retriable;
        /// A record cannot be processed.
        data => Data;
        /// A schema was built wrongly.
        schema_builder => SchemaBuilder;
        /// A value cannot be projected to another schema.
        schema_projector => SchemaProjector;
        /// A configuration value is wrong.
        config => Config;
        /// Something does not exist.
        not_found => NotFound;
        /// Something exists already.
        already_exists => AlreadyExists;
        /// Not allowed in the present state.
        illegal_state => IllegalWorkerState;
        /// Not implemented by the plugin.
        unsupported => Unsupported;
        /// Any other failure.
        connect => Connect;
        /// A contained panic of plugin code.
        panic => Panic;
    }

    /// A plugin gave up what it was waiting for because its task is to stop. The record counts as one that was not begun: it
    /// is neither failed nor skipped.
    #[must_use]
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::retriable(message).with_class(INTERRUPTED)
    }

    /// Whether it was made by [`interrupted`](Self::interrupted).
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.is_retriable() && self.explicit_class() == Some(INTERRUPTED)
    }

    /// The upstream wording for a configuration value that was refused.
    #[must_use]
    pub fn invalid_config(key: &str, value: impl fmt::Display, reason: &str) -> Self {
        if reason.is_empty() {
            Self::config(format!("Invalid value {value} for configuration {key}"))
        } else {
            Self::config(format!("Invalid value {value} for configuration {key}: {reason}"))
        }
    }

    /// Adds what led to this error; the chain grows at its end.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<ConnectError>) -> Self {
        self.0.cause = Some(match self.0.cause.take() {
            None => cause.into(),
            Some(inner) => inner.caused_by(cause),
        });
        self
    }

    /// Names another Java exception class than the kind's own, for peers that match on it.
    #[must_use]
    pub fn with_class(mut self, class: impl Into<String>) -> Self {
        self.0.class = Some(class.into());
        self
    }

    /// Adds lines that say where it happened (a panic's location, a backtrace), shown below the message in a trace.
    #[must_use]
    pub fn with_frames(mut self, frames: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.frames.extend(frames.into_iter().map(Into::into));
        self
    }

    /// Wraps this error in one of kind [`ErrorKind::Connect`] with the given message, keeping this one as its cause.
    #[must_use]
    pub fn context(self, message: impl Into<String>) -> Self {
        Self::connect(message).caused_by(self)
    }

    /// The same with every text of it, of its causes and of its frames changed, for texts that are not to be shown as they are.
    #[must_use]
    pub fn map_texts(mut self, change: &dyn Fn(&str) -> String) -> Self {
        self.0.message = change(&self.0.message);
        for frame in &mut self.0.frames {
            *frame = change(frame);
        }
        self.0.cause = self.0.cause.take().map(|cause| cause.map_texts(change));
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without class and causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The Java exception class: the one given, else the kind's.
    #[must_use]
    pub fn class(&self) -> &str {
        self.0
            .class
            .as_deref()
            .unwrap_or_else(|| self.0.kind.java_class())
    }

    /// The class given by [`with_class`](Self::with_class), if any.
    #[must_use]
    pub fn explicit_class(&self) -> Option<&str> {
        self.0.class.as_deref()
    }

    /// What led to this error.
    #[must_use]
    pub fn cause(&self) -> Option<&ConnectError> {
        self.0.cause.as_ref()
    }

    /// The lines given by [`with_frames`](Self::with_frames).
    #[must_use]
    pub fn frames(&self) -> &[String] {
        &self.0.frames
    }

    /// Whether the call may be made again.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.0.kind == ErrorKind::Retriable
    }

    /// The text form of a Java stack trace: `class: message`, `\tat …` lines, `Caused by: …` for each cause.
    #[must_use]
    pub fn trace(&self) -> String {
        let mut out = String::new();
        let mut error = Some(self);
        while let Some(current) = error {
            if !out.is_empty() {
                out.push_str("Caused by: ");
            }
            out.push_str(current.class());
            out.push_str(": ");
            out.push_str(current.message());
            out.push('\n');
            for frame in current.frames() {
                out.push_str("\tat ");
                out.push_str(frame);
                out.push('\n');
            }
            error = current.cause();
        }
        out
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectError").field(&self.0).finish()
    }
}

impl fmt::Display for ConnectError {
    /// The message; with `{:#}` the causes too, separated by `: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        if f.alternate() {
            let mut cause = self.cause();
            while let Some(error) = cause {
                write!(f, ": {}", error.message())?;
                cause = error.cause();
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause().map(|cause| cause as _)
    }
}

impl From<std::io::Error> for ConnectError {
    fn from(error: std::io::Error) -> Self {
        Self::connect(error.to_string()).with_class("java.io.IOException")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_reads_like_a_java_stack_trace() {
        let error = ConnectError::data("bad field")
            .with_frames(["parser.rs:7"])
            .context("record 3 was refused")
            .caused_by(ConnectError::config("key missing"));
        assert_eq!(
            error.trace(),
            "org.apache.kafka.connect.errors.ConnectException: record 3 was refused\n\
             Caused by: org.apache.kafka.connect.errors.DataException: bad field\n\tat parser.rs:7\n\
             Caused by: org.apache.kafka.common.config.ConfigException: key missing\n"
        );
        assert_eq!(
            format!("{error:#}"),
            "record 3 was refused: bad field: key missing"
        );
    }

    #[test]
    fn every_kind_survives_its_name() {
        for kind in [
            ErrorKind::Retriable,
            ErrorKind::Data,
            ErrorKind::SchemaBuilder,
            ErrorKind::SchemaProjector,
            ErrorKind::Config,
            ErrorKind::NotFound,
            ErrorKind::AlreadyExists,
            ErrorKind::IllegalWorkerState,
            ErrorKind::Unsupported,
            ErrorKind::Connect,
            ErrorKind::Panic,
        ] {
            assert_eq!(ErrorKind::from_name(kind.name()), kind);
        }
        assert_eq!(ErrorKind::from_name("from_the_future"), ErrorKind::Connect);
    }
}
