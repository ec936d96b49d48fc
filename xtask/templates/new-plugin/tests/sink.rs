//! What every sink plugin has to do.

use tempfile::TempDir;
use wharf_api::ConfigMap;
use wharf_testkit::{SinkFixture, config, sink_suite};

struct Folder(TempDir);

impl SinkFixture for Folder {
    fn config(&self) -> ConfigMap {
        config([("path", self.0.path().join("out.txt").to_str().unwrap())])
    }

    fn written(&self) -> usize {
        std::fs::read_to_string(self.0.path().join("out.txt"))
            .unwrap()
            .lines()
            .count()
    }
}

#[test]
fn the_sink_passes_the_suite() {
    sink_suite(example::wharf_plugin::plugin_module(), "ExampleSink", || {
        Folder(tempfile::tempdir().unwrap())
    });
}
