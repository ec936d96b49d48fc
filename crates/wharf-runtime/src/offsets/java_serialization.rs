//! The standalone offset file: a Java Object Serialization stream with one `java.util.HashMap` from byte array to byte
//! array.
//!
//! Java workers read and write the same file, so every byte counts. Entries are written in the order given, where Java's
//! order is arbitrary. The reader takes what Java writes and nothing else: no class but these two is ever looked at.

use std::fmt;

use wharf_cluster::java_hash::Filled;

const MAGIC: [u8; 4] = [0xac, 0xed, 0x00, 0x05];
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS_DESCRIPTOR: u8 = 0x72;
const OBJECT: u8 = 0x73;
const ARRAY: u8 = 0x75;
const BLOCK_DATA: u8 = 0x77;
const END_BLOCK_DATA: u8 = 0x78;

/// Class name, serial version, flags, fields `loadFactor` (float) and `threshold` (int), end, no superclass.
const HASH_MAP: &[u8] = b"\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02F\x00\x0aloadFactorI\x00\x09threshold\x78\x70";
/// Class name, serial version, flags, no fields, end, no superclass.
const BYTE_ARRAY: &[u8] = b"\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00\x78\x70";
const LOAD_FACTOR: [u8; 4] = 0.75_f32.to_be_bytes();

/// References count classes and objects in the order in which the stream first has them, from here.
const FIRST_HANDLE: u32 = 0x007e_0000;
/// After the map's class and the map.
const BYTE_ARRAY_HANDLE: u32 = FIRST_HANDLE + 2;

/// Why a stream cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// It ends too early.
    Truncated,
    /// It is something else; says what.
    Malformed(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("it ends too early"),
            Self::Malformed(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ReadError {}

/// Key and value; Java allows a value, and for that matter a key, to be null.
pub type Entry = (Vec<u8>, Option<Vec<u8>>);

/// Writes a map of these entries, whose keys must differ.
#[must_use]
pub fn write<'e>(entries: impl ExactSizeIterator<Item = (&'e [u8], Option<&'e [u8]>)>) -> Vec<u8> {
    let count = entries.len();
    let table = Filled::OneByOne.table_size(count);
    let threshold = if count == 0 { 0 } else { table / 4 * 3 };
    let mut out = Writer {
        bytes: MAGIC.to_vec(),
        knows_byte_array: false,
    };
    out.bytes.extend([OBJECT, CLASS_DESCRIPTOR]);
    out.bytes.extend(HASH_MAP);
    out.bytes.extend(LOAD_FACTOR);
    out.int(threshold);
    out.bytes.extend([BLOCK_DATA, 8]);
    out.int(table);
    out.int(count);
    for (key, value) in entries {
        out.byte_array(key);
        match value {
            Some(value) => out.byte_array(value),
            None => out.bytes.push(NULL),
        }
    }
    out.bytes.push(END_BLOCK_DATA);
    out.bytes
}

struct Writer {
    bytes: Vec<u8>,
    knows_byte_array: bool,
}

impl Writer {
    /// Java's sizes have 31 bits; nothing that fits into an offset file is larger.
    fn int(&mut self, number: usize) {
        self.bytes
            .extend(i32::try_from(number).unwrap_or(i32::MAX).to_be_bytes());
    }

    fn byte_array(&mut self, content: &[u8]) {
        self.bytes.push(ARRAY);
        if std::mem::replace(&mut self.knows_byte_array, true) {
            self.bytes.push(REFERENCE);
            self.bytes.extend(BYTE_ARRAY_HANDLE.to_be_bytes());
        } else {
            self.bytes.push(CLASS_DESCRIPTOR);
            self.bytes.extend(BYTE_ARRAY);
        }
        self.int(content.len());
        self.bytes.extend(content);
    }
}

/// Reads the entries of a map, in the order of the stream. An entry with a null key is left out: no offset has one.
///
/// # Errors
/// When the stream ends too early or is not such a map.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, ReadError> {
    let mut reader = Reader {
        rest: bytes,
        handles: Vec::new(),
    };
    if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
        return Err(ReadError::Malformed(
            "it is not a Java serialization stream".into(),
        ));
    }
    reader.take(MAGIC.len())?;
    reader.expect(OBJECT, "an object")?;
    reader.expect(CLASS_DESCRIPTOR, "a class descriptor")?;
    reader.descriptor(HASH_MAP, "java.util.HashMap")?;
    reader.handles.push(Handle::Class);
    reader.handles.push(Handle::Map);
    // Load factor and threshold say how Java will grow the map.
    reader.take(8)?;
    reader.expect(BLOCK_DATA, "the map's size")?;
    reader.expect(8, "eight bytes of sizes")?;
    reader.take(4)?;
    let count = reader.int()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let key = reader.byte_array()?;
        let value = reader.byte_array()?;
        entries.extend(key.map(|key| (key, value)));
    }
    reader.expect(END_BLOCK_DATA, "the map's end")?;
    Ok(entries)
}

