//! Transformations and predicates: every setting with records of every shape, and generated ones.

use wharf_api::{ConfigMap, Record, Schema, SchemaBuilder, SchemaRef, Value, logical};

use super::generate::{ALL, pair};
use super::transform_samples::{Sample, all, defaulted, nested, plain, wide};
use super::{Table, array, built, map, samples};
use crate::case::{Call, RecordPlugin};

/// Settings of one case.
type Config = &'static [(&'static str, &'static str)];

const KEEP_NULL: (&str, &str) = ("replace.null.with.default", "false");

fn class(name: &str) -> RecordPlugin {
    let transformation = wharf_transforms::TRANSFORMATIONS
        .iter()
        .map(|entry| entry.class)
        .find(|class| class.ends_with(&format!(".{name}")));
    let predicate = || {
        wharf_transforms::PREDICATES
            .iter()
            .map(|entry| entry.class)
            .find(|class| class.ends_with(&format!(".{name}")))
    };
    match transformation {
        Some(class) => RecordPlugin::Transformation(class),
        None => RecordPlugin::Predicate(predicate().expect("tables name classes of the catalogue")),
    }
}

fn add(table: &mut Table, name: &str, config: &[(&str, &str)], record: Record) {
    let config: ConfigMap = config
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let call = Call::Record {
        plugin: class(name),
        config,
        record: Box::new(record),
    };
    table.same(name, call);
}

/// A consumed record with this value.
fn sink((schema, value): Sample) -> Record {
    Record::sink("topic", 0, 3).with_value(schema, value)
}

/// The same on the other side, of a source.
fn source_key((schema, value): Sample) -> Record {
    Record::source("topic", None, None)
        .with_key(schema, value)
        .with_timestamp(1_483_425_001_864)
}

/// Each setting with each sample as value, and some as key.
fn cross(table: &mut Table, name: &str, configs: &[Config], samples: &[Sample]) {
    for config in configs {
        for sample in samples {
            add(table, &format!("{name}$Value"), config, sink(sample.clone()));
        }
    }
    for (config, sample) in configs.iter().zip(samples.iter().cycle()) {
        add(table, &format!("{name}$Key"), config, source_key(sample.clone()));
    }
}

pub(super) fn transformations(table: &mut Table) {
    for entry in wharf_transforms::TRANSFORMATIONS {
        let plugin = RecordPlugin::Transformation(entry.class);
        table.same("definition", Call::Definition { plugin });
    }
    casts(table);
    fields(table);
    headers(table);
    routers(table);
    timestamps(table);
    generated(table);
}

fn casts(table: &mut Table) {
    const TYPES: [&str; 8] = [
        "int8", "INT16", "int32", "Int64", "float32", "float64", "boolean", "string",
    ];
    let texts = [
        "42",
        "+7",
        "-0",
        " 42 ",
        "4.2",
        "300",
        "true",
        "TRUE",
        "",
        "1e3",
        "NaN",
        "-Infinity",
        "1f",
        "0x10",
        "٣",
        "9223372036854775808",
        "abc",
    ];
    let mut values: Vec<Sample> = samples::values()
        .into_iter()
        .filter(|value| !matches!(value, Value::String(_) | Value::Struct(_)))
        .map(|value| (None, value))
        .collect();
    values.extend(texts.map(|text| (None, Value::from(text))));
    for date in [0, 86_400_000, 3_600_000, 1_566_570_894_346, -86_400_000] {
        for schema in [logical::date(), logical::time(), logical::optional_timestamp()] {
            values.push((Some(schema), Value::Date(date)));
        }
    }
    values.push((
        Some(logical::decimal(1)),
        wharf_api::Decimal::new(19_827, 1).into(),
    ));
    values.push((
        Some(built(SchemaBuilder::int32().name("n").default_value(5))),
        6.into(),
    ));
    values.push((Some(array(Schema::int8())), Value::Array(vec![])));
    for (schema, value) in values {
        for target in TYPES {
            add(
                table,
                "Cast$Value",
                &[("spec", target)],
                sink((schema.clone(), value.clone())),
            );
        }
    }
    let configs: &[Config] = &[
        &[("spec", "a:string,b:boolean")],
        &[("spec", " a : int8 , c : int64 ,zz:int8")],
        &[("spec", "a:float32,ts:string,d:int32"), KEEP_NULL],
        &[("spec", "list:string")],
        &[("spec", "bytes:string,dec:float64,date:int32,time:int64")],
        &[("spec", "bytes:int8")],
        &[("spec", "string")],
    ];
    cross(table, "Cast", configs, &all());
    for spec in [
        "",
        ",",
        "a",
        "faketype",
        "a:faketype",
        "a:bytes",
        "a:struct",
        "bytes",
        "a:int8:x",
        "int8,a:int8",
        "int8,int8",
        "int8:",
        ":int8",
        ":",
        "a:int8,a:string",
        "a: ",
    ] {
        add(table, "Cast$Value", &[("spec", spec)], sink((None, plain_map())));
    }
    add(table, "Cast$Value", &[], sink(plain()));
}

