//! A group of workers of one test; it lives in the library, because other test programs play with groups as well.

pub(crate) use wharf_e2e::group::{
    Group, Looked, SESSION, eventually, eventually_ok, file_sink, file_source, workers_of,
};
