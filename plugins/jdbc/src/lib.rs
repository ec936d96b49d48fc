//! JDBC source and sink connectors: tables of relational databases, under the class names, keys and `jdbc:` URLs that users of
//! Kafka Connect have. There is no driver layer below them: each database is spoken to in its own protocol.
//!
//! A record's way into a table: `sink/shape.rs` says which columns it fills, `sink/cell.rs` holds their values,
//! `sink/pending.rs` keeps rows in order until `sink/writer.rs` writes them, with statements from `dialect/` that a connection of
//! `session/` runs. Rows that the database refuses are looked for in `sink/careful.rs`, and those that are there already passed over by
//! `sink/written_before.rs`. A row's way into a record is told in `source/mod.rs`.

mod connection_config;
mod dialect;
mod failure;
mod jvm_keys;
mod probe;
mod session;
mod sink;
mod source;
mod table_id;
mod url;

pub use sink::{AivenJdbcSinkConnector, JdbcSinkConnector, JdbcSinkTask};
pub use source::{AivenJdbcSourceConnector, JdbcSourceConnector, JdbcSourceTask};

wharf_abi::export_plugins! {
    source_connector JdbcSourceConnector {
        class: "io.confluent.connect.jdbc.JdbcSourceConnector",
        task_class: "io.confluent.connect.jdbc.source.JdbcSourceTask",
    }
    source_connector AivenJdbcSourceConnector {
        class: "io.aiven.connect.jdbc.JdbcSourceConnector",
        task_class: "io.aiven.connect.jdbc.source.JdbcSourceTask",
    }
    sink_connector JdbcSinkConnector {
        class: "io.confluent.connect.jdbc.JdbcSinkConnector",
        task_class: "io.confluent.connect.jdbc.sink.JdbcSinkTask",
    }
    sink_connector AivenJdbcSinkConnector {
        class: "io.aiven.connect.jdbc.JdbcSinkConnector",
        task_class: "io.aiven.connect.jdbc.sink.JdbcSinkTask",
    }
}
