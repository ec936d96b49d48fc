//! The primitive types of the messages: big-endian integers, and texts and lists with a length in front.

/// Why bytes from another worker cannot be read, or a message cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The version number is below zero; every other one can be read.
    #[error("the {message} has version {version}, and there is none below 0")]
    Version {
        /// Which message.
        message: &'static str,
        /// The version it claims.
        version: i16,
    },
    /// The bytes end too early.
    #[error("the {message} ends in its field '{field}', which needs {needed} bytes where {left} are left")]
    Truncated {
        /// Which message.
        message: &'static str,
        /// Which field.
        field: &'static str,
        /// How many bytes the field would take at least.
        needed: usize,
        /// How many there are.
        left: usize,
    },
    /// A length is below zero where nothing may be missing.
    #[error("the {message} gives its field '{field}' the length {length}")]
    NegativeLength {
        /// Which message.
        message: &'static str,
        /// Which field.
        field: &'static str,
        /// The length it claims.
        length: i32,
    },
    /// A text or list is longer than its length field can say.
    #[error("the field '{field}' of the {message} has a length of {length}, and at most {most} can be sent")]
    TooLong {
        /// Which message.
        message: &'static str,
        /// Which field.
        field: &'static str,
        /// Its length.
        length: usize,
        /// The longest possible.
        most: usize,
    },
}

/// Reads a message from its front.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    message: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { bytes, message }
    }

    /// The version at the beginning of every message.
    pub(super) fn version(&mut self) -> Result<i16, ProtocolError> {
        let version = self.i16("version")?;
        if version < 0 {
            return Err(ProtocolError::Version {
                message: self.message,
                version,
            });
        }
        Ok(version)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether these bytes come next; they are passed over then.
    pub(super) fn skip(&mut self, expected: &[u8]) -> bool {
        let rest = self.bytes.strip_prefix(expected);
        self.bytes = rest.unwrap_or(self.bytes);
        rest.is_some()
    }

    fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], ProtocolError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(self.truncated(field, count, self.bytes.len()));
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ProtocolError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, ProtocolError> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(super) fn i16(&mut self, field: &'static str) -> Result<i16, ProtocolError> {
        self.array(field).map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32, ProtocolError> {
        self.array(field).map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self, field: &'static str) -> Result<i64, ProtocolError> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// A text. Bytes that are not UTF-8 become replacement characters, as in Java.
    pub(super) fn string(&mut self, field: &'static str) -> Result<String, ProtocolError> {
        let length = self.i16(field)?;
        let count = usize::try_from(length).map_err(|_| self.negative(field, length.into()))?;
        Ok(String::from_utf8_lossy(self.take(field, count)?).into_owned())
    }

    /// Bytes that may be missing.
    pub(super) fn nullable_bytes(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, ProtocolError> {
        match usize::try_from(self.i32(field)?) {
            Ok(count) => self.take(field, count).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The number of entries of a list that may be missing.
    pub(super) fn nullable_count(&mut self, field: &'static str) -> Result<Option<usize>, ProtocolError> {
        match usize::try_from(self.i32(field)?) {
            // Every entry takes at least a byte: nothing is allocated for a count that cannot be true.
            Ok(count) if count > self.bytes.len() => Err(self.truncated(field, count, self.bytes.len())),
            Ok(count) => Ok(Some(count)),
            Err(_) => Ok(None),
        }
    }

    /// The number of entries of a list that must be there.
    pub(super) fn count(&mut self, field: &'static str) -> Result<usize, ProtocolError> {
        self.nullable_count(field)?
            .ok_or_else(|| self.negative(field, -1))
    }

    /// A field says that there is more than there is.
    pub(super) fn truncated(&self, field: &'static str, needed: usize, left: usize) -> ProtocolError {
        ProtocolError::Truncated {
            message: self.message,
            field,
            needed,
            left,
        }
    }

    fn negative(&self, field: &'static str, length: i32) -> ProtocolError {
        ProtocolError::NegativeLength {
            message: self.message,
            field,
            length,
        }
    }
}

/// Writes a message.
pub(super) struct Writer {
    bytes: Vec<u8>,
    message: &'static str,
}

impl Writer {
    pub(super) fn new(message: &'static str, version: i16) -> Self {
        let mut writer = Self {
            bytes: Vec::with_capacity(64),
            message,
        };
        writer.i16(version);
        writer
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn string(&mut self, field: &'static str, value: &str) -> Result<(), ProtocolError> {
        let length = i16::try_from(value.len()).map_err(|_| ProtocolError::TooLong {
            message: self.message,
            field,
            length: value.len(),
            most: i16::MAX as usize,
        })?;
        self.i16(length);
        self.bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    pub(super) fn nullable_bytes(
        &mut self,
        field: &'static str,
        value: Option<&[u8]>,
    ) -> Result<(), ProtocolError> {
        let Some(value) = value else {
            self.i32(-1);
            return Ok(());
        };
        self.count(field, value.len())?;
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    pub(super) fn count(&mut self, field: &'static str, count: usize) -> Result<(), ProtocolError> {
        let length = i32::try_from(count).map_err(|_| ProtocolError::TooLong {
            message: self.message,
            field,
            length: count,
            most: i32::MAX as usize,
        })?;
        self.i32(length);
        Ok(())
    }
}
