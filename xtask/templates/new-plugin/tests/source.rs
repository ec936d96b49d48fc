//! What every source plugin has to do.

use std::io::Write as _;

use tempfile::TempDir;
use wharf_api::ConfigMap;
use wharf_testkit::{SourceFixture, config, source_suite};

struct Folder(TempDir);

impl SourceFixture for Folder {
    fn config(&self) -> ConfigMap {
        config([
            ("path", self.0.path().join("in.txt").to_str().unwrap()),
            ("topic", "t"),
        ])
    }

    fn produce(&mut self, count: usize) {
        let path = self.0.path().join("in.txt");
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        (0..count).for_each(|number| writeln!(file, "line {number}").unwrap());
    }
}

#[test]
fn the_source_passes_the_suite() {
    source_suite(example::wharf_plugin::plugin_module(), "ExampleSource", || {
        Folder(tempfile::tempdir().unwrap())
    });
}
