//! Workers of a group as processes, on a real broker: who runs what, and what becomes of it when one goes.

mod bad_input;
mod client_rules;
mod cluster;
mod coordinator;
mod dead_letter_replay;
mod dead_letters;
mod exactly_once;
mod failures;
mod flows;
mod group;
mod leader_loss;
mod membership;
mod metrics;
mod migrate;
mod mixed;
mod mixed_leaders;
mod pace;
mod requests;
mod restart_policy;
mod secured;
