//! The network between the leader and its broker is cut, and mended when another worker leads: the former leader does nothing that
//! it still has on the way, and comes back as a member like any other.

use serde_json::json;
use wharf_e2e::Worker;
use wharf_e2e::group::Group;
use wharf_e2e::truth::{FileConnector, Runs};
use wharf_test_services::Proxy;

use crate::exactly_once::ENABLED;
use crate::exactly_once_upgrade::Source;
use crate::failures::{broker_behind_proxy, group_on};
use crate::flows::{Flows, QUICK};
use crate::group::{eventually, file_source};
use crate::lapsed_lease::is_shared;

/// What a worker said of its group when it was asked last.
fn leads(worker: &Worker) -> bool {
    worker.get("/admin/cluster")["is_leader"] == true
}

fn until_it_leads(worker: &Worker) {
    eventually("it leads", || leads(worker));
}

/// Starts a worker that reaches the broker through the proxy.
fn start_behind(group: &Group, proxy: &Proxy, name: &str, settings: &[(&str, &str)]) -> Worker {
    let behind = format!("127.0.0.1:{}", proxy.port());
    let mut settings = settings.to_vec();
    settings.push(("bootstrap.servers", &behind));
    group.start_with(name, &settings)
}

/// Waits until a worker has no thread of a connector or task, and none of these files open.
fn does_nothing(worker: &Worker, connectors: &[FileConnector]) {
    eventually("it does nothing", || {
        let runs = Runs::of(worker.pid(), connectors);
        (runs.connectors, runs.tasks, runs.files.len()) == (0, 0, 0)
    });
}

#[test]
fn a_leader_that_is_cut_off_is_replaced_and_comes_back_as_a_member() {
    let Some((kafka, proxy)) = broker_behind_proxy() else {
        return;
    };
    let Some(group) = group_on(&kafka, "leader-cut-off") else {
        return;
    };
    let far = start_behind(&group, &proxy, "far", &QUICK);
    until_it_leads(&far);
    let mut near = group.start_with("near", &QUICK);
    let mut flows = Flows::create(group, &far, 4);
    flows.add(100);
    flows.settle(&[&near, &far]);
    flows.are_stored(&near);

    // First with nothing under way, then under load: what the far one still reads is on the way and may arrive twice.
    for loaded in [false, true] {
        if loaded {
            assert_eq!(near.terminate(), Some(143));
            until_it_leads(&far);
            near = flows.group.start_with("near-again", &QUICK);
            flows.settle(&[&near, &far]);
        }
        assert!(leads(&far) && !leads(&near));
        proxy.cut();
        if loaded {
            flows.add(100);
        }
        does_nothing(&far, &flows.connectors());
        until_it_leads(&near);
        // Which the far one has not heard of when the network is mended.
        flows.create_one(&near);
        flows.add(100);
        flows.settle(&[&near]);
        flows.are_stored(&near);

        proxy.mend();
        flows.settle(&[&near, &far]);
        flows.add(100);
        flows.settle(&[&near, &far]);
        assert!(leads(&near) && !leads(&far));
        flows.are_stored(&near);
        if !loaded {
            assert_eq!(flows.doubled(), (0, 0), "in topics and in files");
        }
    }
}

#[test]
fn a_leader_that_is_cut_off_amid_transactions_leaves_nothing_double_and_no_change_of_its_own() {
    const LINES: usize = 3_000;
    let Some((kafka, proxy)) = broker_behind_proxy() else {
        return;
    };
    let Some(group) = group_on(&kafka, "leader-cut-off-eos") else {
        return;
    };
    let mut settings = QUICK.to_vec();
    settings.push(ENABLED);
    let far = start_behind(&group, &proxy, "far", &settings);
    until_it_leads(&far);
    let near = group.start_with("near", &settings);
    let mut sources: Vec<Source> = (0..4)
        .map(|number| Source::create(&group, &far, number))
        .collect();
    let connectors: Vec<FileConnector> = sources.iter().map(|source| source.connector.clone()).collect();
    is_shared(&[&near, &far], &connectors);

    for source in &mut sources {
        source.add(LINES);
    }
    // All are in the middle of it.
    sources.iter_mut().for_each(Source::read_some);
    assert!(leads(&far));
    proxy.cut();
    let stage = &group.stage;
    let body = json!({
        "name": "asked-of-the-far-one",
        "config": file_source(&stage.file("source0.txt"), &stage.named("other")),
    });
    std::thread::scope(|scope| {
        // Nobody has told it yet that it leads no longer.
        let asked = scope.spawn(|| far.request("POST", "/connectors", Some(&body)));
        does_nothing(&far, &connectors);
        until_it_leads(&near);
        is_shared(&[&near], &connectors);
        for source in &mut sources {
            source.add(LINES);
            source.arrive();
        }
        proxy.mend();
        let answer = asked.join().unwrap();
        // Its own writing was fenced; the new leader may have been asked instead.
        let listed = near.get("/connectors");
        let is_there = listed.as_array().unwrap().contains(&body["name"]);
        assert_eq!(is_there, answer.status == 201, "{answer:?}, {listed}");
        if is_there {
            near.call("DELETE", "/connectors/asked-of-the-far-one", None, 204);
        }
    });
    is_shared(&[&near, &far], &connectors);
    assert!(leads(&near) && !leads(&far));
    for source in &mut sources {
        source.add(LINES);
        source.arrive();
        assert_eq!(source.doubled(0), 0, "{}", source.connector.name);
    }
    let listed = near.get("/connectors");
    assert_eq!(listed.as_array().unwrap().len(), connectors.len(), "{listed}");
}
