//! Java's `SimpleDateFormat`, in UTC, with the names and weeks of the locale `en_US`: what the timestamp transforms take as
//! format.
//!
//! A pattern is letters, each run of which is a field, and text between them. Reading is lenient as Java's: fields roll
//! over, numbers may be longer than their run of letters unless another number follows directly, and text after the last
//! field is not looked at. No library has these rules; those that format by `strftime` or by CLDR patterns refuse or read
//! differently what users have in their configurations.

mod format;
mod parse;
mod resolve;

use wharf_api::{ConnectError, Result};

/// Letters that stand for a field.
const LETTERS: &str = "GyMdkHmsSEDFwWahKzZYuXL";
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Sunday, as Java counts.
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const HALVES: [&str; 2] = ["AM", "PM"];
const ERAS: [&str; 2] = ["BC", "AD"];

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A letter and how often it is repeated.
    Field(char, usize),
    /// Text that stands for itself.
    Literal(String),
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SimpleDateFormat {
    pattern: String,
    tokens: Vec<Token>,
}

impl SimpleDateFormat {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Java's `IllegalArgumentException`, in its words.
    pub(crate) fn new(pattern: &str) -> Result<Self> {
        Ok(Self {
            pattern: pattern.to_owned(),
            tokens: compile(pattern)?,
        })
    }

    /// The pattern as it was given.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }
}

fn illegal(message: String) -> ConnectError {
    ConnectError::connect(message).with_class("java.lang.IllegalArgumentException")
}

fn compile(pattern: &str) -> Result<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let literal = |tokens: &mut Vec<Token>, c: char| match tokens.last_mut() {
        Some(Token::Literal(text)) => text.push(c),
        _ => tokens.push(Token::Literal(c.to_string())),
    };
    let mut is_quoted = false;
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // two quotes are one, within quotes and without
            '\'' if rest.next_if_eq(&'\'').is_some() => literal(&mut tokens, '\''),
            '\'' => is_quoted = !is_quoted,
            c if is_quoted || !c.is_ascii_alphabetic() => literal(&mut tokens, c),
            letter => {
                if !LETTERS.contains(letter) {
                    return Err(illegal(format!("Illegal pattern character '{letter}'")));
                }
                let mut count = 1;
                while rest.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                if letter == 'X' && count > 3 {
                    return Err(illegal(format!("invalid ISO 8601 format: length={count}")));
                }
                tokens.push(Token::Field(letter, count));
            }
        }
    }
    if is_quoted {
        return Err(illegal("Unterminated quote".to_owned()));
    }
    Ok(tokens)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
