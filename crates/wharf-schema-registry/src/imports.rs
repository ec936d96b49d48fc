//! Files that a schema imports, kept in the registry as schemas of their own, which it refers to.
//!
//! Only Protobuf has such: with `skip.known.types=false` the well-known files that a written schema imports are registered, too. Each is
//! registered or looked up after those that it imports itself, without tags, and a reference names the version that came of it.

use wharf_api::Result;

use crate::client::Attempted;
use crate::config::WriteWith;
use crate::error::{Direction, RegistryError};
use crate::model::{RegistrySchema, SchemaReference};
use crate::serde::{Compatibility, SchemaRegistry, not_registered_yet};

/// A file that is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedSchema {
    /// What it is imported by.
    pub name: String,
    /// The subject that it belongs to.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The files that it imports itself.
    pub imports: Vec<ImportedSchema>,
}

/// How imported schemas are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FindImports {
    /// As the configuration says of schemas to write with: registered, the latest, or looked up.
    #[default]
    AsConfigured,
    /// Looked up by their text, whatever the configuration says (`reference.lookup.only`).
    ByText,
}

impl SchemaRegistry {
    /// References to the files that a schema to be written imports, in their order.
    ///
    /// # Errors
    /// What [`Format::registry_error`](crate::Format::registry_error) makes of a failure.
    pub fn references_to_imports(
        &mut self,
        topic: &str,
        imports: &[ImportedSchema],
        find: FindImports,
        compatibility: &dyn Compatibility,
    ) -> Result<Vec<SchemaReference>> {
        let mut references = Vec::with_capacity(imports.len());
        for imported in imports {
            let schema = RegistrySchema {
                format: self.format,
                text: imported.text.clone(),
                references: self.references_to_imports(topic, &imported.imports, find, compatibility)?,
            };
            let version = self
                .version_of_import(&imported.subject, &schema, find, compatibility)
                .map_err(|error| {
                    self.format
                        .registry_error(Direction::Serialize, topic, &schema.text, &error)
                })?;
            references.push(SchemaReference {
                name: imported.name.clone(),
                subject: imported.subject.clone(),
                version,
            });
        }
        Ok(references)
    }

    fn version_of_import(
        &mut self,
        subject: &str,
        schema: &RegistrySchema,
        find: FindImports,
        compatibility: &dyn Compatibility,
    ) -> Attempted<i32> {
        let normalize = self.config().normalize;
        let found = match (find, &self.config().write_with) {
            (FindImports::AsConfigured, WriteWith::Registered) => {
                self.client().register(subject, schema, normalize)?
            }
            (FindImports::AsConfigured, WriteWith::Previewed) => self
                .client()
                .lookup(subject, schema, normalize)
                .map_err(|error| not_registered_yet(subject, error))?,
            (FindImports::AsConfigured, _) if self.config().read_latest => {
                let latest = self.client().latest(subject)?;
                if self.config().latest_compatibility_strict {
                    self.check_compatible(&latest, schema, compatibility, "latest.compatibility.strict")?;
                }
                latest
            }
            _ => self.client().lookup(subject, schema, normalize)?,
        };
        let version = match found.version {
            Some(version) => Some(version),
            // Older registries answer a registration with the id alone.
            None => self.client().lookup(subject, &found.schema, normalize)?.version,
        };
        version.ok_or_else(|| RegistryError::Unreadable("the answer has no version".to_owned()))
    }
}
