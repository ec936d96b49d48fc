//! Lookups in a registry with two libraries and what is built in.

use wharf_abi::host::NoServices;
use wharf_api::{ConfigMap, ErrorKind};
use wharf_converters::FastPath;

use super::*;
use crate::herder::ConnectorType;
use crate::plugins::test_module;

const ALPHA: &str = "org.x.AlphaSourceConnector";

fn registry() -> PluginRegistry {
    PluginRegistry::of_modules([
        ("/p/libold.so".into(), test_module::old()),
        ("/p/libnew.so".into(), test_module::new()),
    ])
}

#[test]
fn a_connector_is_found_by_all_its_names_in_its_highest_version() {
    let registry = registry();
    for name in [ALPHA, "AlphaSourceConnector", "AlphaSource"] {
        let plugin = registry.connector(name, None).unwrap();
        assert_eq!(
            (&*plugin.class, &*plugin.version, plugin.kind),
            (ALPHA, "1.10", ConnectorType::Source)
        );
        assert_eq!(
            (&*plugin.task_class, plugin.path.to_str()),
            ("org.x.AlphaTask", Some("/p/libnew.so"))
        );
        assert_eq!(plugin.stated_version().as_deref(), Some("1.10"));
    }
    assert_eq!(
        registry.connector("AlphaSink", None).unwrap().kind,
        ConnectorType::Sink
    );
    assert_eq!(
        registry
            .connector("org.y.BetaConnector", None)
            .unwrap()
            .path
            .to_str(),
        Some("/p/libold.so")
    );
}

#[test]
fn a_version_or_range_chooses_the_highest_that_meets_it() {
    let registry = registry();
    for (requirement, version) in [
        ("1.0", "1.0"),
        ("[1.0]", "1.0"),
        ("[1.0,2.0)", "1.10"),
        ("(,1.9]", "1.0"),
        ("latest", "1.10"),
        ("", "1.10"),
    ] {
        let plugin = registry.connector("AlphaSource", Some(requirement)).unwrap();
        assert_eq!(&*plugin.version, version, "{requirement}");
    }
    let error = registry.connector("AlphaSource", Some("3")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.message(),
        "Plugin org.x.AlphaSourceConnector not found that matches the version range [3,3], available versions: [1.0, 1.10]"
    );
    assert_eq!(
        registry
            .connector("AlphaSource", Some("[1"))
            .unwrap_err()
            .message(),
        "Unbounded range: [1"
    );
}

#[test]
fn an_unknown_connector_is_named_with_those_there_are() {
    let error = registry().connector("Gamma", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.class(), "org.apache.kafka.connect.errors.ConnectException");
    let start = "Failed to find any class that implements Connector and which name matches Gamma, available connectors \
                 are: PluginDesc{klass=class org.x.AlphaSinkConnector, name='org.x.AlphaSinkConnector', version='1.0', \
                 encodedVersion=1.0, type=sink, typeName='sink', location='file:/p/libold.so'}, PluginDesc{";
    assert!(error.message().starts_with(start), "{error}");
    // What is no connector is not found as one.
    assert!(registry().connector("JsonConverter", None).is_err());
    assert!(registry().connector("", None).is_err());
}

#[test]
fn a_name_of_two_connectors_is_refused() {
    for name in ["Beta", "BetaConnector"] {
        assert_eq!(
            registry().connector(name, None).unwrap_err().message(),
            format!(
                "More than one connector matches alias {name}. Please use full package and class name instead. Classes \
                 found: org.y.BetaConnector, org.z.BetaConnector"
            )
        );
    }
}

