//! The rules that a registered schema carries (its `ruleSet`): conditions, encryption, migrations.
//!
//! A rule is run by an executor, a Java class that upstream's converters load beside themselves; there is none here. What
//! happens then is what happens upstream without one: the rule fails, and its `onFailure` says what follows. The configuration may
//! switch rules on and off and say what follows ([`RuleOverrides`]). What must stay true: a record whose schema has a rule that would
//! have changed or refused it never passes as if there were none, unless somebody said so.

use serde_json::Value;
use wharf_api::{ConfigMap, ConnectError};

use crate::error::serialization;

/// What keys for executors begin with, and those end with that are not for an executor itself.
const EXECUTORS: &str = "rule.executors.";
const OVERRIDES: [&str; 3] = [".disabled", ".onSuccess", ".onFailure"];

/// Whether a key says something of rules, and not of an executor or an action.
pub(crate) fn is_override(key: &str) -> bool {
    key.starts_with(EXECUTORS) && OVERRIDES.iter().any(|end| key.ends_with(end))
}

/// What a schema is used for, as far as rules tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleMode {
    /// A record is written.
    Write,
    /// A record is read.
    Read,
    /// A record of an older version becomes one of a newer.
    Upgrade,
    /// A record of a newer version becomes one of an older.
    Downgrade,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulePhase {
    /// The way from one version to another.
    Migration,
    /// The data of a record.
    Domain,
    /// The bytes of a message.
    Encoding,
}

impl RuleMode {
    fn is_migration(self) -> bool {
        matches!(self, Self::Upgrade | Self::Downgrade)
    }

