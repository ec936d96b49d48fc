//! Whole workers in one group: herder machine, member, assignor and config reader are the real ones; broker, config topic,
//! plugins and users are played. Chance decides what happens to them, and a seed decides chance.
//!
//! A failing run prints its seed. `CLUSTER_SIMULATION_SEEDS=0..10000` runs others than the usual ones.

#[path = "../group_simulation/broker.rs"]
mod broker;
mod figures;
mod parts;
mod requests;
mod topic;
mod trouble;
mod worker;
mod world;
mod writer;

use wharf_cluster::time::Millis;

/// For the broker, when a member left.
const REBALANCE: Millis = 5_000;
