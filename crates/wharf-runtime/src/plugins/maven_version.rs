//! Versions and version ranges as Maven has them, by which KIP-891 selects plugins.
//!
//! Order: numbers count as numbers; known qualifiers stand in the order alpha, beta, milestone, rc, snapshot, release, sp;
//! unknown ones come after, by alphabet; `1`, `1.0` and `1-ga` are the same. Ranges: `[1.0,2.0)`, several of them joined by
//! commas, `(,1.5]` for an open end; a bare version means exactly that one.

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
        Self { text: text.to_owned(), items: parse(&text.to_lowercase()) }
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
    let mut builder = Builder { stack: vec![Vec::new()] };
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
        if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
    };
    if text.is_empty() {
        return Item::Number("0".to_owned());
    }
    if numbered {
        let at = text.find(|character: char| character.is_ascii_digit()).unwrap_or(text.len());
        let word = text[..at].replace('-', "");
        let word = match word.as_str() {
            "a" => "alpha".to_owned(),
            "b" => "beta".to_owned(),
            "m" => "milestone".to_owned(),
            _ => alias(word),
        };
        return Item::Numbered(word, number(&text[at..]));
    }
    if digits { Item::Number(number(text)) } else { Item::Word(alias(text.to_owned())) }
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
    let word = if matches!(word, "ga" | "final" | "release") { "" } else { word };
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
        Item::List(items) => {
            items.iter().map(compare_with_end).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }
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
        (Numbered(a, one), Numbered(b, other)) => rank(a).cmp(&rank(b)).then_with(|| compare_numbers(one, other)),
    }
}

/// Which versions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    parts: Vec<Part>,
}

/// From one bound to another; a bound has its version and whether it belongs to the range.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    lower: Option<(MavenVersion, bool)>,
    upper: Option<(MavenVersion, bool)>,
}

impl VersionRange {
    /// Reads a requirement. Nothing is given back when the newest version is wanted (`latest`, or no text).
    ///
    /// # Errors
    /// What is wrong with it, in Maven's words.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() || text == "latest" {
            return Ok(None);
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text;
        while rest.starts_with(['[', '(']) {
            let end = rest.find([')', ']']).ok_or_else(|| format!("Unbounded range: {text}"))?;
            let part = Part::parse(&rest[..=end])?;
            if let Some(before) = parts.last() {
                // after an open end nothing can follow, and before an open start nothing can stand
                let apart = match (&before.upper, &part.lower) {
                    (Some((upper, _)), Some((lower, _))) => lower >= upper,
                    _ => false,
                };
                if !apart {
                    return Err(format!("Ranges overlap: {text}"));
                }
            }
            parts.push(part);
            rest = rest[end + 1..].trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        match (parts.is_empty(), rest.is_empty()) {
            (_, true) => {}
            (true, false) => parts.push(Part::exactly(rest)),
            (false, false) => {
                return Err(format!("Only fully-qualified sets allowed in multiple set scenario: {text}"));
            }
        }
        Ok(Some(Self { text: text.to_owned(), parts }))
    }

    /// Whether a version is wanted.
    #[must_use]
    pub fn contains(&self, version: &MavenVersion) -> bool {
        self.parts.iter().any(|part| part.contains(version))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.starts_with(['[', '(']) { f.write_str(&self.text) } else { write!(f, "[{}]", self.text) }
    }
}

impl Part {
    fn exactly(text: &str) -> Self {
        let bound = Some((MavenVersion::new(text), true));
        Self { lower: bound.clone(), upper: bound }
    }

    /// Reads one range with its brackets.
    fn parse(text: &str) -> Result<Self, String> {
        let (takes_lower, takes_upper) = (text.starts_with('['), text.ends_with(']'));
        let inner = text[1..text.len() - 1].trim();
        let Some((lower, upper)) = inner.split_once(',') else {
            if takes_lower && takes_upper {
                return Ok(Self::exactly(inner));
            }
            return Err(format!("Single version must be surrounded by []: {text}"));
        };
        let bound = |text: &str, inclusive| {
            Some(text.trim()).filter(|text| !text.is_empty()).map(|text| (MavenVersion::new(text), inclusive))
        };
        let part = Self { lower: bound(lower, takes_lower), upper: bound(upper, takes_upper) };
        if let (Some((lower, _)), Some((upper, _))) = (&part.lower, &part.upper) {
            if lower > upper {
                return Err(format!("Range defies version ordering: {text}"));
            }
            if lower == upper && !(takes_lower && takes_upper) {
                return Err(format!("Range cannot have identical boundaries: {text}"));
            }
        }
        Ok(part)
    }

