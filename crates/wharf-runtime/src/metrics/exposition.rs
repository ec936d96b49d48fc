//! From values to the text that Prometheus reads: its own format 0.0.4, or OpenMetrics 1.0.0.
//!
//! All lines of one metric stand together, as both formats demand, whatever the order in which values are given. A value that
//! is not a number is left out: it would make every sum over the metric one. The writer allocates one text per metric and
//! nothing per value.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::catalogue::{CATALOGUE, Kind, MetricId};
use super::histogram::Histogram;

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Prometheus 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl TextFormat {
    /// What `Content-Type` says of it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Labels, written once for all metrics of the same thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Labels(String);

impl Labels {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Those of a connector.
    pub(crate) fn connector(name: &str) -> Self {
        Self::none().with("connector", name)
    }

    /// Those of a task.
    pub(crate) fn task(connector: &str, task: u32) -> Self {
        Self::connector(connector).with("task", &task.to_string())
    }

    /// These and one more. The name has to be a lawful one ([`label_name`]).
    #[must_use]
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut text = self.0.clone();
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        escape(&mut text, value, true);
        text.push('"');
        Self(text)
    }
}

/// A metric that a plugin registered.
struct PluginFamily {
    kind: Kind,
    help: String,
    lines: String,
}

/// Values on their way to text.
pub(crate) struct Exposition {
    format: TextFormat,
    /// By number of the metric.
    families: Vec<String>,
    of_plugins: BTreeMap<String, PluginFamily>,
}

impl Exposition {
    pub(crate) fn new(format: TextFormat) -> Self {
        Self {
            format,
            families: vec![String::new(); CATALOGUE.len()],
            of_plugins: BTreeMap::new(),
        }
    }

    /// A value; nothing when it is not a number.
    pub(crate) fn value(&mut self, id: MetricId, labels: &Labels, value: f64) {
        line(
            &mut self.families[id as usize],
            id.def().name,
            "",
            &labels.0,
            value,
        );
    }

    /// A value that there may be.
    pub(crate) fn optional(&mut self, id: MetricId, labels: &Labels, value: Option<f64>) {
        if let Some(value) = value {
            self.value(id, labels, value);
        }
    }

    /// A count.
    pub(crate) fn count(&mut self, id: MetricId, labels: &Labels, count: u64) {
        let lines = &mut self.families[id as usize];
        head(lines, id.def().name, "", &labels.0);
        // Writing to a text cannot fail.
        let _ = writeln!(lines, "{count}");
    }

    /// Texts, as labels of the value 1.
    pub(crate) fn texts(&mut self, id: MetricId, labels: &Labels, texts: &[(&str, &str)]) {
        let labels = texts
            .iter()
            .fold(labels.clone(), |labels, (name, text)| labels.with(name, text));
        self.count(id, &labels, 1);
    }

    /// A histogram.
    pub(crate) fn histogram(&mut self, id: MetricId, labels: &Labels, histogram: &Histogram) {
        let lines = &mut self.families[id as usize];
        let name = id.def().name;
        let (buckets, count, sum) = histogram.read();
        for (bound, below) in buckets.into_iter().chain([("+Inf", count)]) {
            head(lines, name, "_bucket", &labels.with("le", bound).0);
            let _ = writeln!(lines, "{below}");
        }
        head(lines, name, "_count", &labels.0);
        let _ = writeln!(lines, "{count}");
        line(lines, name, "_sum", &labels.0, sum);
    }

    /// A plugin's metric: its name is made lawful. Of two with one name the first says what it is. Counters have to come before
    /// gauges: in OpenMetrics a counter takes the name without `_total`, too.
    pub(crate) fn plugin_value(&mut self, kind: Kind, name: &str, help: &str, labels: &Labels, value: f64) {
        let mut name = format!("wharf_plugin_{}", lawful(name));
        if kind == Kind::Counter && !name.ends_with("_total") {
            name.push_str("_total");
        }
        let is_taken = RESERVED.iter().any(|end| name.ends_with(end))
            || self.of_plugins.contains_key(&format!("{name}_total"));
        if kind == Kind::Gauge && is_taken {
            name.push_str("_value");
        }
        let family = self
            .of_plugins
            .entry(name.clone())
            .or_insert_with(|| PluginFamily {
                kind,
                help: help.to_owned(),
                lines: String::new(),
            });
        line(&mut family.lines, &name, "", &labels.0, value);
    }

