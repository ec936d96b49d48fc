//! The records of a run, and the books that are kept of them.
//!
//! A record says by itself which one it is and where it begins and ends: a worker that is killed while it writes may leave half
//! a line in a sink's file, to which the next one is glued.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Digits of a record's number.
const DIGITS: usize = 9;

/// The text of a record.
pub(crate) fn text(flow: usize, number: u64) -> String {
    format!("<{flow}:{number:0DIGITS$}>")
}

/// The number of a record of this flow.
pub(crate) fn number(flow: usize, text: &str) -> Option<u64> {
    let digits = text.strip_prefix(&format!("<{flow}:"))?.strip_suffix('>')?;
    let fits = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

/// How often each record of a flow was seen. Records are numbered from 0.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    times: Vec<u32>,
    /// No record below this is missing.
    complete: usize,
    /// Times that a record was seen that was seen before.
    pub(crate) doubled: u64,
    /// Records that were seen for the first time after a later one.
    pub(crate) late: u64,
}

impl Tally {
    pub(crate) fn take(&mut self, number: u64) {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        if index >= self.times.len() {
            self.times.resize(index + 1, 0);
        } else if self.times[index] == 0 {
            self.late += 1;
        }
        if self.times[index] > 0 {
            self.doubled += 1;
        }
        self.times[index] += 1;
        while self.times.get(self.complete).is_some_and(|times| *times > 0) {
            self.complete += 1;
        }
    }

    /// Whether all records below this number were seen.
    pub(crate) fn has_all(&self, end: u64) -> bool {
        self.complete as u64 >= end
    }

    /// Those below this number that were not seen.
    pub(crate) fn missing(&self, end: u64) -> Vec<u64> {
        let seen = |number: &u64| {
            let index = usize::try_from(*number).unwrap_or(usize::MAX);
            self.times.get(index).is_some_and(|times| *times > 0)
        };
        (self.complete as u64..end)
            .filter(|number| !seen(number))
            .collect()
    }
}

/// Finds the records of a flow in a text that comes in pieces.
#[derive(Debug)]
pub(crate) struct Scanner {
    flow: usize,
    length: usize,
    rest: Vec<u8>,
    /// Bytes that belong to no whole record.
    pub(crate) torn: u64,
}

impl Scanner {
    pub(crate) fn new(flow: usize) -> Self {
        Self {
            flow,
            length: text(flow, 0).len(),
            rest: Vec::new(),
            torn: 0,
        }
    }

    pub(crate) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(u64)) {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while at + self.length <= self.rest.len() {
            let found = std::str::from_utf8(&self.rest[at..at + self.length])
                .ok()
                .and_then(|text| number(self.flow, text));
            match found {
                Some(number) => {
                    each(number);
                    at += self.length;
                }
                None => {
                    self.torn += u64::from(self.rest[at] != b'\n');
                    at += 1;
                }
            }
        }
        self.rest.drain(..at);
    }
}

/// What a sink wrote, read as it grows.
#[derive(Debug)]
pub(crate) struct SinkFile {
    scanner: Scanner,
    position: u64,
    pub(crate) tally: Tally,
}

impl SinkFile {
    pub(crate) fn new(flow: usize) -> Self {
        Self {
            scanner: Scanner::new(flow),
            position: 0,
            tally: Tally::default(),
        }
    }

    /// Reads what was added; a file that is not there is empty.
    pub(crate) fn read_on(&mut self, path: &Path) -> std::io::Result<()> {
        let Ok(mut file) = File::open(path) else {
            return Ok(());
        };
        file.seek(SeekFrom::Start(self.position))?;
        let mut added = Vec::new();
        file.read_to_end(&mut added)?;
        self.position += added.len() as u64;
        let tally = &mut self.tally;
        self.scanner.take(&added, |number| tally.take(number));
        Ok(())
    }

    /// Bytes that belong to no whole record.
    pub(crate) fn torn(&self) -> u64 {
        self.scanner.torn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_known_by_its_text_and_nothing_else_is() {
        assert_eq!(text(3, 42), "<3:000000042>");
        for (given, expected) in [
            ("<3:000000042>", Some(42)),
            ("<4:000000042>", None),
            ("<3:00000042>", None),
            ("<3:+00000042>", None),
            ("3:000000042>", None),
            ("<3:000000042>\n", None),
        ] {
            assert_eq!(number(3, given), expected, "{given}");
        }
    }

    #[test]
    fn the_books_tell_missing_doubled_and_late_records() {
        let mut tally = Tally::default();
        for number in [0, 1, 1, 4, 3, 1] {
            tally.take(number);
        }
        assert_eq!((tally.doubled, tally.late), (2, 1));
        assert!(tally.has_all(2) && !tally.has_all(3));
        assert_eq!(tally.missing(7), vec![2, 5, 6]);
        for number in [2, 5, 6] {
            tally.take(number);
        }
        assert!(tally.has_all(7));
        assert!(tally.missing(7).is_empty());
    }

    #[test]
    fn whole_records_are_found_beside_torn_ones_however_the_text_is_cut() {
        let all = "<1:000000000>\n<1:0000<1:000000001>\n<1:000000001>\n";
        for piece in 1..all.len() {
            let mut scanner = Scanner::new(1);
            let mut seen = Vec::new();
            for part in all.as_bytes().chunks(piece) {
                scanner.take(part, |number| seen.push(number));
            }
            assert_eq!((seen, scanner.torn), (vec![0, 1, 1], 7), "pieces of {piece}");
        }
    }
}
