//! Validation with all messages: the walk along dependents that Kafka makes, first to parse, then to recommend.

use std::collections::BTreeMap;

use super::config_def::missing;
use super::{ConfigDef, ConfigKey, ConfigValue, DefaultValue, ParsedConfig, ParsedValue};
use crate::ConfigMap;

/// Looks up what was given for a key: nothing, null, or a text.
pub(super) fn validate<'a>(
    def: &ConfigDef,
    originals: &ConfigMap,
    given: impl Fn(&str) -> Option<Option<&'a str>>,
) -> Vec<ConfigValue> {
    let mut values: Vec<ConfigValue> = def.names().map(ConfigValue::new).collect();
    for name in def.undefined_dependents() {
        let mut value = ConfigValue::new(name);
        value.visible = false;
        value.add_error(format!("{name} is referred in the dependents, but not defined."));
        values.push(value);
    }
    let positions = values
        .iter()
        .enumerate()
        .map(|(at, value)| (value.name.clone(), at))
        .collect();
    let mut walk = Walk {
        def,
        positions,
        values,
        parsed: BTreeMap::new(),
    };
    let roots = walk.roots();
    for root in &roots {
        walk.descend(root, &mut Vec::new(), &mut |walk, key| {
            walk.parse(key, given(key.name()))
        });
    }
    let parsed = ParsedConfig::new(std::mem::take(&mut walk.parsed), originals.clone());
    for root in &roots {
        walk.descend(root, &mut Vec::new(), &mut |walk, key| {
            walk.recommend(key, &parsed)
        });
    }
    walk.values
}

struct Walk<'d> {
    def: &'d ConfigDef,
    positions: BTreeMap<String, usize>,
    values: Vec<ConfigValue>,
    parsed: BTreeMap<String, ParsedValue>,
}

