//! `ExtractNewRecordState`: a change event becomes the row that it tells of.

use wharf_api::ConnectError;
use wharf_api::config::ConfigDef;
use wharf_api::{Applied, ConfigMap, Record, Result, SchemaRef, Struct, Transformation, Value};
use wharf_transforms::support::{SchemaCache, no_struct};

use crate::drop_fields::DropFields;
use crate::is_envelope;
use crate::plan::{Plan, Row};
use crate::settings::{Deletes, Settings, definition};

const PURPOSE: &str = "field extraction";
/// What `op` is of a delete.
const DELETE: &str = "d";

/// The transformation.
#[derive(Default)]
pub struct ExtractNewRecordState {
    configured: Option<Configured>,
}

struct Configured {
    settings: Settings,
    drop_fields: Option<DropFields>,
    plans: SchemaCache<Plan>,
}

impl Transformation for ExtractNewRecordState {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let (settings, drop_fields) = Settings::parse(config)?;
        self.configured = Some(Configured {
            settings,
            drop_fields,
            plans: SchemaCache::default(),
        });
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        match &mut self.configured {
            Some(configured) => configured.apply(record),
            None => Ok(Applied::Kept),
        }
    }
}

impl Configured {
    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        if record.value.is_null() {
            return Ok(self.tombstone(record));
        }
        if !is_envelope(record.value_schema.as_ref()) {
            return Ok(Applied::Kept);
        }
        let envelope = match std::mem::take(&mut record.value) {
            Value::Struct(envelope) => *envelope,
            other => return Err(no_struct(&other, PURPOSE)),
        };
        let plan = self
            .plans
            .get(envelope.schema(), |schema| Ok(Plan::new(schema, &self.settings)))?;
        for header in plan.headers()? {
            let (schema, value) = (SchemaRef::clone(&header.schema), header.value(&envelope));
            record.headers.add(&header.name, Some(schema), value)?;
        }
        let after = plan.after()?;
        let is_delete = after.is_missing(&envelope);
        let row = if is_delete { plan.before()? } else { after };
        // Of a truncated table, and of a deleted row of which nothing was logged.
        if row.is_missing(&envelope) || (is_delete && self.settings.deletes == Deletes::Drop) {
            return Ok(Applied::Dropped);
        }
        if is_delete && let Some(field) = &self.settings.route_by_field {
            let before = row
                .of(&envelope)
                .map_or(Ok(None), |before| before.get_string(field));
            route(&mut record.topic, before?);
        }
        match self.settings.deletes {
            Deletes::Null if is_delete => record.value_schema = Some(SchemaRef::clone(&after.schema)),
            Deletes::Tombstone if is_delete => record.value_schema = None,
            _ => {
                let found = plan.extract(row, envelope, &self.settings, is_delete)?;
                if !is_delete && let Some(field) = &self.settings.route_by_field {
                    route(&mut record.topic, own_text(&found, row, field)?);
                }
                record.value_schema = Some(SchemaRef::clone(found.schema()));
                record.value = Value::Struct(found);
            }
        }
        if let Some(drop_fields) = &mut self.drop_fields {
            // Of deletes, fields are left out before others are added.
            let fields = if is_delete { row.own_fields } else { usize::MAX };
            drop_fields.apply(record, fields)?;
        }
        Ok(Applied::Kept)
    }

    fn tombstone(&self, record: &mut Record) -> Applied {
        if !self.settings.keeps_tombstones {
            return Applied::Dropped;
        }
        for header in self
            .settings
            .headers
            .iter()
            .filter(|header| header.is_operation())
        {
            record.headers.add_string(header.name(), DELETE);
        }
        Applied::Kept
    }
}

/// The text of a field that is the row's own and was not added.
fn own_text<'s>(found: &'s Struct, row: &Row, field: &str) -> Result<Option<&'s str>> {
    let text = found.get_string(field)?;
    let position = found.schema().field(field)?.map(wharf_api::Field::index);
    if position >= Some(row.own_fields) {
        return Err(ConnectError::data(format!("{field} is not a valid field name")));
    }
    Ok(text)
}

/// What Java trims is no name.
fn route(topic: &mut String, to: Option<&str>) {
    if let Some(to) = to.filter(|to| to.chars().any(|letter| letter > ' ')) {
        to.clone_into(topic);
    }
}