    fn contains(&self, version: &MavenVersion) -> bool {
        let above = self.lower.as_ref().is_none_or(|(lower, inclusive)| match version.cmp(lower) {
            Ordering::Greater => true,
            Ordering::Equal => *inclusive,
            Ordering::Less => false,
        });
        let below = self.upper.as_ref().is_none_or(|(upper, inclusive)| match version.cmp(upper) {
            Ordering::Less => true,
            Ordering::Equal => *inclusive,
            Ordering::Greater => false,
        });
        above && below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_maven_sorts_them() {
        let ascending = [
            "1-alpha2snapshot", "1-alpha2", "1-alpha-123", "1-beta-2", "1-beta123", "1-m2", "1-m11", "1-rc", "1-cr2",
            "1-rc123", "1-SNAPSHOT", "1", "1-sp", "1-sp2", "1-sp123", "1-abc", "1-def", "1-pom-1", "1-1-snapshot", "1-1",
            "1-2", "1-123",
        ];
        for (at, low) in ascending.iter().enumerate() {
            for high in &ascending[at + 1..] {
                assert!(MavenVersion::new(low) < MavenVersion::new(high), "{low} < {high}");
            }
        }
        let numbers = [
            "2.0", "2.0.a", "2-1", "2.0.2", "2.0.123", "2.1.0", "2.1-a", "2.1b", "2.1-c", "2.1-1", "2.1.0.1", "2.2",
            "2.123", "11.a2", "11.a11", "11.b2", "11.b11", "11.m2", "11.m11", "11", "11.a", "11b", "11c", "11m",
            "99999999999999999999", "100000000000000000000",
        ];
        for (at, low) in numbers.iter().enumerate() {
            for high in &numbers[at + 1..] {
                assert!(MavenVersion::new(low) < MavenVersion::new(high), "{low} < {high}");
            }
            assert_eq!(MavenVersion::new(low), MavenVersion::new(&low.to_uppercase()));
        }
        for (low, high) in [("4.0.0-SNAPSHOT", "4.0.0"), ("7.5.0-ccs", "7.5.1-ccs"), ("0.9.0", "0.10.0")] {
            assert!(MavenVersion::new(low) < MavenVersion::new(high), "{low} < {high}");
        }
    }

    #[test]
    fn different_spellings_are_the_same_version() {
        for (a, b) in [
            ("1", "1.0"), ("1", "1.0.0"), ("1.0", "1-0"), ("1", "1-ga"), ("1.0", "1.0-final"), ("1", "1.0.0-RELEASE"),
            ("1a1", "1-alpha-1"), ("1b2", "1-beta-2"), ("1m3", "1-milestone-3"), ("1cr", "1rc"), ("1x", "1-x"),
            ("1.0x", "1-x"), ("01.002", "1.2"), ("1.rc1", "1-rc1"), ("1-rc-1", "1-rc1"), ("1..2", "1.0.2"),
        ] {
            assert_eq!(MavenVersion::new(a), MavenVersion::new(b), "{a} = {b}");
        }
    }

    #[test]
    fn ranges_take_what_lies_between_their_bounds() {
        for (range, inside, outside) in [
            ("[1.0,2.0)", &["1", "1.0", "1.9.9", "2.0-rc1"][..], &["0.9", "2.0", "2.1", "1.0-rc1"][..]),
            ("(1.0,2.0]", &["1.0.1", "2"], &["1.0", "2.0.1"]),
            ("[1.5,)", &["1.5", "99"], &["1.4"]),
            ("(,1.5]", &["0.1", "1.5"], &["1.5.1"]),
            ("(,1.0],[1.2,)", &["1.0", "1.2"], &["1.1"]),
            ("[1.5]", &["1.5", "1.5.0"], &["1.5.1", "1.4"]),
            ("1.5", &["1.5", "1.5.0"], &["1.5.1", "1.4"]),
            (" [ 1.0 , 2.0 ) ", &["1.0"], &["2.0"]),
        ] {
            let parsed = VersionRange::parse(range).unwrap().unwrap();
            for version in inside {
                assert!(parsed.contains(&MavenVersion::new(version)), "{version} in {range}");
            }
            for version in outside {
                assert!(!parsed.contains(&MavenVersion::new(version)), "{version} not in {range}");
            }
        }
        assert_eq!(VersionRange::parse("latest"), Ok(None));
        assert_eq!(VersionRange::parse("  "), Ok(None));
        assert_eq!(VersionRange::parse("1.5").unwrap().unwrap().to_string(), "[1.5]");
    }

    #[test]
    fn malformed_ranges_are_refused_with_a_reason() {
        for (range, reason) in [
            ("[1.0", "Unbounded range: [1.0"),
            ("(1.0)", "Single version must be surrounded by []: (1.0)"),
            ("[2.0,1.0]", "Range defies version ordering: [2.0,1.0]"),
            ("[1.0,1.0)", "Range cannot have identical boundaries: [1.0,1.0)"),
            ("[1.0,1.2),[1.1,1.5)", "Ranges overlap: [1.0,1.2),[1.1,1.5)"),
            ("[1.0,),[2.0,)", "Ranges overlap: [1.0,),[2.0,)"),
            ("[1.0,1.2),1.5", "Only fully-qualified sets allowed in multiple set scenario: [1.0,1.2),1.5"),
        ] {
            assert_eq!(VersionRange::parse(range), Err(reason.to_owned()));
        }
    }
}
