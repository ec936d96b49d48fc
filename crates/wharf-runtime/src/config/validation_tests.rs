//! Tests of the merged validation, against plugins made up here.

use wharf_api::config::{ConfigKey, Importance, Type, Validator};

use super::*;

#[path = "validation_of_transforms_tests.rs"]
mod of_transforms;

struct Plugins;

fn converter_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::new("schemas.enable", Type::Boolean)
                .default(true)
                .group("Schemas", 1),
        )
        .define(ConfigKey::new("converter.type", Type::String).default_null())
}

fn mask_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::new("spaces", Type::Int)
                .default(1)
                .validator(Validator::at_least(0))
                .group("Looks", 1),
        )
        .define(
            ConfigKey::new("fields", Type::List)
                .importance(Importance::High)
                .validator(Validator::NonEmptyList),
        )
        .define(ConfigKey::new("negate", Type::String).default("mine"))
}

impl PluginView for Plugins {
    fn find_class(&self, kind: PluginKind, name: &str) -> Option<String> {
        let class = match (kind, name) {
            (PluginKind::Transformation, "Mask") => "x.Mask",
            (PluginKind::Transformation, "Remote") => "x.Remote",
            (PluginKind::Transformation, "Broken") => "x.BrokenTransformation",
            (PluginKind::Transformation, "x.Sided$Key") => "x.Sided$Key",
            (PluginKind::Predicate, "IsTopic") => "x.IsTopic",
            (PluginKind::Transformation | PluginKind::Predicate, _) => return None,
            (_, "Json" | "x.JsonConverter") => "x.JsonConverter",
            (_, "Broken") => "x.Broken",
            (_, "Plain") => "x.Plain",
            _ => return None,
        };
        Some(class.to_owned())
    }

    fn classes(&self, kind: PluginKind) -> Vec<String> {
        let classes: &[&str] = match kind {
            PluginKind::Transformation => &["x.Mask", "x.Remote", "x.Sided$Key", "x.Sided$Value"],
            PluginKind::Predicate => &["x.IsTopic"],
            _ => &["x.JsonConverter"],
        };
        classes.iter().map(|class| (*class).to_owned()).collect()
    }

    fn versions(&self, _: PluginKind, _: &str) -> Vec<String> {
        vec!["1.0".to_owned(), "2.0".to_owned()]
    }

    fn check_version(&self, kind: PluginKind, class: &str, wanted: &str) -> Result<(), VersionProblem> {
        let available = self.versions(kind, class);
        if available.iter().any(|version| version == wanted) {
            return Ok(());
        }
        Err(VersionProblem {
            message: format!("no {class} {wanted}"),
            available,
        })
    }

    fn plugin_config(&self, _: PluginKind, class: &str, _: Option<&str>) -> Result<ConfigDef> {
        match class {
            "x.Mask" => Ok(mask_def()),
            "x.Remote" => Ok(ConfigDef::from_infos(mask_def().infos().cloned())),
            "x.IsTopic" => Ok(ConfigDef::new()
                .define(ConfigKey::new("pattern", Type::String).validator(Validator::NonEmptyString))),
            _ => Err(ConnectError::connect("it broke")),
        }
    }

    fn plugin_values(
        &self,
        _: PluginKind,
        class: &str,
        _: Option<&str>,
        config: &ConfigMap,
    ) -> Result<Vec<ConfigValue>> {
        for framework in ["type", "predicate", "negate", "plugin.version"] {
            assert!(!config.contains_key(framework), "{framework}");
        }
        Ok(if class == "x.Remote" {
            mask_def().validate(config)
        } else {
            Vec::new()
        })
    }

    fn connector_versions(&self) -> Vec<String> {
        vec!["3.0".to_owned()]
    }

    fn check_connector_version(&self, wanted: &str) -> Result<(), VersionProblem> {
        match wanted {
            "3.0" => Ok(()),
            "[" => Err(VersionProblem {
                message: "bad range".to_owned(),
                available: vec![],
            }),
            _ => Err(VersionProblem {
                message: "not installed".to_owned(),
                available: self.connector_versions(),
            }),
        }
    }

    fn validate_converter(
        &self,
        kind: ConverterKind,
        class: &str,
        _: Option<&str>,
        config: &NullableConfigMap,
    ) -> Result<Option<PluginValidation>> {
        assert_eq!(config["converter.type"].as_deref(), Some(kind.name()));
        match class {
            "x.Broken" => Err(ConnectError::connect("it broke")),
            "x.Plain" => Ok(None),
            _ => {
                let def = converter_def();
                let values = def.validate_nullable(config);
                Ok(Some(PluginValidation {
                    definition: def.infos().cloned().collect(),
                    values,
                }))
            }
        }
    }

