//! The standalone worker as its users have it: one module for each theme.

mod delivery;
mod lifecycle;
mod offset_file;
mod stuck;
