//! The JSON reader against the converter that JVM workers read the internal topics with: it must refuse the same bytes,
//! because the config offset moves with what can be decoded, and read the same values.
//!
//! `tests/java/topics/src/JsonVerdicts.java` made the recording.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wharf_cluster::java_json::Json;

/// What JVM workers can decode and we refuse on purpose: other encodings than UTF-8 (the bytes of ASCII with zeros around
/// them), and overlong UTF-8. No program writes these by accident to a topic of texts.
fn is_other_encoding(input: &[u8]) -> bool {
    input.contains(&0) || input.windows(2).any(|pair| pair == [0xc0, 0x80])
}

/// The converter reads a number beyond all doubles as infinity, and writes that as a text.
fn as_written(value: Json) -> Json {
    match value {
        Json::Float(number) if number == f64::INFINITY => Json::Text("Infinity".to_owned()),
        Json::Float(number) if number == f64::NEG_INFINITY => Json::Text("-Infinity".to_owned()),
        other => other,
    }
}

#[test]
fn the_reader_agrees_with_the_converter_of_jvm_workers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/topics/json-verdicts.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    let mut differences = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let bytes = |field: &str| line[field].as_str().map(|text| STANDARD.decode(text).unwrap());
        let input = bytes("bytes").unwrap();
        let ours = Json::parse(&input).map(as_written);
        let is_same = match (&ours, bytes("written")) {
            (Ok(value), Some(written)) => {
                accepted += 1;
                Json::parse(&written).as_ref() == Ok(value)
            }
            (Err(_), None) => {
                refused += 1;
                true
            }
            (Err(_), Some(_)) => is_other_encoding(&input),
            (Ok(_), None) => false,
        };
        if !is_same {
            let written = bytes("written").map(|written| String::from_utf8_lossy(&written).into_owned());
            differences.push(format!("{} {ours:?} {written:?}", input.escape_ascii()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(
        accepted > 200 && refused > 200,
        "{accepted} accepted, {refused} refused"
    );
}