/// What a reference may point back to.
enum Handle {
    Class,
    Map,
    ByteArrayClass,
    ByteArray(Vec<u8>),
}

struct Reader<'b> {
    rest: &'b [u8],
    handles: Vec<Handle>,
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ReadError> {
        Ok(self.take(1)?[0])
    }

    fn int(&mut self) -> Result<usize, ReadError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        usize::try_from(i32::from_be_bytes(bytes))
            .map_err(|_| ReadError::Malformed("it has a negative size".into()))
    }

    fn expect(&mut self, expected: u8, what: &str) -> Result<(), ReadError> {
        match self.byte()? {
            found if found == expected => Ok(()),
            found => Err(ReadError::Malformed(format!(
                "it has byte {found:#04x} where {what} belongs"
            ))),
        }
    }

    /// The rest of a class descriptor, which must be this one.
    fn descriptor(&mut self, expected: &[u8], class: &str) -> Result<(), ReadError> {
        let start = self.rest;
        let length = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?]));
        let name = String::from_utf8_lossy(self.take(length)?);
        if name != class {
            return Err(ReadError::Malformed(format!(
                "it holds a {name} where a {class} belongs"
            )));
        }
        let whole = start.get(..expected.len()).ok_or(ReadError::Truncated)?;
        if whole != expected {
            return Err(ReadError::Malformed(format!("its {class} is of another version")));
        }
        self.rest = &start[expected.len()..];
        Ok(())
    }

    fn handle(&mut self) -> Result<&Handle, ReadError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        u32::from_be_bytes(bytes)
            .checked_sub(FIRST_HANDLE)
            .and_then(|position| self.handles.get(position as usize))
            .ok_or_else(|| ReadError::Malformed("it refers to something that is not there".into()))
    }

    /// A byte array or null.
    fn byte_array(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let not_an_array = || ReadError::Malformed("it refers to something that is not a byte array".into());
        match self.byte()? {
            NULL => return Ok(None),
            REFERENCE => match self.handle()? {
                Handle::ByteArray(bytes) => return Ok(Some(bytes.clone())),
                _ => return Err(not_an_array()),
            },
            ARRAY => {}
            other => {
                return Err(ReadError::Malformed(format!(
                    "it has byte {other:#04x} where a byte array belongs"
                )));
            }
        }
        match self.byte()? {
            CLASS_DESCRIPTOR => {
                self.descriptor(BYTE_ARRAY, "[B")?;
                self.handles.push(Handle::ByteArrayClass);
            }
            REFERENCE if matches!(self.handle()?, Handle::ByteArrayClass) => {}
            _ => return Err(not_an_array()),
        }
        let length = self.int()?;
        let bytes = self.take(length)?.to_vec();
        self.handles.push(Handle::ByteArray(bytes.clone()));
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use wharf_test_services::unhex;

    use super::*;

    const EXAMPLE: &str = "aced0005 7372 0011 6a6176612e7574696c2e486173684d6170 0507dac1c31660d1 03 0002 \
        46 000a 6c6f6164466163746f72 49 0009 7468726573686f6c64 78 70 3f400000 0000000c 77 08 00000010 00000001 \
        75 72 0002 5b42 acf317f8060854e0 02 0000 78 70 0000000f 5b2263222c7b2266223a2278227d5d \
        75 71 007e0002 00000007 7b2270223a317d 78";
    const EMPTY: &str = "aced0005 7372 0011 6a6176612e7574696c2e486173684d6170 0507dac1c31660d1 03 0002 \
        46 000a 6c6f6164466163746f72 49 0009 7468726573686f6c64 78 70 3f400000 00000000 77 08 00000010 00000000 78";

    fn written(entries: &[Entry]) -> Vec<u8> {
        write(
            entries
                .iter()
                .map(|(key, value)| (key.as_slice(), value.as_deref())),
        )
    }

    fn example() -> Vec<Entry> {
        vec![(br#"["c",{"f":"x"}]"#.to_vec(), Some(br#"{"p":1}"#.to_vec()))]
    }

    #[test]
    fn files_are_java_s_byte_for_byte() {
        assert_eq!(written(&example()), unhex(EXAMPLE));
        assert_eq!(written(&[]), unhex(EMPTY));
        assert_eq!(read(&unhex(EXAMPLE)), Ok(example()));
        assert_eq!(read(&unhex(EMPTY)), Ok(vec![]));
    }

    #[test]
    fn what_was_written_is_read_again_and_sizes_follow_java_s_tables() {
        for (count, threshold, table) in [
            (1, 12, 16),
            (12, 12, 16),
            (13, 24, 32),
            (24, 24, 32),
            (25, 48, 64),
        ] {
            let entries: Vec<Entry> = (0..count)
                .map(|number: u8| {
                    (
                        vec![number],
                        (number & 1 == 1).then(|| vec![number; usize::from(number)]),
                    )
                })
                .collect();
            let file = written(&entries);
            assert_eq!(read(&file).as_ref(), Ok(&entries));
            let sizes = EMPTY.replace(' ', "").len() / 2 - 15;
            assert_eq!(file[sizes..sizes + 4], i32::to_be_bytes(threshold), "{count}");
            assert_eq!(file[sizes + 6..sizes + 10], i32::to_be_bytes(table), "{count}");
        }
    }

    #[test]
    fn a_file_that_ends_anywhere_before_its_end_is_truncated() {
        let whole = written(&[
            (vec![1], None),
            (vec![2], Some(vec![3])),
            (vec![4], Some(vec![5])),
        ]);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), Err(ReadError::Truncated), "{length}");
        }
    }

    #[test]
    fn an_array_that_occurs_twice_is_a_reference_to_the_first() {
        // Java writes one and the same array a second time as a reference to it.
        let mut file = unhex(EXAMPLE);
        let tail = unhex("75 71 007e0002 00000007 7b2270223a317d 78").len();
        file.truncate(file.len() - tail);
        file.extend(unhex("71 007e0003 78"));
        let key = example().remove(0).0;
        assert_eq!(read(&file), Ok(vec![(key.clone(), Some(key))]));
    }

    #[test]
    fn other_content_is_refused_and_named() {
        let tree_map = unhex(EXAMPLE);
        let tree_map = {
            let mut bytes = tree_map;
            bytes[8..25].copy_from_slice(b"java.util.TreeMap");
            bytes
        };
        let mut bad_reference = unhex(EXAMPLE);
        let at = bad_reference.len() - 13;
        bad_reference[at] = 9;
        let mut negative = unhex(EMPTY);
        let at = negative.len() - 5;
        negative[at] = 0xff;
        for (file, part) in [
            (b"{\"a\":1}".to_vec(), "not a Java serialization stream"),
            (tree_map, "java.util.TreeMap"),
            (unhex("aced0005 74 0001 61"), "0x74 where an object belongs"),
            (bad_reference, "not there"),
            (negative, "negative"),
        ] {
            match read(&file) {
                Err(ReadError::Malformed(what)) => assert!(what.contains(part), "{what}"),
                other => panic!("{part}: {other:?}"),
            }
        }
    }
}
