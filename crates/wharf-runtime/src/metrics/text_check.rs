//! A strict reader of the text formats, for tests. It was written from the formats' descriptions and shares nothing with the
//! writer.

use std::collections::{BTreeMap, BTreeSet};

use super::TextFormat;

/// Reads a text and panics at the first thing that a strict reader would refuse. The answer is every sample's value by name and
/// labels as they stand there.
pub(crate) fn check(text: &str, format: TextFormat) -> BTreeMap<String, f64> {
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line does not end"
    );
    let mut samples = BTreeMap::new();
    let mut finished: BTreeSet<String> = BTreeSet::new();
    let mut family: Option<(String, String)> = None;
    let mut helped: Option<String> = None;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            assert_eq!(format, TextFormat::OpenMetrics, "an end where none belongs");
            assert!(lines.peek().is_none(), "something comes after the end");
            return samples;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help without text");
            check_escapes(help, format == TextFormat::OpenMetrics);
            helped = Some(name.to_owned());
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type without kind");
            assert_eq!(
                helped.take().as_deref(),
                Some(name),
                "help and type are of two metrics"
            );
            check_name(name);
            finished.extend(family.take().map(|(name, _)| name));
            assert!(!finished.contains(name), "{name} comes in two places");
            let kinds: &[&str] = match format {
                TextFormat::Prometheus => &["counter", "gauge", "histogram"],
                TextFormat::OpenMetrics => &["counter", "gauge", "histogram", "info"],
            };
            assert!(kinds.contains(&kind), "{kind} is no type");
            family = Some((name.to_owned(), kind.to_owned()));
            continue;
        }
        assert!(!line.starts_with('#'), "not understood: {line}");
        let (name, kind) = family.as_ref().expect("a sample before its type");
        let (series, value) = sample(line);
        let of_family = match (format, kind.as_str()) {
            (_, "histogram") => ["_bucket", "_sum", "_count"]
                .map(|end| format!("{name}{end}"))
                .to_vec(),
            (TextFormat::OpenMetrics, "counter") => vec![format!("{name}_total")],
            (TextFormat::OpenMetrics, "info") => vec![format!("{name}_info")],
            _ => vec![name.clone()],
        };
        let metric = series.split('{').next().unwrap_or_default().to_owned();
        assert!(of_family.contains(&metric), "{metric} stands under {name}");
        if kind != "gauge" {
            assert!(value >= 0.0, "{line}");
        }
        assert!(
            samples.insert(series.clone(), value).is_none(),
            "{series} comes twice"
        );
    }
    assert_eq!(format, TextFormat::Prometheus, "no end");
    check_histograms(&samples);
    samples
}

/// Buckets have to rise and to end with the count.
fn check_histograms(samples: &BTreeMap<String, f64>) {
    for (series, value) in samples {
        if let Some((name, rest)) = series.split_once("_bucket{")
            && let Some(labels) = rest.strip_suffix(",le=\"+Inf\"}")
        {
            assert_eq!(
                samples.get(&format!("{name}_count{{{labels}}}")),
                Some(value),
                "{series}"
            );
            let mut buckets: Vec<(f64, f64)> = samples
                .iter()
                .filter_map(|(other, count)| {
                    let bound = other.strip_prefix(&format!("{name}_bucket{{{labels},le=\""))?;
                    Some((bound.strip_suffix("\"}")?.parse().ok()?, *count))
                })
                .collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by_key(|(_, count)| *count), "{series}");
        }
    }
}

/// Name with labels, and value.
fn sample(line: &str) -> (String, f64) {
    let mut rest = line;
    let name_end = rest.find(['{', ' ']).expect("a sample without value");
    check_name(&rest[..name_end]);
    let mut end = name_end;
    rest = &rest[name_end..];
    if let Some(labels) = rest.strip_prefix('{') {
        let length = check_labels(labels);
        end += 1 + length;
        rest = &labels[length..];
    }
    let value = rest.strip_prefix(' ').expect("no blank before the value");
    assert!(!value.contains(' '), "a timestamp: {line}");
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().unwrap_or_else(|_| panic!("no number: {line}")),
    };
    assert!(!value.is_nan(), "{line}");
    (line[..end].to_owned(), value)
}

/// Checks labels up to and with the brace that closes them; the answer is their length.
fn check_labels(text: &str) -> usize {
    let mut names = BTreeSet::new();
    let mut at = 0;
    loop {
        let equals = at + text[at..].find('=').expect("a label without value");
        let name = &text[at..equals];
        check_name(name);
        assert!(
            !name.contains(':') && !name.starts_with("__"),
            "{name} is no label"
        );
        assert!(names.insert(name.to_owned()), "label {name} comes twice");
        assert_eq!(text.as_bytes()[equals + 1], b'"');
        let start = equals + 2;
        let mut escaped = false;
        let length = text[start..]
            .find(|char: char| {
                let ends = char == '"' && !escaped;
                escaped = char == '\\' && !escaped;
                ends
            })
            .expect("a label's value does not end");
        check_escapes(&text[start..start + length], true);
        at = start + length + 1;
        match text.as_bytes()[at] {
            b',' => at += 1,
            b'}' => return at + 1,
            other => panic!("{} after a label", char::from(other)),
        }
    }
}

fn check_escapes(text: &str, quotes: bool) {
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('\\' | 'n') => {}
                Some('"') if quotes => {}
                other => panic!("\\{other:?} in {text}"),
            },
            '"' if quotes => panic!("a bare quote in {text}"),
            _ => {}
        }
    }
}

fn check_name(name: &str) {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    let is_lawful =
        name.bytes().next().is_some_and(first) && name.bytes().all(|b| first(b) || b.is_ascii_digit());
    assert!(is_lawful, "'{name}' is no name");
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_total A\n# TYPE a_total counter\na_total{x=\"1\"} 1\n";
    assert_eq!(
        check(good, TextFormat::Prometheus).get("a_total{x=\"1\"}"),
        Some(&1.0)
    );
    for bad in [
        "# HELP a A\n# TYPE a counter\na{x=\"1\"} 1",
        "a 1\n",
        "# HELP a A\n# TYPE b gauge\nb 1\n",
        "# HELP a A\n# TYPE a gauge\nb 1\n",
        "# HELP a A\n# TYPE a gauge\na 1\na 2\n",
        "# HELP a A\n# TYPE a gauge\na{x=\"\"\"} 1\n",
        "# HELP a A\n# TYPE a gauge\na{x=\"\\q\"} 1\n",
        "# HELP a A\n# TYPE a gauge\na{1=\"\"} 1\n",
        "# HELP a A\n# TYPE a gauge\na{x=\"\",x=\"\"} 1\n",
        "# HELP a A\n# TYPE a gauge\na NaN\n",
        "# HELP a A\n# TYPE a gauge\na 1 5\n",
        "# HELP a A\n# TYPE a counter\na -1\n",
        "# HELP a A\n# TYPE a info\na 1\n",
        "# HELP a A\n# TYPE a histogram\na_bucket{y=\"\",le=\"+Inf\"} 2\na_count{y=\"\"} 1\na_sum{y=\"\"} 1\n",
        "# EOF\n",
    ] {
        let refused = std::panic::catch_unwind(|| check(bad, TextFormat::Prometheus));
        assert!(refused.is_err(), "{bad}");
    }
}
