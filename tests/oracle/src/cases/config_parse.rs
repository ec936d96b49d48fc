//! `ConfigDef.parseType`: every type with every text. CLASS is left out, as it needs Java classes.

use wharf_api::config::Type;

use super::{Table, generated};
use crate::case::Call;

pub(super) const TYPES: [Type; 8] = [
    Type::Boolean,
    Type::String,
    Type::Int,
    Type::Short,
    Type::Long,
    Type::Double,
    Type::List,
    Type::Password,
];

pub(super) const TEXTS: &[&str] = &[
    "",
    " ",
    "hello",
    " hello ",
    "\thello\n",
    "\u{a0}x\u{a0}",
    "true",
    " TRUE ",
    "False",
    "truee",
    "yes",
    "1",
    "0",
    "-1",
    "+5",
    " +5 ",
    "++5",
    "- 5",
    "42.5",
    "0x10",
    "5L",
    "010",
    "32767",
    "32768",
    "-32769",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "1e3",
    "1E-3",
    "1f",
    "1D",
    "1.5f",
    ".5",
    "5.",
    ".",
    "NaN",
    "nan",
    "-NaN",
    "Infinity",
    "+Infinity",
    "inf",
    "1e400",
    "1e-400",
    "1_000",
    "1,000",
    ",",
    "a,b",
    " a , b ",
    "a,,b",
    "a,b,",
    ",a",
    "a;b",
    "a\\,b",
    "\"a,b\"",
    "[a,b]",
    "a\tb,c",
    "٥",
    "é😀",
    "a, b,\tc\n",
    "1e",
    "1e5f",
    "0x1p3",
    "1 2",
    "\u{1}x\u{1}",
    "null",
];

pub(super) fn fill(table: &mut Table) {
    for target in TYPES {
        for text in TEXTS {
            // A password is a text that is not shown, and a SHORT a small INT.
            let is_told = match target {
                Type::Password => text.len() <= 3,
                Type::Short => text.contains(|c: char| c.is_numeric()),
                _ => true,
            };
            if !is_told {
                continue;
            }
            let differs = (target == Type::Double && *text == "0x1p3").then_some("double-hex");
            let text = (*text).to_owned();
            table.add("text", Call::Config { target, text }, differs);
        }
    }
    generated::config(table);
}
