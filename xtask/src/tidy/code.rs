//! Rust text with everything blanked that is not code.
//!
//! Rules about words must not stumble over a comment or a string that names them. The result has the same lines as the
//! original, so places stay right.

/// Replaces comments, string and character literals by blanks; line ends stay.
pub(super) fn only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_or_comment(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// The end of the literal or comment that starts here; `at` itself when none does.
fn literal_or_comment(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied();
    let inside_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next(1) == Some('/') => find(chars, at, |c| c == '\n'),
        '/' if next(1) == Some('*') => block_comment(chars, at),
        '"' => quoted(chars, at + 1, '"'),
        '\'' => character(chars, at),
        // The `b` or `c` of a byte or C string stays; it is code to no rule.
        'r' if !inside_word || matches!(chars.get(at.wrapping_sub(1)), Some('b' | 'c')) => {
            raw_string(chars, at)
        }
        _ => at,
    }
}

fn find(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..chars.len())
        .find(|i| wanted(chars[*i]))
        .unwrap_or(chars.len())
}

/// Block comments nest in Rust.
fn block_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn quoted(chars: &[char], mut at: usize, end: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == end => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `'x'` and `'\n'` are characters; `'a` alone is a lifetime, which is code.
fn character(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => quoted(chars, at + 1, '\''),
        (Some(c), Some('\'')) if *c != '\'' => at + 3,
        _ => at,
    }
}

/// `r"…"`, `r#"…"#` and so on; `r#name` is a raw identifier, which is code.
fn raw_string(chars: &[char], at: usize) -> usize {
    let open = find(chars, at + 1, |c| c != '#');
    let hashes = open - at - 1;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes = |i: usize| chars[i] == '"' && (1..=hashes).all(|k| chars.get(i + k) == Some(&'#'));
    (open + 1..chars.len())
        .find(|i| closes(*i))
        .map_or(chars.len(), |i| i + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_vanish_and_code_stays() {
        let cases = [
            ("a // x", "a"),
            ("a /* x /* y */ z */ b", "a b"),
            ("f(\"x\\\"y\") + 1", "f( ) + 1"),
            ("r#\"x\"y\"# + 1", "+ 1"),
            ("br\"x\" + 1", "b + 1"),
            ("c == '\"' || d", "c == || d"),
            ("c == '\\'' || d", "c == || d"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("r#type + for_r", "r#type + for_r"),
            ("//! x\ncode", "code"),
        ];
        for (text, expected) in cases {
            let cut = only(text);
            assert_eq!(
                cut.split_whitespace().collect::<Vec<_>>().join(" "),
                expected,
                "{text}"
            );
            assert_eq!(cut.chars().count(), text.chars().count(), "{text}");
        }
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = "\"a\nb\"\n/* c\nd */ x";
        assert_eq!(only(text).matches('\n').count(), text.matches('\n').count());
        assert_eq!(only(text).lines().nth(3).map(str::trim), Some("x"));
    }

    #[test]
    fn what_never_ends_is_no_trap() {
        for text in ["\"", "/*", "r#\"", "'\\", "r", "'"] {
            assert_eq!(only(text).chars().count(), text.chars().count(), "{text}");
        }
    }
}