    fn exactly_once_support(&self, _: &ConfigMap) -> Result<Option<ExactlyOnceSupport>> {
        Ok(None)
    }

    fn transaction_boundaries(&self, _: &ConfigMap) -> Result<ConnectorTransactionBoundaries> {
        Ok(ConnectorTransactionBoundaries::Unsupported)
    }

    fn client_key(&self, client: ClientKind, key: &str) -> Option<ConfigKeyInfo> {
        let value_type = match (client, key) {
            (ClientKind::Producer, "batch.size") => Type::Int,
            (_, "sasl.jaas.config") => Type::Password,
            _ => return None,
        };
        Some(
            ConfigKey::new(key, value_type)
                .default_null()
                .importance(Importance::Low)
                .info()
                .clone(),
        )
    }

    fn client_problems(&self, _: ClientKind, overrides: &ConfigMap) -> Vec<(String, String)> {
        let interceptors = overrides.contains_key("interceptor.classes");
        interceptors
            .then(|| ("interceptor.classes".to_owned(), "not here".to_owned()))
            .into_iter()
            .collect()
    }
}

fn own_def() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::new("file", Type::String).group("File", 1))
        .define(
            ConfigKey::new("tasks.max", Type::Int)
                .default(1)
                .validator(Validator::between(1, 1))
                .doc("own"),
        )
}

fn config(entries: &[(&str, &str)]) -> NullableConfigMap {
    let base = [
        ("name", "c"),
        ("connector.class", "FileStreamSource"),
        ("file", "f"),
    ];
    base.iter()
        .chain(entries)
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect()
}

fn run(
    connector_type: ConnectorType,
    config: &NullableConfigMap,
    policy: &ClientOverridePolicy,
) -> ConfigInfos {
    let request = ValidationRequest {
        config,
        connector_type,
        defaults: &FrameworkDefaults::default(),
        override_policy: policy,
        topic_creation_enable: true,
        worker_group: Some("workers"),
        exactly_once: ExactlyOnceWorker::Standalone,
        plugins: &Plugins,
    };
    validate_connector(&request, |config| {
        let def = own_def();
        let values = def.validate_nullable(config);
        Ok(PluginValidation {
            definition: def.infos().cloned().collect(),
            values,
        })
    })
    .unwrap()
}

fn source(entries: &[(&str, &str)]) -> ConfigInfos {
    run(
        ConnectorType::Source,
        &config(entries),
        &ClientOverridePolicy::All,
    )
}

fn value<'a>(infos: &'a ConfigInfos, key: &str) -> &'a ConfigValueInfo {
    let all = infos.configs.iter().filter_map(|info| info.value.as_ref());
    all.into_iter().find(|value| value.name == key).unwrap()
}

fn names(infos: &ConfigInfos) -> Vec<&str> {
    infos
        .configs
        .iter()
        .filter_map(|info| info.value.as_ref())
        .map(|value| value.name.as_str())
        .collect()
}

#[test]
fn a_good_configuration_has_no_errors_and_keeps_the_order() {
    let infos = source(&[
        ("key.converter", "Json"),
        ("producer.override.batch.size", "5"),
        ("unknown", "x"),
    ]);
    assert_eq!((infos.name.as_str(), infos.error_count), ("FileStreamSource", 0));
    assert_eq!(infos.errors().count(), 0);
    assert_eq!(
        infos.groups,
        [
            "Common",
            "Transforms",
            "Predicates",
            "Error Handling",
            "Topic Creation",
            "Exactly Once Support",
            "offsets.topic",
            "File",
            "Schemas",
        ]
    );
    let names = names(&infos);
    assert_eq!(names[0], "name");
    assert_eq!(
        names[24..],
        [
            "file",
            "producer.override.batch.size",
            "key.converter.schemas.enable",
            "key.converter.converter.type",
        ]
    );
    assert!(!names.contains(&"unknown"));
}

#[test]
fn aliases_of_converters_show_as_classes_and_choices_are_recommended() {
    let infos = source(&[("key.converter", "Json")]);
    assert_eq!(
        value(&infos, "key.converter").value.as_deref(),
        Some("x.JsonConverter")
    );
    assert_eq!(
        value(&infos, "value.converter").recommended_values,
        ["x.JsonConverter"]
    );
    assert_eq!(
        value(&infos, "key.converter.plugin.version").recommended_values,
        ["1.0", "2.0"]
    );
    assert_eq!(
        value(&infos, "connector.plugin.version").recommended_values,
        ["3.0"]
    );
}

#[test]
fn an_unknown_converter_has_no_version_to_choose() {
    let infos = source(&[("key.converter", "Nobody"), ("value.converter", "Json")]);
    assert!(!value(&infos, "key.converter.plugin.version").visible);
    assert!(value(&infos, "value.converter.plugin.version").visible);
    assert!(
        value(&infos, "header.converter.plugin.version").visible,
        "nothing is known, and nothing is wrong"
    );
}

