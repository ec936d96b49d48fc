//! Workers of a group as processes, on a real broker: who runs what, and what becomes of it when one goes.

mod coordinator;
mod failures;
mod flows;
mod group;
mod membership;
mod mixed;
mod pace;
mod requests;
