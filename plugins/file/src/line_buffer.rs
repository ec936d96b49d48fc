//! Splits a stream of bytes into lines without copying them.
//!
//! A line ends with `\n`, `\r` or `\r\n`. A `\r` that is the last byte seen is not an end yet: whether a `\n` belongs to
//! it is known with the next byte. No byte is searched twice, and the buffer grows by doubling, so the time for a line is
//! linear in its length however long it is.

use std::io;

/// Bytes asked of the stream at once.
const CAPACITY: usize = 256 * 1024;

/// A buffer that has grown beyond this for a long line is given back once it is empty.
const KEPT_CAPACITY: usize = 4 * CAPACITY;

/// A line and what it took of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'b> {
    /// The line without its end.
    pub(crate) text: &'b [u8],
    /// Its length in bytes with its end.
    pub(crate) length: usize,
}

/// Bytes that were read, from which lines are taken.
#[derive(Debug)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// First byte that was not taken.
    start: usize,
    /// No line ends between `start` and here.
    searched: usize,
    /// End of what was read.
    end: usize,
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl LineBuffer {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity],
            start: 0,
            searched: 0,
            end: 0,
        }
    }

    /// Takes the next whole line.
    #[inline]
    pub(crate) fn next_line(&mut self) -> Option<Line<'_>> {
        let unsearched = &self.bytes[self.searched..self.end];
        let Some(found) = memchr::memchr2(b'\n', b'\r', unsearched) else {
            self.searched = self.end;
            return None;
        };
        let at = self.searched + found;
        let next = if self.bytes[at] == b'\n' {
            at + 1
        } else if at + 1 == self.end {
            self.searched = at;
            return None;
        } else if self.bytes[at + 1] == b'\n' {
            at + 2
        } else {
            at + 1
        };
        let start = std::mem::replace(&mut self.start, next);
        self.searched = next;
        Some(Line {
            text: &self.bytes[start..at],
            length: next - start,
        })
    }

    /// Reads once more into the free part of the buffer, making room first if there is none. The answer is `read`'s.
    ///
    /// # Errors
    /// Whatever `read` fails with.
    pub(crate) fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        self.make_room();
        let count = read(&mut self.bytes[self.end..])?;
        self.end += count;
        Ok(count)
    }

    /// The bytes that are no whole line yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.searched, self.end) = (0, 0, 0);
            if self.bytes.len() > KEPT_CAPACITY {
                self.bytes = vec![0; CAPACITY];
            }
        } else if self.end == self.bytes.len() {
            let rest = self.end - self.start;
            if rest > self.bytes.len() / 2 {
                // Moving nearly everything to win little room would make long lines quadratic.
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.searched, self.end) = (0, self.searched - self.start, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces one read at a time; all lines with their lengths, and what is left.
    fn split(capacity: usize, pieces: &[&str]) -> (Vec<(String, usize)>, String) {
        let mut buffer = LineBuffer::with_capacity(capacity);
        let mut lines = Vec::new();
        for piece in pieces {
            let mut bytes = piece.as_bytes();
            while !bytes.is_empty() {
                buffer.fill(|space| io::Read::read(&mut bytes, space)).unwrap();
                while let Some(line) = buffer.next_line() {
                    lines.push((String::from_utf8(line.text.to_vec()).unwrap(), line.length));
                }
            }
        }
        (lines, String::from_utf8(buffer.rest().to_vec()).unwrap())
    }

    #[test]
    fn lines_end_with_each_kind_of_end_at_every_place_of_the_buffer() {
        let text = "line1\rline2\r\nline3\nline4\n\r\r\n\n\nx\r";
        let expected = [
            ("line1", 6),
            ("line2", 7),
            ("line3", 6),
            ("line4", 6),
            ("", 1),
            ("", 2),
            ("", 1),
            ("", 1),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, length)| ((*line).to_owned(), *length))
            .collect();
        for capacity in 1..40 {
            for cut in 0..text.len() {
                let (lines, rest) = split(capacity, &[&text[..cut], &text[cut..]]);
                assert_eq!(lines, expected, "capacity {capacity}, cut at {cut}");
                assert_eq!(rest, "x\r");
            }
        }
    }

    #[test]
    fn a_half_written_line_waits_for_its_end() {
        let mut buffer = LineBuffer::default();
        let mut feed = |text: &str| {
            buffer
                .fill(|mut space| io::Write::write(&mut space, text.as_bytes()))
                .unwrap();
            buffer.next_line().map(|line| line.text.to_vec())
        };
        assert_eq!(feed("partial line"), None);
        assert_eq!(feed(""), None);
        assert_eq!(
            feed(" finished\n").as_deref(),
            Some(b"partial line finished".as_slice())
        );
    }

    #[test]
    fn no_byte_of_a_long_line_is_moved_more_than_a_few_times() {
        let mut buffer = LineBuffer::with_capacity(64);
        let length = 1 << 20;
        let (mut moves, mut left) = (0, length);
        while left > 0 {
            let before = buffer.bytes.len();
            let count = buffer
                .fill(|space| {
                    let count = space.len().min(left);
                    space[..count].fill(b'x');
                    Ok(count)
                })
                .unwrap();
            assert!(count > 0, "a read must always have room");
            left -= count;
            while buffer.next_line().is_some() {}
            moves += usize::from(buffer.bytes.len() != before);
        }
        assert!(moves <= 16, "the buffer was moved {moves} times");
        assert!(buffer.bytes.len() <= 4 * length);
        buffer
            .fill(|space| {
                space[0] = b'\n';
                Ok(1)
            })
            .unwrap();
        assert_eq!(buffer.next_line().map(|line| line.length), Some(length + 1));
        buffer.fill(|_| Ok(0)).unwrap();
        assert!(
            buffer.bytes.len() <= KEPT_CAPACITY,
            "memory of a long line must be given back"
        );
    }
}
