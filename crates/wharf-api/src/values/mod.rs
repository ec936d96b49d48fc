//! Upstream's `Values`: from text to values and back, and between the types; what header converters and several
//! transforms are made of.
//!
//! * [`parse_string`] guesses schema and value of a text, [`convert_to_string`] writes a value as such a text;
//! * `convert_to_…` turn a value into one of another type;
//! * [`infer_schema`] names the schema of a value that came without one.
//!
//! Dates and times without zone are those of the process's default time zone, as upstream: set `TZ` when that matters.

mod convert;
mod digits;
mod infer;
mod number;
mod parse;
mod temporal;
mod text;

pub use convert::{
    convert_to_boolean, convert_to_byte, convert_to_date, convert_to_decimal, convert_to_double,
    convert_to_float, convert_to_integer, convert_to_list, convert_to_long, convert_to_map, convert_to_short,
    convert_to_struct, convert_to_time, convert_to_timestamp,
};
pub use infer::infer_schema;
pub use parse::parse_string;
pub use text::{convert_to_string, write_string};

pub use digits::digit_value;
