//! Files that schemas may import without a reference, as upstream brings them along: Google's and Confluent's common types. Those that a
//! Connect schema may become, and what they import, are in the form that upstream registers.

use wharf_api::{ConnectError, Result};
use wharf_schema_registry::ImportedSchema;

use crate::link::parse_file;

/// The text of a well-known file.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    Some(match name {
        "google/protobuf/any.proto" => include_str!("any.proto"),
        "google/protobuf/descriptor.proto" => include_str!("descriptor.proto"),
        "google/protobuf/duration.proto" => include_str!("duration.proto"),
        "google/protobuf/empty.proto" => include_str!("empty.proto"),
        "google/protobuf/field_mask.proto" => include_str!("field_mask.proto"),
        "google/protobuf/source_context.proto" => include_str!("source_context.proto"),
        "google/protobuf/struct.proto" => include_str!("struct.proto"),
        "google/protobuf/timestamp.proto" => include_str!("timestamp.proto"),
        "google/protobuf/wrappers.proto" => WRAPPERS,
        "google/type/calendar_period.proto" => include_str!("calendar_period.proto"),
        "google/type/color.proto" => include_str!("color.proto"),
        "google/type/date.proto" => include_str!("date.proto"),
        "google/type/datetime.proto" => include_str!("datetime.proto"),
        "google/type/dayofweek.proto" => include_str!("dayofweek.proto"),
        "google/type/decimal.proto" => include_str!("google_decimal.proto"),
        "google/type/expr.proto" => include_str!("expr.proto"),
        "google/type/fraction.proto" => include_str!("fraction.proto"),
        "google/type/interval.proto" => include_str!("interval.proto"),
        "google/type/latlng.proto" => include_str!("latlng.proto"),
        "google/type/money.proto" => include_str!("money.proto"),
        "google/type/month.proto" => include_str!("month.proto"),
        "google/type/phone_number.proto" => include_str!("phone_number.proto"),
        "google/type/postal_address.proto" => include_str!("postal_address.proto"),
        "google/type/quaternion.proto" => include_str!("quaternion.proto"),
        "google/type/timeofday.proto" => include_str!("timeofday.proto"),
        "confluent/meta.proto" => include_str!("meta.proto"),
        "confluent/type/decimal.proto" => include_str!("decimal.proto"),
        "confluent/type/variant.proto" => include_str!("variant.proto"),
        _ => return None,
    })
}

/// The files of these names as schemas of their own, with what they import; `subject` names their subjects.
///
/// # Errors
/// A data error when one of them is not well known.
pub(crate) fn imports(
    names: impl IntoIterator<Item = impl AsRef<str>>,
    subject: fn(&str) -> String,
) -> Result<Vec<ImportedSchema>> {
    let import = |name: &str| {
        let text =
            text(name).ok_or_else(|| ConnectError::data(format!("{name} is not a well-known file")))?;
        let (file, _) = parse_file(name, text)?;
        Ok(ImportedSchema {
            name: name.to_owned(),
            subject: subject(name),
            text: text.to_owned(),
            imports: imports(file.dependency, subject)?,
        })
    };
    names.into_iter().map(|name| import(name.as_ref())).collect()
}

/// Upstream registers this file for keys and values that are single scalars, in exactly this form.
pub(crate) const WRAPPERS: &str = include_str!("wrappers.proto");

#[cfg(test)]
mod tests {
    use crate::link::parse_file;

    #[test]
    fn every_file_holds_and_its_imports_are_known() {
        for name in [
            "protobuf/any",
            "protobuf/descriptor",
            "protobuf/duration",
            "protobuf/empty",
            "protobuf/field_mask",
            "protobuf/source_context",
            "protobuf/struct",
            "protobuf/timestamp",
            "protobuf/wrappers",
            "type/calendar_period",
            "type/color",
            "type/date",
            "type/datetime",
            "type/dayofweek",
            "type/decimal",
            "type/expr",
            "type/fraction",
            "type/interval",
            "type/latlng",
            "type/money",
            "type/month",
            "type/phone_number",
            "type/postal_address",
            "type/quaternion",
            "type/timeofday",
        ] {
            let name = format!("google/{name}.proto");
            let (file, _) = parse_file(&name, super::text(&name).unwrap()).unwrap();
            assert!(
                file.dependency.iter().all(|import| super::text(import).is_some()),
                "{name}"
            );
        }
        for name in [
            "confluent/meta.proto",
            "confluent/type/decimal.proto",
            "confluent/type/variant.proto",
        ] {
            parse_file(name, super::text(name).unwrap()).unwrap();
        }
    }
}
