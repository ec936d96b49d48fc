//! A real broker: started, killed, brought back with its data, and gone without a trace.

use std::net::TcpStream;

use wharf_test_services::KafkaBroker;
use wharf_test_services::process::is_alive;

#[test]
fn a_broker_comes_back_on_the_same_port_with_the_same_data_and_leaves_nothing() {
    let Some(mut kafka) = KafkaBroker::for_test() else {
        return;
    };
    let bootstrap = kafka.bootstrap();
    let folder = kafka.folder().to_owned();
    let first = kafka.pid();
    let cluster = |folder: &std::path::Path| {
        let text = std::fs::read_to_string(folder.join("data/meta.properties")).unwrap();
        text.lines()
            .find(|l| l.starts_with("cluster.id="))
            .unwrap()
            .to_owned()
    };
    let id = cluster(&folder);

    kafka.kill().unwrap();
    assert!(!is_alive(first));
    assert!(
        TcpStream::connect(&bootstrap).is_err(),
        "the port is still served"
    );

    kafka.restart().unwrap();
    assert_eq!(kafka.bootstrap(), bootstrap);
    assert_eq!(cluster(&folder), id);
    let second = kafka.pid();
    assert_ne!(first, second);

    kafka.stop().unwrap();
    drop(kafka);
    assert!(!is_alive(second));
    assert!(!folder.exists(), "{} is left behind", folder.display());
}
