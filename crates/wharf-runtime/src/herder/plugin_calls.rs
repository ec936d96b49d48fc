//! Calls of plugin code that a request waits for, each on a thread of its own, because it may hang; validation first of all.
//! Both herders use them.

use std::sync::Arc;

use tokio::sync::oneshot;
use wharf_api::config::ConfigKeyInfo;

use crate::config::{
    ConfigInfos, ConverterDefault, ConverterKind, ExactlyOnceWorker, FrameworkDefaults, PluginView as _,
    ValidationRequest, WorkerConfig, connector_class, validate_connector,
};
use crate::config_providers::{Resolved, has_reference};
use crate::herder::{HerderError, RawConfig, without_nulls};
use crate::plugins::{Outreach, PluginRegistry, RegistryView};
use crate::worker::Worker;
use crate::worker::preview::{Preview, PreviewRequest};

/// How a secret prints.
const HIDDEN: &str = "[hidden]";

/// Runs plugin code on a thread of its own and waits for its answer without blocking.
pub(super) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, HerderError> + Send + 'static,
) -> Result<T, HerderError> {
    let (answer, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // The one who asked may have given up.
            let _ = answer.send(work());
        })
        .map_err(|error| HerderError::Internal(format!("no thread for {name}: {error}")))?;
    receiver
        .await
        .unwrap_or_else(|_| Err(HerderError::Internal(format!("the thread for {name} panicked"))))
}

/// Configuration keys of a plugin, by class name or alias.
pub(super) async fn plugin_config(
    worker: Arc<Worker>,
    class: String,
    version: Option<String>,
) -> Result<Vec<ConfigKeyInfo>, HerderError> {
    on_thread("plugin-config", move || {
        worker.plugins.plugin_config(&class, version.as_deref())
    })
    .await
}

/// Why there is no preview.
pub(super) const NO_PREVIEW: &str =
    "previews are off on this worker; set wharf.preview.enable=true to allow them";

/// Sends records through converters and transformations of a configuration.
pub(super) async fn preview(
    worker: Arc<Worker>,
    class: String,
    request: PreviewRequest,
) -> Result<Preview, HerderError> {
    if !worker.config.preview_enable {
        return Err(HerderError::Forbidden(NO_PREVIEW.to_owned()));
    }
    on_thread("preview", move || worker.preview(&class, request)).await
}

/// Checks a configuration.
pub(super) async fn validate(
    worker: Arc<Worker>,
    config: RawConfig,
    outreach: Outreach,
) -> Result<ConfigInfos, HerderError> {
    on_thread("connector-validation", move || {
        validate_now(
            &worker.plugins,
            &worker.config,
            worker.exactly_once_worker(),
            &config,
            outreach,
        )
    })
    .await
}

/// Checks a configuration as a worker with these plugins and settings does. Calls plugin code.
pub(crate) fn validate_now(
    plugins: &PluginRegistry,
    worker: &WorkerConfig,
    exactly_once: ExactlyOnceWorker,
    config: &RawConfig,
    outreach: Outreach,
) -> Result<ConfigInfos, HerderError> {
    let given = config;
    let resolved = worker
        .config_providers
        .resolve(&without_nulls(given))
        .map_err(|error| HerderError::Internal(format!("{error:#}")))?;
    let config: &RawConfig = &given
        .iter()
        .map(|(key, value)| {
            let value = value.as_ref().and_then(|_| resolved.config.get(key)).cloned();
            (key.clone(), value)
        })
        .collect();
    let bad_request = |error: wharf_api::ConnectError| HerderError::BadRequest(format!("{error:#}"));
    let class = connector_class(config).map_err(bad_request)?;
    let version = config
        .get(crate::config::CONNECTOR_VERSION)
        .and_then(Option::as_deref);
    // With a version that cannot be had, the newest one is checked and the version key says what is wrong.
    let plugin = plugins
        .connector(class, version)
        .or_else(|error| plugins.connector(class, None).map_err(|_| error))
        .map_err(bad_request)?;
    // Keys that are null count as absent for plugins, as the framework reports them itself.
    let view = RegistryView::new(plugins, &plugin)
        .with_worker(worker)
        .with_outreach(outreach);
    let newest = |kind, name: &str| {
        let kind = ConverterKind::plugin_kind(kind);
        let class = view.find_class(kind, name)?;
        view.versions(kind, &class).pop()
    };
    let converter = |kind: ConverterKind| {
        let settings = worker.converter(kind);
        ConverterDefault {
            class: Some(settings.class.clone()),
            version: match config.get(kind.class_key()) {
                Some(Some(own)) => newest(kind, own.trim()),
                _ => settings.version.clone().or_else(|| newest(kind, &settings.class)),
            },
        }
    };
    let defaults = FrameworkDefaults {
        connector_version: plugin.stated_version(),
        key_converter: converter(ConverterKind::Key),
        value_converter: converter(ConverterKind::Value),
        header_converter: converter(ConverterKind::Header),
    };
    let request = ValidationRequest {
        config,
        connector_type: plugin.kind,
        defaults: &defaults,
        override_policy: &worker.override_policy,
        topic_creation_enable: worker.topic_creation_enable,
        worker_group: worker.group_id.as_deref(),
        exactly_once,
        plugins: &view,
    };
    let mut infos = validate_connector(&request, |config| view.validate_connector(config))
        .map_err(|error| HerderError::Internal(resolved.hide(&format!("{error:#}"))))?;
    if resolved.has_values() {
        show_references(&mut infos, given, &resolved);
    }
    Ok(infos)
}

/// An answer shows references where the check saw the values that they stand for.
fn show_references(infos: &mut ConfigInfos, given: &RawConfig, resolved: &Resolved) {
    for value in infos.configs.iter_mut().filter_map(|info| info.value.as_mut()) {
        let reference = given
            .get(&value.name)
            .and_then(Option::as_deref)
            .filter(|text| has_reference(text));
        if let (Some(reference), Some(shown)) = (reference, &mut value.value)
            && shown != HIDDEN
        {
            reference.clone_into(shown);
        }
        for error in &mut value.errors {
            *error = resolved.hide(error);
        }
    }
    infos.name = resolved.hide_own(&infos.name);
}

/// Refuses a validated configuration with errors, in upstream's words.
pub(super) fn check_valid(infos: &ConfigInfos) -> Result<(), HerderError> {
    if infos.error_count == 0 {
        return Ok(());
    }
    let errors: Vec<String> = infos.errors().map(|error| error.to_string()).collect();
    Err(HerderError::BadRequest(format!(
        "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find the above \
             list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`",
        infos.error_count,
        errors.join("\n")
    )))
}
