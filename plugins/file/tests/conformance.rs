//! Both connectors pass the suites that every plugin has to pass.

use std::fs;
use std::io::Write as _;

use tempfile::TempDir;
use wharf_api::ConfigMap;
use wharf_file::wharf_plugin::plugin_module;
use wharf_testkit::{SinkFixture, SourceFixture, config, sink_suite, source_suite};

struct Lines(TempDir, usize);

impl SourceFixture for Lines {
    fn config(&self) -> ConfigMap {
        config([
            ("file", self.0.path().join("in.txt").to_str().unwrap()),
            ("topic", "lines"),
        ])
    }

    fn produce(&mut self, count: usize) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.0.path().join("in.txt"))
            .unwrap();
        for _ in 0..count {
            self.1 += 1;
            writeln!(file, "zeile №{}", self.1).unwrap();
        }
    }

    fn bad_configs(&self) -> Vec<(ConfigMap, &'static str)> {
        vec![
            (config([("topic", "")]), "String must be non-empty"),
            (config([("topic", "t"), ("batch.size", "x")]), "batch.size"),
        ]
    }
}

#[test]
fn the_source_passes_the_suite() {
    let class = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    source_suite(plugin_module(), class, || Lines(tempfile::tempdir().unwrap(), 0));
}

struct Output(TempDir);

impl SinkFixture for Output {
    fn config(&self) -> ConfigMap {
        config([("file", self.0.path().join("out.txt").to_str().unwrap())])
    }

    fn written(&self) -> usize {
        fs::read_to_string(self.0.path().join("out.txt"))
            .unwrap()
            .lines()
            .count()
    }
}

#[test]
fn the_sink_passes_the_suite() {
    let class = "org.apache.kafka.connect.file.FileStreamSinkConnector";
    sink_suite(plugin_module(), class, || Output(tempfile::tempdir().unwrap()));
}
