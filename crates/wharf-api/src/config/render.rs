//! Reference pages made from a definition.

use std::fmt::Write as _;

use super::{ConfigDef, ConfigKeyInfo, DefaultValue};

impl ConfigDef {
    /// A Markdown table of all keys that are not internal, in listing order.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut out = String::from(
            "| Key | Type | Default | Valid values | Importance | Meaning |\n|---|---|---|---|---|---|\n",
        );
        for info in self.listed() {
            let default = default_text(info).map_or_else(String::new, |text| format!("`{text}`"));
            // writing to a String cannot fail
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} | {} | {} |",
                info.name,
                info.value_type,
                cell(&default),
                cell(info.validator.as_deref().unwrap_or_default()),
                info.importance.name().to_lowercase(),
                cell(&info.documentation),
            );
        }
        out
    }

    /// Plain text for a terminal: each key with its properties on one line and its meaning below, in listing order.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let mut group = None;
        for info in self.listed() {
            if info.group != group {
                group.clone_from(&info.group);
                let _ = writeln!(out, "[{}]", group.as_deref().unwrap_or("other"));
            }
            let _ = write!(
                out,
                "{}  {}, {}",
                info.name,
                info.value_type,
                info.importance.name().to_lowercase()
            );
            let _ = match default_text(info) {
                None => write!(out, ", required"),
                Some(text) => write!(out, ", default {text}"),
            };
            if let Some(valid) = &info.validator {
                let _ = write!(out, ", valid: {valid}");
            }
            out.push('\n');
            for line in info.documentation.lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
        out
    }

    fn listed(&self) -> impl Iterator<Item = &ConfigKeyInfo> {
        self.sorted_keys()
            .into_iter()
            .map(|key| key.info())
            .filter(|info| !info.internal)
    }
}

/// Nothing for a required key; otherwise something to show, also for null and the empty text.
fn default_text(info: &ConfigKeyInfo) -> Option<String> {
    Some(match &info.default {
        DefaultValue::Required => return None,
        DefaultValue::Null => "null".to_owned(),
        DefaultValue::Text(text) => match info.default_text().unwrap_or_else(|| text.clone()) {
            empty if empty.is_empty() => "\"\"".to_owned(),
            text => text,
        },
    })
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigDef, ConfigKey, Importance, Type, Validator};

    fn def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new("topic", Type::String)
                    .importance(Importance::High)
                    .doc("Where to\nwrite."),
            )
            .define(
                ConfigKey::new("size", Type::Int)
                    .default(5)
                    .validator(Validator::at_least(1))
                    .doc("a|b")
                    .group("Tuning", 1),
            )
            .define(ConfigKey::new("file", Type::String).default_null())
            .define(ConfigKey::new("tags", Type::List).default(""))
            .define(ConfigKey::new("hidden", Type::Int).default(1).internal())
    }

    #[test]
    fn markdown_has_one_row_per_public_key() {
        assert_eq!(
            def().to_markdown(),
            "| Key | Type | Default | Valid values | Importance | Meaning |\n\
             |---|---|---|---|---|---|\n\
             | `topic` | STRING |  |  | high | Where to write. |\n\
             | `file` | STRING | `null` |  | medium |  |\n\
             | `tags` | LIST | `\"\"` |  | medium |  |\n\
             | `size` | INT | `5` | [1,...] | medium | a\\|b |\n"
        );
    }

    #[test]
    fn text_names_groups_defaults_and_limits() {
        assert_eq!(
            def().to_text(),
            "topic  STRING, high, required\n    Where to\n    write.\n\
             file  STRING, medium, default null\n\
             tags  LIST, medium, default \"\"\n\
             [Tuning]\n\
             size  INT, medium, default 5, valid: [1,...]\n    a|b\n"
        );
    }
}
