//! The source: reads lines of a file. Put the system you read from in its place.

use wharf_api::config::{ConfigDef, ConfigKey, Type};
use wharf_api::{
    ConfigMap, ConnectorContext, NewRecord, OffsetMap, RecordBatch, Result, Schema, SourceConnector,
    SourceTask, SourceTaskContext, ValueRef, source,
};

/// Says which tasks there are; here one.
#[derive(Default)]
pub struct ExampleSource(ConfigMap);

impl SourceConnector for ExampleSource {
    type Task = ExampleSourceTask;

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::new("path", Type::String).doc("The file to read."))
            .define(ConfigKey::new("topic", Type::String).doc("The topic to write to."))
    }

    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<()> {
        self.config().parse(config)?;
        self.0 = config.clone();
        Ok(())
    }

    fn task_configs(&self, _max_tasks: usize) -> Result<Vec<ConfigMap>> {
        Ok(vec![self.0.clone()])
    }
}

/// Does the work.
#[derive(Default)]
pub struct ExampleSourceTask {
    context: Option<SourceTaskContext>,
    config: ConfigMap,
    partition: OffsetMap,
    lines: i64,
}

impl SourceTask for ExampleSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<()> {
        // Where to go on: after the last record that Kafka has acknowledged.
        self.partition = OffsetMap::from([("path", config["path"].as_str())]);
        let offset = context.offset_reader().offset(&self.partition)?;
        let lines = offset.unwrap_or_default().get("lines").cloned();
        self.lines = lines.and_then(|lines| lines.as_i64()).unwrap_or(0);
        self.config = config.clone();
        self.context = Some(context);
        Ok(())
    }

    fn poll(&mut self, batch: &mut RecordBatch) -> Result<()> {
        let context = self.context.as_ref().ok_or_else(source::not_started)?;
        let text = std::fs::read_to_string(&self.config["path"]).unwrap_or_default();
        let lines = text.split_inclusive('\n').skip(self.lines as usize);
        // The last line may be half written; it has its turn when it is whole.
        for line in lines.filter_map(|line| line.strip_suffix('\n')).take(1000) {
            self.lines += 1;
            let offset = [("lines", ValueRef::Int64(self.lines))];
            let record = NewRecord::source(&self.config["topic"], &self.partition, &offset);
            batch.push(&record.value(Some(&Schema::string()), line))?;
        }
        if batch.is_empty() {
            context.wait(std::time::Duration::from_secs(1));
        }
        Ok(())
    }
}
