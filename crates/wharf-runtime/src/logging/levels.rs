//! Loggers and their levels: a level holds for a logger and, by dotted names, for all below it that have none of their own.
//!
//! A logger exists once something could log to it: the rows of the name table, every call site that was reached, every
//! target of a plugin, and every name that was given a level.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use wharf_api::{ConnectError, Result};

use super::level::LogLevel;
use super::names::{ROWS, logger_name};
use crate::herder::LoggerLevel;

const ROOT: &str = "root";

/// Levels of loggers, safe to share.
#[derive(Debug)]
pub struct LoggerLevels {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    root: LogLevel,
    /// Loggers with a level of their own.
    own: BTreeMap<String, LogLevel>,
    /// When a level was last changed through the API, `root` included; milliseconds since the epoch.
    modified: BTreeMap<String, i64>,
    known: BTreeSet<String>,
    /// Target as the event names it → level in force. Emptied by every change.
    cache: HashMap<String, LogLevel>,
}

impl LoggerLevels {
    /// Everything at one level.
    #[must_use]
    pub fn new(root: LogLevel) -> Self {
        let known = ROWS.iter().map(|(_, name)| (*name).to_owned()).collect();
        let (own, modified, cache) = (BTreeMap::new(), BTreeMap::new(), HashMap::new());
        Self {
            state: RwLock::new(State {
                root,
                own,
                modified,
                known,
                cache,
            }),
        }
    }

