//! Previews in a group: any worker answers, and each for itself.

use serde_json::json;
use wharf_e2e::previews;

use crate::group::Group;

#[test]
fn any_worker_of_a_group_previews_and_asks_no_other() {
    let Some(group) = Group::set_up("preview") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let topic = stage.named("lines");
    kafka.create_topic(&topic, 2, &[]);
    kafka.produce_to(&topic, 0, &["one", "two"]);
    kafka.produce_to(&topic, 1, &["three"]);
    let enabled = [("wharf.preview.enable", "true")];
    let workers = [
        group.start_with("leader", &enabled),
        group.start_with("follower", &enabled),
        group.start("without"),
    ];
    let body = json!({
        "config": {
            "topics": topic,
            "transforms": "hoist",
            "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
            "transforms.hoist.field": "line",
        },
        "topic": topic,
        "last": 2,
    });
    let path = "/connector-plugins/FileStreamSink/preview";
    let [leader, follower, without] = &workers;
    let answer = leader.call("POST", path, Some(&body), 200);
    let mut lines: Vec<_> = answer["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            record["steps"][3]["record"]["value"]["payload"]["line"]
                .as_str()
                .unwrap()
        })
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, ["three", "two"], "{answer}");
    assert_eq!(follower.call("POST", path, Some(&body), 200), answer);
    let refused = without.refused("POST", path, Some(&body), 403);
    assert!(refused.contains("wharf.preview.enable"), "{refused}");
    for worker in &workers {
        assert_eq!(worker.get("/connectors"), json!([]));
    }
}

#[test]
fn a_preview_of_a_group_tells_no_value_of_a_config_provider() {
    let Some(group) = Group::set_up("preview-secret") else {
        return;
    };
    previews::tell_no_secret(&group.stage, |settings| group.start_with("one", settings));
}
