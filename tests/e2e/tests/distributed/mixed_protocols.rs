//! JVM workers and native ones in groups of the older protocols: the oldest, in which every rebalance stops everything, and the one
//! without signed requests.

use std::collections::BTreeSet;

use wharf_e2e::Worker;

use crate::group::eventually;
use crate::mixed::{LEADS, LINES, Mixed, addresses, all_say, create, exercise, healthy, terminate};

/// Waits until the broker says that the group, with this many members, speaks this protocol.
fn speaks(mixed: &Mixed, protocol: &str, members: usize) {
    let (stage, kafka) = (mixed.stage(), mixed.stage().kafka());
    eventually(&format!("{members} members speak {protocol}"), || {
        kafka.group(&stage.named("workers")).is_some_and(|found| {
            found.state == "Stable" && found.protocol == protocol && found.members.len() == members
        })
    });
}

#[test]
fn either_kind_leads_a_mixed_group_of_the_eager_protocol() {
    either_kind_leads("eager", "default");
}

#[test]
fn either_kind_leads_a_mixed_group_of_the_compatible_protocol() {
    either_kind_leads("compatible", "compatible");
}

/// By what worker files call the protocol, and what the broker is told.
fn either_kind_leads(configured: &str, on_the_wire: &str) {
    let Some(mut mixed) = Mixed::set_up(&format!("mixed-{configured}")) else {
        return;
    };
    let older = ("connect.protocol", configured);
    mixed.group.stage.keep_when_failed();
    // It could do better, and does until the JVM worker comes, which cannot.
    let native = mixed.group.start("native");
    speaks(&mixed, "sessioned", 1);
    let kept = ["kept0", "kept1"];
    for name in kept {
        create(&native, name, mixed.source(name));
        all_say(&[&native], name, "RUNNING");
    }
    let jvm = mixed.launch_jvm_with("jvm", &[older]);
    healthy(&jvm);
    let are_shared = |workers: &[&Worker]| {
        eventually("each worker has a part of what is kept", || {
            let owners = kept.iter().flat_map(|name| all_say(workers, name, "RUNNING"));
            owners.collect::<BTreeSet<_>>() == addresses(workers)
        });
    };
    let all = [&native, &jvm];
    are_shared(&all);
    speaks(&mixed, on_the_wire, 2);
    exercise(&mixed, &all, "native-led");
    assert!(native.log().contains(LEADS));

    terminate([native]);
    are_shared(&[&jvm]);
    let native = mixed.group.start_with("native-again", &[older]);
    let all = [&jvm, &native];
    are_shared(&all);
    speaks(&mixed, on_the_wire, 2);
    exercise(&mixed, &all, "jvm-led");
    assert!(!native.log().contains(LEADS), "the JVM worker leads");

    terminate([jvm]);
    are_shared(&[&native]);
    assert!(native.log().contains(LEADS));
    for name in kept {
        mixed.add(name, "three\n");
    }
    for name in kept {
        eventually("all lines are there, once", || {
            mixed.lines(name) == format!("{LINES}three\n")
        });
    }
}