#[test]
fn short_names_mean_the_first_of_the_classes_that_one_library_has_for_a_connector() {
    let registry = PluginRegistry::of_modules([("/p/libomega.so".into(), test_module::several_names())]);
    for (name, class) in [
        ("OmegaSink", "org.b.OmegaSinkConnector"),
        ("OmegaSinkConnector", "org.b.OmegaSinkConnector"),
        ("org.a.OmegaSinkConnector", "org.a.OmegaSinkConnector"),
    ] {
        assert_eq!(&*registry.connector(name, None).unwrap().class, class);
    }
    let locations = registry.locations();
    let alias = |class: &str| {
        let found = locations.iter().find(|location| location.class == class).unwrap();
        found.first_alias.clone()
    };
    assert_eq!(alias("org.a.OmegaSinkConnector"), None);
    assert_eq!(
        alias("org.b.OmegaSinkConnector").as_deref(),
        Some("OmegaSinkConnector")
    );
}

#[test]
fn the_listing_is_ordered_by_kind_class_and_version() {
    let registry = registry();
    let shown = |connectors_only| -> Vec<String> {
        registry
            .list(connectors_only)
            .into_iter()
            .map(|info| {
                format!(
                    "{} {} {}",
                    info.plugin_type,
                    info.class,
                    info.version.unwrap_or_default()
                )
            })
            .collect()
    };
    let connectors = [
        "sink org.x.AlphaSinkConnector 1.0",
        "source org.x.AlphaSourceConnector 1.0",
        "source org.x.AlphaSourceConnector 1.10",
        "source org.y.BetaConnector 1.0",
        "source org.z.BetaConnector 1.0",
    ];
    assert_eq!(shown(true), connectors);
    let all = shown(false);
    assert_eq!(all[..5], connectors);
    let transforms = wharf_transforms::TRANSFORMATIONS.len();
    let smt = transforms + wharf_transforms::PREDICATES.len();
    assert_eq!(all.len(), 5 + smt + 9 + 1 + 10, "{all:#?}");
    for (at, start) in [
        (5, "transformation org.apache.kafka.connect.transforms."),
        (
            5 + transforms,
            "predicate org.apache.kafka.connect.transforms.predicates.HasHeaderKey ",
        ),
        (
            5 + smt,
            "converter org.apache.kafka.connect.converters.BooleanConverter ",
        ),
        (14 + smt, "converter org.x.RotConverter"),
        (
            24 + smt,
            "header_converter org.apache.kafka.connect.storage.StringConverter",
        ),
    ] {
        assert!(all[at].starts_with(start), "{}", all[at]);
    }
}

#[test]
fn locations_name_aliases_only_where_they_work() {
    let locations = registry().locations();
    let find = |class: &str, kind| {
        locations
            .iter()
            .find(|location| location.class == class && location.kind == kind)
            .unwrap()
            .clone()
    };
    let alpha = find(ALPHA, PluginKind::Source);
    assert_eq!(alpha.first_alias.as_deref(), Some("AlphaSourceConnector"));
    assert_eq!(alpha.second_alias.as_deref(), Some("AlphaSource"));
    assert_eq!(alpha.path, Some("/p/libold.so".into()));
    let beta = find("org.y.BetaConnector", PluginKind::Source);
    assert_eq!((beta.first_alias, beta.second_alias), (None, None));
    let json = find(
        "org.apache.kafka.connect.json.JsonConverter",
        PluginKind::Converter,
    );
    assert_eq!((json.second_alias.as_deref(), json.path), (Some("Json"), None));
    assert!(
        locations
            .iter()
            .any(|location| location.kind == PluginKind::ConfigProvider)
    );
}

#[test]
fn converters_are_built_in_or_a_plugins() {
    let registry = registry();
    let config = ConfigMap::new();
    let string = registry
        .converter("org.apache.kafka.connect.storage.StringConverter", None)
        .unwrap();
    assert_eq!(
        (string.is_remote(), string.fast_path(&config)),
        (false, FastPath::Utf8String)
    );
    assert_eq!(
        registry.converter("ByteArray", None).unwrap().fast_path(&config),
        FastPath::RawBytes
    );
    let rot = registry.converter("Rot", Some("[1,2)")).unwrap();
    assert_eq!((rot.is_remote(), rot.fast_path(&config)), (true, FastPath::None));
    assert!(registry.header_converter("Simple", None).is_ok());
    assert!(registry.header_converter("Json", None).is_ok());
    for (name, version) in [("Simple", None), ("Nothing", None), ("Json", Some("99"))] {
        assert!(registry.converter(name, version).is_err(), "{name}");
    }
    assert_eq!(
        registry
            .converter_class(PluginKind::Converter, "Json", None)
            .as_deref(),
        Some("org.apache.kafka.connect.json.JsonConverter")
    );
    assert_eq!(
        registry.converter_class(PluginKind::Converter, "Nothing", None),
        None
    );
    assert!(registry.config_provider("Vault", None).is_ok());
    assert!(registry.transformation("Vault", None).is_err());
}

