//! How fast a group heals, and how often it rebalances.