    /// All of it.
    pub(crate) fn finish(self) -> String {
        let mut text = String::new();
        for (def, lines) in CATALOGUE.iter().zip(&self.families) {
            family(&mut text, self.format, def.name, def.kind, def.help, lines);
        }
        for (name, of_plugin) in &self.of_plugins {
            let PluginFamily { kind, help, lines } = of_plugin;
            family(&mut text, self.format, name, *kind, help, lines);
        }
        if self.format == TextFormat::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

/// Ends of names that mean something in the formats.
const RESERVED: [&str; 6] = ["_total", "_info", "_bucket", "_count", "_sum", "_created"];

fn family(text: &mut String, format: TextFormat, name: &str, kind: Kind, help: &str, lines: &str) {
    if lines.is_empty() {
        return;
    }
    let (name, kind) = match (format, kind) {
        (TextFormat::OpenMetrics, Kind::Counter) => (name.trim_end_matches("_total"), kind.name()),
        (TextFormat::OpenMetrics, Kind::Info) => (name.trim_end_matches("_info"), kind.name()),
        (TextFormat::Prometheus, Kind::Info) => (name, Kind::Gauge.name()),
        _ => (name, kind.name()),
    };
    text.reserve(lines.len() + 2 * name.len() + help.len() + 32);
    let _ = write!(text, "# HELP {name} ");
    escape(text, help, format == TextFormat::OpenMetrics);
    let _ = writeln!(text, "\n# TYPE {name} {kind}");
    text.push_str(lines);
}

fn head(lines: &mut String, name: &str, end: &str, labels: &str) {
    lines.push_str(name);
    lines.push_str(end);
    if !labels.is_empty() {
        lines.push('{');
        lines.push_str(labels);
        lines.push('}');
    }
    lines.push(' ');
}

fn line(lines: &mut String, name: &str, end: &str, labels: &str, value: f64) {
    if value.is_nan() {
        return;
    }
    head(lines, name, end, labels);
    let _ = match value {
        f64::INFINITY => writeln!(lines, "+Inf"),
        f64::NEG_INFINITY => writeln!(lines, "-Inf"),
        value => writeln!(lines, "{value}"),
    };
}

fn escape(text: &mut String, value: &str, quotes: bool) {
    for char in value.chars() {
        match char {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            char => text.push(char),
        }
    }
}

/// A name of which every character is allowed; what is not becomes an underscore.
fn lawful(name: &str) -> String {
    let allowed = |char: char| char.is_ascii_alphanumeric() || char == '_';
    name.chars()
        .map(|char| if allowed(char) { char } else { '_' })
        .collect()
}

/// The name of a label for what a user or a plugin calls it. Names that this worker uses, that begin with a digit or that are
/// reserved get `tag_` in front.
pub(crate) fn label_name(name: &str) -> String {
    let lawful = lawful(name);
    let taken = [
        "connector",
        "task",
        "le",
        "quantile",
        "worker_id",
        "version",
        "commit_id",
    ];
    let is_taken = taken.contains(&lawful.as_str()) || lawful.is_empty();
    if is_taken || lawful.starts_with("__") || lawful.starts_with(|first: char| first.is_ascii_digit()) {
        format!("tag_{lawful}")
    } else {
        lawful
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::histogram::LAG;
    use crate::metrics::text_check::check;

    fn sample(format: TextFormat) -> String {
        let mut out = Exposition::new(format);
        let task = Labels::task("a \"b\"\\\n", 3);
        out.count(MetricId::SinkRecordSendTotal, &task, 7);
        out.value(MetricId::RunningRatio, &task, f64::NAN);
        out.value(MetricId::TimeSinceLastRebalance, &Labels::none(), f64::INFINITY);
        out.texts(
            MetricId::ConnectorInfo,
            &Labels::connector("c"),
            &[
                ("connector_type", "sink"),
                ("connector_class", "x.Y"),
                ("connector_version", "1"),
            ],
        );
        out.count(MetricId::SinkRecordSendTotal, &Labels::task("c", 0), 8);
        let histogram = Histogram::new(&LAG);
        histogram.observe(3, 2);
        out.histogram(MetricId::RecordLagSeconds, &task, &histogram);
        out.plugin_value(Kind::Counter, "rows.read", "Rows\nread \\ \"all\"", &task, 2.5);
        out.plugin_value(Kind::Gauge, "open_total", "Open", &task, -1.0);
        out.finish()
    }

    #[test]
    fn prometheus_text_is_as_prometheus_wants_it() {
        let text = sample(TextFormat::Prometheus);
        let task = r#"connector="a \"b\"\\\n",task="3""#;
        for line in [
            "# TYPE kafka_connect_connector_info gauge".to_owned(),
            r#"kafka_connect_connector_info{connector="c",connector_type="sink",connector_class="x.Y",connector_version="1"} 1"#.to_owned(),
            "# TYPE kafka_connect_sink_task_sink_record_send_total counter".to_owned(),
            format!("kafka_connect_sink_task_sink_record_send_total{{{task}}} 7"),
            "kafka_connect_worker_rebalance_time_since_last_rebalance_ms +Inf".to_owned(),
            format!("wharf_task_record_lag_seconds_bucket{{{task},le=\"0.005\"}} 2"),
            format!("wharf_task_record_lag_seconds_bucket{{{task},le=\"+Inf\"}} 2"),
            format!("wharf_task_record_lag_seconds_sum{{{task}}} 0.006"),
            r#"# HELP wharf_plugin_rows_read_total Rows\nread \\ "all""#.to_owned(),
            format!("wharf_plugin_rows_read_total{{{task}}} 2.5"),
            format!("wharf_plugin_open_total_value{{{task}}} -1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("NaN") && !text.contains("running_ratio"), "{text}");
        check(&text, TextFormat::Prometheus);
    }

    #[test]
    fn open_metrics_text_names_families_without_their_ends() {
        let text = sample(TextFormat::OpenMetrics);
        for line in [
            "# TYPE kafka_connect_connector info",
            "# TYPE kafka_connect_sink_task_sink_record_send counter",
            "# TYPE wharf_plugin_rows_read counter",
            r#"# HELP wharf_plugin_rows_read Rows\nread \\ \"all\""#,
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line}\nis not in\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"));
        check(&text, TextFormat::OpenMetrics);
    }

    #[test]
    fn names_of_labels_are_lawful_and_not_the_workers_own() {
        for (name, expected) in [
            ("zone", "zone"),
            ("a.b-c", "a_b_c"),
            ("task", "tag_task"),
            ("0x", "tag_0x"),
            ("__name__", "tag___name__"),
            ("", "tag_"),
            ("ä", "_"),
        ] {
            assert_eq!(label_name(name), expected, "{name}");
        }
    }

    #[test]
    fn nothing_is_said_of_metrics_without_values() {
        assert_eq!(Exposition::new(TextFormat::Prometheus).finish(), "");
        assert_eq!(Exposition::new(TextFormat::OpenMetrics).finish(), "# EOF\n");
    }
}
