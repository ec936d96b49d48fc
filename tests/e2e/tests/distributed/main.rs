//! Workers of a group as processes, on a real broker: who runs what, and what becomes of it when one goes.

mod bad_input;
mod client_rules;
mod cluster;
mod exactly_once;
mod group;
mod membership;
mod migrate;
mod mixed;
mod mixed_leaders;
mod requests;
mod restart_policy;
mod secured;