#[test]
fn a_library_wins_over_the_same_class_built_in() {
    let mut registry = registry();
    let origin = Origin::Library {
        path: Path::new("/p/mine.so").into(),
        module: test_module::old(),
        position: 3,
    };
    let class = "org.apache.kafka.connect.json.JsonConverter";
    let listed = registry.list(false);
    registry.add(PluginKind::Converter, class, BUILTIN_VERSION, None, origin, false);
    assert!(registry.converter("Json", None).unwrap().is_remote());
    assert_eq!(registry.list(false), listed);
    assert_eq!(
        registry.plugin_versions(PluginKind::Converter, class),
        [BUILTIN_VERSION]
    );
}

#[test]
fn a_connector_is_found_by_the_class_of_its_tasks() {
    let registry = registry();
    assert_eq!(
        &*registry
            .connector_for_task_class("org.x.AlphaTask", None)
            .unwrap()
            .version,
        "1.10"
    );
    assert_eq!(
        &*registry
            .connector_for_task_class("org.x.AlphaTask", Some("1.0"))
            .unwrap()
            .version,
        "1.0"
    );
    assert!(registry.connector_for_task_class("org.x.Nothing", None).is_err());
    assert!(registry.connector_for_task_class("", None).is_err());
}

#[test]
fn a_connectors_keys_are_followed_by_those_of_the_framework() {
    let names: Vec<String> = registry()
        .plugin_config("AlphaSink", None)
        .unwrap()
        .into_iter()
        .map(|key| key.name)
        .collect();
    assert_eq!(
        names[..4],
        ["own", "name", "connector.class", "connector.plugin.version"]
    );
    assert_eq!(names.iter().filter(|name| *name == "name").count(), 1);
    assert!(names.iter().any(|name| name == "topics.regex"));
}

#[test]
fn keys_of_other_plugins_are_their_own_alone() {
    let registry = registry();
    let json = registry.plugin_config("Json", None).unwrap();
    assert!(json.iter().any(|key| key.name == "schemas.enable"));
    assert!(json.iter().all(|key| key.name != "connector.class"));
    let rot = registry.plugin_config("org.x.RotConverter", Some("1.0")).unwrap();
    assert_eq!(
        rot.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(),
        ["own", "name"]
    );
}

#[test]
fn keys_of_what_is_not_there_are_refused() {
    let registry = registry();
    for (name, version, status, message) in [
        ("Nothing", None, 404, "Unknown plugin Nothing."),
        (
            "Vault",
            None,
            400,
            "Invalid plugin class org.x.VaultConfigProvider. Valid types are sink, source, converter, header_converter, \
             transformation, predicate.",
        ),
        (
            "AlphaSink",
            Some("2"),
            400,
            "Plugin org.x.AlphaSinkConnector not found that matches the version range [2,2], available versions: [1.0]",
        ),
    ] {
        let error = registry.plugin_config(name, version).unwrap_err();
        assert_eq!((error.status(), error.to_string().as_str()), (status, message));
    }
}

#[test]
fn instances_are_made_of_the_class_that_was_found() {
    let plugin = registry().connector("AlphaSource", None).unwrap();
    let keys = plugin.config().unwrap();
    assert_eq!(keys[0].name, "own");
    assert!(plugin.new_source_task(Box::new(NoServices)).is_ok());
    // The module knows no other call.
    let mut connector = plugin.new_connector(Box::new(NoServices)).unwrap();
    assert_eq!(
        connector.start(&ConfigMap::new()).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
}