fn plain_map() -> Value {
    Value::Map(vec![("a".into(), "5".into()), ("b".into(), "true".into())])
}

fn fields(table: &mut Table) {
    let samples = all();
    let extract: &[Config] = &[
        &[("field", "a")],
        &[("field", "b"), KEEP_NULL],
        &[("field", "in.y"), ("field.syntax.version", "V2")],
        &[("field", "a.b"), ("field.syntax.version", "v2")],
        &[("field", "in.`a.b`"), ("field.syntax.version", "V2")],
        &[("field", ""), ("field.syntax.version", "V2")],
        &[("field", "a.b"), ("field.syntax.version", "V1")],
        &[("field", "`a"), ("field.syntax.version", "V2")],
        &[("field", "a"), ("field.syntax.version", "V3")],
        &[],
    ];
    cross(table, "ExtractField", extract, &samples);
    cross(
        table,
        "Flatten",
        &[&[], &[("delimiter", "_")], &[("delimiter", "")]],
        &samples,
    );
    cross(
        table,
        "HoistField",
        &[&[("field", "a")], &[("field", " f ")], &[("field", "")]],
        &samples,
    );
    for is_null in [false, true] {
        add(table, "Flatten$Value", &[], sink(nested(is_null, true)));
    }
    // The first of two mistakes is the one told.
    let inner = built(super::fields(&[("b", Schema::int8())]));
    let collides = built(super::fields(&[
        ("a", SchemaRef::clone(&inner)),
        ("a.b", Schema::int8()),
        ("m", map(Schema::string(), Schema::string())),
    ]));
    let value = vec![
        super::structure(&inner, vec![1_i8.into()]),
        2_i8.into(),
        Value::Map(vec![]),
    ];
    let value = super::structure(&collides, value);
    add(table, "Flatten$Value", &[], sink((Some(collides), value)));
    let insert: &[Config] = &[
        &[
            ("topic.field", "t!"),
            ("partition.field", "p"),
            ("timestamp.field", "time?"),
            ("static.field", "s"),
            ("static.value", "sv"),
        ],
        &[("offset.field", "o"), KEEP_NULL],
        &[("offset.field", "a!"), ("timestamp.field", "at!")],
        &[("static.field", "s")],
        &[("static.value", "s")],
    ];
    cross(table, "InsertField", insert, &samples);
    let mask: &[Config] = &[
        &[("fields", "a")],
        &[("fields", "a,b,zz"), KEEP_NULL],
        &[("fields", "a,b"), ("replacement", "12.9")],
        &[("fields", "c,d,ts,dec"), ("replacement", "300")],
        &[("fields", "b"), ("replacement", "***")],
        &[("fields", "a"), ("replacement", "abc")],
        &[("fields", "dec,date,list,map,c")],
        &[("fields", "bytes")],
        &[("fields", "point,in")],
        &[("fields", "a"), ("replacement", "")],
        &[("fields", "")],
    ];
    cross(table, "MaskField", mask, &samples);
    let replace: &[Config] = &[
        &[("exclude", "b")],
        &[("include", "a,c"), KEEP_NULL],
        &[("include", "a,b"), ("exclude", "b")],
        &[("renames", "a:x,b:y")],
        &[("renames", "a:b,b:a")],
        &[("renames", "a:b")],
        &[("renames", "a:b"), ("exclude", "b")],
        &[("renames", "zz:b")],
        &[("blacklist", "a"), ("whitelist", "a")],
        &[],
    ];
    cross(table, "ReplaceField", replace, &samples);
    for renames in [
        "a", "a:b:c", "a:", ":a", ":", "", "a:b,c", "a::b", "a:x,b:x", "a:x,a:y",
    ] {
        add(
            table,
            "ReplaceField$Value",
            &[("renames", renames)],
            sink((None, plain_map())),
        );
        add(
            table,
            "ReplaceField$Value",
            &[("renames", renames)],
            sink(plain()),
        );
    }
    let metadata: &[Config] = &[
        &[("schema.name", "new")],
        &[("schema.version", "7"), KEEP_NULL],
        &[("schema.name", "new"), ("schema.version", "7")],
        &[("schema.version", "x")],
        &[],
    ];
    cross(table, "SetSchemaMetadata", metadata, &samples);
    for config in [
        &[("fields", "a")][..],
        &[("fields", "b,a"), KEEP_NULL],
        &[("fields", "in,deep")],
        &[("fields", "a,a")],
        &[("fields", "")],
    ] {
        for sample in &samples {
            let record = sink(sample.clone()).with_key(Some(Schema::string()), "old");
            add(table, "ValueToKey", config, record);
        }
    }
}

