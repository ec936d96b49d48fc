//! Names as Google's Guava changes their case, for maps, and names that Protobuf does not allow.

const ENTRY: &str = "Entry";

/// The name of the message for a map's entries: `my_map` becomes `MyMapEntry`.
pub(crate) fn map_entry(name: &str) -> String {
    if !name.contains('_') {
        return format!("{name}{ENTRY}");
    }
    let words = name.split('_').map(|word| {
        let mut characters = word.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first
            .into_iter()
            .chain(characters.map(|rest| rest.to_ascii_lowercase()))
            .collect::<String>()
    });
    words.chain([ENTRY.to_owned()]).collect()
}

/// The name of a map by the message for its entries: `p.MyMapEntry` becomes `p.my_map`.
pub(crate) fn map_field(name: &str) -> String {
    let (scope, last) = name
        .rsplit_once('.')
        .map_or(("", name), |(scope, last)| (scope, last));
    let Some(stem) = last.strip_suffix(ENTRY) else {
        return name.to_owned();
    };
    let mut out = String::from(scope);
    if !scope.is_empty() {
        out.push('.');
    }
    for (position, character) in stem.chars().enumerate() {
        if character.is_ascii_uppercase() && position > 0 {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

/// A name with what Protobuf does not allow replaced, as `scrub.invalid.names` asks for.
pub(crate) fn scrubbed(name: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_badly = |text: &str| text.starts_with(|first: char| first.is_ascii_digit() || first == '_');
    if name.is_empty() || name.bytes().all(is_word) && !starts_badly(name) {
        return name.to_owned();
    }
    // URL encoding leaves letters, digits and `.-*_`, makes a blank a plus, and the rest %XX; then all but letters, digits and
    // underscores become underscores.
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            byte if is_word(byte) => out.push(char::from(byte)),
            b'.' | b'-' | b'*' | b' ' => out.push('_'),
            byte => out.push_str(&format!("_{byte:02X}")),
        }
    }
    if starts_badly(name) {
        out.insert(0, 'x');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_have_guava_s_names() {
        for (field, entry) in [
            ("tags", "tagsEntry"),
            ("my_map", "MyMapEntry"),
            ("ConnectDefault2", "ConnectDefault2Entry"),
        ] {
            assert_eq!(map_entry(field), entry);
        }
        for (entry, field) in [
            ("TagsEntry", "tags"),
            ("p.MyMapEntry", "p.my_map"),
            ("p.Other", "p.Other"),
            ("ABEntry", "a_b"),
        ] {
            assert_eq!(map_field(entry), field);
        }
    }

    #[test]
    fn names_are_scrubbed_as_upstream_does() {
        for (name, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("a-b.c", "a_b_c"),
            ("1a", "x1a"),
            ("_a", "x_a"),
            ("a b", "a_b"),
            ("a$b", "a_24b"),
            ("é", "_C3_A9"),
        ] {
            assert_eq!(scrubbed(name), expected);
        }
    }
}
