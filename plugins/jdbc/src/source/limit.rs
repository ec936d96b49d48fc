//! Whether a statement says how many rows it gives: LIMIT, FETCH or TOP at its outer level, outside of brackets, texts, names in quotes and
//! comments; and whether it has other clauses there.

use crate::url::Database;

/// What limits the rows of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// The word that says so.
    pub(crate) word: &'static str,
    /// How many rows, where the statement ends with that number.
    pub(crate) rows: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'s> {
    /// A word or number without quotes.
    Word(&'s str),
    /// A text, or a name in quotes.
    Quoted,
    Sign(char),
}

/// What limits the rows of a statement, or of the end of one.
pub(crate) fn limit(sql: &str, database: Database) -> Option<Limit> {
    let words: &[&'static str] = match database {
        Database::Postgres | Database::MySql => &["LIMIT", "FETCH"],
        Database::Sqlite => &["LIMIT"],
        Database::SqlServer => &["TOP", "FETCH"],
    };
    let tokens = outer(sql, database);
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(text) = token else { continue };
        let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text)) else {
            continue;
        };
        let before = at.checked_sub(1).map(|before| tokens[before]);
        let is_name = match before {
            Some(Token::Sign('.')) => true,
            Some(Token::Word(before)) if *word == "TOP" => !["SELECT", "DISTINCT", "ALL"]
                .iter()
                .any(|one| one.eq_ignore_ascii_case(before)),
            Some(Token::Word(before)) => before.eq_ignore_ascii_case("AS"),
            Some(_) | None => *word == "TOP",
        };
        if is_name {
            continue;
        }
        let rows = match &tokens[at + 1..] {
            [Token::Word(rows)] | [Token::Word(rows), Token::Sign(';')] if *word == "LIMIT" => {
                rows.parse().ok()
            }
            _ => None,
        };
        return Some(Limit { word, rows });
    }
    None
}

/// The first of these clauses that the end of a statement has at its outer level.
pub(crate) fn clause(sql: &str, database: Database, words: &[&'static str]) -> Option<&'static str> {
    // What stands before a column of that name.
    const BEFORE_NAMES: [&str; 6] = ["AS", "AND", "OR", "NOT", "BY", "WITHIN"];
    let tokens = outer(sql, database);
    tokens.iter().enumerate().find_map(|(at, token)| {
        let Token::Word(text) = token else { return None };
        let word = words.iter().find(|word| word.eq_ignore_ascii_case(text))?;
        let is_name = match at.checked_sub(1).map(|before| tokens[before]) {
            Some(Token::Sign(sign)) => ".,=<>+-*/%|".contains(sign),
            Some(Token::Word(before)) => BEFORE_NAMES.iter().any(|one| one.eq_ignore_ascii_case(before)),
            Some(Token::Quoted) | None => false,
        };
        (!is_name).then_some(*word)
    })
}

/// The tokens outside of brackets.
fn outer(sql: &str, database: Database) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut depth = 0_u32;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first, database);
        rest = &rest[length..];
        match token {
            Some(Token::Sign('(')) => depth += 1,
            Some(Token::Sign(')')) => depth = depth.saturating_sub(1),
            Some(token) if depth == 0 => tokens.push(token),
            _ => {}
        }
    }
    tokens
}

/// The token at the beginning, nothing for spaces and comments, and how many bytes it has.
fn next(rest: &str, first: char, database: Database) -> (Option<Token<'_>>, usize) {
    let line = rest.find('\n').unwrap_or(rest.len());
    let is_mysql = database == Database::MySql;
    if let Some(after) = rest.strip_prefix("--")
        && (!is_mysql
            || after
                .chars()
                .next()
                .is_none_or(|next| next.is_whitespace() || next.is_control()))
    {
        return (None, line);
    }
    if rest.starts_with("/*") {
        return (
            None,
            comment(rest, matches!(database, Database::Postgres | Database::SqlServer)),
        );
    }
    match first {
        _ if first.is_whitespace() => (None, first.len_utf8()),
        '#' if is_mysql => (None, line),
        '\'' => (Some(Token::Quoted), quoted(rest, '\'', is_mysql)),
        '"' => (Some(Token::Quoted), quoted(rest, '"', is_mysql)),
        '`' => (Some(Token::Quoted), quoted(rest, '`', false)),
        '[' if matches!(database, Database::SqlServer | Database::Sqlite) => {
            (Some(Token::Quoted), quoted(rest, ']', false))
        }
        '$' if database == Database::Postgres && dollars(rest).is_some() => {
            (Some(Token::Quoted), dollars(rest).unwrap_or(1))
        }
        _ if is_of_word(first) => {
            let length = rest.find(|one| !is_of_word(one)).unwrap_or(rest.len());
            let word = &rest[..length];
            // A text in which a backslash hides the quote behind it.
            if database == Database::Postgres
                && word.eq_ignore_ascii_case("E")
                && rest[length..].starts_with('\'')
            {
                return (Some(Token::Quoted), length + quoted(&rest[length..], '\'', true));
            }
            (Some(Token::Word(word)), length)
        }
        _ => (Some(Token::Sign(first)), first.len_utf8()),
    }
}

fn is_of_word(one: char) -> bool {
    one.is_alphanumeric() || one == '_' || one == '$' || one == '@'
}

/// How long a text or name is that ends with this quote; two of them stand for one.
fn quoted(rest: &str, end: char, backslashes: bool) -> usize {
    let mut inner = rest.char_indices().skip(1).peekable();
    while let Some((at, one)) = inner.next() {
        if one == '\\' && backslashes {
            inner.next();
        } else if one == end && inner.next_if(|(_, next)| *next == end).is_none() {
            return at + one.len_utf8();
        }
    }
    rest.len()
}