fn with_headers(sample: Sample) -> Record {
    let mut record = sink(sample);
    record
        .headers
        .add_string("h", "1")
        .add_int("i", 2)
        .add_string("h", None);
    record
}

fn headers(table: &mut Table) {
    let samples = all();
    let from: &[Config] = &[
        &[("fields", "a,b"), ("headers", "h,i"), ("operation", "move")],
        &[
            ("fields", "a,b"),
            ("headers", "h,h"),
            ("operation", "copy"),
            KEEP_NULL,
        ],
        &[
            ("fields", "in,ts"),
            ("headers", "h,i"),
            ("operation", "move"),
            KEEP_NULL,
        ],
        &[("fields", "a,a"), ("headers", "h,i"), ("operation", "move")],
        &[("fields", "a"), ("headers", "h,i"), ("operation", "move")],
        &[("fields", "a"), ("headers", "h"), ("operation", "Move")],
        &[("fields", ""), ("headers", ""), ("operation", "move")],
    ];
    cross(table, "HeaderFrom", from, &samples);
    for headers in ["h", "h,i", "zz", "", " h ", ","] {
        add(
            table,
            "DropHeaders",
            &[("headers", headers)],
            with_headers(plain()),
        );
    }
    add(table, "DropHeaders", &[], with_headers(plain()));
    for literal in [
        "abc",
        "5",
        "true",
        "{\"a\":1}",
        "[1,2]",
        "2019-08-23",
        "null",
        "",
        " x ",
        "1.5",
        "[",
        "1e400",
        "[null]",
        "{}",
    ] {
        let config = [("header", "h"), ("value.literal", literal)];
        add(table, "InsertHeader", &config, with_headers(plain()));
    }
    add(table, "InsertHeader", &[("header", "h")], with_headers(plain()));
    add(
        table,
        "InsertHeader",
        &[("header", ""), ("value.literal", "x")],
        with_headers(plain()),
    );
    add(table, "Filter", &[], with_headers(plain()));
}

