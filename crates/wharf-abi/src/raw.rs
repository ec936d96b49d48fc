//! Plain C data that crosses the border.

use std::ffi::c_void;

use abi_stable::StableAbi;

/// Borrowed bytes: valid for the call they are given to.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct RawSlice {
    /// First byte; dangling but not null when there are none.
    pub data: *const u8,
    /// Number of bytes.
    pub len: usize,
}

impl RawSlice {
    /// These bytes.
    #[must_use]
    pub const fn new(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    /// The bytes.
    ///
    /// # Safety
    /// `data` and `len` must describe bytes that live and do not change for `'a`.
    #[must_use]
    pub const unsafe fn as_bytes<'a>(self) -> &'a [u8] {
        if self.data.is_null() || self.len == 0 {
            return &[];
        }
        // SAFETY: the caller vouches for pointer, length and lifetime.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

/// The answer of a call: bytes, and how to give them back.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct RawOutput {
    /// First byte.
    pub data: *const u8,
    /// Number of bytes.
    pub len: usize,
    /// What `release` is called with.
    pub owner: *mut c_void,
    /// Gives the bytes back to the side that allocated them. Without it they live in the instance until its next call.
    pub release: Option<extern "C" fn(*mut c_void)>,
}

impl RawOutput {
    /// No bytes.
    pub const EMPTY: Self = Self {
        data: std::ptr::null(),
        len: 0,
        owner: std::ptr::null_mut(),
        release: None,
    };

    /// Bytes that the receiver gives back.
    #[must_use]
    pub fn owned(bytes: Vec<u8>) -> Self {
        extern "C" fn release(owner: *mut c_void) {
            // SAFETY: `owner` is the box made below, and the receiver releases it once.
            drop(unsafe { Box::from_raw(owner.cast::<Vec<u8>>()) });
        }
        let bytes = Box::new(bytes);
        let (data, len) = (bytes.as_ptr(), bytes.len());
        Self {
            data,
            len,
            owner: Box::into_raw(bytes).cast(),
            release: Some(release),
        }
    }

    /// Bytes that stay with the instance until its next call.
    #[must_use]
    pub fn borrowed(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
            owner: std::ptr::null_mut(),
            release: None,
        }
    }
}

/// An answer received, released when dropped.
#[derive(Debug)]
pub struct Received(RawOutput);

impl Received {
    /// Takes over an answer.
    ///
    /// # Safety
    /// `output` must be as the other side filled it, and be given to one `Received` only. Bytes without `release` must
    /// not be used after the instance's next call.
    #[must_use]
    pub unsafe fn new(output: RawOutput) -> Self {
        Self(output)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `new`'s caller vouches that they are valid until `release` or the next call.
        unsafe {
            RawSlice {
                data: self.0.data,
                len: self.0.len,
            }
            .as_bytes()
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(release) = self.0.release.take() {
            release(self.0.owner);
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done; the output is the result.
    Ok = 0,
    /// Failed; the output is the error.
    Error = 1,
    /// The other side does not know this method; no output.
    Unsupported = 2,
}

impl Status {
    /// The status with this number; one that is not known counts as a failure.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Ok,
            2 => Self::Unsupported,
            _ => Self::Error,
        }
    }
}
