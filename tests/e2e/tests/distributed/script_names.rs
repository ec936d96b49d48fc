//! The binary under the names of Kafka's script: a service file that starts workers by it keeps working.

use std::ffi::OsString;
use std::os::unix::fs::symlink;

use wharf_e2e::{Launch, PATIENCE, Worker};

use crate::group::{Group, eventually, file_source, workers_of};

#[test]
fn under_the_name_of_upstreams_script_a_worker_file_is_all_that_a_member_needs() {
    let Some(group) = Group::set_up("script") else {
        return;
    };
    let stage = &group.stage;
    let start = |name: &str, arguments: &[OsString]| {
        let folder = stage.path(&format!("as-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let link = folder.join(name);
        if !link.exists() {
            symlink(stage.binary(), &link).unwrap();
        }
        Worker::spawn(&link, arguments, &folder, Launch::default())
    };
    let names = ["connect-distributed.sh", "connect-distributed"];
    for name in names {
        let mut usage = start(name, &[]);
        assert_eq!(usage.end(PATIENCE), Some(1));
        let line = format!("USAGE: {name} [-daemon] connect-distributed.properties");
        assert!(usage.log().contains(&line), "{}", usage.log());
    }

    let file = stage
        .write("worker.properties", group.properties(&[]))
        .into_os_string();
    let workers = names.map(|name| {
        let worker = start(name, std::slice::from_ref(&file));
        worker.wait_ready();
        worker
    });
    stage.write("in.txt", "one\n");
    let sources = ["source0", "source1"];
    for (worker, name) in workers.iter().zip(sources) {
        worker.create(name, file_source(&stage.file("in.txt"), &stage.named(name)));
    }
    eventually("both have a part of the work", || {
        let mut owners: Vec<String> = sources
            .iter()
            .flat_map(|name| workers_of(&workers[0].until_states(name, &["RUNNING", "RUNNING"])))
            .collect();
        owners.sort();
        owners.dedup();
        owners.len() == 2
    });
    for name in sources {
        let seen = stage.kafka().reader(&stage.named(name)).read(1);
        assert_eq!(seen[0].text(), "one");
    }
    for worker in workers {
        assert_eq!(worker.terminate(), Some(143));
    }
}
