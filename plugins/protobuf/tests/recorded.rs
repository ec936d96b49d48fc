//! Every case that Confluent's own ProtobufConverter was recorded with gives the same here: the text of the registered schema, the bytes
//! of the message, and what they are read as.

use wharf_api::{ConnectError, Converter as _};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::Format;
use wharf_schema_registry::testing::{PayloadText, check_keys, check_recorded, check_shared_keys};
use wharf_test_services::{hex, unhex};

const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
const THEIRS_FAILS: &str = "upstream's library refuses the schema that upstream made; here it is a schema";
const LOGICAL_ALONE: &str = "a logical type alone, which upstream writes as bytes that nobody can read";
const LIST_IN_MAP: &str = "a list or a map as a map's key or value, which would come back as something else";
const OTHER_NUMBER: &str = "a parameter for the Protobuf type that does not suit the field's type";
const ALTERED: &str = "a number that the field's connect.type cannot hold is refused, where upstream cuts it";
const UNUSED_ENUM: &str = "an enum that no field uses is not written";
const OTHER_WORDS: &str = "both refuse a null inside";
const GROUP: &str = "a group of proto2, which upstream leaves out";

const PAYLOADS: PayloadText = PayloadText {
    read: unhex,
    write: hex,
};

#[test]
fn every_recorded_case_gives_the_same_here() {
    let others = check_recorded::<ProtobufConverter>(
        include_str!("recorded.jsonl"),
        Format::Protobuf,
        PAYLOADS,
        |case, found| {
            let expect = &case["expect"];
            let trace = found.as_ref().err().map(ConnectError::trace).unwrap_or_default();
            let is_only_theirs =
                expect["error"].is_string() && expect["error"] != DATA_EXCEPTION && found.is_ok();
            let reasons = [
                (
                    is_only_theirs || expect["back"]["error"].is_string(),
                    THEIRS_FAILS,
                ),
                (trace.contains("alone has no Protobuf schema"), LOGICAL_ALONE),
                (
                    trace.contains("a map's key or value is an array or a map"),
                    LIST_IN_MAP,
                ),
                (trace.contains("which is no Protobuf type for"), OTHER_NUMBER),
                (trace.contains("which the schema's connect.type"), ALTERED),
                (
                    expect["schema"]
                        .as_str()
                        .is_some_and(|schema| schema.contains("enum ConnectDefault")),
                    UNUSED_ENUM,
                ),
                (expect["error"] == DATA_EXCEPTION && found.is_err(), OTHER_WORDS),
                (
                    case["schema"]
                        .as_str()
                        .is_some_and(|schema| schema.contains("group ")),
                    GROUP,
                ),
            ];
            reasons
                .into_iter()
                .find(|(is_so, _)| *is_so)
                .map(|(_, reason)| reason)
        },
    );
    assert_eq!(others.len(), 8, "a reason is no longer needed: {others:#?}");
}

#[test]
fn every_key_of_upstream_is_there_and_the_same_but_for_what_is_listed() {
    check_keys(
        include_str!("keys.jsonl"),
        &ProtobufConverter::default().config(),
        &[],
    );
}

#[test]
fn keys_that_all_registry_converters_share_do_the_same_as_upstream() {
    check_shared_keys::<ProtobufConverter>(include_str!("shared.jsonl"), Format::Protobuf, PAYLOADS);
}
