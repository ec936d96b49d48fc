//! The same scenarios against JVM Kafka Connect and against Wharf, and the report of what differs.

fn main() {}