fn routers(table: &mut Table) {
    for (regex, replacement, topics) in [
        ("foo", "bar", &["topic", "foo", "foobar"][..]),
        (".*", "$0$0", &["topic"]),
        ("(t)?opic", "$1x", &["opic", "topic"]),
        ("(.*)", "prefix-$1", &["topic", ""]),
        (r"(.*)-(\d{8})", "$1", &["index-20160117", "index-2016"]),
        ("(?<n>.*)", "x-${n}", &["topic"]),
        ("(.*)", "$2", &["topic"]),
        ("(.*)", "$12", &["topic"]),
        ("(.*)", "a$", &["topic"]),
        ("(.*)", r"\$1", &["topic"]),
        ("(.*)", r"a\", &["topic"]),
        ("(.*)", "${", &["topic"]),
        ("(.*)", "${1}", &["topic"]),
        ("(.*)", "${x}", &["topic"]),
        ("t|topic", "x", &["topic", "t"]),
        ("(?!internal-).*", "x", &["topic", "internal-x"]),
        (r"\p{Lower}+", "", &["topic", "Topic"]),
        (r"\Qto.ic\E", "x", &["topic", "to.ic"]),
        ("(a*)*b?", "x", &["aab", ""]),
        ("", "x", &["", "topic"]),
        ("(", "x", &["topic"]),
        ("[a", "x", &["topic"]),
        ("*", "x", &["topic"]),
    ] {
        for topic in topics {
            // the original topic is a part of a sink's record, so these are of a source
            let mut record = Record::source(*topic, None, None);
            record.kafka_partition = Some(1);
            add(
                table,
                "RegexRouter",
                &[("regex", regex), ("replacement", replacement)],
                record,
            );
        }
    }
    add(
        table,
        "RegexRouter",
        &[("regex", ".*"), ("replacement", "new")],
        sink(plain()),
    );
    add(table, "RegexRouter", &[("regex", "a")], sink(plain()));
    add(table, "RegexRouter", &[("replacement", "a")], sink(plain()));
    for config in [
        &[][..],
        &[
            ("topic.format", "${timestamp}.${topic}.${topic}"),
            ("timestamp.format", "yyyy-MM-dd'T'HH"),
        ],
        &[("topic.format", "fixed")],
        &[("topic.format", "$1\\${topic}")],
        &[("timestamp.format", "bad pattern")],
        &[("timestamp.format", "")],
        &[("timestamp.format", "'unterminated")],
    ] {
        for timestamp in [0, 1_483_425_001_864, -1, 253_402_300_800_000] {
            add(
                table,
                "TimestampRouter",
                config,
                sink(plain()).with_timestamp(timestamp),
            );
        }
        add(
            table,
            "TimestampRouter",
            config,
            Record::source("${timestamp}", None, None).with_timestamp(0),
        );
    }
    for pattern in PATTERNS {
        for timestamp in [0, 1_566_570_894_346, 1_703_980_800_000, -62_198_755_200_001] {
            let config = [("timestamp.format", *pattern), ("topic.format", "${timestamp}")];
            add(
                table,
                "TimestampRouter",
                &config,
                sink((None, 1.into())).with_timestamp(timestamp),
            );
        }
    }
}

const PATTERNS: &[&str] = &[
    "y yy yyy yyyy yyyyy",
    "M MM MMM MMMM MMMMM L LL LLL",
    "d dd ddd D DDD F",
    "E EEEE u uu a",
    "H k K h HH kk KK hh",
    "m mm s ss S SSS SSSS",
    "w ww W Y YY YYYY G GGGG",
    "z zzzz Z X XX XXX",
    "'it''s' ''yyyy''",
];

/// Patterns with texts that they read, or not.
const READ: &[(&str, &[&str])] = &[
    (
        "yyyy MM dd",
        &[
            "1970 01 02",
            "1970 1 2",
            "1970 13 40",
            "1970 01 02 x",
            "x",
            "",
            " 1970 01 02",
            "-5 01 01",
            "12019 1 1",
        ],
    ),
    ("yyyyMMdd", &["19700102", "1970010", "197001", "20190823999"]),
    ("HHmmssSSS", &["010203004", "0102030040"]),
    (
        "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        &[
            "2019-08-23T14:34:54.346Z",
            "2019-08-23T14:34:54.346+02:00",
            "2019-08-23T14:34:54.346+0200",
        ],
    ),
    (
        "yyyy-MM-dd'T'HH:mm:ssX",
        &[
            "2019-08-23T14:34:54-07",
            "2019-08-23T14:34:54Z",
            "2019-08-23T14:34:54",
        ],
    ),
    (
        "yyyy-MM-dd HH:mm:ss Z",
        &[
            "2019-08-23 14:34:54 +0130",
            "2019-08-23 14:34:54 GMT",
            "2019-08-23 14:34:54 GMT-01:00",
        ],
    ),
    (
        "EEE, dd MMM yyyy HH:mm:ss zzz",
        &[
            "Fri, 23 Aug 2019 14:34:54 GMT",
            "Friday, 23 august 2019 14:34:54 UTC",
            "Mon, 23 Aug 2019 14:34:54 GMT",
        ],
    ),
    ("hh:mm a", &["12:30 AM", "1:30 pm", "13:00 PM", "01:30"]),
    ("kk", &["24", "1", "25"]),
    ("KK a", &["11 PM"]),
    ("DDD yyyy", &["235 2019", "366 2019"]),
    ("yyyy ww u", &["2019 34 5", "2019 01 7"]),
    ("YYYY ww E", &["2019 34 Fri"]),
    ("yyyy MM W E", &["2019 08 4 Fri"]),
    ("yyyy MM F E", &["2019 08 4 Fri", "2019 08 -1 Mon"]),
    ("yyyy G", &["0044 BC", "2019 AD"]),
    ("yyyy", &["2019", "19", "-1"]),
    ("MMM", &["Aug", "August", "8"]),
    ("SSS", &["-5", "1234567"]),
    ("'x'yyyy", &["x2019", "2019"]),
    ("HH 'é' mm", &["01 é 02"]),
    ("yyyy", &["٢٠١٩"]),
];

