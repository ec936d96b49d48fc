//! Version ranges as Maven has them, by which KIP-891 selects plugins.
//!
//! `[1.0,2.0)`, several of them joined by commas, `(,1.5]` for an open end; a bare version means exactly that one.

use std::cmp::Ordering;
use std::fmt;

use super::maven_version::MavenVersion;

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
            let end = rest
                .find([')', ']'])
                .ok_or_else(|| format!("Unbounded range: {text}"))?;
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
                return Err(format!(
                    "Only fully-qualified sets allowed in multiple set scenario: {text}"
                ));
            }
        }
        Ok(Some(Self {
            text: text.to_owned(),
            parts,
        }))
    }

    /// Whether a version is wanted.
    #[must_use]
    pub fn contains(&self, version: &MavenVersion) -> bool {
        self.parts.iter().any(|part| part.contains(version))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.starts_with(['[', '(']) {
            f.write_str(&self.text)
        } else {
            write!(f, "[{0},{0}]", self.text)
        }
    }
}

impl Part {
    fn exactly(text: &str) -> Self {
        let bound = Some((MavenVersion::new(text), true));
        Self {
            lower: bound.clone(),
            upper: bound,
        }
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
            Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(|text| (MavenVersion::new(text), inclusive))
        };
        let part = Self {
            lower: bound(lower, takes_lower),
            upper: bound(upper, takes_upper),
        };
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
        let above = self
            .lower
            .as_ref()
            .is_none_or(|(lower, inclusive)| match version.cmp(lower) {
                Ordering::Greater => true,
                Ordering::Equal => *inclusive,
                Ordering::Less => false,
            });
        let below = self
            .upper
            .as_ref()
            .is_none_or(|(upper, inclusive)| match version.cmp(upper) {
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
    fn ranges_take_what_lies_between_their_bounds() {
        for (range, inside, outside) in [
            (
                "[1.0,2.0)",
                &["1", "1.0", "1.9.9", "2.0-rc1"][..],
                &["0.9", "2.0", "2.1", "1.0-rc1"][..],
            ),
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
                assert!(
                    parsed.contains(&MavenVersion::new(version)),
                    "{version} in {range}"
                );
            }
            for version in outside {
                assert!(
                    !parsed.contains(&MavenVersion::new(version)),
                    "{version} not in {range}"
                );
            }
        }
        assert_eq!(VersionRange::parse("latest"), Ok(None));
        assert_eq!(VersionRange::parse("  "), Ok(None));
        assert_eq!(
            VersionRange::parse("1.5").unwrap().unwrap().to_string(),
            "[1.5,1.5]"
        );
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
            (
                "[1.0,1.2),1.5",
                "Only fully-qualified sets allowed in multiple set scenario: [1.0,1.2),1.5",
            ),
        ] {
            assert_eq!(VersionRange::parse(range), Err(reason.to_owned()));
        }
    }
}
