//! Versions as Maven has and orders them.
//!
//! Order: numbers count as numbers; known qualifiers stand in the order alpha, beta, milestone, rc, snapshot, release, sp;
//! unknown ones come after, by alphabet; `1`, `1.0` and `1-ga` are the same.

use std::cmp::Ordering;
use std::fmt;

/// A version, comparable as Maven compares.
#[derive(Debug, Clone)]
pub struct MavenVersion {
    text: String,
    items: Vec<Item>,
}

/// One part of a version.
#[derive(Debug, Clone)]
enum Item {
    /// Digits without leading zeros, of any number.
    Number(String),
    /// A word.
    Word(String),
    /// A word with a number that belongs to it: `rc1`, `rc-1`.
    Numbered(String, String),
    /// What follows a hyphen or a change between digits and letters.
    List(Vec<Item>),
}

impl MavenVersion {
    /// Reads a version. Every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        Self {
            text: text.to_owned(),
            items: parse(&text.to_lowercase()),
        }
    }

    /// The version as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for MavenVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for MavenVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for MavenVersion {}

impl PartialOrd for MavenVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MavenVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_lists(&self.items, &other.items)
    }
}

/// Builds the nested lists: `stack[0]` is the whole, each further one nests in the one before.
struct Builder {
    stack: Vec<Vec<Item>>,
}

impl Builder {
    fn push(&mut self, item: Item) {
        if let Some(list) = self.stack.last_mut() {
            list.push(item);
        }
    }

    /// Opens a nested list, unless nothing stands before it.
    fn nest(&mut self) {
        if self.stack.last().is_some_and(|list| !list.is_empty()) {
            self.stack.push(Vec::new());
        }
    }

    fn finish(mut self) -> Vec<Item> {
        let mut inner: Option<Vec<Item>> = None;
        while let Some(mut list) = self.stack.pop() {
            if let Some(inner) = inner.take() {
                list.push(Item::List(inner));
            }
            normalize(&mut list);
            inner = Some(list);
        }
        inner.unwrap_or_default()
    }
}

fn parse(text: &str) -> Vec<Item> {
    let mut builder = Builder {
        stack: vec![Vec::new()],
    };
    let (mut start, mut in_digits, mut numbered) = (0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            '.' => {
                builder.push(item(&text[start..at], in_digits, numbered));
                (start, numbered) = (at + 1, false);
            }
            '-' => {
                let digit_follows = text[at + 1..].starts_with(|next: char| next.is_ascii_digit());
                if at > start && !in_digits && digit_follows {
                    // `rc-1` is `rc1`
                    numbered = true;
                    continue;
                }
                builder.push(item(&text[start..at], in_digits, numbered));
                (start, numbered) = (at + 1, false);
                builder.nest();
            }
            digit if digit.is_ascii_digit() => {
                if !in_digits && at > start {
                    numbered = true;
                    builder.nest();
                }
                in_digits = true;
            }
            _ => {
                if in_digits && at > start {
                    builder.push(item(&text[start..at], true, numbered));
                    (start, numbered) = (at, false);
                    builder.nest();
                }
                in_digits = false;
            }
        }
    }
    if start < text.len() {
        if !in_digits {
            // `1.x` sorts as `1-x`
            builder.nest();
        }
        builder.push(item(&text[start..], in_digits, numbered));
    }
    builder.finish()
}

fn item(text: &str, digits: bool, numbered: bool) -> Item {
    let number = |text: &str| {
        let digits = text.trim_start_matches('0');
        if digits.is_empty() {
            "0".to_owned()
        } else {
            digits.to_owned()
        }
    };
    if text.is_empty() {
        return Item::Number("0".to_owned());
    }
    if numbered {
        let at = text
            .find(|character: char| character.is_ascii_digit())
            .unwrap_or(text.len());
        let word = text[..at].replace('-', "");
        let word = match word.as_str() {
            "a" => "alpha".to_owned(),
            "b" => "beta".to_owned(),
            "m" => "milestone".to_owned(),
            _ => alias(word),
        };
        return Item::Numbered(word, number(&text[at..]));
    }
    if digits {
        Item::Number(number(text))
    } else {
        Item::Word(alias(text.to_owned()))
    }
}

fn alias(word: String) -> String {
    if word == "cr" { "rc".to_owned() } else { word }
}

impl Item {
    /// Whether it says nothing: zero, a release word, an empty list.
    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => digits == "0",
            Self::Word(word) => word.is_empty(),
            Self::Numbered(..) => false,
            Self::List(items) => items.is_empty(),
        }
    }
}

/// Drops what says nothing at the end and before words: `1.0.0-rc` is `1-rc`.
fn normalize(items: &mut Vec<Item>) {
    for at in (0..items.len()).rev() {
        let droppable = match items.get(at + 1) {
            None | Some(Item::Word(_)) => true,
            Some(Item::List(inner)) => matches!(inner.first(), Some(Item::Word(_) | Item::Numbered(..))),
            Some(_) => false,
        };
        if droppable && items[at].is_null() {
            items.remove(at);
        }
    }
}

