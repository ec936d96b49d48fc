//! The table of `connect-plugin-path list`, whose columns scripts cut by number.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wharf_api::PluginKind;

const HEADER: [&str; 8] = [
    "pluginName",
    "firstAlias",
    "secondAlias",
    "pluginVersion",
    "pluginType",
    "isLoadable",
    "hasManifest",
    "pluginLocation",
];

/// A plugin class in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PluginRow {
    pub(crate) class: String,
    /// Empty when unknown.
    pub(crate) version: String,
    pub(crate) kind: PluginKind,
    pub(crate) location: String,
}

/// The table with its three totals, as upstream prints it. Every row is loadable and has a manifest: a native library that
/// is not or has none is no row but a refusal.
pub(crate) fn render(rows: &[PluginRow]) -> String {
    let owners = alias_owners(rows);
    let alias = |class: &str, alias: Option<String>| {
        alias.filter(|alias| owners[alias].as_slice() == [class]).unwrap_or_else(|| "N/A".to_owned())
    };
    let mut out = HEADER.join("\t");
    for row in rows {
        let [first, second] = aliases(&row.class, row.kind);
        let version = if row.version.is_empty() { "undefined" } else { &row.version };
        let cells = [
            &row.class,
            &alias(&row.class, first),
            &alias(&row.class, second),
            version,
            row.kind.name(),
            "true",
            "true",
            &row.location,
        ];
        // writing to a String cannot fail
        let _ = write!(out, "\n{}", cells.join("\t"));
    }
    let total = rows.len();
    let _ = write!(out, "\n\nTotal plugins: \t{total}\nLoadable plugins: \t{total}\nCompatible plugins: \t{total}");
    out
}

/// Alias → the classes it fits, each once.
fn alias_owners(rows: &[PluginRow]) -> BTreeMap<String, Vec<&str>> {
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for row in rows {
        for alias in aliases(&row.class, row.kind).into_iter().flatten() {
            let classes = owners.entry(alias).or_default();
            if !classes.contains(&row.class.as_str()) {
                classes.push(&row.class);
            }
        }
    }
    owners
}

/// The simple name, and what is left of it without the suffix of its kind. The class name itself is no alias.
fn aliases(class: &str, kind: PluginKind) -> [Option<String>; 2] {
    let simple = class.rsplit(['.', '$']).next().unwrap_or(class);
    let short = simple.strip_suffix(kind.suffix()).filter(|short| !short.is_empty());
    [(simple != class).then(|| simple.to_owned()), short.map(str::to_owned)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: &str, version: &str, kind: PluginKind) -> PluginRow {
        PluginRow { class: class.into(), version: version.into(), kind, location: "/p/lib.so".into() }
    }

    #[test]
    fn the_table_has_upstreams_columns_and_totals() {
        let rows = [
            row("org.x.FileStreamSourceConnector", "1.0", PluginKind::Source),
            row("org.x.Cast$Value", "", PluginKind::Transformation),
            row("plain", "2", PluginKind::Converter),
        ];
        assert_eq!(
            render(&rows),
            "pluginName\tfirstAlias\tsecondAlias\tpluginVersion\tpluginType\tisLoadable\thasManifest\tpluginLocation\n\
             org.x.FileStreamSourceConnector\tFileStreamSourceConnector\tFileStreamSource\t1.0\tsource\ttrue\ttrue\t/p/lib.so\n\
             org.x.Cast$Value\tValue\tN/A\tundefined\ttransformation\ttrue\ttrue\t/p/lib.so\n\
             plain\tN/A\tN/A\t2\tconverter\ttrue\ttrue\t/p/lib.so\n\
             \n\
             Total plugins: \t3\nLoadable plugins: \t3\nCompatible plugins: \t3"
        );
    }

    #[test]
    fn an_alias_that_fits_two_classes_is_nobodys() {
        let rows = [
            row("a.JsonConverter", "1", PluginKind::Converter),
            row("b.JsonConverter", "1", PluginKind::Converter),
            row("b.JsonConverter", "2", PluginKind::Converter),
            row("c.AvroConverter", "1", PluginKind::Converter),
            row("c.AvroConverter", "2", PluginKind::Converter),
        ];
        let table = render(&rows);
        assert_eq!(table.matches("JsonConverter\tN/A\tN/A").count(), 3, "{table}");
        assert_eq!(table.matches("c.AvroConverter\tAvroConverter\tAvro\t").count(), 2, "two versions are one class");
    }
}
