//! Names of tables: parsed from a configuration, written into statements.

use std::fmt;

/// Names a table. Parts are as the database knows them, without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TableId {
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl TableId {
    /// From `table`, `schema.table` or `catalog.schema.table`; a part between two `quote`s may contain dots.
    pub(crate) fn parse(text: &str, quote: Quote) -> Self {
        let mut parts = split(text, quote);
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        Self {
            catalog: (!parts.is_empty()).then(|| parts.join(".")),
            schema,
            name,
        }
    }

    /// As it stands in a statement.
    pub(crate) fn sql(&self, quoting: Quoting) -> String {
        let mut text = String::new();
        for part in [&self.catalog, &self.schema].into_iter().flatten() {
            quoting.write(part, &mut text);
            text.push('.');
        }
        quoting.write(&self.name, &mut text);
        text
    }
}

/// For people, and for source partitions: the parts that are there, joined by dots.
impl fmt::Display for TableId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.catalog, &self.schema].into_iter().flatten() {
            write!(to, "{part}.")?;
        }
        to.write_str(&self.name)
    }
}

/// The characters that quote a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) open: char,
    pub(crate) close: char,
}

/// Whether and how names are quoted in statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoting {
    pub(crate) quote: Quote,
    /// `quote.sql.identifiers=ALWAYS`.
    pub(crate) always: bool,
}

impl Quoting {
    /// Writes a name. A closing quote within it is doubled, so that no name can end its quotes; a name that cannot stand
    /// without quotes gets them in any case.
    pub(crate) fn write(self, name: &str, text: &mut String) {
        if !self.always && is_plain(name) {
            return text.push_str(name);
        }
        text.push(self.quote.open);
        for character in name.chars() {
            if character == self.quote.close {
                text.push(character);
            }
            text.push(character);
        }
        text.push(self.quote.close);
    }

    /// The name as it stands in a statement.
    pub(crate) fn name(self, name: &str) -> String {
        let mut text = String::with_capacity(name.len() + 2);
        self.write(name, &mut text);
        text
    }

    /// Names as they stand in a list.
    pub(crate) fn names<'a>(self, names: impl IntoIterator<Item = &'a str>) -> String {
        let mut text = String::new();
        for name in names {
            if !text.is_empty() {
                text.push(',');
            }
            self.write(name, &mut text);
        }
        text
    }
}

/// Whether every database takes this for one name without quotes (unless it is a reserved word).
fn is_plain(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|other| other.is_ascii_alphanumeric() || other == '_')
}

fn split(text: &str, quote: Quote) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let part = parts.last_mut().expect("there is always one part");
        match character {
            _ if quoted && character == quote.close => {
                if characters.peek() == Some(&quote.close) {
                    characters.next();
                    part.push(character);
                } else {
                    quoted = false;
                }
            }
            _ if !quoted && part.is_empty() && character == quote.open => quoted = true,
            '.' if !quoted => parts.push(String::new()),
            _ => part.push(character),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBLE: Quote = Quote {
        open: '"',
        close: '"',
    };
    const BRACKETS: Quote = Quote {
        open: '[',
        close: ']',
    };

    fn quoted(text: &str, quote: Quote) -> String {
        TableId::parse(text, quote).sql(Quoting { quote, always: true })
    }

    #[test]
    fn names_are_split_at_dots_outside_quotes() {
        for (text, quote, sql) in [
            ("orders", DOUBLE, "\"orders\""),
            ("shop.orders", DOUBLE, "\"shop\".\"orders\""),
            ("db.shop.orders", DOUBLE, "\"db\".\"shop\".\"orders\""),
            ("\"a.b\".\"c\"\"d\"", DOUBLE, "\"a.b\".\"c\"\"d\""),
            ("[my.schema].t", BRACKETS, "[my.schema].[t]"),
            ("say\"hi", DOUBLE, "\"say\"\"hi\""),
        ] {
            assert_eq!(quoted(text, quote), sql, "{text}");
        }
    }

    #[test]
    fn a_name_cannot_end_its_quotes() {
        let hostile = TableId {
            catalog: None,
            schema: None,
            name: "t\"; DROP TABLE users; --".to_owned(),
        };
        let always = Quoting {
            quote: DOUBLE,
            always: true,
        };
        assert_eq!(hostile.sql(always), "\"t\"\"; DROP TABLE users; --\"");
        let never = Quoting {
            quote: DOUBLE,
            always: false,
        };
        assert_eq!(hostile.sql(never), hostile.sql(always));
        assert_eq!(TableId::parse("Shop.Orders", DOUBLE).sql(never), "Shop.Orders");
        assert_eq!(always.names(["a", "b"]), "\"a\",\"b\"");
    }
}