/// The place of a word: known ones by rank, unknown ones after them by alphabet.
fn rank(word: &str) -> (usize, &str) {
    const WORDS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
    let word = if matches!(word, "ga" | "final" | "release") {
        ""
    } else {
        word
    };
    match WORDS.iter().position(|known| *known == word) {
        Some(rank) => (rank, ""),
        None => (WORDS.len(), word),
    }
}

fn compare_numbers(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Against the end of the other version.
fn compare_with_end(item: &Item) -> Ordering {
    match item {
        Item::Number(digits) if digits == "0" => Ordering::Equal,
        Item::Number(_) => Ordering::Greater,
        Item::Word(word) | Item::Numbered(word, _) => rank(word).cmp(&rank("")),
        Item::List(items) => items
            .iter()
            .map(compare_with_end)
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
    }
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    for at in 0..a.len().max(b.len()) {
        let order = match (a.get(at), b.get(at)) {
            (Some(a), Some(b)) => compare(a, b),
            (Some(a), None) => compare_with_end(a),
            (None, Some(b)) => compare_with_end(b).reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Numbers come after lists, lists after words: 1.1 > 1-1 > 1-rc.
fn compare(a: &Item, b: &Item) -> Ordering {
    use Item::{List, Number, Numbered, Word};
    match (a, b) {
        (Number(a), Number(b)) => compare_numbers(a, b),
        (Number(_), _) => Ordering::Greater,
        (_, Number(_)) => Ordering::Less,
        (List(a), List(b)) => compare_lists(a, b),
        (List(_), _) => Ordering::Greater,
        (_, List(_)) => Ordering::Less,
        (Word(a), Word(b)) => rank(a).cmp(&rank(b)),
        (Word(a), Numbered(b, _)) => rank(a).cmp(&rank(b)).then(Ordering::Less),
        (Numbered(a, _), Word(b)) => rank(a).cmp(&rank(b)).then(Ordering::Greater),
        (Numbered(a, one), Numbered(b, other)) => {
            rank(a).cmp(&rank(b)).then_with(|| compare_numbers(one, other))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_maven_sorts_them() {
        let ascending = [
            "1-alpha2snapshot",
            "1-alpha2",
            "1-alpha-123",
            "1-beta-2",
            "1-beta123",
            "1-m2",
            "1-m11",
            "1-rc",
            "1-cr2",
            "1-rc123",
            "1-SNAPSHOT",
            "1",
            "1-sp",
            "1-sp2",
            "1-sp123",
            "1-abc",
            "1-def",
            "1-pom-1",
            "1-1-snapshot",
            "1-1",
            "1-2",
            "1-123",
        ];
        for (at, low) in ascending.iter().enumerate() {
            for high in &ascending[at + 1..] {
                assert!(MavenVersion::new(low) < MavenVersion::new(high), "{low} < {high}");
            }
        }
        let numbers = [
            "2.0",
            "2.0.a",
            "2-1",
            "2.0.2",
            "2.0.123",
            "2.1.0",
            "2.1-a",
            "2.1b",
            "2.1-c",
            "2.1-1",
            "2.1.0.1",
            "2.2",
            "2.123",
            "11.a2",
            "11.a11",
            "11.b2",
            "11.b11",
            "11.m2",
            "11.m11",
            "11",
            "11.a",
            "11b",
            "11c",
            "11m",
            "99999999999999999999",
            "100000000000000000000",
        ];
        for (at, low) in numbers.iter().enumerate() {
            for high in &numbers[at + 1..] {
                assert!(MavenVersion::new(low) < MavenVersion::new(high), "{low} < {high}");
            }
            assert_eq!(MavenVersion::new(low), MavenVersion::new(&low.to_uppercase()));
        }
        for (low, high) in [
            ("4.0.0-SNAPSHOT", "4.0.0"),
            ("7.5.0-ccs", "7.5.1-ccs"),
            ("0.9.0", "0.10.0"),
        ] {
            assert!(MavenVersion::new(low) < MavenVersion::new(high), "{low} < {high}");
        }
    }

    #[test]
    fn different_spellings_are_the_same_version() {
        for (a, b) in [
            ("1", "1.0"),
            ("1", "1.0.0"),
            ("1.0", "1-0"),
            ("1", "1-ga"),
            ("1.0", "1.0-final"),
            ("1", "1.0.0-RELEASE"),
            ("1a1", "1-alpha-1"),
            ("1b2", "1-beta-2"),
            ("1m3", "1-milestone-3"),
            ("1cr", "1rc"),
            ("1x", "1-x"),
            ("1.0x", "1-x"),
            ("01.002", "1.2"),
            ("1.rc1", "1-rc1"),
            ("1-rc-1", "1-rc1"),
            ("1..2", "1.0.2"),
        ] {
            assert_eq!(MavenVersion::new(a), MavenVersion::new(b), "{a} = {b}");
        }
    }
}
