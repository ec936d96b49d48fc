//! The path of numbers that says which message of a file follows: how many, then each, as zigzag integers; `[0]`, by far the most
//! frequent, is the single byte 0.

use wharf_api::Result;

use crate::wire::{Cursor, malformed, unzigzag, write_varint, zigzag};

/// Deeper than this no message stands.
const MAX_LENGTH: i64 = 100;

/// Appends a path.
pub(crate) fn write(path: &[usize], out: &mut Vec<u8>) {
    if path == [0] {
        out.push(0);
        return;
    }
    let mut put = |number: usize| write_varint(zigzag(i64::try_from(number).unwrap_or(i64::MAX)), out);
    put(path.len());
    path.iter().for_each(|index| put(*index));
}

/// Takes a path from the start of a message: the path's own bytes, and what follows them.
///
/// # Errors
/// A data error when there is none.
pub(crate) fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    if let [0, rest @ ..] = bytes {
        return Ok((&bytes[..1], rest));
    }
    let mut cursor = Cursor::new(bytes);
    let length = unzigzag(cursor.varint()?);
    if !(0..=MAX_LENGTH).contains(&length) {
        return Err(malformed(
            "the message index says that its message stands too deep, or is negative",
        ));
    }
    for _ in 0..length {
        cursor.varint()?;
    }
    let rest = cursor.rest();
    Ok((&bytes[..bytes.len() - rest.len()], rest))
}

/// The numbers of a path that [`split`] found.
///
/// # Errors
/// A data error when a number is negative.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<usize>> {
    let mut cursor = Cursor::new(bytes);
    let length = unzigzag(cursor.varint()?);
    if length == 0 {
        return Ok(vec![0]);
    }
    let mut path = Vec::new();
    while !cursor.is_empty() {
        let index = unzigzag(cursor.varint()?);
        path.push(usize::try_from(index).map_err(|_| malformed("a message index is negative"))?);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_upstream_s_bytes() {
        for (path, bytes) in [
            (&[0][..], &[0][..]),
            (&[1], &[2, 2]),
            (&[0, 1], &[4, 0, 2]),
            (&[300], &[2, 0xd8, 4]),
        ] {
            let mut out = Vec::new();
            write(path, &mut out);
            assert_eq!(out, bytes);
            out.push(9);
            let (index, rest) = split(&out).unwrap();
            assert_eq!((parse(index).unwrap().as_slice(), rest), (path, &[9][..]));
        }
        for bytes in [&[][..], &[2], &[1], &[0xff, 0xff, 0x7f], &[4, 0]] {
            assert!(split(bytes).is_err(), "{bytes:?}");
        }
        assert!(parse(&[2, 1]).is_err());
    }
}
