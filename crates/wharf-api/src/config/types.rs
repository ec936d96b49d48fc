//! The small closed vocabularies of a key: its type, importance and display width.

use std::fmt;
use std::str::FromStr;

use crate::ConnectError;

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All values, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Kafka's name, in capitals.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = ConnectError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|item| item.name() == text).ok_or_else(|| {
                    ConnectError::config(format!(
                        "unknown configuration {} '{text}', expected one of {}",
                        stringify!($name).to_lowercase(),
                        Self::ALL.iter().map(|item| item.name()).collect::<Vec<_>>().join(", ")
                    ))
                })
            }
        }
    };
}

named_enum! {
    /// What kind of value a key takes.
    Type {
        /// `true` or `false` in any case.
        Boolean = "BOOLEAN",
        /// Any text; blanks around it are dropped.
        String = "STRING",
        /// A decimal 32-bit integer.
        Int = "INT",
        /// A decimal 16-bit integer.
        Short = "SHORT",
        /// A decimal 64-bit integer.
        Long = "LONG",
        /// A 64-bit floating point number.
        Double = "DOUBLE",
        /// Comma separated texts.
        List = "LIST",
        /// The name of a plugin class.
        Class = "CLASS",
        /// A secret text.
        Password = "PASSWORD",
    }
}

named_enum! {
    /// How much a user should care about a key. Sorts with the most important first.
    Importance {
        /// Everybody must look at it.
        High = "HIGH",
        /// Many set it.
        Medium = "MEDIUM",
        /// Few set it.
        Low = "LOW",
    }
}

named_enum! {
    /// A hint for forms: how wide the input field should be.
    Width {
        /// No hint.
        None = "NONE",
        /// A number or a word.
        Short = "SHORT",
        /// A name.
        Medium = "MEDIUM",
        /// A path, a list, a class name.
        Long = "LONG",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for item in Type::ALL {
            assert_eq!(item.name().parse::<Type>(), Ok(*item));
        }
        for item in Importance::ALL {
            assert_eq!(item.name().parse::<Importance>(), Ok(*item));
        }
        for item in Width::ALL {
            assert_eq!(item.name().parse::<Width>(), Ok(*item));
        }
        assert!("FLOAT".parse::<Type>().unwrap_err().message().contains("'FLOAT'"));
    }
}
