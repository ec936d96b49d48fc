//! Every metric of this worker, described once: what `GET /metrics` calls it, what upstream calls it, its labels and its
//! meaning. What is served and `docs/metrics.md` both come from here, so neither can forget one.
//!
//! Names: `kafka_connect_`, upstream's group without `connect-` and `-metrics`, upstream's attribute. Units are upstream's, and
//! end the name. What only grows ends in `_total`, a `total-` in front moves there. Texts of upstream become labels of a metric
//! with the value 1. What upstream does not have begins with `wharf_` and counts in seconds and bytes. A test (`metric_templates`) holds
//! groups, attributes and labels against what upstream's own classes name.

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from 0 when the worker or the task starts.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Always 1; what it tells is in its labels.
    Info,
    /// How often values fell into which range.
    Histogram,
}

impl Kind {
    /// Its name in text formats; `Info` is one in OpenMetrics only.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }
}

/// Metrics that belong to the same things.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// Upstream's name, the `type` of its MBeans; `None` for what upstream does not have.
    pub upstream: Option<&'static str>,
    /// Labels of each of its metrics.
    pub labels: &'static [&'static str],
    /// What its metrics belong to, and while what they are there.
    pub doc: &'static str,
}

/// A metric.
#[derive(Debug)]
pub struct MetricDef {
    /// What it belongs to.
    pub group: &'static Group,
    /// Upstream's attributes, separated by commas; empty for what upstream does not have.
    pub attribute: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Its labels beside the group's.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl MetricDef {
    /// All its labels, the group's first.
    pub fn all_labels(&self) -> impl Iterator<Item = &'static str> {
        self.group.labels.iter().chain(self.labels).copied()
    }
}

macro_rules! catalogue {
    ($($group:ident {
        $($id:ident $kind:ident $attribute:literal $name:literal $([$($label:literal),+])? $help:literal;)+
    })+) => {
        /// Names a metric of the [`CATALOGUE`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the catalogue says what each is")]
        pub enum MetricId {
            $($($id,)+)+
        }

        /// Every metric, in the order in which they are served.
        pub static CATALOGUE: &[MetricDef] = &[
            $($(MetricDef {
                group: &$group,
                attribute: $attribute,
                name: $name,
                kind: Kind::$kind,
                labels: &[$($($label),+)?],
                help: $help,
            },)+)+
        ];
    };
}

#[path = "catalogue_table.rs"]
mod table;

pub use self::table::{CATALOGUE, MetricId};

impl MetricId {
    /// What the catalogue says of it.
    #[must_use]
    pub fn def(self) -> &'static MetricDef {
        &CATALOGUE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_from_upstreams() {
        for def in CATALOGUE {
            let name = def.name;
            let Some(group) = def.group.upstream else {
                assert!(name.starts_with("wharf_") && def.attribute.is_empty(), "{name}");
                continue;
            };
            let group = group.trim_start_matches("connect-").trim_end_matches("-metrics");
            let prefix = format!("kafka_connect_{}_", group.replace('-', "_"));
            if def.kind == Kind::Info {
                let stem = prefix.strip_suffix("info_").unwrap_or(&prefix);
                assert_eq!(name, format!("{stem}info"));
                continue;
            }
            let attribute = match def.attribute.strip_prefix("total-") {
                Some(rest) => format!("{rest}-total"),
                None => def.attribute.to_owned(),
            };
            let attribute = attribute.trim_end_matches("-total").replace('-', "_");
            let rest = name
                .strip_prefix(&prefix)
                .unwrap_or_else(|| panic!("{name} has another group"));
            let rest = rest.trim_end_matches("_total").trim_end_matches("_ms");
            assert_eq!(rest, attribute.trim_end_matches("_ms"), "{name}");
        }
    }

    #[test]
    fn names_are_lawful_and_used_once() {
        let mut names = BTreeSet::new();
        for def in CATALOGUE {
            let name = def.name;
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
            assert!(names.insert(name), "{name} comes twice");
            assert_eq!(def.kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(def.kind == Kind::Info, name.ends_with("_info"), "{name}");
            let labels: Vec<_> = def.all_labels().collect();
            let different: BTreeSet<_> = labels.iter().collect();
            assert_eq!(labels.len(), different.len(), "{name}");
            assert!(
                def.help.ends_with(|c: char| c.is_alphanumeric() || c == ')'),
                "{name}: {}",
                def.help
            );
        }
        // A histogram's lines must not be another metric's.
        for def in CATALOGUE.iter().filter(|def| def.kind == Kind::Histogram) {
            for end in ["_bucket", "_sum", "_count"] {
                assert!(!names.contains(format!("{}{end}", def.name).as_str()));
            }
        }
    }

    #[test]
    fn an_id_finds_its_metric() {
        for (id, name) in [
            (MetricId::ConnectorInfo, "kafka_connect_connector_info"),
            (
                MetricId::SinkRecordSendTotal,
                "kafka_connect_sink_task_sink_record_send_total",
            ),
            (MetricId::WorkerMemoryHeld, "wharf_worker_memory_held_bytes"),
        ] {
            assert_eq!(id.def().name, name);
        }
    }
}
