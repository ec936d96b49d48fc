//! Wharf measured beside bare librdkafka and JVM Kafka Connect, all in one run.

fn main() {}