impl<'d> Walk<'d> {
    /// Keys that are nobody's dependent.
    fn roots(&self) -> Vec<&'d str> {
        let is_dependent = |name: &str| {
            self.def
                .infos()
                .any(|info| info.dependents.iter().any(|d| d == name))
        };
        self.def.names().filter(|name| !is_dependent(name)).collect()
    }

    /// Visits a key and, below it, its dependents. A key that is reached by several ways is visited once for each;
    /// a circle is left where it closes.
    fn descend(
        &mut self,
        name: &'d str,
        path: &mut Vec<&'d str>,
        visit: &mut dyn FnMut(&mut Self, &'d ConfigKey),
    ) {
        let def = self.def;
        let Some(key) = def.key(name) else { return };
        if path.contains(&name) {
            return;
        }
        visit(self, key);
        path.push(name);
        for dependent in &key.info.dependents {
            self.descend(dependent, path, visit);
        }
        path.pop();
    }

    fn slot(&mut self, name: &str) -> Option<&mut ConfigValue> {
        self.positions.get(name).map(|at| &mut self.values[*at])
    }

    fn parse(&mut self, key: &ConfigKey, given: Option<Option<&str>>) {
        let info = &key.info;
        let mut errors = Vec::new();
        let parsed = match (given, &info.default) {
            (Some(None), _) | (None, DefaultValue::Null) => Ok(ParsedValue::Null),
            (Some(Some(text)), _) => self.def.parse_text(&info.name, text, info.value_type),
            (None, DefaultValue::Required) => Err(missing(&info.name)),
            (None, DefaultValue::Text(text)) => super::parse_type(&info.name, text, info.value_type),
        };
        let value = parsed.unwrap_or_else(|error| {
            errors.push(error);
            ParsedValue::Null
        });
        if let Some(validator) = &key.validator {
            errors.extend(validator.ensure_valid(&info.name, &value).err());
        }
        self.parsed.insert(info.name.clone(), value.clone());
        if let Some(slot) = self.slot(&info.name) {
            slot.value = value;
            slot.errors
                .extend(errors.iter().map(|error| error.message().to_owned()));
        }
    }

    fn recommend(&mut self, key: &ConfigKey, parsed: &ParsedConfig) {
        let Some(recommender) = &key.recommender else {
            return;
        };
        let name = key.name();
        let Some(slot) = self.slot(name) else { return };
        let outcome = recommender
            .valid_values(name, parsed)
            .and_then(|mut recommended| {
                if !slot.recommended_values.is_empty() {
                    recommended.retain(|value| slot.recommended_values.contains(value));
                }
                slot.recommended_values = recommended;
                slot.visible = recommender.visible(name, parsed)?;
                Ok(())
            });
        if let Err(error) = outcome {
            slot.add_error(error.message());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NullableConfigMap, Recommender, Type, Validator};
    use crate::{ConnectError, Result};

    fn map(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn of<'v>(values: &'v [ConfigValue], name: &str) -> &'v ConfigValue {
        values.iter().find(|value| value.name == name).unwrap()
    }

    fn int(name: &str) -> ConfigKey {
        ConfigKey::new(name, Type::Int)
    }

    #[test]
    fn a_value_that_does_not_parse_gets_two_messages() {
        let def = ConfigDef::new().define(int("tasks.max").default(1).validator(Validator::at_least(1)));
        let values = def.validate(&map(&[("tasks.max", "foo")]));
        assert_eq!(values[0].value, ParsedValue::Null);
        assert_eq!(
            values[0].errors,
            [
                "Invalid value foo for configuration tasks.max: Not a number of type INT",
                "Invalid value null for configuration tasks.max: Value must be non-null",
            ]
        );
    }

    #[test]
    fn a_missing_key_is_named_and_a_null_one_does_not_get_its_default() {
        let def = ConfigDef::new().define(int("a")).define(int("b").default(7));
        let values = def.validate(&map(&[]));
        assert_eq!(
            of(&values, "a").errors,
            ["Missing required configuration \"a\" which has no default value."]
        );
        assert_eq!(of(&values, "b").value, 7.into());
        let nulls: NullableConfigMap = [("a".to_owned(), None), ("b".to_owned(), None)].into();
        let values = def.validate_nullable(&nulls);
        assert!(
            values
                .iter()
                .all(|value| value.value.is_null() && value.errors.is_empty())
        );
    }

    #[test]
    fn a_key_that_two_others_lead_to_is_checked_twice() {
        let def = ConfigDef::new()
            .define(int("a").default(1).dependents(["c"]))
            .define(int("b").default(1).dependents(["c"]))
            .define(int("c"));
        let values = def.validate(&map(&[]));
        let message = "Missing required configuration \"c\" which has no default value.";
        assert_eq!(of(&values, "c").errors, [message, message]);
    }

    #[test]
    fn dependents_nobody_defined_are_listed_last_and_invisible() {
        let def = ConfigDef::new()
            .define(int("a").default(1).dependents(["d", "e"]))
            .define(int("z").default(1));
        let values = def.validate(&map(&[]));
        assert_eq!(
            values.iter().map(|value| value.name.as_str()).collect::<Vec<_>>(),
            ["a", "z", "d", "e"]
        );
        assert!(!of(&values, "d").visible);
        assert_eq!(
            of(&values, "d").errors,
            ["d is referred in the dependents, but not defined."]
        );
    }

    #[test]
    fn a_circle_of_dependents_ends() {
        let def = ConfigDef::new()
            .define(int("root").default(1).dependents(["a"]))
            .define(int("a").dependents(["b"]))
            .define(int("b").dependents(["a"]));
        let values = def.validate(&map(&[]));
        assert_eq!(of(&values, "a").errors.len(), 1);
        assert_eq!(of(&values, "b").errors.len(), 1);
    }

    struct Modes;

    impl Recommender for Modes {
        fn valid_values(&self, name: &str, config: &ParsedConfig) -> Result<Vec<ParsedValue>> {
            match config.get_int("level") {
                Some(0) => Err(ConnectError::config(format!("no {name} at level 0"))),
                Some(1) => Ok(vec!["slow".into()]),
                _ => Ok(vec!["slow".into(), "fast".into()]),
            }
        }

        fn visible(&self, _: &str, config: &ParsedConfig) -> Result<bool> {
            Ok(config.get_int("level") != Some(1))
        }
    }

    fn with_modes() -> ConfigDef {
        ConfigDef::new()
            .define(int("level").default(2).dependents(["mode"]))
            .define(
                ConfigKey::new("mode", Type::String)
                    .default("slow")
                    .recommender(Modes),
            )
    }

    #[test]
    fn recommenders_see_the_other_values() {
        for (level, count, visible, errors) in [("2", 2, true, 0), ("1", 1, false, 0), ("0", 0, true, 1)] {
            let values = with_modes().validate(&map(&[("level", level)]));
            let mode = of(&values, "mode");
            assert_eq!(mode.recommended_values.len(), count);
            assert_eq!(mode.visible, visible);
            assert_eq!(mode.errors.len(), errors);
        }
    }

    #[test]
    fn embedded_recommenders_see_names_without_prefix() {
        let def = ConfigDef::new().embed("p.", "P", 0, &with_modes());
        let values = def.validate(&map(&[("p.level", "0"), ("level", "2")]));
        assert_eq!(of(&values, "p.mode").errors, ["no mode at level 0"]);
    }
}
