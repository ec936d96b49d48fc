//! Schema names that converters take: `schema.name.adjustment.mode`.

/// How names are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaNames {
    /// Not at all.
    AsTheyAre,
    /// What Avro does not take becomes an underscore.
    Avro,
    /// What Avro does not take, and the underscore itself, becomes `_u` with the number of the character.
    AvroUnicode,
}

impl SchemaNames {
    /// The mode of this name, in any case.
    pub(crate) fn named(mode: &str) -> Self {
        match mode.to_ascii_lowercase().as_str() {
            "avro" => Self::Avro,
            "avro_unicode" => Self::AvroUnicode,
            _ => Self::AsTheyAre,
        }
    }

    /// The name as it is to be. Java counts in UTF-16, so a character beyond is two.
    pub(crate) fn adjust(self, name: String) -> String {
        if self == Self::AsTheyAre {
            return name;
        }
        let mut out = String::with_capacity(name.len());
        let mut units = [0; 2];
        for (position, letter) in name.chars().enumerate() {
            let is_first = letter.is_ascii_alphabetic() || (letter == '_' && self == Self::Avro);
            if is_first || (position > 0 && (letter.is_ascii_digit() || letter == '.')) {
                out.push(letter);
                continue;
            }
            for unit in letter.encode_utf16(&mut units) {
                out.push('_');
                if self == Self::AvroUnicode {
                    let hex = format!("{unit:x}");
                    out.push_str(if hex.len() <= 2 { "u00" } else { "u" });
                    out.push_str(&hex);
                }
            }
            // Names that differ in their first digit alone stay different.
            if position == 0 && self == Self::Avro && letter.is_ascii_digit() {
                out.push(letter);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_adjusted_as_upstream_does() {
        for (name, avro, unicode) in [
            ("a.b_c.Key", "a.b_c.Key", "a.b_u005fc.Key"),
            ("shop-1.x y", "shop_1.x_y", "shop_u002d1.x_u0020y"),
            ("1a", "_1a", "_u0031a"),
            (".a", "_a", "_u002ea"),
            ("aé𝄞", "a___", "a_u00e9_ud834_udd1e"),
            ("aĀ\t", "a__", "a_u100_u009"),
            ("", "", ""),
        ] {
            assert_eq!(SchemaNames::named("Avro").adjust(name.to_owned()), avro);
            assert_eq!(
                SchemaNames::named("avro_unicode").adjust(name.to_owned()),
                unicode
            );
            assert_eq!(SchemaNames::named("none").adjust(name.to_owned()), name);
        }
    }
}
