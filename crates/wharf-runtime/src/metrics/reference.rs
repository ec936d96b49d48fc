//! `docs/metrics.md`, made of the catalogue.

use super::catalogue::{CATALOGUE, Group, MetricDef};

/// What stands before and between the tables.
const TEXT: &str = include_str!("reference.md");

/// Where the tables stand in it.
const OF_UPSTREAM: &str = "<!-- tables of upstream's metrics -->\n";
const OUR_OWN: &str = "<!-- tables of our own metrics -->\n";

/// The whole document.
#[must_use]
pub fn reference() -> String {
    TEXT.replace(OF_UPSTREAM, &tables(|group| group.upstream.is_some()))
        .replace(OUR_OWN, &tables(|group| group.upstream.is_none()))
}

fn tables(wanted: impl Fn(&Group) -> bool) -> String {
    let mut text = String::new();
    let mut last: Option<&Group> = None;
    for def in CATALOGUE.iter().filter(|def| wanted(def.group)) {
        if last != Some(def.group) {
            if last.is_some() {
                text.push('\n');
            }
            head(&mut text, def.group);
            last = Some(def.group);
        }
        row(&mut text, def);
    }
    text
}

fn head(text: &mut String, group: &Group) {
    let labels: Vec<String> = group.labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = match labels.as_slice() {
        [] => "No labels.".to_owned(),
        labels => format!("Labels: {}.", labels.join(", ")),
    };
    let title = match (group.upstream, group.labels) {
        (Some("connect-worker-metrics"), [_, ..]) => "`connect-worker-metrics`, by connector".to_owned(),
        (Some(upstream), _) => format!("`{upstream}`"),
        (None, []) => "The worker".to_owned(),
        (None, _) => "Tasks".to_owned(),
    };
    text.push_str(&format!("### {title}\n\n{} {labels}\n\n", group.doc));
    text.push_str(match group.upstream {
        Some(_) => "| metric | type | attribute of the MBean | what it says |\n|---|---|---|---|\n",
        None => "| metric | type | what it says |\n|---|---|---|\n",
    });
}

fn row(text: &mut String, def: &MetricDef) {
    let own: Vec<String> = def.labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = match own.as_slice() {
        [] => String::new(),
        own => format!(" ({})", own.join(", ")),
    };
    text.push_str(&format!("| `{}`{labels} | {} | ", def.name, def.kind.name()));
    if def.group.upstream.is_some() {
        let attributes: Vec<String> = def.attribute.split(", ").map(|it| format!("`{it}`")).collect();
        text.push_str(&format!("{} | ", attributes.join(", ")));
    }
    text.push_str(&format!("{} |\n", def.help));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Run with `WHARF_WRITE_DOCS=1` to write the document anew.
    #[test]
    fn the_document_is_what_the_catalogue_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let text = reference();
        if std::env::var_os("WHARF_WRITE_DOCS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == text,
            "docs/metrics.md is not what the catalogue says: run WHARF_WRITE_DOCS=1 cargo test -p wharf-runtime --lib \
             metrics::reference"
        );
    }

    #[test]
    fn every_metric_has_its_row() {
        let text = reference();
        for def in CATALOGUE {
            assert_eq!(
                text.matches(&format!("| `{}`", def.name)).count(),
                1,
                "{}",
                def.name
            );
        }
        assert!(!text.contains("<!--"));
    }
}
