//! A native leader and connectors whose classes only JVM workers have all of.

use std::collections::BTreeSet;

use serde_json::json;
use wharf_e2e::{Worker, has_state};

use crate::group::{eventually, workers_of};
use crate::mixed::{LEADS, LINES, Mixed, addresses, all_say, create, healthy, java_plugin, path, terminate};

/// Connectors with what a native worker has.
const PLAIN: [&str; 3] = ["one", "two", "three"];
/// Connectors with one class of Java's, and what is said where it is not.
const JAVA: [(&str, &str); 2] = [
    (
        "loud",
        "transformation class wharf.test.Louder (transforms.loud.type)",
    ),
    (
        "coded",
        "converter class wharf.test.LouderConverter (value.converter)",
    ),
];

/// Where connectors and tasks are, once all run.
fn owners<'n>(workers: &[&Worker], names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    names
        .into_iter()
        .flat_map(|name| all_say(workers, name, "RUNNING"))
        .collect()
}

/// Waits until what only JVM workers can run has failed on this worker, which says what is missing and what to do.
fn have_failed_on(worker: &Worker, folder: &str) {
    for (name, missing) in JAVA {
        let status = worker.until(&path(name, "/status"), "it fails and says why", |status| {
            has_state(status, "FAILED") && workers_of(status).iter().all(|owner| owner == worker.address())
        });
        let expected = format!(
            "this worker has no native plugin for {missing}: none is built in or in plugin.path={folder}; put its library there and \
             restart the worker, or run the connector where only JVM workers are"
        );
        for part in [&status["connector"], &status["tasks"][0]] {
            let trace = part["trace"].as_str().unwrap();
            assert!(trace.contains(&expected), "{trace}");
        }
    }
}

#[test]
fn a_native_leader_gives_connectors_with_a_class_of_java_s_to_jvm_workers_and_says_so_when_there_is_none() {
    let Some(mixed) = Mixed::set_up("mixed-placement") else {
        return;
    };
    let Some(java) = java_plugin(&["Louder", "LouderConverter"]) else {
        return;
    };
    let java = format!("{},{}", mixed.plugins.display(), java.display());
    let jvm_worker = |name: &str| {
        let worker = mixed.launch_jvm_with(name, &[("plugin.path", &java)]);
        healthy(&worker);
        worker
    };
    // The worker that is asked and the leader both look at a configuration: neither would take these here.
    let jvm = jvm_worker("jvm");
    for name in PLAIN {
        create(&jvm, name, mixed.source(name));
    }
    let mut loud = mixed.source("loud");
    loud["transforms"] = json!("loud");
    loud["transforms.loud.type"] = json!("wharf.test.Louder");
    create(&jvm, "loud", loud);
    let mut coded = mixed.source("coded");
    coded["value.converter"] = json!("wharf.test.LouderConverter");
    create(&jvm, "coded", coded);
    let java_only = JAVA.map(|(name, _)| name);
    assert_eq!(
        owners(&[&jvm], PLAIN.into_iter().chain(java_only)),
        addresses(&[&jvm])
    );
    let loud = |text: &str| {
        for name in java_only {
            eventually("it comes in capitals, once", || {
                mixed.lines(name) == text.to_uppercase()
            });
        }
    };
    loud(LINES);

    let native = mixed.group.start("native");
    terminate([jvm]);
    have_failed_on(&native, &mixed.stage().file("plugins"));
    assert!(native.log().contains(LEADS));
    assert_eq!(owners(&[&native], PLAIN), addresses(&[&native]));

    let jvm = jvm_worker("jvm-again");
    let both = [&native, &jvm];
    eventually("the JVM worker runs what only it can", || {
        java_only.iter().all(|name| {
            let status = jvm.until(&path(name, "/status"), "there is a status", |_| true);
            has_state(&status, "RUNNING") && workers_of(&status).iter().all(|owner| owner == jvm.address())
        })
    });
    assert!(
        owners(&both, PLAIN).contains(native.address()),
        "the native worker has a part of the others"
    );
    for name in PLAIN.into_iter().chain(java_only) {
        mixed.add(name, "three\n");
    }
    let all = format!("{LINES}three\n");
    loud(&all);
    for name in PLAIN {
        eventually("all lines are there, once", || mixed.lines(name) == all);
    }
    assert_eq!(owners(&both, java_only), addresses(&[&jvm]));

    terminate([jvm]);
    have_failed_on(&native, &mixed.stage().file("plugins"));
    assert_eq!(owners(&[&native], PLAIN), addresses(&[&native]));
}
