//! The input: lines of 99 bytes that differ from each other, and how a copy is recognised.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use openssl::sha::Sha256;
use wharf_test_services::hex;

use crate::rows::Handling;

/// Bytes of a line with its end.
pub(crate) const LINE_BYTES: u64 = 100;

const FILLER: &[u8] =
    b"the quick brown fox jumps over the lazy dog while the harbour master counts every barrel";

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Line `number` with its end.
fn line(number: u64) -> [u8; LINE_BYTES as usize] {
    let mut line = [b' '; LINE_BYTES as usize];
    let digits = format!("{number:010}");
    line[..10].copy_from_slice(digits.as_bytes());
    line[11..11 + FILLER.len()].copy_from_slice(FILLER);
    line[LINE_BYTES as usize - 1] = b'\n';
    line
}

/// Writes `records` lines.
pub(crate) fn write(path: &Path, records: u64) -> Result<Expected> {
    write_each(path, records, |number, out| out.extend_from_slice(&line(number)))
}

/// Writes what the topic gets of `records` lines when work is done on them, a line for each record.
pub(crate) fn write_records(path: &Path, records: u64, work: Handling) -> Result<Expected> {
    let (before, after): (&[u8], &[u8]) = match work {
        Handling::Text => (b"", b""),
        Handling::Json => (
            b"{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"text\"},\
             {\"type\":\"string\",\"optional\":true,\"field\":\"origin\"}],\"optional\":false},\"payload\":{\"text\":\"",
            b"\",\"origin\":\"bench\"}}",
        ),
        // The first schema of a registry; a text of 99 bytes; the second branch of the optional field.
        Handling::Avro => (b"\0\0\0\0\x01\xc6\x01", b"\x02\x0abench"),
    };
    write_each(path, records, |number, out| {
        let line = line(number);
        out.extend_from_slice(before);
        out.extend_from_slice(&line[..line.len() - 1]);
        out.extend_from_slice(after);
        out.push(b'\n');
    })
}

/// The text of a row's note.
const NOTE: &str = "a note of sixty characters, as long as those of other tests.";

/// Writes rows, each as JSON with its schema.
pub(crate) fn write_rows_as_json(path: &Path, rows: u64) -> Result<Expected> {
    const SCHEMA: &str = r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"name"},{"type":"double","optional":false,"field":"amount"},{"type":"string","optional":false,"field":"note"}],"optional":false,"name":"row"}"#;
    write_each(path, rows, |id, out| {
        let _ = writeln!(
            out,
            r#"{{"schema":{SCHEMA},"payload":{{"id":{id},"name":"name of {id}","amount":{}.5,"note":"{NOTE}"}}}}"#,
            id % 10_000
        );
    })
}

/// Writes the same rows as PostgreSQL's `COPY` takes them.
pub(crate) fn write_rows_for_copy(path: &Path, rows: u64) -> Result<Expected> {
    write_each(path, rows, |id, out| {
        let _ = writeln!(out, "{id}\tname of {id}\t{}.5\t{NOTE}", id % 10_000);
    })
}

fn write_each(path: &Path, records: u64, line: impl Fn(u64, &mut Vec<u8>)) -> Result<Expected> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut hash = Sha256::new();
    let (mut text, mut bytes) = (Vec::new(), 0);
    for number in 0..records {
        text.clear();
        line(number, &mut text);
        hash.update(&text);
        out.write_all(&text)?;
        bytes += text.len() as u64;
    }
    out.flush()?;
    Ok(Expected {
        bytes,
        sha256: hex(&hash.finish()),
    })
}

/// Checks that a file is what was written, byte for byte.
pub(crate) fn verify(path: &Path, expected: &Expected) -> Result<()> {
    let found = measure(path)?;
    if found != *expected {
        bail!(
            "{} has {} bytes with SHA-256 {}, expected are {} bytes with {}",
            path.display(),
            found.bytes,
            found.sha256,
            expected.bytes,
            expected.sha256
        );
    }
    Ok(())
}

fn measure(path: &Path) -> Result<Expected> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(Expected {
                bytes,
                sha256: hex(&hash.finish()),
            });
        }
        bytes += count as u64;
        hash.update(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_recognised_and_a_changed_one_is_not() {
        let path = std::env::temp_dir().join(format!("wharf-bench-lines-{}", std::process::id()));
        let expected = write(&path, 1000).unwrap();
        assert_eq!(expected.bytes, 100_000);
        verify(&path, &expected).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        assert!(
            bytes
                .chunks(100)
                .all(|line| line[99] == b'\n' && !line[..99].contains(&b'\n'))
        );
        bytes.swap(0, 11);
        std::fs::write(&path, bytes).unwrap();
        let error = verify(&path, &expected).unwrap_err().to_string();
        assert!(error.contains("SHA-256"), "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn rows_are_the_same_as_json_and_for_copy() {
        let path =
            |name: &str| std::env::temp_dir().join(format!("wharf-bench-rows-{}-{name}", std::process::id()));
        let (json, copy) = (path("json"), path("copy"));
        write_rows_as_json(&json, 3).unwrap();
        write_rows_for_copy(&copy, 3).unwrap();
        let json_text = std::fs::read_to_string(&json).unwrap();
        let copy_text = std::fs::read_to_string(&copy).unwrap();
        for (json, copy) in json_text.lines().zip(copy_text.lines()) {
            let row: serde_json::Value = serde_json::from_str(json).unwrap();
            let row = &row["payload"];
            let texts = ["name", "note"].map(|field| row[field].as_str().unwrap());
            let line = format!("{}\t{}\t{}\t{}", row["id"], texts[0], row["amount"], texts[1]);
            assert_eq!(line, copy);
        }
        assert_eq!((json_text.lines().count(), copy_text.lines().count()), (3, 3));
        std::fs::remove_file(json).unwrap();
        std::fs::remove_file(copy).unwrap();
    }
}
