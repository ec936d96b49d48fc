//! Cases answered by the JVM classes themselves, and ours compared with the recorded answers.

fn main() {}
