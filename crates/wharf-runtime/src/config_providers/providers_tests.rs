//! Tests with real files, and with a provider that counts its calls.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;

fn map(entries: &[(&str, &str)]) -> ConfigMap {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// Answers `<path|key>`, but not for keys that begin with `no`; fails for the path `bad`.
struct Echo(Arc<AtomicU32>);

impl ConfigProvider for Echo {
    fn configure(&mut self, _: &ConfigMap) -> Result<()> {
        Ok(())
    }

    fn get(&mut self, path: &str, keys: &[&str]) -> Result<ConfigData> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if path == "bad" {
            return Err(ConnectError::config("it is sealed"));
        }
        let known = keys.iter().filter(|key| !key.starts_with("no"));
        Ok(ConfigData {
            data: known
                .map(|key| ((*key).to_owned(), format!("<{path}|{key}>")))
                .collect(),
            ttl: (path == "lease").then(|| Duration::from_secs(5)),
        })
    }
}

fn echo() -> (ConfigProviders, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let providers = ConfigProviders::default();
    let echo: Box<dyn ConfigProvider> = Box::new(Echo(Arc::clone(&calls)));
    let made = providers.loaded.set([("t".to_owned(), Mutex::new(echo))].into());
    assert!(made.is_ok());
    (providers, calls)
}

#[test]
fn references_become_what_the_provider_answers() {
    let (providers, _) = echo();
    for (text, expected) in [
        ("${t:p:k}", "<p|k>"),
        ("${t:k}", "<|k>"),
        ("${t:a:b:c}", "<a|b:c>"),
        ("x${t:p:k}y${t:q:j}z", "x<p|k>y<q|j>z"),
        ("${t:p:}", "<p|>"),
        ("$${t:k}", "$<|k>"),
        ("${u:p:k}", "${u:p:k}"),
        ("${t:p:none}", "${t:p:none}"),
        ("${t}", "${t}"),
        ("${${t:k}}", "${${t:k}}"),
    ] {
        let resolved = providers.resolve(&map(&[("a", text)])).unwrap();
        assert_eq!(resolved.config["a"], expected, "{text}");
    }
}

#[test]
fn a_provider_is_asked_once_for_a_path_and_not_at_all_without_references() {
    let (providers, calls) = echo();
    let config = map(&[("a", "${t:p:k} ${t:p:j}"), ("b", "${t:p:k}"), ("c", "${t:q:k}")]);
    providers.resolve(&config).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    providers.resolve(&map(&[("a", "plain ${u:k}")])).unwrap();
    let only = providers.resolve_keys(&config, |key| key == "d").unwrap();
    assert_eq!((only.config, calls.load(Ordering::Relaxed)), (config.clone(), 2));
    let only = providers.resolve_keys(&config, |key| key == "c").unwrap();
    assert_eq!(
        (only.config["c"].as_str(), only.config["b"].as_str()),
        ("<q|k>", "${t:p:k}")
    );
    assert_eq!(only.hide("no <q|k>"), "no ${t:q:k}");
}

#[test]
fn leases_are_known_by_provider_and_path() {
    let (providers, _) = echo();
    let resolved = providers
        .resolve(&map(&[("a", "${t:lease:k}"), ("b", "${t:p:k}")]))
        .unwrap();
    let lease = (("t".to_owned(), "lease".to_owned()), Duration::from_secs(5));
    assert_eq!(resolved.ttls, [lease].into());
}

#[test]
fn a_failure_names_provider_path_and_keys() {
    let (providers, _) = echo();
    let error = providers
        .resolve(&map(&[("a", "${t:bad:k}"), ("b", "${t:bad:j}")]))
        .unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "config provider `t` cannot give j, k at path bad: it is sealed"
    );
}

#[test]
fn providers_are_found_by_class_and_alias_and_get_their_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    std::fs::write(folder.path().join("s"), "key=value").unwrap();
    for class in [
        "org.apache.kafka.common.config.provider.FileConfigProvider",
        "FileConfigProvider",
        "File",
    ] {
        let properties = map(&[
            ("config.providers", "f, ,idle"),
            ("config.providers.f.class", class),
            ("config.providers.f.param.allowed.paths", &root),
            ("x", &format!("${{f:{root}/s:key}}")),
            ("y", "${f:/etc/hostname:key}"),
            ("z", "${idle:key}"),
        ]);
        let providers = ConfigProviders::named_in(&properties);
        assert_eq!(providers.names().collect::<Vec<_>>(), ["f"]);
        assert_eq!(providers.without_class(), ["idle"]);
        let resolved = resolve_worker_properties(&properties).unwrap().config;
        assert_eq!(resolved["x"], "value", "{class}");
        assert_eq!(
            (&resolved["y"], &resolved["z"]),
            (&properties["y"], &properties["z"])
        );
    }
}

#[test]
fn every_provider_that_cannot_be_had_is_named_by_its_key() {
    let properties = map(&[
        ("config.providers", "a,b,c"),
        ("config.providers.a.class", "com.example.Vault"),
        ("config.providers.b.class", "EnvVar"),
        ("config.providers.b.param.allowlist.pattern", "("),
        ("config.providers.c.class", "File"),
        ("config.providers.c.param.allowed.paths", "relative"),
    ]);
    let mistakes = ConfigProviders::named_in(&properties)
        .load(&PluginRegistry::default())
        .unwrap_err();
    let messages: Vec<&str> = mistakes.iter().map(ConnectError::message).collect();
    let expected = [
        "Invalid value com.example.Vault for configuration config.providers.a.class: Failed to find any class that \
         implements ConfigProvider and which name matches com.example.Vault, available configproviders are: PluginDesc",
        "Invalid value EnvVar for configuration config.providers.b.class: Invalid value ( for configuration \
         allowlist.pattern: Invalid regex: ",
        "Invalid value File for configuration config.providers.c.class: Path relative is not absolute",
    ];
    assert_eq!(messages.len(), expected.len());
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn parameters_show_in_no_debug_text() {
    let providers = ConfigProviders::named_in(&map(&[
        ("config.providers", "v"),
        ("config.providers.v.class", "File"),
        ("config.providers.v.param.token", "s3cret"),
    ]));
    let shown = format!("{providers:?}");
    assert!(shown.contains("File") && !shown.contains("s3cret"), "{shown}");
}
