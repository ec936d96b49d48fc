//! Puts `broker_wait` between two parts of librdkafka, in the worker's binary.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bin=wharf=-Wl,--wrap=rd_kafka_transport_io_serve");
    }
}