fn timestamps(table: &mut Table) {
    let name = "TimestampConverter$Value";
    for (pattern, texts) in READ {
        for text in *texts {
            let config = [("target.type", "unix"), ("format", *pattern)];
            add(table, name, &config, sink((None, (*text).into())));
        }
    }
    let full = ("format", "yyyy MM dd HH mm ss SSS z");
    for target in ["Timestamp", "Date", "Time", "unix", "string", "Unix"] {
        for (schema, value) in [
            (logical::timestamp(), Value::Date(86_401_234)),
            (logical::date(), Value::Date(86_400_000)),
            (logical::optional_time(), Value::Date(1234)),
            (Schema::int64(), 86_401_234_i64.into()),
            (Schema::int64(), (-1234_i64).into()),
            (Schema::optional_string(), "1970 01 02 00 00 01 234 UTC".into()),
            (Schema::string(), "nope".into()),
            (Schema::int32(), 5.into()),
            (Schema::optional_int64(), Value::Null),
            (logical::date(), 5.into()),
            (Schema::string(), 5.into()),
            (Schema::int64(), "x".into()),
        ] {
            let config = [("target.type", target), full];
            add(
                table,
                name,
                &config,
                sink((Some(SchemaRef::clone(&schema)), value.clone())),
            );
            add(table, name, &config, sink((None, value)));
        }
        for precision in [
            "nanoseconds",
            "microseconds",
            "milliseconds",
            "seconds",
            "Seconds",
        ] {
            let config = [("target.type", target), full, ("unix.precision", precision)];
            for value in [
                Value::Date(86_401_234),
                86_401_234_567_891_i64.into(),
                (-1500_i64).into(),
                i64::MAX.into(),
                i64::MIN.into(),
            ] {
                // Java counts hours of the last day of all, and years of 9 digits, in its own way
                let is_last = matches!(value, Value::Int64(i64::MAX | i64::MIN));
                if !is_last || matches!(target, "unix" | "Timestamp") {
                    add(table, name, &config, sink((None, value)));
                }
            }
        }
    }
    let configs: &[Config] = &[
        &[
            ("field", "ts"),
            ("target.type", "Timestamp"),
            ("format", "yyyy MM dd"),
        ],
        &[
            ("field", "ts"),
            ("target.type", "string"),
            ("format", "yyyy-MM-dd"),
            KEEP_NULL,
        ],
        &[("field", "a"), ("target.type", "unix")],
        &[("field", "zz"), ("target.type", "Date")],
        &[("target.type", "unix"), ("format", "yyyy MM dd")],
    ];
    cross(table, "TimestampConverter", configs, &all());
    for config in [
        &[("target.type", "string")][..],
        &[("target.type", "string"), ("format", "  ")],
        &[("target.type", "string"), ("format", "bad")],
        &[("target.type", "Timestamp"), ("format", "'x")],
        &[],
        &[("target.type", "Date"), ("field", " ts ")],
    ] {
        add(table, name, config, sink(wide()));
    }
}