/// How long a text between `$tag$` and `$tag$` is; nothing where none begins.
fn dollars(rest: &str) -> Option<usize> {
    let length = rest[1..].find('$')? + 2;
    let tag = &rest[..length];
    let name = &tag[1..length - 1];
    if name.starts_with(|one: char| one.is_ascii_digit())
        || !name.chars().all(|one| one.is_alphanumeric() || one == '_')
    {
        return None;
    }
    Some(
        rest[length..]
            .find(tag)
            .map_or(rest.len(), |at| length + at + length),
    )
}

/// How long a comment is, which may have others in it.
fn comment(rest: &str, nests: bool) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") && (nests || depth == 0) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Database::{MySql, Postgres, SqlServer, Sqlite};

    #[test]
    fn a_limit_is_found_at_the_outer_level_alone() {
        for (database, sql, word) in [
            (
                Postgres,
                "SELECT * FROM orders ORDER BY id LIMIT 1000",
                Some("LIMIT"),
            ),
            (
                Sqlite,
                "SELECT * FROM a UNION ALL SELECT * FROM b\nlimit 5;",
                Some("LIMIT"),
            ),
            (Postgres, "SELECT * FROM a LIMIT(5)", Some("LIMIT")),
            (MySql, "SELECT * FROM a LIMIT/* of two */2, 5", Some("LIMIT")),
            (Postgres, "SELECT * FROM a FETCH FIRST 5 ROWS ONLY", Some("FETCH")),
            (SqlServer, "SELECT TOP 5 * FROM a", Some("TOP")),
            (SqlServer, "SELECT DISTINCT TOP(@n) * FROM a", Some("TOP")),
            (
                SqlServer,
                "SELECT * FROM a ORDER BY b OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY",
                Some("FETCH"),
            ),
            (Postgres, "SELECT * FROM (SELECT * FROM a LIMIT 5) AS q", None),
            (
                Postgres,
                "WITH q AS (SELECT * FROM a LIMIT 5) SELECT * FROM q",
                None,
            ),
            (
                Postgres,
                "SELECT ' LIMIT ', \"LIMIT\", t.limit, id AS limit FROM t",
                None,
            ),
            (Postgres, "SELECT 'it''s ( LIMIT 5' FROM t -- LIMIT 5", None),
            (
                Postgres,
                "SELECT E'\\' LIMIT 5' FROM t /* LIMIT /* 5 */ LIMIT */",
                None,
            ),
            (Postgres, "SELECT $a$ LIMIT $$ 5 $a$, $1 FROM t", None),
            (Postgres, "SELECT $$ ( $$ FROM t LIMIT 5", Some("LIMIT")),
            (Postgres, "SELECT top, a[1] FROM t", None),
            (
                MySql,
                "SELECT `limit`, 'a\\' LIMIT', \"b\" FROM t # LIMIT 5",
                None,
            ),
            (MySql, "SELECT 5--1 FROM t LIMIT 5", Some("LIMIT")),
            (SqlServer, "SELECT [limit], limit, top FROM t -- it's", None),
            (Sqlite, "SELECT [ LIMIT ], fetch FROM t", None),
            (Postgres, "SELECT 'never closed LIMIT 5", None),
            (Postgres, "SELECT 1 /* never closed LIMIT 5", None),
            (Postgres, "", None),
        ] {
            assert_eq!(limit(sql, database).map(|found| found.word), word, "{sql}");
        }
    }

    #[test]
    fn clauses_of_a_suffix_are_told_from_columns_of_that_name() {
        for (database, suffix, word) in [
            (Sqlite, "where name = 'a' OFFSET 5", Some("WHERE")),
            (Postgres, "GROUP BY id", Some("GROUP")),
            (Postgres, "OFFSET 5", Some("OFFSET")),
            (Postgres, "FOR UPDATE\noffset(5)", Some("OFFSET")),
            (Postgres, "LIMIT a[1] OFFSET 5", Some("OFFSET")),
            (Postgres, ", \"name\" OFFSET 5", Some("OFFSET")),
            (SqlServer, "OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY", Some("OFFSET")),
            (
                MySql,
                "AND offset > 5 AND t.offset < 7 AND 1 < offset OR NOT offset = 1",
                None,
            ),
            (
                Postgres,
                "AND id IN (SELECT id FROM u WHERE a = 1 OFFSET 5)",
                None,
            ),
            (Postgres, "AND name = ' WHERE ' /* GROUP BY */ -- OFFSET 5", None),
            (Sqlite, ", offset, [WHERE], \"GROUP\"", None),
            (Postgres, "FOR UPDATE", None),
            (Postgres, "", None),
        ] {
            assert_eq!(
                clause(suffix, database, &["WHERE", "GROUP", "OFFSET"]),
                word,
                "{suffix}"
            );
        }
    }

    #[test]
    fn how_many_rows_is_known_where_it_is_plain() {
        for (suffix, rows) in [
            ("LIMIT 1000", Some(1_000)),
            ("limit 7;", Some(7)),
            ("LIMIT 5, 10", None),
            ("LIMIT ALL", None),
            ("LIMIT 5 OFFSET 2", None),
            ("FOR UPDATE LIMIT 3", Some(3)),
            ("FETCH FIRST 5 ROWS ONLY", None),
        ] {
            assert_eq!(
                limit(suffix, Postgres).map(|found| found.rows),
                Some(rows),
                "{suffix}"
            );
        }
    }
}