    /// Sets levels from text: `info,org.apache.kafka.connect=debug`. A level alone is the root's.
    ///
    /// # Errors
    /// An item is neither; then nothing is changed.
    pub fn apply_spec(&self, spec: &str) -> Result<()> {
        let mut items = Vec::new();
        for item in spec.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, level) = item.split_once('=').unwrap_or((ROOT, item));
            let level: LogLevel = level.parse().map_err(|_| {
                ConnectError::config(format!(
                    "'{item}' in {} is neither a level nor logger=level: use {} as in \
                     'info,org.apache.kafka.connect=debug'",
                    super::ENV,
                    LogLevel::VALUES.map(LogLevel::name).join(", ")
                ))
            })?;
            items.push((name.trim().to_owned(), level));
        }
        let mut state = self.write();
        for (name, level) in items {
            if name.eq_ignore_ascii_case(ROOT) {
                state.root = level;
            } else {
                state.give(logger_name(&name), level);
            }
        }
        state.cache.clear();
        Ok(())
    }

    /// All loggers there are with the level in force, as upstream since Kafka 4.3; the root under `root`.
    #[must_use]
    pub fn levels(&self) -> BTreeMap<String, LoggerLevel> {
        let state = self.read();
        let known = state
            .known
            .iter()
            .map(|name| (name.as_str(), state.effective(name)));
        known
            .chain([(ROOT, state.root)])
            .map(|(name, level)| (name.to_owned(), state.shown(name, level)))
            .collect()
    }

    /// The level in force for a logger; nothing when there is no such logger.
    #[must_use]
    pub fn level(&self, name: &str) -> Option<LoggerLevel> {
        let state = self.read();
        if name.eq_ignore_ascii_case(ROOT) {
            return Some(state.shown(ROOT, state.root));
        }
        let name = logger_name(name);
        state
            .exists(&name)
            .then(|| state.shown(&name, state.effective(&name)))
    }

    /// Sets the level of a logger, which is created when it does not exist, and of all whose name starts with the same
    /// text; `root` in any case means all. The answer is the names of those whose level changed, sorted.
    ///
    /// As upstream, a logger for which the level is in force already is left as it is, and its time of change stays.
    pub fn set(&self, name: &str, level: LogLevel) -> Vec<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let names = self.set_at(name, level, i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        if std::ptr::eq(self, super::levels()) {
            super::refresh();
        }
        names
    }

    fn set_at(&self, name: &str, level: LogLevel, now: i64) -> Vec<String> {
        let mut state = self.write();
        let all = name.eq_ignore_ascii_case(ROOT);
        let prefix = if all { String::new() } else { logger_name(name) };
        if !all {
            state.known.insert(prefix.clone());
        }
        // decided before anything changes, because what inherits changes with its parent
        let mut names: Vec<String> = state
            .known
            .range(prefix.clone()..)
            .take_while(|known| known.starts_with(&prefix))
            .filter(|known| state.effective(known) != level)
            .cloned()
            .collect();
        for name in &names {
            state.own.insert(name.clone(), level);
        }
        if all && state.root != level {
            state.root = level;
            names.push(ROOT.to_owned());
            names.sort();
        }
        for name in &names {
            state.modified.insert(name.clone(), now);
        }
        state.cache.clear();
        names
    }

    /// The most verbose level that any logger has.
    #[must_use]
    pub fn max_level(&self) -> LogLevel {
        let state = self.read();
        state.own.values().copied().fold(state.root, LogLevel::max)
    }

    /// Whether an event of this level is written. The target may be a logger name or a module path; it becomes known.
    #[must_use]
    pub fn enabled(&self, level: LogLevel, target: &str) -> bool {
        let in_force = self.read().cache.get(target).copied();
        let in_force = in_force.unwrap_or_else(|| {
            let name = logger_name(target);
            let mut state = self.write();
            let in_force = state.effective(&name);
            state.known.insert(name);
            state.cache.insert(target.to_owned(), in_force);
            in_force
        });
        level.number() <= in_force.number()
    }

    // a poisoned lock is used on: every change leaves the state whole at each step
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give(&mut self, name: String, level: LogLevel) {
        self.known.insert(name.clone());
        self.own.insert(name, level);
    }

    fn effective(&self, name: &str) -> LogLevel {
        let mut name = name;
        loop {
            if let Some(level) = self.own.get(name) {
                return *level;
            }
            match name.rfind('.') {
                Some(dot) => name = &name[..dot],
                None => return self.root,
            }
        }
    }

    /// Known itself, or the dotted parent of a known one.
    fn exists(&self, name: &str) -> bool {
        let parent = format!("{name}.");
        self.known.contains(name)
            || (!name.is_empty()
                && self
                    .known
                    .range(parent.clone()..)
                    .next()
                    .is_some_and(|k| k.starts_with(&parent)))
    }

    fn shown(&self, name: &str, level: LogLevel) -> LoggerLevel {
        LoggerLevel {
            level: level.name().to_owned(),
            last_modified: self.modified.get(name).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNTIME: &str = "org.apache.kafka.connect.runtime";

    fn levels(spec: &str) -> LoggerLevels {
        let levels = LoggerLevels::new(LogLevel::Info);
        levels.apply_spec(spec).unwrap();
        levels
    }

    fn shown(level: &str, last_modified: Option<i64>) -> LoggerLevel {
        LoggerLevel {
            level: level.to_owned(),
            last_modified,
        }
    }

    #[test]
    fn a_level_holds_for_everything_below_by_dotted_names() {
        let levels = levels("warn,a.b=debug,a.b.c=off,wharf_runtime=trace");
        let cases = [
            ("a", LogLevel::Warn, true),
            ("a", LogLevel::Info, false),
            ("a::b::x", LogLevel::Debug, true),
            ("a.b", LogLevel::Trace, false),
            ("a.bc", LogLevel::Info, false),
            ("a.b.c.d", LogLevel::Error, false),
            ("wharf_runtime::worker", LogLevel::Trace, true),
            ("org.apache.kafka.connect.runtime.Worker", LogLevel::Trace, true),
        ];
        for (target, level, expected) in cases {
            assert_eq!(levels.enabled(level, target), expected, "{target} {level}");
            assert_eq!(
                levels.enabled(level, target),
                expected,
                "{target} {level} from the cache"
            );
        }
        assert_eq!(levels.max_level(), LogLevel::Trace);
    }

    #[test]
    fn a_wrong_specification_changes_nothing_and_says_which_item() {
        let levels = levels("info");
        let error = levels.apply_spec("debug,a=loud").unwrap_err();
        assert!(error.message().starts_with("'a=loud' in WHARF_LOG"), "{error}");
        assert_eq!(levels.level("root"), Some(shown("INFO", None)));
    }

    #[test]
    fn every_logger_is_listed_with_the_level_in_force() {
        let levels = levels("a=error");
        assert!(levels.enabled(LogLevel::Error, "a::b"));
        let listed = levels.levels();
        let rows: BTreeSet<&str> = ROWS.iter().map(|(_, name)| *name).collect();
        assert_eq!(listed.len(), rows.len() + 3);
        for (name, level) in [
            ("a", "ERROR"),
            ("a.b", "ERROR"),
            ("root", "INFO"),
            (ROWS[0].1, "INFO"),
        ] {
            assert_eq!(listed.get(name), Some(&shown(level, None)), "{name}");
        }
    }

    #[test]
    fn setting_reaches_all_whose_name_starts_with_the_text() {
        let levels = levels("");
        assert!(
            levels.enabled(LogLevel::Info, "my.plugin.one") && levels.enabled(LogLevel::Info, "my.pluginx")
        );
        assert_eq!(
            levels.set_at("my.plugin", LogLevel::Debug, 7),
            ["my.plugin", "my.plugin.one", "my.pluginx"]
        );
        assert_eq!(levels.level("my.plugin"), Some(shown("DEBUG", Some(7))));
        assert_eq!(
            levels.level("my.plugin.one"),
            Some(shown("DEBUG", Some(7))),
            "as upstream, with a level of its own from now on"
        );
        assert_eq!(levels.level("my.pluginx"), Some(shown("DEBUG", Some(7))));
        assert!(
            levels.enabled(LogLevel::Debug, "my.plugin.one"),
            "the cache is emptied"
        );
    }

    #[test]
    fn setting_root_means_all_and_overrules_own_levels() {
        let levels = levels("a.b=error");
        let names = levels.set_at("ROOT", LogLevel::Debug, 3);
        assert!(names.contains(&"root".to_owned()) && names.contains(&"a.b".to_owned()));
        assert!(names.is_sorted());
        assert_eq!(levels.level("root"), Some(shown("DEBUG", Some(3))));
        assert_eq!(levels.level("a.b"), Some(shown("DEBUG", Some(3))));
    }

    #[test]
    fn a_level_in_force_already_changes_neither_names_nor_times() {
        let levels = levels("");
        assert_eq!(levels.set_at("x", LogLevel::Debug, 1), ["x"]);
        assert!(levels.set_at("x", LogLevel::Debug, 2).is_empty());
        assert!(levels.set_at("new", LogLevel::Info, 2).is_empty());
        assert_eq!(levels.level("new"), Some(shown("INFO", None)));
        levels.set_at("root", LogLevel::Info, 2);
        assert_eq!(levels.level("x"), Some(shown("INFO", Some(2))));
        assert_eq!(levels.level("root"), Some(shown("INFO", None)));
    }

    #[test]
    fn a_logger_exists_once_something_could_log_to_it() {
        let levels = levels("");
        assert_eq!(levels.level("nobody.ever"), None);
        assert_eq!(levels.level(""), None);
        assert_eq!(levels.level(RUNTIME), Some(shown("INFO", None)));
        assert_eq!(levels.level("wharf_runtime"), Some(shown("INFO", None)));
        assert_eq!(levels.level("org"), Some(shown("INFO", None)));
        levels.set_at("nobody.ever", LogLevel::Fatal, 1);
        assert_eq!(levels.level("nobody.ever"), Some(shown("FATAL", Some(1))));
        assert!(!levels.enabled(LogLevel::Error, "nobody::ever"));
    }
}
