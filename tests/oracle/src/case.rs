//! One case: what is called, with what.

use serde_json::{Map, Value as Json, json};
use wharf_api::config::Type;
use wharf_api::{ConfigMap, Record, SchemaRef, Value};

use crate::codec;
use crate::record_codec::record_to_json;

/// What a case is about. Each kind is one recorded file and one row of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `JsonConverter`, writing.
    JsonFrom,
    /// `JsonConverter`, reading.
    JsonTo,
    /// `StringConverter`, both ways.
    String,
    /// `ByteArrayConverter`, both ways.
    ByteArray,
    /// The converters of numbers and booleans, both ways.
    Primitive,
    /// `SimpleHeaderConverter`, both ways.
    SimpleHeader,
    /// `Values.parseString`.
    ValuesParse,
    /// `Values.convertTo…`.
    ValuesConvert,
    /// `Values.convertToString`.
    ValuesText,
    /// `Values.inferSchema`.
    ValuesInfer,
    /// `SchemaProjector.project`.
    SchemaProject,
    /// `ConfigDef.parseType`.
    ConfigParse,
    /// Dates and times in zones other than UTC.
    Zoned,
    /// Transformations, and the keys of their configuration.
    Transform,
    /// Predicates, and the keys of their configuration.
    Predicate,
    /// Debezium's transformations of change events.
    ChangeEvent,
}

/// A time zone, which is a property of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// What Java calls it.
    pub name: &'static str,
    /// Its present rules as a value of `TZ`, so that no zone database is needed.
    pub rules: &'static str,
}

impl Zone {
    /// The zone of most cases.
    pub const UTC: Self = Self {
        name: "UTC",
        rules: "UTC",
    };

    /// All zones: whole and half hours, both hemispheres, a summer time of half an hour, and none.
    pub const ALL: [Self; 5] = [
        Self::UTC,
        Self {
            name: "Europe/Berlin",
            rules: "CET-1CEST,M3.5.0,M10.5.0/3",
        },
        Self {
            name: "America/New_York",
            rules: "EST5EDT,M3.2.0,M11.1.0",
        },
        Self {
            name: "Asia/Kolkata",
            rules: "IST-5:30",
        },
        Self {
            name: "Australia/Lord_Howe",
            rules: "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        },
    ];
}

impl Kind {
    /// All kinds, in the order of the report.
    pub const ALL: [Self; 16] = [
        Self::JsonFrom,
        Self::JsonTo,
        Self::String,
        Self::ByteArray,
        Self::Primitive,
        Self::SimpleHeader,
        Self::ValuesParse,
        Self::ValuesConvert,
        Self::ValuesText,
        Self::ValuesInfer,
        Self::SchemaProject,
        Self::ConfigParse,
        Self::Zoned,
        Self::Transform,
        Self::Predicate,
        Self::ChangeEvent,
    ];

    /// The name on the command line, in ids and of the recorded file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonFrom => "json-from",
            Self::JsonTo => "json-to",
            Self::String => "string",
            Self::ByteArray => "bytearray",
            Self::Primitive => "primitive",
            Self::SimpleHeader => "simple-header",
            Self::ValuesParse => "values-parse",
            Self::ValuesConvert => "values-convert",
            Self::ValuesText => "values-text",
            Self::ValuesInfer => "values-infer",
            Self::SchemaProject => "schema-project",
            Self::ConfigParse => "config-parse",
            Self::Zoned => "zoned",
            Self::Transform => "transform",
            Self::Predicate => "predicate",
            Self::ChangeEvent => "change-event",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a converter is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Record keys.
    Key,
    /// Record values.
    Value,
    /// Header values: the converter is asked through its other interface.
    Header,
}

impl Usage {
    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Header => "header",
        }
    }
}

/// A converter of the catalogue with its configuration.
#[derive(Debug, Clone)]
pub struct ConverterSpec {
    /// Java class.
    pub class: &'static str,
    /// What it is used for.
    pub usage: Usage,
    /// Its keys, without `converter.type`.
    pub config: ConfigMap,
}

/// The targets of `Values.convertTo…`.
pub const CONVERSIONS: [&str; 14] = [
    "boolean",
    "byte",
    "short",
    "integer",
    "long",
    "float",
    "double",
    "list",
    "map",
    "struct",
    "date",
    "time",
    "timestamp",
    "decimal",
];

