//! What a native worker says of its plugins when it joins.
//!
//! It goes into every request to join, once for each protocol, and the coordinator keeps it for every member. So classes of one
//! kind and version stand together in order, and each is written as how much of it is that of the one before, and the rest: 1.2 KB
//! for all that is built in.

use std::collections::BTreeSet;

use super::codec::{ProtocolError, Reader, Writer};

/// More than a package name needs, and little enough that few bytes cannot claim many.
const MOST_SHARED: u8 = 64;

/// Classes of one kind in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginClasses {
    /// The kind, as the REST API names it.
    pub kind: String,
    /// The version; empty when the plugin states none.
    pub version: String,
    /// Whether short names mean them too, as far as these are nobody else's.
    pub have_short_names: bool,
    /// Full class names.
    pub classes: BTreeSet<String>,
}

impl PluginClasses {
    pub(super) fn write(&self, out: &mut Writer) -> Result<(), ProtocolError> {
        out.string("plugin kind", &self.kind)?;
        out.string("plugin version", &self.version)?;
        out.u8(self.have_short_names.into());
        out.count("plugin classes", self.classes.len())?;
        let mut before = "";
        for class in &self.classes {
            let shared = shared_start(before, class);
            out.u8(u8::try_from(shared).unwrap_or_default());
            out.string("plugin class", &class[shared..])?;
            before = class;
        }
        Ok(())
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let kind = input.string("plugin kind")?;
        let version = input.string("plugin version")?;
        let have_short_names = input.u8("plugin names")? != 0;
        let count = input.count("plugin classes")?;
        let mut classes = BTreeSet::new();
        let mut before = String::new();
        for _ in 0..count {
            let shared = usize::from(input.u8("plugin class")?);
            let known = &before[..before.floor_char_boundary(MOST_SHARED.into())];
            let Some(start) = known.get(..shared) else {
                return Err(input.truncated("plugin class", shared, known.len()));
            };
            let class = format!("{start}{}", input.string("plugin class")?);
            classes.insert(class.clone());
            before = class;
        }
        Ok(Self {
            kind,
            version,
            have_short_names,
            classes,
        })
    }
}

/// How many bytes two texts have in common at their start, as far as that may be said.
fn shared_start(before: &str, text: &str) -> usize {
    let mut shared = before
        .bytes()
        .zip(text.bytes())
        .take(MOST_SHARED.into())
        .take_while(|(a, b)| a == b)
        .count();
    while !text.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}
