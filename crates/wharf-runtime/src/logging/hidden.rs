//! Values that no line shows: what config providers gave to the worker's file, connectors and tasks.
//!
//! A line may be written by a plugin, on a thread of its own, long after it got its configuration. So values belong to the
//! process and not to the thread that writes: every line is looked through for all of them, for as long as a configuration
//! lives that holds them. While none does, that costs a line one atomic load.
//!
//! What must stay true: a value is in every line as its reference or not at all, whoever writes; values are found as they
//! are, and not within other encodings of them.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// Those of this process.
static IN_USE: InUse = InUse::new();

/// Values with the references that stand for them, the longest value first. Lines hide them until this is dropped.
pub(crate) struct HiddenValues {
    pairs: Vec<(String, String)>,
    held_in: &'static InUse,
}

impl HiddenValues {
    /// Begins to hide values.
    #[must_use]
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        Self::held_in(&IN_USE, pairs)
    }

    fn held_in(all: &'static InUse, mut pairs: Vec<(String, String)>) -> Self {
        pairs.sort_by(|(a, _), (b, _)| longest_first(a, b));
        all.add(&pairs);
        Self { pairs, held_in: all }
    }

    /// A text with references in the place of these values.
    #[must_use]
    pub(crate) fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let pairs = self.pairs.iter();
        replace_all(text, pairs.map(|(value, reference)| (&**value, &**reference)))
    }
}

impl Drop for HiddenValues {
    fn drop(&mut self) {
        self.held_in.remove(&self.pairs);
    }
}

impl PartialEq for HiddenValues {
    fn eq(&self, other: &Self) -> bool {
        self.pairs == other.pairs
    }
}

impl Eq for HiddenValues {}

impl fmt::Debug for HiddenValues {
    /// Without the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HiddenValues")
            .field("count", &self.pairs.len())
            .finish()
    }
}

/// A line's text as it may be written.
pub(super) fn hide(text: &str) -> Cow<'_, str> {
    IN_USE.hide(text)
}

/// A value of any number of configurations.
struct Value {
    text: String,
    /// The reference of the configuration that had it first.
    reference: String,
    /// How many have it.
    holders: usize,
}

struct InUse {
    /// The longest first: one may be part of another.
    values: RwLock<Vec<Value>>,
    /// How many there are, for those who do not want the lock.
    count: AtomicUsize,
}

impl InUse {
    const fn new() -> Self {
        Self {
            values: RwLock::new(Vec::new()),
            count: AtomicUsize::new(0),
        }
    }

    fn add(&self, pairs: &[(String, String)]) {
        self.change(pairs, |values, found, (text, reference)| match found {
            Ok(at) => values[at].holders += 1,
            Err(at) => values.insert(
                at,
                Value {
                    text: text.clone(),
                    reference: reference.clone(),
                    holders: 1,
                },
            ),
        });
    }

    fn remove(&self, pairs: &[(String, String)]) {
        self.change(pairs, |values, found, _| {
            if let Ok(at) = found {
                values[at].holders -= 1;
                if values[at].holders == 0 {
                    values.remove(at);
                }
            }
        });
    }

    /// Calls `each` with every pair and the place where its value is, or would have to be.
    fn change(
        &self,
        pairs: &[(String, String)],
        each: impl Fn(&mut Vec<Value>, Result<usize, usize>, &(String, String)),
    ) {
        if pairs.is_empty() {
            return;
        }
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        for pair in pairs {
            let found = values.binary_search_by(|known| longest_first(&known.text, &pair.0));
            each(&mut values, found, pair);
        }
        self.count.store(values.len(), Ordering::Release);
    }

    fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Cow::Borrowed(text);
        }
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        let pairs = values.iter();
        replace_all(text, pairs.map(|value| (&*value.text, &*value.reference)))
    }
}

fn longest_first(a: &str, b: &str) -> std::cmp::Ordering {
    b.len().cmp(&a.len()).then_with(|| a.cmp(b))
}

fn replace_all<'t, 'p>(text: &'t str, pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for (value, reference) in pairs {
        if text.contains(value) {
            text = Cow::Owned(text.replace(value, reference));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(all: &'static InUse, pairs: &[(&str, &str)]) -> HiddenValues {
        let pairs = pairs
            .iter()
            .map(|(value, reference)| ((*value).to_owned(), (*reference).to_owned()));
        HiddenValues::held_in(all, pairs.collect())
    }

    #[test]
    fn a_value_is_hidden_until_the_last_who_has_it_is_gone() {
        static ALL: InUse = InUse::new();
        let text = "a hunter2b, hunter2, hunter";
        assert!(matches!(ALL.hide(text), Cow::Borrowed(same) if same == text));
        let one = held(&ALL, &[("hunter2", "${a:k}")]);
        let other = held(&ALL, &[("hunter2", "${b:k}"), ("hunter2b", "${b:longer}")]);
        assert_eq!(ALL.hide(text), "a ${b:longer}, ${a:k}, hunter");
        assert_eq!(other.hide(text), "a ${b:longer}, ${b:k}, hunter");
        drop(one);
        assert_eq!(ALL.hide(text), "a ${b:longer}, ${a:k}, hunter");
        drop(other);
        assert!(matches!(ALL.hide(text), Cow::Borrowed(_)));
        assert!(ALL.values.read().unwrap().is_empty());
    }

    #[test]
    fn none_at_all_are_nothing_to_look_for() {
        static ALL: InUse = InUse::new();
        let none = held(&ALL, &[]);
        assert_eq!(ALL.count.load(Ordering::Relaxed), 0);
        assert_eq!(none.hide("text"), "text");
    }

    #[test]
    fn debug_shows_no_value() {
        static ALL: InUse = InUse::new();
        let shown = format!("{:?}", held(&ALL, &[("hunter2", "${a:k}")]));
        assert_eq!(shown, "HiddenValues { count: 1 }");
    }
}