#[test]
fn a_key_of_the_connector_replaces_the_frameworks_in_its_place() {
    let infos = source(&[("tasks.max", "2")]);
    let at = infos
        .configs
        .iter()
        .position(|info| info.value.as_ref().unwrap().name == "tasks.max")
        .unwrap();
    assert_eq!(at, 3);
    assert_eq!(
        infos.configs[at].definition.as_ref().unwrap().documentation,
        "own"
    );
    assert_eq!(
        value(&infos, "tasks.max").errors,
        ["Invalid value 2 for configuration tasks.max: Value must be no more than 1"]
    );
    assert_eq!(infos.error_count, 1);
}

#[test]
fn one_unparsable_number_counts_as_two_errors() {
    let infos = source(&[("tasks.max", "foo")]);
    assert_eq!(infos.error_count, 2);
    assert_eq!(value(&infos, "tasks.max").value, None);
}

#[test]
fn the_consumers_of_a_sink_are_kept_out_of_the_group_of_the_workers() {
    let key = "consumer.override.group.id";
    let shown = |name: &str, entries: &[(&str, &str)]| {
        let entries = [entries, &[("name", name), ("topics", "t")]].concat();
        let infos = run(ConnectorType::Sink, &config(&entries), &ClientOverridePolicy::All);
        let errors = infos.errors().map(|error| error.to_string()).collect::<String>();
        let listed = infos
            .configs
            .iter()
            .any(|info| info.value.as_ref().is_some_and(|value| value.name == key));
        (errors, listed)
    };
    assert_eq!(shown("c", &[]), (String::new(), false));
    assert_eq!(shown("c", &[(key, "other")]), (String::new(), true));
    let (error, listed) = shown("c", &[(key, "workers")]);
    assert!(
        error.contains("Consumer group workers conflicts with Connect worker group workers") && listed,
        "{error}"
    );
}

#[test]
fn a_sink_needs_exactly_one_topic_key() {
    let neither = run(ConnectorType::Sink, &config(&[]), &ClientOverridePolicy::All);
    assert_eq!(neither.error_count, 2);
    let one = run(
        ConnectorType::Sink,
        &config(&[("topics", "a")]),
        &ClientOverridePolicy::All,
    );
    assert_eq!(one.error_count, 0);
}

#[test]
fn null_values_are_refused_on_known_and_unknown_keys() {
    let mut config = config(&[]);
    config.insert("zzz".to_owned(), None);
    config.insert("tasks.max.enforce".to_owned(), None);
    let infos = run(ConnectorType::Source, &config, &ClientOverridePolicy::All);
    let message = "Null value can not be supplied as the configuration value.";
    assert_eq!(value(&infos, "zzz").errors, [message]);
    assert_eq!(value(&infos, "tasks.max.enforce").errors, [message]);
    assert_eq!(
        infos.configs[0].definition, None,
        "values without definition come first"
    );
    assert_eq!(infos.error_count, 2);
}

#[test]
fn a_converter_that_is_not_found_or_breaks_is_an_error_on_its_key() {
    let infos = source(&[
        ("key.converter", "Nope"),
        ("value.converter", "Broken"),
        ("header.converter", "Plain"),
    ]);
    assert_eq!(
        value(&infos, "key.converter").errors,
        ["Invalid value Nope for configuration key.converter: Class Nope could not be found."]
    );
    assert_eq!(value(&infos, "key.converter").value, None);
    assert_eq!(
        value(&infos, "value.converter").errors,
        ["Failed to load class x.Broken: it broke"]
    );
    assert_eq!(infos.error_count, 2);
}

#[test]
fn converter_errors_are_counted_by_key_and_listed_with_prefix() {
    let infos = source(&[
        ("value.converter", "Json"),
        ("value.converter.schemas.enable", "perhaps"),
    ]);
    assert_eq!(
        value(&infos, "value.converter.schemas.enable").errors,
        ["Invalid value perhaps for configuration schemas.enable: Expected value to be either true or false"]
    );
    assert_eq!(infos.error_count, 1);
    let without_class = source(&[("value.converter.schemas.enable", "perhaps")]);
    assert_eq!(without_class.error_count, 0);
}

