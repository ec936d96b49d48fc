//! What a worker says about itself when it joins.

use super::codec::{ProtocolError, Reader, Writer};
use super::{Assignment, ConnectProtocol, PluginClasses};

const MESSAGE: &str = "subscription";
/// What begins the part that only native workers write, behind all that upstream knows of. A JVM worker does not look there.
const NATIVE_PART: &[u8] = b"wharf\x00\x02";
/// An allocation that is not there.
const NO_ALLOCATION: &[u8] = &(-1_i32).to_be_bytes();

/// The metadata of a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerState {
    /// URL of its REST API as others reach it, with a slash at its end.
    pub url: String,
    /// Offset of the last record of the config topic that it understood, plus one; −1 when there is none.
    pub config_offset: i64,
    /// Everything that it owns, or `None` when it owns nothing and never did, or gave up everything.
    pub allocation: Option<Assignment>,
    /// All plugins that it has; `None` when it does not say, as a JVM worker.
    pub plugins: Option<Vec<PluginClasses>>,
}

impl WorkerState {
    /// The bytes for one of the protocols that the member offers. The oldest has no place for the allocation; yet JVM workers read
    /// one there too, if anything follows, and end when it is none.
    ///
    /// # Errors
    /// When a text is longer than the protocol can carry.
    pub fn encode(&self, protocol: ConnectProtocol) -> Result<Vec<u8>, ProtocolError> {
        let mut out = Writer::new(MESSAGE, protocol.version());
        out.string("url", &self.url)?;
        out.i64(self.config_offset);
        if protocol.is_cooperative() {
            let allocation = self
                .allocation
                .as_ref()
                .map(|it| it.encode(protocol))
                .transpose()?;
            out.nullable_bytes("allocation", allocation.as_deref())?;
        }
        if let Some(plugins) = &self.plugins {
            if !protocol.is_cooperative() {
                out.raw(NO_ALLOCATION);
            }
            out.raw(NATIVE_PART);
            out.count("plugins", plugins.len())?;
            for classes in plugins {
                classes.write(&mut out)?;
            }
        }
        Ok(out.finish())
    }

    /// Names and bytes of all protocols that a worker of this mode offers, most wanted first.
    ///
    /// # Errors
    /// As [`WorkerState::encode`].
    pub fn offers(&self, mode: ConnectProtocol) -> Result<Vec<(ConnectProtocol, Vec<u8>)>, ProtocolError> {
        let encode = |protocol: &ConnectProtocol| Ok((*protocol, self.encode(*protocol)?));
        mode.offers().iter().map(encode).collect()
    }

    /// Reads metadata of any version.
    ///
    /// # Errors
    /// When the bytes are no metadata of a worker, or their allocation is no assignment.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut input = Reader::new(MESSAGE, bytes);
        let version = input.version()?;
        Ok(Self {
            url: input.string("url")?,
            config_offset: input.i64("config offset")?,
            allocation: if version == ConnectProtocol::Eager.version() {
                input.skip(NO_ALLOCATION);
                None
            } else if input.is_at_end() {
                None
            } else {
                input
                    .nullable_bytes("allocation")?
                    .map(Assignment::decode)
                    .transpose()?
            },
            plugins: native_part(&mut input)?,
        })
    }
}

/// Host and port of a worker's URL, by which it signs what it says of connectors and tasks.
#[must_use]
pub fn worker_id(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/')
}

/// What stands behind the last field that upstream knows of: ours, or nothing that is known here.
fn native_part(input: &mut Reader<'_>) -> Result<Option<Vec<PluginClasses>>, ProtocolError> {
    if !input.skip(NATIVE_PART) {
        return Ok(None);
    }
    let count = input.count("plugins")?;
    (0..count)
        .map(|_| PluginClasses::read(input))
        .collect::<Result<_, _>>()
        .map(Some)
}