fn generated(table: &mut Table) {
    const CONFIGS: [(&str, Config); 16] = [
        ("Cast", &[("spec", "a:string,b:int32,id:boolean")]),
        ("Cast", &[("spec", "string")]),
        ("Cast", &[("spec", "a:float64,b:int8"), KEEP_NULL]),
        ("ExtractField", &[("field", "a")]),
        (
            "ExtractField",
            &[("field", "b.a"), ("field.syntax.version", "V2")],
        ),
        ("Flatten", &[]),
        (
            "HeaderFrom",
            &[("fields", "a"), ("headers", "h"), ("operation", "move")],
        ),
        ("HoistField", &[("field", "f")]),
        ("InsertField", &[("topic.field", "id"), ("offset.field", "o")]),
        ("MaskField", &[("fields", "a,b")]),
        ("MaskField", &[("fields", "a,b"), ("replacement", "7")]),
        ("ReplaceField", &[("exclude", "a"), ("renames", "b:c")]),
        ("ReplaceField", &[("include", "a,id"), KEEP_NULL]),
        ("SetSchemaMetadata", &[("schema.name", "n")]),
        (
            "TimestampConverter",
            &[("field", "a"), ("target.type", "unix"), ("format", "yyyy")],
        ),
        ("ValueToKey", &[("fields", "a,b")]),
    ];
    let mut random = table.random(0x0054_5241_4e53);
    for _ in 0..table.times(400) {
        let mut builder = SchemaBuilder::structure();
        let mut values = Vec::new();
        for name in ["a", "b", "id"] {
            if !random.once_in(5) {
                let (schema, value) = pair(&mut random, ALL);
                builder = builder.field(name, schema);
                values.push((name, value));
            }
        }
        let has_schema = !random.once_in(3);
        let sample = if random.once_in(6) {
            let (schema, value) = pair(&mut random, ALL);
            (has_schema.then_some(schema), value)
        } else if has_schema {
            let schema = built(if random.once_in(3) {
                builder.optional()
            } else {
                builder
            });
            let values = values.into_iter().map(|(_, value)| value).collect();
            let value = super::structure(&schema, values);
            (Some(schema), value)
        } else {
            let entries = values.into_iter().map(|(name, value)| (name.into(), value));
            (None, Value::Map(entries.collect()))
        };
        let (name, config) = random.one_of(&CONFIGS);
        let name = if name == "ValueToKey" {
            name.to_owned()
        } else {
            format!("{name}$Value")
        };
        let config: ConfigMap = config
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let call = Call::Record {
            plugin: class(&name),
            config,
            record: Box::new(sink(sample)),
        };
        table.same("generated", call);
    }
}

pub(super) fn predicates(table: &mut Table) {
    for entry in wharf_transforms::PREDICATES {
        let plugin = RecordPlugin::Predicate(entry.class);
        table.same("definition", Call::Definition { plugin });
    }
    for config in [&[("name", "h")][..], &[("name", "zz")], &[("name", "")], &[]] {
        add(table, "HasHeaderKey", config, with_headers(plain()));
        add(table, "HasHeaderKey", config, sink(plain()));
    }
    for sample in [
        plain(),
        (defaulted().0, Value::Null),
        (None, Value::Null),
        (None, "".into()),
        nested(true, false),
        (Some(map(Schema::string(), Schema::string())), Value::Map(vec![])),
    ] {
        add(table, "RecordIsTombstone", &[], sink(sample));
    }
    for pattern in [
        "topic",
        "top",
        ".*",
        "t.*|x",
        "my-prefix-.*",
        "",
        "[",
        "(?i)TOPIC",
        r"\w+",
        "(?!t).*",
    ] {
        for topic in ["topic", "my-prefix-x", ""] {
            let record = Record::source(topic, None, None);
            add(table, "TopicNameMatches", &[("pattern", pattern)], record);
        }
    }
    add(table, "TopicNameMatches", &[], sink(plain()));
}
