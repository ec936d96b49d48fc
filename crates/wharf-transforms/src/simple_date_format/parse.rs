//! From a text to the fields in it.

use wharf_api::values::digit_value;

use super::resolve::{Calendar, Field};
use super::{DAYS, ERAS, HALVES, MONTHS, SimpleDateFormat, Token};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// Zones by the abbreviations that are in use in such texts, with their offset in minutes.
const ZONES: &[(&str, i64)] = &[
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
    ("UTC", 0),
    ("AEDT", 660),
    ("AEST", 600),
    ("AKDT", -480),
    ("AKST", -540),
    ("BST", 60),
    ("CDT", -300),
    ("CEST", 120),
    ("CET", 60),
    ("CST", -360),
    ("EDT", -240),
    ("EEST", 180),
    ("EET", 120),
    ("EST", -300),
    ("HKT", 480),
    ("HST", -600),
    ("IST", 330),
    ("JST", 540),
    ("KST", 540),
    ("MDT", -360),
    ("MSK", 180),
    ("MST", -420),
    ("NZDT", 780),
    ("NZST", 720),
    ("PDT", -420),
    ("PST", -480),
    ("SGT", 480),
    ("WEST", 60),
    ("WET", 0),
];

impl SimpleDateFormat {
    /// The instant that a text means, in milliseconds since the epoch; `None` when it does not follow the pattern.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let mut reader = Reader {
            text,
            at: 0,
            calendar: Calendar::default(),
        };
        for (position, token) in self.tokens.iter().enumerate() {
            match token {
                Token::Literal(literal) => {
                    reader.text[reader.at..]
                        .starts_with(literal.as_str())
                        .then_some(())?;
                    reader.at += literal.len();
                }
                Token::Field(letter, count) => {
                    let limit = self
                        .tokens
                        .get(position + 1)
                        .is_some_and(is_number)
                        .then_some(*count);
                    reader.field(*letter, *count, limit)?;
                }
            }
        }
        // nothing read at all counts as a failure
        (reader.at > 0).then(|| reader.calendar.millis())
    }
}

