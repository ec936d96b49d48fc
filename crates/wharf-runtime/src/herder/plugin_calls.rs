//! Calls of plugin code that a request waits for, each on a thread of its own, because it may hang; validation first of all.
//! Both herders use them.

use std::sync::Arc;

use tokio::sync::oneshot;
use wharf_api::config::ConfigKeyInfo;

use crate::config::{
    ConfigInfos, ConverterDefault, ConverterKind, ExactlyOnceWorker, FrameworkDefaults, PluginView as _,
    ValidationRequest, WorkerConfig, connector_class, validate_connector,
};
use crate::herder::{HerderError, RawConfig};
use crate::plugins::{PluginRegistry, RegistryView};
use crate::worker::Worker;

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

/// Checks a configuration.
pub(super) async fn validate(worker: Arc<Worker>, config: RawConfig) -> Result<ConfigInfos, HerderError> {
    on_thread("connector-validation", move || {
        validate_now(
            &worker.plugins,
            &worker.config,
            worker.exactly_once_worker(),
            &config,
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
) -> Result<ConfigInfos, HerderError> {
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
    let view = RegistryView::new(plugins, &plugin).with_worker(worker);
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
    validate_connector(&request, |config| plugin.validate(config))
        .map_err(|error| HerderError::Internal(format!("{error:#}")))
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
