//! What connectors and tasks are: classes and versions, as labels of metrics with the value 1.
//!
//! They do not change while a connector or a task is there, so the labels of a task are written once, when its parts have been
//! made, and only copied into the text.

use std::collections::BTreeMap;

use wharf_api::PluginKind;

use super::catalogue::MetricId::{self, ConnectorInfo, PredicateInfo, TaskInfo, TransformInfo};
use super::exposition::{Exposition, Labels};
use crate::herder::ConnectorType;
use crate::plugins::{ConnectorPlugin, PluginRegistry};

/// A class by its full name, in the version that its plugin states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassFacts {
    pub(crate) class: String,
    pub(crate) version: Option<String>,
}

impl ClassFacts {
    /// The class that a name or alias stands for, in the version that is used where this one is asked for.
    pub(crate) fn used(
        plugins: &PluginRegistry,
        kind: PluginKind,
        name: &str,
        version: Option<&str>,
    ) -> Self {
        let class = plugins
            .plugin_class(kind, name, version)
            .unwrap_or_else(|| name.to_owned());
        let version = plugins.select_version(kind, &class, version).ok();
        Self {
            class,
            version: version.filter(|version| !version.is_empty()),
        }
    }

    fn label(&self, labels: &Labels, name: &str) -> Labels {
        let version = self.version.as_deref().unwrap_or_default();
        labels
            .with(&format!("{name}_class"), &self.class)
            .with(&format!("{name}_version"), version)
    }
}

/// What is known of a connector instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectorFacts {
    pub(crate) connector_type: ConnectorType,
    pub(crate) plugin: ClassFacts,
}

impl ConnectorFacts {
    /// What its plugin says of it.
    pub(crate) fn of(plugin: &ConnectorPlugin) -> Self {
        Self {
            connector_type: plugin.kind,
            plugin: ClassFacts {
                class: plugin.class.to_string(),
                version: plugin.stated_version(),
            },
        }
    }

    fn label(&self, labels: &Labels) -> Labels {
        let labels = labels.with("connector_type", self.connector_type.name());
        self.plugin.label(&labels, "connector")
    }

    pub(super) fn write(&self, out: &mut Exposition, name: &str) {
        out.count(ConnectorInfo, &self.label(&Labels::connector(name)), 1);
    }
}

/// What a task is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskFacts {
    pub(crate) connector: ConnectorFacts,
    pub(crate) task: ClassFacts,
    pub(crate) key_converter: ClassFacts,
    pub(crate) value_converter: ClassFacts,
    pub(crate) header_converter: ClassFacts,
    pub(crate) chain: ChainFacts,
}

/// Transforms, and the predicates that they ask, by their aliases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ChainFacts {
    pub(crate) transforms: BTreeMap<String, ClassFacts>,
    pub(crate) predicates: BTreeMap<String, ClassFacts>,
}

/// All that is served of what a task is made of: metrics with their labels.
#[derive(Debug)]
pub(super) struct FactLabels(Vec<(MetricId, Labels)>);

impl FactLabels {
    /// `labels` are those of the task.
    pub(super) fn new(labels: &Labels, facts: &TaskFacts) -> Self {
        let parts = [
            (&facts.task, "task"),
            (&facts.key_converter, "key_converter"),
            (&facts.value_converter, "value_converter"),
            (&facts.header_converter, "header_converter"),
        ];
        let task = parts
            .into_iter()
            .fold(facts.connector.label(labels), |labels, (part, name)| {
                part.label(&labels, name)
            });
        let mut all = vec![(TaskInfo, task)];
        for (id, name, of_chain) in [
            (TransformInfo, "transform", &facts.chain.transforms),
            (PredicateInfo, "predicate", &facts.chain.predicates),
        ] {
            let lines = of_chain
                .iter()
                .map(|(alias, part)| (id, part.label(&labels.with(name, alias), name)));
            all.extend(lines);
        }
        Self(all)
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        for (id, labels) in &self.0 {
            out.count(*id, labels, 1);
        }
    }
}