/// Whether the next part is a number, so that this one must end before it.
fn is_number(token: &Token) -> bool {
    match token {
        Token::Field('M' | 'L', count) => *count <= 2,
        Token::Field(letter, _) => !"GEazZX".contains(*letter),
        Token::Literal(_) => false,
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    calendar: Calendar,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Reads a field. With a limit it may use no more characters than its letter is repeated, blanks before it counted.
    fn field(&mut self, letter: char, count: usize, limit: Option<usize>) -> Option<()> {
        let start = self.at;
        let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        self.at += blanks;
        if self.rest().is_empty() {
            return None;
        }
        match letter {
            'G' => self.name(start, Field::Era, &ERAS, 2),
            'M' | 'L' if count >= 3 => self.name(start, Field::Month, &MONTHS, 3),
            'E' => self.name(start, Field::DayOfWeek, &DAYS, 3),
            'a' => self.name(start, Field::AmPm, &HALVES, 2),
            'z' | 'Z' => self.zone(),
            'X' => self.iso_zone(count),
            _ => {
                let first = self.at;
                let number = self.number(start, limit)?;
                let (field, value) = match letter {
                    'y' | 'Y' => {
                        let is_short = count <= 2 && self.at - first == 2 && number >= 0;
                        if is_short {
                            self.calendar.set_short_year(number);
                            if letter == 'Y' {
                                let year = self.calendar.get(Field::Year).unwrap_or(number);
                                self.calendar.set(Field::WeekYear, year);
                            }
                            return Some(());
                        }
                        let field = if letter == 'y' {
                            Field::Year
                        } else {
                            Field::WeekYear
                        };
                        (field, number)
                    }
                    'M' | 'L' => (Field::Month, number.wrapping_sub(1)),
                    'd' => (Field::DayOfMonth, number),
                    'k' => (Field::HourOfDay, if number == 24 { 0 } else { number }),
                    'H' => (Field::HourOfDay, number),
                    'm' => (Field::Minute, number),
                    's' => (Field::Second, number),
                    'S' => (Field::Milli, number),
                    'D' => (Field::DayOfYear, number),
                    'F' => (Field::DayOfWeekInMonth, number),
                    'w' => (Field::WeekOfYear, number),
                    'W' => (Field::WeekOfMonth, number),
                    'h' => (Field::Hour, if number == 12 { 0 } else { number }),
                    'K' => (Field::Hour, number),
                    // from 1, which is Monday; the calendar counts from Sunday
                    'u' => (Field::DayOfWeek, number.rem_euclid(7)),
                    _ => return None,
                };
                self.calendar.set(field, value);
                Some(())
            }
        }
    }

    /// A number, perhaps with a minus, narrowed to 32 bits as Java's fields are.
    fn number(&mut self, start: usize, limit: Option<usize>) -> Option<i64> {
        let mut end = self.text.len();
        if let Some(limit) = limit {
            let mut places = self.text[start..].char_indices().map(|(at, _)| start + at);
            // there must be as many characters as letters
            end = match places.nth(limit) {
                Some(end) => end,
                None if self.text[start..].chars().count() == limit => self.text.len(),
                None => return None,
            };
        }
        let text = self.text.get(self.at..end)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let mut number = 0_i64;
        let mut length = 0;
        for c in digits.chars() {
            let Some(digit) = digit_value(c) else { break };
            number = number.saturating_mul(10).saturating_add(i64::from(digit));
            length += c.len_utf8();
        }
        if length == 0 {
            return None;
        }
        self.at += text.len() - digits.len() + length;
        let number = if digits.len() < text.len() {
            -number
        } else {
            number
        };
        #[allow(clippy::cast_possible_truncation, reason = "Java drops the high bits")]
        let narrow = number as i32;
        Some(narrow.into())
    }

    /// The longest of the names, or of their first letters, that stands here; blanks before it are not skipped.
    fn name(&mut self, start: usize, field: Field, names: &[&str], short: usize) -> Option<()> {
        let text = &self.text[start..];
        let fits = |name: &str| {
            text.get(..name.len())
                .is_some_and(|part| part.eq_ignore_ascii_case(name))
        };
        let found = names
            .iter()
            .enumerate()
            .flat_map(|(index, name)| [(index, *name), (index, &name[..short])])
            .filter(|(_, name)| fits(name))
            .max_by_key(|(_, name)| name.len())?;
        let (index, name) = found;
        self.at = start + name.len();
        self.calendar.set(field, i64::try_from(index).ok()?);
        Some(())
    }

    /// `UTC`, `GMT+1:00`, `+0100` or the name of a zone.
    fn zone(&mut self) -> Option<()> {
        let rest = self.rest();
        if rest.starts_with(['+', '-']) {
            let is_west = rest.starts_with('-');
            self.at += 1;
            return self.offset(is_west, 0, false);
        }
        if rest.get(..3).is_some_and(|part| part.eq_ignore_ascii_case("GMT")) {
            self.at += 3;
            let rest = self.rest();
            if rest.starts_with(['+', '-']) {
                let is_west = rest.starts_with('-');
                self.at += 1;
                return self.offset(is_west, 0, true);
            }
            self.calendar.set(Field::Offset, 0);
            return Some(());
        }
        let (name, minutes) = ZONES
            .iter()
            .filter(|(name, _)| {
                rest.get(..name.len())
                    .is_some_and(|part| part.eq_ignore_ascii_case(name))
            })
            .max_by_key(|(name, _)| name.len())?;
        self.at += name.len();
        self.calendar.set(Field::Offset, minutes * MINUTE);
        Some(())
    }

    fn iso_zone(&mut self, count: usize) -> Option<()> {
        let rest = self.rest();
        if rest.starts_with('Z') {
            self.at += 1;
            self.calendar.set(Field::Offset, 0);
            return Some(());
        }
        let is_west = rest.starts_with('-');
        if !is_west && !rest.starts_with('+') {
            return None;
        }
        self.at += 1;
        self.offset(is_west, count, count == 3)
    }

    /// Hours and minutes of an offset: `hh` alone for one letter X, else with minutes, with or without a colon. Without
    /// a fixed count the hours may be of one digit, if a colon follows.
    fn offset(&mut self, is_west: bool, count: usize, has_colon: bool) -> Option<()> {
        let bytes = self.rest().as_bytes();
        let digit = |at: usize| -> Option<i64> {
            let byte = bytes.get(at)?;
            byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
        };
        let mut hours = digit(0)?;
        let mut at = 1;
        match digit(1) {
            Some(second) => {
                hours = hours * 10 + second;
                at = 2;
            }
            // only a colon form without fixed width may have one digit
            None if count > 0 || !has_colon => return None,
            None => {}
        }
        if hours > 23 {
            return None;
        }
        let mut minutes = 0;
        if count != 1 {
            if has_colon {
                (bytes.get(at) == Some(&b':')).then_some(())?;
                at += 1;
            }
            minutes = digit(at)? * 10 + digit(at + 1)?;
            at += 2;
            if minutes > 59 {
                return None;
            }
        }
        self.at += at;
        let offset = hours * HOUR + minutes * MINUTE;
        self.calendar
            .set(Field::Offset, if is_west { -offset } else { offset });
        Some(())
    }
}
