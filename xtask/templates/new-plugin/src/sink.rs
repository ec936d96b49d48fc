//! The sink: appends values to a file. Put the system you write to in its place.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use wharf_api::config::{ConfigDef, ConfigKey, Type};
use wharf_api::java_text::write_java_string;
use wharf_api::{
    ConfigMap, ConnectorContext, Offsets, RecordBatchRef, Result, SinkConnector, SinkTask, SinkTaskContext,
    source,
};

fn definition() -> ConfigDef {
    ConfigDef::new().define(ConfigKey::new("path", Type::String).doc("The file to append to."))
}

/// Says which tasks there are; here as many as are allowed, all alike.
#[derive(Default)]
pub struct ExampleSink(ConfigMap);

impl SinkConnector for ExampleSink {
    type Task = ExampleSinkTask;

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<()> {
        definition().parse(config)?;
        self.0 = config.clone();
        Ok(())
    }

    fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
        Ok(vec![self.0.clone(); max_tasks])
    }
}

/// Does the work.
#[derive(Default)]
pub struct ExampleSinkTask {
    file: Option<File>,
}

impl SinkTask for ExampleSinkTask {
    fn start(&mut self, _context: SinkTaskContext, config: &ConfigMap) -> Result<()> {
        self.file = Some(
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(&config["path"])?,
        );
        Ok(())
    }

    fn put(&mut self, records: &RecordBatchRef<'_>) -> Result<()> {
        let file = self.file.as_mut().ok_or_else(source::not_started)?;
        let mut text = Vec::new();
        for record in records.iter() {
            write_java_string(&record?.value(), &mut text);
            text.push(b'\n');
        }
        file.write_all(&text)?;
        Ok(())
    }

    fn flush(&mut self, _offsets: &Offsets) -> Result<()> {
        // After this the offsets of all that was put are committed: from here on it must be safe.
        self.file.as_mut().ok_or_else(source::not_started)?.sync_data()?;
        Ok(())
    }
}
