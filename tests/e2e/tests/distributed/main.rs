//! Workers of a group as processes, on a real broker: who runs what, and what becomes of it when one goes.

mod cluster;
mod group;
mod membership;
mod migrate;
mod mixed;
mod requests;
