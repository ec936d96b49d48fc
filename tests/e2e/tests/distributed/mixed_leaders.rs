//! What a leader of one kind does for workers of the other: native leaders know who can run what, and fence for JVM workers as
//! those fence for them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wharf_e2e::{Worker, has_state, states};

use crate::exactly_once::{ENABLED, until_line};
use crate::group::{eventually, workers_of};
use crate::mixed::{LINES, Mixed, all_say, create, healthy, path, terminate};

#[test]
fn a_native_leader_gives_connectors_without_a_native_plugin_to_jvm_workers_and_says_so_when_there_is_none() {
    let Some(mixed) = Mixed::set_up("placement") else {
        return;
    };
    let stage = mixed.stage();
    let names = ["one", "two", "three", "four"];
    let native = mixed.group.start("native");
    for name in names {
        create(&native, name, mixed.source(name));
        all_say(&[&native], name, "RUNNING");
    }
    terminate([native]);

    // The only member leads, and goes on leading.
    let empty = stage.path("no-plugins");
    std::fs::create_dir(&empty).unwrap();
    let folder = empty.to_string_lossy().into_owned();
    let bare = mixed.group.start_with("bare", &[("plugin.path", &folder)]);
    for name in names {
        let status = bare.until(&path(name, "/status"), "it fails and says why", |status| {
            has_state(status, "FAILED")
        });
        assert!(workers_of(&status).iter().all(|owner| owner == bare.address()));
        let trace = status["tasks"][0]["trace"].as_str().unwrap();
        assert!(trace.contains(&format!("plugin.path={folder};")), "{trace}");
    }
    let owners = |workers: &[&Worker]| -> BTreeSet<String> {
        names
            .iter()
            .flat_map(|name| all_say(workers, name, "RUNNING"))
            .collect()
    };
    let jvm = mixed.start_jvm("jvm");
    eventually("all of it runs on the JVM worker", || {
        owners(&[&bare, &jvm]) == BTreeSet::from([jvm.address().to_owned()])
    });
    let native = mixed.group.start("native-again");
    eventually("those share it that can run it", || {
        let able = BTreeSet::from([jvm.address().to_owned(), native.address().to_owned()]);
        owners(&[&bare, &jvm, &native]) == able
    });
    terminate([jvm]);
    eventually("all of it runs on the native worker with the plugin", || {
        owners(&[&bare, &native]) == BTreeSet::from([native.address().to_owned()])
    });
    mixed.add("one", "three\n");
    eventually("lines come, once", || {
        mixed.lines("one") == format!("{LINES}three\n")
    });
}

#[test]
fn leaders_of_both_kinds_fence_for_workers_of_both_and_each_line_comes_once() {
    let Some(mixed) = Mixed::set_up("mixed-eos") else {
        return;
    };
    let stage = mixed.stage();
    let native = mixed.group.start_with("native", &[ENABLED]);
    let jvm = mixed.launch_jvm_with("jvm", &[ENABLED]);
    healthy(&jvm);
    let names = ["a", "b"];
    let mut configs: Vec<Value> = names.iter().map(|name| mixed.source(name)).collect();
    for config in &mut configs {
        config["exactly.once.support"] = json!("required");
    }
    for ((name, worker), config) in names.iter().zip([&native, &jvm]).zip(&configs) {
        create(worker, name, config.clone());
    }
    let mut readers: Vec<_> = names
        .iter()
        .map(|name| stage.kafka().committed_reader(&stage.named(name)))
        .collect();
    let owners = |workers: &[&Worker]| -> BTreeSet<String> {
        names
            .iter()
            .flat_map(|name| all_say(workers, name, "RUNNING"))
            .collect()
    };
    let all = [&native, &jvm];
    eventually("each runs one", || owners(&all).len() == 2);
    for reader in &mut readers {
        assert_eq!(until_line(reader, "two"), ["one", "two"]);
    }
    // With a JVM leader: what the native worker ran goes over, and comes back to another one.
    terminate([native]);
    for (name, reader) in names.iter().zip(&mut readers) {
        all_say(&[&jvm], name, "RUNNING");
        mixed.add(name, "three\n");
        assert_eq!(until_line(reader, "three"), ["three"]);
    }
    let native = mixed.group.start_with("native-again", &[ENABLED]);
    let all = [&native, &jvm];
    eventually("each runs one again", || owners(&all).len() == 2);
    for (name, reader) in names.iter().zip(&mut readers) {
        mixed.add(name, "four\n");
        assert_eq!(until_line(reader, "four"), ["four"]);
    }
    // The JVM worker fences for this one when the tasks change.
    for (name, config) in names.iter().zip(&mut configs) {
        config["batch.size"] = json!("7");
        native.call("PUT", &path(name, "/config"), Some(config), 200);
    }
    jvm.kill();
    for (name, reader) in names.iter().zip(&mut readers) {
        let status = native.until(&path(name, "/status"), "it runs here", |status| {
            has_state(status, "RUNNING") && workers_of(status).iter().all(|owner| owner == native.address())
        });
        assert_eq!(states(&status), ["RUNNING", "RUNNING"]);
        mixed.add(name, "five\n");
        assert_eq!(until_line(reader, "five"), ["five"]);
    }
}
