//! Our answer beside the JVM's.

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;
use wharf_api::{ConnectError, ErrorKind, SchemaAndValue};

use crate::case::{Call, RecordPlugin};
use crate::codec;
use crate::ours::Outcome;
use crate::record_codec::record_from_json;

/// An exception of the JVM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Simple class name.
    pub class: String,
    /// The message, if it had one.
    pub message: Option<String>,
}

/// What the JVM answered.
pub type Jvm = Result<Outcome, Refusal>;

/// Reads a recorded answer to this call.
///
/// # Errors
/// When it is not an answer to such a call.
pub fn jvm_answer(call: &Call, json: &Json) -> Result<Jvm> {
    if let Some(error) = json.get("error") {
        return Ok(Err(Refusal {
            class: error[0].as_str().context("an error without class")?.to_owned(),
            message: error[1].as_str().map(str::to_owned),
        }));
    }
    let Some(answer) = json.get("ok") else {
        bail!("{json} is neither an answer nor an error");
    };
    Ok(Ok(match call {
        Call::From { .. } => Outcome::Bytes(codec::bytes_from_json(answer)?),
        Call::To { .. } | Call::Parse { .. } => Outcome::Pair(SchemaAndValue {
            schema: codec::schema_from_json(&answer["schema"])?,
            value: codec::value_from_json(&answer["value"])?,
        }),
        Call::Record {
            plugin: RecordPlugin::Transformation(_),
            ..
        } => Outcome::Record(match answer {
            Json::Null => None,
            record => Some(Box::new(record_from_json(record)?)),
        }),
        Call::Record { .. } | Call::Definition { .. } => Outcome::Value(codec::value_from_json(answer)?),
        Call::Infer { .. } => Outcome::Schema(codec::schema_from_json(answer)?),
        Call::Convert { .. } | Call::Text { .. } | Call::Project { .. } | Call::Config { .. } => {
            Outcome::Value(codec::value_from_json(answer)?)
        }
    }))
}

/// How two answers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same result.
    Same,
    /// Both refuse, with the same exception class and in the same words.
    RefusedAlike,
    /// Both refuse, in other words.
    RefusedInOtherWords,
    /// One refuses and the other does not, the results differ, or the classes or kinds of the errors do.
    Different,
}

/// Compares the answers to one call.
#[must_use]
pub fn compare(jvm: &Jvm, ours: &Result<Outcome, ConnectError>) -> Verdict {
    match (jvm, ours) {
        (Ok(jvm), Ok(ours)) if jvm == ours => Verdict::Same,
        (Err(jvm), Err(ours)) => {
            let is_same_class = full_name(&jvm.class).as_deref() == Some(ours.class());
            let is_same_kind = kind_of(&jvm.class).is_none_or(|kind| kind == ours.kind());
            if !is_same_class || !is_same_kind || ours.is_retriable() || ours.kind() == ErrorKind::Panic {
                Verdict::Different
            } else if jvm.message.as_deref().map(without_chance).as_deref() == Some(ours.message()) {
                Verdict::RefusedAlike
            } else {
                Verdict::RefusedInOtherWords
            }
        }
        _ => Verdict::Different,
    }
}

/// Which class of map a value came in is up to who made it.
fn without_chance(message: &str) -> String {
    message.replace("java.util.LinkedHashMap", "java.util.HashMap")
}

/// The class as a dead letter names it; `None` for one that no case has met yet.
fn full_name(class: &str) -> Option<String> {
    let package = match class {
        "ConnectException" | "DataException" | "SchemaBuilderException" | "SchemaProjectorException" => {
            "org.apache.kafka.connect.errors"
        }
        "ConfigException" => "org.apache.kafka.common.config",
        "SerializationException" => "org.apache.kafka.common.errors",
        "ArrayIndexOutOfBoundsException"
        | "ClassCastException"
        | "IllegalArgumentException"
        | "IndexOutOfBoundsException"
        | "NullPointerException"
        | "NumberFormatException" => "java.lang",
        _ => return None,
    };
    Some(format!("{package}.{class}"))
}

/// The kind of error that an exception class stands for. Any other class is Java's own (a null pointer, a cast, an
/// overflow), which every kind may carry.
fn kind_of(class: &str) -> Option<ErrorKind> {
    Some(match class {
        "DataException" => ErrorKind::Data,
        "SchemaBuilderException" => ErrorKind::SchemaBuilder,
        "SchemaProjectorException" => ErrorKind::SchemaProjector,
        "ConfigException" => ErrorKind::Config,
        "ConnectException" => ErrorKind::Connect,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use wharf_api::Value;

    use super::*;

    const CAST: &str = "java.lang.ClassCastException";

    fn refusal(class: &str, message: &str) -> Jvm {
        Err(Refusal {
            class: class.to_owned(),
            message: Some(message.to_owned()),
        })
    }

    #[test]
    fn results_must_be_equal_and_errors_of_one_kind_and_class() {
        let value = |number: i32| Outcome::Value(Value::from(number));
        let data = || Err(ConnectError::data("bad"));
        let cast = || Err(ConnectError::data("bad").with_class(CAST));
        for (jvm, ours, verdict) in [
            (Ok(value(1)), Ok(value(1)), Verdict::Same),
            (Ok(value(1)), Ok(value(2)), Verdict::Different),
            (Ok(value(1)), data(), Verdict::Different),
            (refusal("DataException", "bad"), Ok(value(1)), Verdict::Different),
            (refusal("DataException", "bad"), data(), Verdict::RefusedAlike),
            (
                refusal("DataException", "worse"),
                data(),
                Verdict::RefusedInOtherWords,
            ),
            (refusal("ConfigException", "bad"), data(), Verdict::Different),
            (refusal("ClassCastException", "x"), data(), Verdict::Different),
            (
                refusal("ClassCastException", "x"),
                cast(),
                Verdict::RefusedInOtherWords,
            ),
            (refusal("NullPointerException", "x"), cast(), Verdict::Different),
            (refusal("DataException", "bad"), cast(), Verdict::Different),
            (refusal("UnheardOfException", "bad"), cast(), Verdict::Different),
            (
                refusal("ClassCastException", "x"),
                Err(ConnectError::retriable("x").with_class(CAST)),
                Verdict::Different,
            ),
            (
                refusal("ClassCastException", "x"),
                Err(ConnectError::panic("x").with_class(CAST)),
                Verdict::Different,
            ),
        ] {
            assert_eq!(compare(&jvm, &ours), verdict, "{jvm:?} {ours:?}");
        }
    }
}
