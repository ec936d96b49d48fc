//! Values that no line shows: what config providers gave to the worker's file, connectors and tasks.
//!
//! A line may be written by a plugin, on a thread of its own, long after it got its configuration. So values belong to the
//! process and not to the thread that writes: every line is looked through for all of them, for as long as a configuration
//! lives that holds them. While none does, that costs a line one atomic load.
//!
//! What must stay true: a value is in every line as its reference or not at all, whoever writes; values are found as they
//! are, and not within other encodings of them. Short ones may be words that others write, too: they count where they stand alone.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// Values of fewer bytes are replaced in lines of others only where no letter or digit stands beside them.
const LONG: usize = 12;

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
        replace_all(
            text,
            pairs.map(|(value, reference)| (&**value, &**reference)),
            |_| true,
        )
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
        replace_all(
            text,
            pairs.map(|value| (&*value.text, &*value.reference)),
            |found| found.value.len() >= LONG || found.stands_alone(),
        )
    }
}

fn longest_first(a: &str, b: &str) -> std::cmp::Ordering {
    b.len().cmp(&a.len()).then_with(|| a.cmp(b))
}

/// A value within a text.
struct Found<'t> {
    text: &'t str,
    at: usize,
    value: &'t str,
}

impl Found<'_> {
    fn end(&self) -> usize {
        self.at + self.value.len()
    }

    /// Whether it is no part of a longer word or number.
    fn stands_alone(&self) -> bool {
        let is_part = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
        !is_part(self.text[..self.at].chars().next_back()) && !is_part(self.text[self.end()..].chars().next())
    }
}

/// A text with references in the place of values that count, from its beginning to its end: what was put in is not looked through.
/// Where several begin at one place the first of the pairs counts.
fn replace_all<'t, 'p>(
    text: &'t str,
    pairs: impl Iterator<Item = (&'p str, &'p str)> + Clone,
    counts: impl Fn(&Found<'_>) -> bool,
) -> Cow<'t, str> {
    let mut out = String::new();
    let mut done = 0;
    loop {
        let next = |(value, reference): (&'p str, &'p str)| {
            let found = text[done..].match_indices(value).map(|(at, _)| Found {
                text,
                at: done + at,
                value: &text[done + at..done + at + value.len()],
            });
            let place = found
                .filter(&counts)
                .map(|found| (found.at, found.end()))
                .next()?;
            Some((place, reference))
        };
        let Some(((at, end), reference)) = pairs.clone().filter_map(next).min_by_key(|((at, _), _)| *at)
        else {
            break;
        };
        out.push_str(&text[done..at]);
        out.push_str(reference);
        done = end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
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
    fn short_values_count_in_lines_where_they_stand_alone() {
        static ALL: InUse = InUse::new();
        let one = held(
            &ALL,
            &[
                ("orders", "${e:T}"),
                ("a-longer-secret", "${f:s}"),
                ("file", "${e:F}"),
            ],
        );
        let text = "orders, reorders, orders-eu, xa-longer-secretx, profile";
        assert_eq!(ALL.hide(text), "${e:T}, reorders, ${e:T}-eu, x${f:s}x, profile");
        assert_eq!(
            one.hide(text),
            "${e:T}, re${e:T}, ${e:T}-eu, x${f:s}x, pro${e:F}",
            "in what is its own all count"
        );
    }

    #[test]
    fn references_are_not_looked_through() {
        static ALL: InUse = InUse::new();
        let _one = held(&ALL, &[("hunter2", "${file:/x:key}"), ("file", "${env:WORD}")]);
        assert_eq!(ALL.hide("file hunter2"), "${env:WORD} ${file:/x:key}");
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