    /// What is met in this mode, in its order.
    pub(crate) fn phases(self) -> &'static [RulePhase] {
        match self {
            Self::Write => &[RulePhase::Domain, RulePhase::Encoding],
            Self::Read => &[RulePhase::Encoding, RulePhase::Domain],
            Self::Upgrade | Self::Downgrade => &[RulePhase::Migration],
        }
    }

    /// Whether a rule of this mode is meant.
    fn includes(self, mode: &str) -> bool {
        match mode {
            "WRITEREAD" => !self.is_migration(),
            "UPDOWN" => self.is_migration(),
            "WRITE" => self == Self::Write,
            "READ" => self == Self::Read,
            "UPGRADE" => self == Self::Upgrade,
            "DOWNGRADE" => self == Self::Downgrade,
            // A mode that a later registry knows is none that may be passed over.
            _ => true,
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Rule {
    name: String,
    kind: String,
    mode: String,
    on_failure: Option<String>,
    is_disabled: bool,
}

impl Rule {
    fn read(body: &Value) -> Self {
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            name: text("name").unwrap_or_default(),
            kind: text("type").unwrap_or_default(),
            mode: text("mode").unwrap_or_default(),
            on_failure: text("onFailure"),
            is_disabled: body.get("disabled").and_then(Value::as_bool) == Some(true),
        }
    }

    /// What follows a failure: `ERROR` unless the configuration or the rule says something else, for both directions or for each.
    fn action(&self, mode: RuleMode, overrides: &RuleOverrides) -> String {
        let actions = overrides.of(self, "onFailure").or(self.on_failure.as_deref());
        let Some(actions) = actions.filter(|text| !text.is_empty()) else {
            return "ERROR".to_owned();
        };
        let action = match actions.split_once(',') {
            Some((first, second)) if matches!(self.mode.as_str(), "WRITEREAD" | "UPDOWN") => match mode {
                RuleMode::Write | RuleMode::Upgrade => first,
                RuleMode::Read | RuleMode::Downgrade => second,
            },
            _ => actions,
        };
        action.trim().to_ascii_uppercase()
    }
}

/// What a configuration says of rules, whatever they say themselves: `rule.executors.<which>.disabled` and `….onFailure`, where `<which>`
/// is a rule's name, its type as `_TYPE_`, or `_default_` for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleOverrides(ConfigMap);

impl RuleOverrides {
    /// Those of a configuration without prefix.
    pub(crate) fn from_config(config: &ConfigMap) -> Self {
        let said = config.iter().filter(|(key, _)| is_override(key));
        Self(said.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn of(&self, rule: &Rule, what: &str) -> Option<&str> {
        let which = [rule.name.as_str(), &format!("_{}_", rule.kind), "_default_"];
        let mut found = which
            .iter()
            .filter_map(|which| self.0.get(&format!("{EXECUTORS}{which}.{what}")));
        found.next().map(String::as_str)
    }
}

/// The rules of a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RuleSet {
    migration: Vec<Rule>,
    domain: Vec<Rule>,
    encoding: Vec<Rule>,
    /// Where they count: `None` and `ALL` are everywhere, `NONE` is nowhere, others are environments.
    enabled_at: Option<String>,
}

impl RuleSet {
    /// The rules in an answer of the registry.
    pub(crate) fn from_json(body: &Value) -> Self {
        let rules = |part: &str| {
            let listed = body["ruleSet"][part].as_array();
            listed.into_iter().flatten().map(Rule::read)
        };
        Self {
            migration: rules("migrationRules").collect(),
            domain: rules("domainRules").collect(),
            encoding: rules("encodingRules").collect(),
            enabled_at: body["ruleSet"]["enableAt"].as_str().map(str::to_owned),
        }
    }

    /// Whether they count in an environment, which is the key `execution.environment`.
    fn counts_in(&self, environment: Option<&str>) -> bool {
        match self.enabled_at.as_deref() {
            None | Some("ALL") => true,
            Some(at @ ("CLIENT" | "GATEWAY" | "SERVER")) => environment == Some(at),
            Some("NONE") => false,
            // A place that a later registry knows is none that may be passed over.
            Some(_) => true,
        }
    }

    /// Whether a schema with these rules may be used, although none of them is run. `environment` is the key
    /// `execution.environment`; `ignored` is told the names and types of those that allow it.
    ///
    /// # Errors
    /// The first rule that does not: upstream's texts.
    pub(crate) fn check(
        &self,
        phase: RulePhase,
        mode: RuleMode,
        environment: Option<&str>,
        overrides: &RuleOverrides,
        mut ignored: impl FnMut(&str, &str),
    ) -> Result<(), ConnectError> {
        let rules = match phase {
            RulePhase::Migration => &self.migration,
            RulePhase::Domain => &self.domain,
            RulePhase::Encoding => &self.encoding,
        };
        let counts = self.counts_in(environment);
        let is_run = |rule: &&Rule| {
            let is_enabled = match overrides.of(rule, "disabled") {
                Some(word) => !word.eq_ignore_ascii_case("true"),
                None => counts && !rule.is_disabled,
            };
            is_enabled && mode.includes(&rule.mode)
        };
        let mut rules: Vec<&Rule> = rules.iter().filter(is_run).collect();
        if matches!(mode, RuleMode::Read | RuleMode::Downgrade) {
            // What was done last is undone first.
            rules.reverse();
        }
        for rule in rules {
            match rule.action(mode, overrides).as_str() {
                "NONE" => ignored(&rule.name, &rule.kind),
                // Upstream's action for dead letters sends one and fails the record like the other; what fails here
                // becomes a dead letter of the connector, where one is wanted.
                "ERROR" | "DLQ" => {
                    let cause = ConnectError::connect(format!(
                        "Could not find rule executor of type {}; rules of schemas are not run here: disable the rule \
                         for this schema or by rule.executors.{}.disabled=true, or leave these records to a client that has the executor",
                        rule.kind, rule.name
                    ))
                    .with_class("io.confluent.kafka.schemaregistry.rules.RuleException");
                    return Err(serialization(format!("Rule failed: {}", rule.name)).caused_by(cause));
                }
                other => {
                    return Err(ConnectError::config(format!(
                        "Could not find rule action of type {other}, which the rule {} asks for",
                        rule.name
                    )));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(rules: &Value, mode: RuleMode) -> Result<Vec<String>, String> {
        checked_with(rules, mode, None, &[])
    }

    fn checked_with(
        rules: &Value,
        mode: RuleMode,
        environment: Option<&str>,
        config: &[(&str, &str)],
    ) -> Result<Vec<String>, String> {
        let config = config
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let overrides = RuleOverrides::from_config(&config.collect());
        let mut ignored = Vec::new();
        let rules = RuleSet::from_json(&json!({ "ruleSet": rules }));
        for phase in mode.phases() {
            let ignore = |name: &str, _: &str| ignored.push(name.to_owned());
            rules
                .check(*phase, mode, environment, &overrides, ignore)
                .map_err(|error| format!("{error:#}"))?;
        }
        Ok(ignored)
    }

    #[test]
    fn a_rule_counts_in_its_mode_and_not_when_it_is_disabled() {
        use RuleMode::{Downgrade, Read, Upgrade, Write};
        for (part, mode, failing) in [
            ("domainRules", "WRITE", &[Write][..]),
            ("domainRules", "READ", &[Read]),
            ("domainRules", "WRITEREAD", &[Write, Read]),
            ("encodingRules", "WRITEREAD", &[Write, Read]),
            ("domainRules", "OTHER", &[Write, Read]),
            ("migrationRules", "UPGRADE", &[Upgrade]),
            ("migrationRules", "DOWNGRADE", &[Downgrade]),
            ("migrationRules", "UPDOWN", &[Upgrade, Downgrade]),
        ] {
            for asked in [Write, Read, Upgrade, Downgrade] {
                let mut rules = json!({ part: [{"name": "r", "mode": mode, "type": "CEL"}] });
                let result = checked(&rules, asked);
                assert_eq!(
                    result.is_err(),
                    failing.contains(&asked),
                    "{part} {mode} {asked:?}"
                );
                if let Err(message) = result {
                    assert!(message.starts_with("Rule failed: r: Could not find rule executor of type CEL"));
                }
                rules[part][0]["disabled"] = true.into();
                assert_eq!(checked(&rules, asked), Ok(Vec::new()));
            }
        }
        assert_eq!(checked(&Value::Null, Write), Ok(Vec::new()));
    }

    #[test]
    fn rules_count_where_they_are_enabled() {
        for (enabled_at, nowhere, client) in [
            (json!(null), true, true),
            (json!("ALL"), true, true),
            (json!("NONE"), false, false),
            (json!("CLIENT"), false, true),
            (json!("SERVER"), false, false),
            (json!("MOON"), true, true),
        ] {
            let rules = json!({"enableAt": enabled_at, "domainRules": [{"name": "r", "mode": "WRITE"}]});
            for (environment, counts) in [(None, nowhere), (Some("CLIENT"), client)] {
                let result = checked_with(&rules, RuleMode::Write, environment, &[]);
                assert_eq!(result.is_err(), counts, "{rules} {environment:?}");
            }
        }
    }

    #[test]
    fn the_configuration_switches_rules_by_name_then_by_type_then_all() {
        let rules = |disabled: bool, place: &str| {
            let rule = json!({"name": "r", "mode": "WRITE", "type": "CEL", "disabled": disabled});
            json!({"enableAt": place, "domainRules": [rule]})
        };
        let (name, kind, all) = (
            "rule.executors.r.disabled",
            "rule.executors._CEL_.disabled",
            "rule.executors._default_.disabled",
        );
        for (rules, config, fails) in [
            (rules(false, "ALL"), &[(all, "true")][..], false),
            (rules(false, "ALL"), &[(all, "TRUE"), (kind, "no")], true),
            (rules(false, "ALL"), &[(kind, "false"), (name, "true")], false),
            (rules(true, "ALL"), &[(name, "false")], true),
            (rules(false, "NONE"), &[(kind, "false")], true),
            (
                rules(false, "ALL"),
                &[("rule.executors.s.disabled", "true")],
                true,
            ),
            (rules(false, "ALL"), &[("rule.actions.r.disabled", "true")], true),
        ] {
            let result = checked_with(&rules, RuleMode::Write, None, config);
            assert_eq!(result.is_err(), fails, "{rules} {config:?}");
        }
        let rules =
            json!({"domainRules": [{"name": "r", "mode": "WRITEREAD", "type": "CEL", "onFailure": "ERROR"}]});
        let config = [("rule.executors._CEL_.onFailure", "NONE,ERROR")];
        assert_eq!(
            checked_with(&rules, RuleMode::Write, None, &config),
            Ok(vec!["r".to_owned()])
        );
        assert!(checked_with(&rules, RuleMode::Read, None, &config).is_err());
    }

    #[test]
    fn rules_of_reading_are_met_in_reverse() {
        let rule = |name: &str| json!({"name": name, "mode": "WRITEREAD"});
        let mut rules = json!({"domainRules": [rule("a"), rule("b")], "encodingRules": [rule("c")]});
        for (mode, first) in [
            (RuleMode::Write, "a"),
            (RuleMode::Read, "c"),
            (RuleMode::Read, "b"),
        ] {
            let message = checked(&rules, mode).unwrap_err();
            if first == "c" {
                rules["encodingRules"] = Value::Null;
            }
            assert!(
                message.starts_with(&format!("Rule failed: {first}:")),
                "{message}"
            );
        }
    }

    #[test]
    fn what_follows_a_failure_is_what_the_rule_says() {
        for (mode, on_failure, write, read) in [
            ("WRITEREAD", json!("NONE"), "ignored", "ignored"),
            ("WRITEREAD", json!("none,ERROR"), "ignored", "executor"),
            ("WRITEREAD", json!("ERROR,NONE"), "executor", "ignored"),
            ("WRITEREAD", json!("DLQ"), "executor", "executor"),
            (
                "WRITEREAD",
                json!("MINE"),
                "action of type MINE",
                "action of type MINE",
            ),
            ("WRITE", json!("NONE,NONE"), "action of type NONE,NONE", ""),
            ("READ", Value::Null, "", "executor"),
            ("READ", json!(""), "", "executor"),
        ] {
            let rules = json!({"domainRules": [{"name": "r", "mode": mode, "type": "ENCRYPT", "onFailure": on_failure}]});
            for (asked, expected) in [(RuleMode::Write, write), (RuleMode::Read, read)] {
                match checked(&rules, asked) {
                    Ok(ignored) if ignored.is_empty() => assert_eq!(expected, "", "{rules}"),
                    Ok(_) => assert_eq!(expected, "ignored", "{rules}"),
                    Err(message) => assert!(
                        !expected.is_empty() && message.contains(expected),
                        "{rules}: {message}"
                    ),
                }
            }
        }
    }
}
