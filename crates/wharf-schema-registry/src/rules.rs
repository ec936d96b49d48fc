//! The rules that a registered schema carries (its `ruleSet`): conditions, encryption, migrations.
//!
//! A rule is run by an executor, a Java class that upstream's converters load beside themselves; there is none here. What
//! happens then is what happens upstream without one: the rule fails, and its `onFailure` says what follows. What must stay
//! true: a record whose schema has a rule that would have changed or refused it never passes as if there were none.

use serde_json::Value;
use wharf_api::ConnectError;

use crate::error::serialization;

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

impl RuleMode {
    fn is_migration(self) -> bool {
        matches!(self, Self::Upgrade | Self::Downgrade)
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
}

impl Rule {
    fn read(body: &Value) -> Option<Self> {
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        if body.get("disabled").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        Some(Self {
            name: text("name").unwrap_or_default(),
            kind: text("type").unwrap_or_default(),
            mode: text("mode").unwrap_or_default(),
            on_failure: text("onFailure"),
        })
    }

    /// What follows a failure: `ERROR` unless the rule says something else, for both directions or for each.
    fn action(&self, mode: RuleMode) -> String {
        let Some(actions) = self.on_failure.as_deref().filter(|text| !text.is_empty()) else {
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

/// The rules of a schema that are not disabled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RuleSet {
    migration: Vec<Rule>,
    /// Those for records: of their data, then of their bytes.
    domain: Vec<Rule>,
    /// Where they count: `None` and `ALL` are everywhere, `NONE` is nowhere, others are environments.
    enabled_at: Option<String>,
}

impl RuleSet {
    /// The rules in an answer of the registry.
    pub(crate) fn from_json(body: &Value) -> Self {
        let rules = |part: &str| {
            let listed = body["ruleSet"][part].as_array();
            listed.into_iter().flatten().filter_map(Rule::read)
        };
        Self {
            migration: rules("migrationRules").collect(),
            domain: rules("domainRules").chain(rules("encodingRules")).collect(),
            enabled_at: body["ruleSet"]["enableAt"].as_str().map(str::to_owned),
        }
    }

    /// Whether they count in an environment, which is the key `execution.environment`.
    pub(crate) fn counts_in(&self, environment: Option<&str>) -> bool {
        match self.enabled_at.as_deref() {
            None | Some("ALL") => true,
            Some(at @ ("CLIENT" | "GATEWAY" | "SERVER")) => environment == Some(at),
            Some("NONE") => false,
            // A place that a later registry knows is none that may be passed over.
            Some(_) => true,
        }
    }

    /// Whether a schema with these rules may be used, although none of them is run. `ignored` is told the names of those
    /// that allow it.
    ///
    /// # Errors
    /// The first rule that does not: upstream's texts.
    pub(crate) fn check(
        &self,
        mode: RuleMode,
        mut ignored: impl FnMut(&str, &str),
    ) -> Result<(), ConnectError> {
        let rules = if mode.is_migration() {
            &self.migration
        } else {
            &self.domain
        };
        for rule in rules.iter().filter(|rule| mode.includes(&rule.mode)) {
            match rule.action(mode).as_str() {
                "NONE" => ignored(&rule.name, &rule.kind),
                "ERROR" => {
                    let cause = ConnectError::connect(format!(
                        "Could not find rule executor of type {}; rules of schemas are not run here: disable the rule \
                         for this schema, or leave these records to a client that has the executor",
                        rule.kind
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
        let mut ignored = Vec::new();
        RuleSet::from_json(&json!({ "ruleSet": rules }))
            .check(mode, |name, _| ignored.push(name.to_owned()))
            .map(|()| ignored)
            .map_err(|error| format!("{error:#}"))
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
            let rules = RuleSet::from_json(&json!({"ruleSet": {"enableAt": enabled_at}}));
            assert_eq!(rules.counts_in(None), nowhere, "{enabled_at}");
            assert_eq!(rules.counts_in(Some("CLIENT")), client, "{enabled_at}");
        }
    }

    #[test]
    fn what_follows_a_failure_is_what_the_rule_says() {
        for (mode, on_failure, write, read) in [
            ("WRITEREAD", json!("NONE"), "ignored", "ignored"),
            ("WRITEREAD", json!("none,ERROR"), "ignored", "executor"),
            ("WRITEREAD", json!("ERROR,NONE"), "executor", "ignored"),
            (
                "WRITEREAD",
                json!("DLQ"),
                "action of type DLQ",
                "action of type DLQ",
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
