//! Metrics that plugins register (KIP-877), kept by the worker under the connector and task they belong to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_api::plugin::MetricKind;
use wharf_api::{ConnectError, Result};

/// A metric's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricName {
    /// The connector.
    pub connector: String,
    /// The task; `None` for the connector instance.
    pub task: Option<u32>,
    /// The plugin's name for it.
    pub name: String,
    /// The plugin's tags.
    pub tags: Vec<(String, String)>,
}

/// A metric's present state.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// What it is called and belongs to.
    pub name: MetricName,
    /// What it counts or shows.
    pub description: String,
    /// How it moves.
    pub kind: MetricKind,
    /// Its value.
    pub value: f64,
}

#[derive(Debug, Default)]
struct Metrics {
    by_number: Vec<Option<Metric>>,
    numbers: BTreeMap<MetricName, u64>,
}

/// All metrics of a worker's plugins.
#[derive(Debug, Default)]
pub struct PluginMetricRegistry(Mutex<Metrics>);

impl PluginMetricRegistry {
    /// No metrics yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn lock(&self) -> MutexGuard<'_, Metrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a metric, or finds it.
    ///
    /// # Errors
    /// When it exists with another kind.
    pub fn register(&self, name: MetricName, kind: MetricKind, description: &str) -> Result<u64> {
        let mut metrics = self.lock();
        if let Some(&number) = metrics.numbers.get(&name) {
            let known = usize::try_from(number)
                .ok()
                .and_then(|number| metrics.by_number.get(number)?.as_ref());
            return match known {
                Some(metric) if metric.kind == kind => Ok(number),
                _ => Err(ConnectError::already_exists(format!(
                    "metric {} is registered already as another kind",
                    name.name
                ))),
            };
        }
        let number = metrics.by_number.len() as u64;
        metrics.numbers.insert(name.clone(), number);
        metrics.by_number.push(Some(Metric {
            name,
            description: description.to_owned(),
            kind,
            value: 0.0,
        }));
        Ok(number)
    }

    /// Adds to a counter or sets a gauge.
    pub fn record(&self, number: u64, value: f64) {
        let mut metrics = self.lock();
        let slot = usize::try_from(number)
            .ok()
            .and_then(|number| metrics.by_number.get_mut(number));
        if let Some(metric) = slot.and_then(Option::as_mut) {
            match metric.kind {
                MetricKind::Counter => metric.value += value,
                _ => metric.value = value,
            }
        }
    }

    /// Forgets the metrics of a connector instance or task.
    pub fn remove(&self, connector: &str, task: Option<u32>) {
        let mut metrics = self.lock();
        let gone: Vec<MetricName> = metrics
            .numbers
            .keys()
            .filter(|name| name.connector == connector && name.task == task)
            .cloned()
            .collect();
        for name in gone {
            let number = metrics
                .numbers
                .remove(&name)
                .and_then(|number| usize::try_from(number).ok());
            if let Some(slot) = number.and_then(|number| metrics.by_number.get_mut(number)) {
                *slot = None;
            }
        }
    }

    /// All metrics as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Metric> {
        self.lock().by_number.iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(task: u32) -> MetricName {
        MetricName {
            connector: "c".into(),
            task: Some(task),
            name: "lines".into(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn counters_add_gauges_set_and_a_metric_keeps_its_number() {
        let metrics = PluginMetricRegistry::default();
        let counter = metrics.register(name(0), MetricKind::Counter, "d").unwrap();
        let gauge = metrics.register(name(1), MetricKind::Gauge, "d").unwrap();
        for number in [counter, gauge] {
            metrics.record(number, 2.0);
            metrics.record(number, 3.0);
        }
        assert_eq!(
            metrics
                .snapshot()
                .iter()
                .map(|metric| metric.value)
                .collect::<Vec<_>>(),
            [5.0, 3.0]
        );
        assert_eq!(
            metrics.register(name(0), MetricKind::Counter, "d").unwrap(),
            counter
        );
        assert!(metrics.register(name(0), MetricKind::Gauge, "d").is_err());
        metrics.record(99, 1.0);
        metrics.remove("c", Some(0));
        assert_eq!(metrics.snapshot().len(), 1);
        metrics.record(counter, 1.0);
        assert_ne!(
            metrics.register(name(0), MetricKind::Counter, "d").unwrap(),
            counter
        );
    }
}