#[test]
fn versions_that_are_not_there_are_errors_on_class_and_version() {
    let infos = source(&[("key.converter", "Json"), ("key.converter.plugin.version", "9")]);
    assert_eq!(value(&infos, "key.converter").errors, ["no x.JsonConverter 9"]);
    assert_eq!(
        value(&infos, "key.converter.plugin.version").errors,
        ["no x.JsonConverter 9"]
    );
    let infos = source(&[("connector.plugin.version", "9")]);
    assert_eq!(value(&infos, "connector.class").errors, ["not installed"]);
    assert_eq!(
        value(&infos, "connector.plugin.version").errors,
        ["not installed"]
    );
    assert!(
        !names(&infos).contains(&"file"),
        "the connector itself is not asked"
    );
    let infos = source(&[("connector.plugin.version", "[")]);
    assert_eq!(
        (infos.error_count, value(&infos, "connector.class").errors.len()),
        (1, 0)
    );
}

#[test]
fn overrides_are_checked_for_the_clients_that_are_used() {
    let none = ClientOverridePolicy::None;
    let entries = [
        ("producer.override.acks", "1"),
        ("consumer.override.x", "1"),
        ("admin.override.x", "1"),
    ];
    let listed = |connector_type, extra: &[(&str, &str)]| {
        let infos = run(connector_type, &config(&[&entries, extra].concat()), &none);
        let names: Vec<String> = names(&infos)
            .into_iter()
            .filter(|name| name.contains(".override."))
            .map(str::to_owned)
            .collect();
        (names, infos.error_count)
    };
    assert_eq!(
        listed(ConnectorType::Source, &[]),
        (vec!["producer.override.acks".into()], 1)
    );
    assert_eq!(
        listed(ConnectorType::Sink, &[("topics", "a")]),
        (vec!["consumer.override.x".into()], 1)
    );
    let rules = [
        ("topic.creation.default.partitions", "1"),
        ("topic.creation.default.replication.factor", "1"),
    ];
    let (names, _) = listed(ConnectorType::Source, &rules);
    assert_eq!(names, ["producer.override.acks", "admin.override.x"]);
}

#[test]
fn overrides_have_types_and_hide_secrets() {
    let infos = source(&[
        ("producer.override.batch.size", "abc"),
        ("producer.override.interceptor.classes", "x"),
        ("producer.override.sasl.jaas.config", "s3cret"),
    ]);
    assert_eq!(
        value(&infos, "producer.override.batch.size").errors,
        ["Invalid value abc for configuration batch.size: Not a number of type INT"]
    );
    assert_eq!(
        value(&infos, "producer.override.interceptor.classes").errors,
        ["not here"]
    );
    assert_eq!(
        value(&infos, "producer.override.sasl.jaas.config")
            .value
            .as_deref(),
        Some("[hidden]")
    );
    assert_eq!(infos.error_count, 2);
}

#[test]
fn topic_creation_rules_are_checked_in_advance() {
    let infos = source(&[("topic.creation.default.partitions", "0")]);
    assert!(value(&infos, "topic.creation.default.partitions").errors[0].contains("must be positive"));
    assert!(value(&infos, "topic.creation.default.replication.factor").errors[0].starts_with("Missing"));
    assert_eq!(infos.error_count, 2);
}

#[test]
fn keys_about_errors_are_accepted_and_wrong_ones_are_errors_on_their_keys() {
    let infos = source(&[
        ("errors.tolerance", "all"),
        ("errors.retry.timeout", "-1"),
        ("errors.log.enable", "true"),
        ("wharf.errors.deadletterqueue.topic.name", "dead"),
    ]);
    assert_eq!(infos.error_count, 0);
    let infos = source(&[
        ("errors.tolerance", "some"),
        ("wharf.errors.deadletterqueue.topic.name", "dead"),
        ("wharf.errors.deadletterqueue.topic.replication.factor", "many"),
    ]);
    assert_eq!(infos.error_count, 2);
    assert_eq!(
        value(&infos, "wharf.errors.deadletterqueue.topic.replication.factor").errors,
        [
            "Invalid value many for configuration wharf.errors.deadletterqueue.topic.replication.factor: it is a number of \
          replicas"
        ]
    );
}

#[test]
fn a_missing_class_is_named_without_showing_values() {
    let config: NullableConfigMap = [("password".to_owned(), Some("s3cret".to_owned()))].into();
    let error = connector_class(&config).unwrap_err();
    assert_eq!(
        error.message(),
        "Connector config {password} contains no connector type"
    );
}

#[test]
fn listings_show_own_keys_first_and_no_key_twice() {
    let own: Vec<ConfigKeyInfo> = own_def().infos().cloned().collect();
    let list = connector_definitions(ConnectorType::Sink, &FrameworkDefaults::default(), &own);
    assert_eq!(
        (
            list[0].name.as_str(),
            list[1].name.as_str(),
            list[2].name.as_str()
        ),
        ("file", "tasks.max", "name")
    );
    assert_eq!(
        list.iter()
            .filter(|definition| definition.name == "tasks.max")
            .count(),
        1
    );
    assert_eq!(
        list.last().unwrap().name,
        "errors.deadletterqueue.context.headers.enable"
    );
}
