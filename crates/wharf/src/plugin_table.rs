//! The table of `connect-plugin-path list`, whose columns scripts cut by number.

use std::fmt::Write as _;

use wharf_runtime::plugins::PluginLocation;

const HEADER: [&str; 8] = [
    "pluginName",
    "firstAlias",
    "secondAlias",
    "pluginVersion",
    "pluginType",
    "isLoadable",
    "hasManifest",
    "pluginLocation",
];

/// The table with its three totals, as upstream prints it. Every row is loadable and has a manifest: a native library that
/// is not or has none is no row but a refusal. What is built in is left out, as upstream leaves out the classpath.
pub(crate) fn render(plugins: &[PluginLocation]) -> String {
    let mut out = HEADER.join("\t");
    let mut total = 0;
    for plugin in plugins {
        let Some(path) = &plugin.path else { continue };
        total += 1;
        let cells = [
            &plugin.class,
            plugin.first_alias.as_deref().unwrap_or("N/A"),
            plugin.second_alias.as_deref().unwrap_or("N/A"),
            plugin.version.as_deref().unwrap_or("undefined"),
            plugin.kind.name(),
            "true",
            "true",
            &path.to_string_lossy(),
        ];
        // writing to a String cannot fail
        let _ = write!(out, "\n{}", cells.join("\t"));
    }
    let _ = write!(
        out,
        "\n\nTotal plugins: \t{total}\nLoadable plugins: \t{total}\nCompatible plugins: \t{total}"
    );
    out
}

#[cfg(test)]
mod tests {
    use wharf_api::PluginKind;

    use super::*;

    fn plugin(
        class: &str,
        aliases: [Option<&str>; 2],
        version: Option<&str>,
        kind: PluginKind,
    ) -> PluginLocation {
        let [first_alias, second_alias] = aliases.map(|alias| alias.map(str::to_owned));
        let version = version.map(str::to_owned);
        PluginLocation {
            class: class.into(),
            kind,
            version,
            first_alias,
            second_alias,
            path: Some("/p/lib.so".into()),
        }
    }

    #[test]
    fn the_table_has_upstreams_columns_and_totals() {
        let source = [Some("XSourceConnector"), Some("XSource")];
        let plugins = [
            plugin("org.x.XSourceConnector", source, Some("1.0"), PluginKind::Source),
            plugin(
                "org.x.Cast$Value",
                [Some("Value"), None],
                None,
                PluginKind::Transformation,
            ),
            PluginLocation {
                path: None,
                ..plugin("builtin", [None, None], None, PluginKind::Converter)
            },
        ];
        assert_eq!(
            render(&plugins),
            "pluginName\tfirstAlias\tsecondAlias\tpluginVersion\tpluginType\tisLoadable\thasManifest\tpluginLocation\n\
             org.x.XSourceConnector\tXSourceConnector\tXSource\t1.0\tsource\ttrue\ttrue\t/p/lib.so\n\
             org.x.Cast$Value\tValue\tN/A\tundefined\ttransformation\ttrue\ttrue\t/p/lib.so\n\
             \n\
             Total plugins: \t2\nLoadable plugins: \t2\nCompatible plugins: \t2"
        );
    }
}