/// The call that a case makes.
#[derive(Debug, Clone)]
pub enum Call {
    /// From Connect data to bytes.
    From {
        /// Who writes.
        converter: ConverterSpec,
        /// The schema; `None` is schemaless.
        schema: Option<SchemaRef>,
        /// The value.
        value: Value,
    },
    /// From bytes to Connect data.
    To {
        /// Who reads.
        converter: ConverterSpec,
        /// The message; `None` is Kafka's null.
        bytes: Option<Vec<u8>>,
    },
    /// `Values.parseString`.
    Parse {
        /// What is read.
        text: String,
    },
    /// `Values.convertTo…`.
    Convert {
        /// One of [`CONVERSIONS`].
        target: &'static str,
        /// The scale, for `decimal`.
        scale: i32,
        /// The schema of the value.
        schema: Option<SchemaRef>,
        /// The value.
        value: Value,
    },
    /// `Values.convertToString`.
    Text {
        /// The value.
        value: Value,
    },
    /// `Values.inferSchema`.
    Infer {
        /// The value.
        value: Value,
    },
    /// `SchemaProjector.project`.
    Project {
        /// The schema of the value.
        schema: SchemaRef,
        /// The value.
        value: Value,
        /// The schema wanted.
        target: SchemaRef,
    },
    /// `ConfigDef.parseType`.
    Config {
        /// The type wanted.
        target: Type,
        /// What is parsed.
        text: String,
    },
    /// A transformation or predicate that is configured and gets one record.
    Record {
        /// Who gets it.
        plugin: RecordPlugin,
        /// Its keys.
        config: ConfigMap,
        /// The record.
        record: Box<Record>,
    },
    /// The keys of a transformation or predicate.
    Definition {
        /// Whose.
        plugin: RecordPlugin,
    },
}

/// A transformation or predicate of the catalogue.
#[derive(Debug, Clone, Copy)]
pub enum RecordPlugin {
    /// A transformation, by its Java class.
    Transformation(&'static str),
    /// A predicate, by its Java class.
    Predicate(&'static str),
}

impl RecordPlugin {
    fn short_class(self) -> &'static str {
        let (Self::Transformation(class) | Self::Predicate(class)) = self;
        class
            .strip_prefix("org.apache.kafka.connect.transforms.")
            .unwrap_or(class)
    }
}

impl Call {
    fn add_to(&self, out: &mut Map<String, Json>) {
        let mut set = |key: &str, value: Json| {
            out.insert(key.to_owned(), value);
        };
        let describe = |converter: &ConverterSpec, set: &mut dyn FnMut(&str, Json)| {
            let simple_name = converter.class.rsplit('.').next();
            set("converter", json!(simple_name));
            if converter.usage != Usage::Value {
                set("use", json!(converter.usage.name()));
            }
            if !converter.config.is_empty() {
                set("config", json!(converter.config));
            }
        };
        match self {
            Self::From {
                converter,
                schema,
                value,
            } => {
                set("op", json!("from"));
                describe(converter, &mut set);
                set("schema", codec::schema_or_null(schema.as_ref()));
                set("value", codec::value_to_json(value));
            }
            Self::To { converter, bytes } => {
                set("op", json!("to"));
                describe(converter, &mut set);
                set("bytes", codec::bytes_to_json(bytes.as_deref()));
            }
            Self::Parse { text } => {
                set("op", json!("parse"));
                set("text", json!(text));
            }
            Self::Convert {
                target,
                scale,
                schema,
                value,
            } => {
                set("op", json!("convert"));
                set("target", json!(target));
                if *target == "decimal" {
                    set("scale", json!(scale));
                }
                set("schema", codec::schema_or_null(schema.as_ref()));
                set("value", codec::value_to_json(value));
            }
            Self::Text { value } => {
                set("op", json!("text"));
                set("value", codec::value_to_json(value));
            }
            Self::Infer { value } => {
                set("op", json!("infer"));
                set("value", codec::value_to_json(value));
            }
            Self::Project {
                schema,
                value,
                target,
            } => {
                set("op", json!("project"));
                set("schema", codec::schema_to_json(schema));
                set("value", codec::value_to_json(value));
                set("target", codec::schema_to_json(target));
            }
            Self::Config { target, text } => {
                set("op", json!("config"));
                set("target", json!(target.name()));
                set("text", json!(text));
            }
            Self::Record {
                plugin,
                config,
                record,
            } => {
                let op = match plugin {
                    RecordPlugin::Transformation(_) => "transform",
                    RecordPlugin::Predicate(_) => "test",
                };
                set("op", json!(op));
                set("class", json!(plugin.short_class()));
                set("config", json!(config));
                set("record", record_to_json(record));
            }
            Self::Definition { plugin } => {
                set("op", json!("definition"));
                set("class", json!(plugin.short_class()));
            }
        }
    }
}

/// A case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Unique: the kind, a group and a number.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// The zone of the process that makes the call.
    pub zone: Zone,
    /// The call.
    pub call: Call,
    /// The declared difference that it must show; see [`crate::differences`].
    pub differs: Option<&'static str>,
}

impl Case {
    /// The form that Java reads and that is recorded. What is not set is left out.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut out = Map::new();
        let id = self.id.split_once('/').map(|(_, id)| id);
        out.insert("id".to_owned(), json!(id));
        if self.zone != Zone::UTC {
            out.insert("zone".to_owned(), json!(self.zone.name));
        }
        self.call.add_to(&mut out);
        out.retain(|_, value| !value.is_null());
        Json::Object(out)
    }
}
