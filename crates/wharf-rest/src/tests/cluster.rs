//! `/admin/cluster`, on the main listeners and on its own.

use std::sync::Arc;

use wharf_runtime::herder::{ClusterInfo, TopicPositions};

use super::{Api, FakeHerder, SHORT, error};
use crate::main_router;

fn in_a_group() -> FakeHerder {
    FakeHerder {
        cluster: Some(ClusterInfo {
            group_id: "g".to_owned(),
            worker_id: "w:8083".to_owned(),
            url: "http://w:8083/".to_owned(),
            generation: 7,
            protocol: Some("sessioned".to_owned()),
            leader_url: Some("http://v:8083/".to_owned()),
            is_leader: false,
            is_rebalancing: false,
            config_offset: 12,
            topics: vec![TopicPositions {
                role: "config".to_owned(),
                topic: "configs".to_owned(),
                positions: vec![13],
            }],
        }),
        ..FakeHerder::default()
    }
}

#[tokio::test]
async fn a_member_tells_what_it_knows_of_its_group() {
    let body = concat!(
        r#"{"group_id":"g","worker_id":"w:8083","url":"http://w:8083/","generation":7,"protocol":"sessioned","#,
        r#""leader_url":"http://v:8083/","is_leader":false,"is_rebalancing":false,"config_offset":12,"#,
        r#""topics":[{"role":"config","topic":"configs","positions":[13]}]}"#
    );
    let rows: [(&str, &str, &str, u16, &str); 1] = [("GET", "/admin/cluster", "", 200, body)];
    Api::new(in_a_group()).check(&rows).await;
    Api::admin(in_a_group()).check(&rows).await;
}

#[tokio::test]
async fn a_standalone_worker_is_in_no_group() {
    let message = error(404, "This worker is standalone: it is in no group.");
    Api::new(FakeHerder::default())
        .check(&[("GET", "/admin/cluster", "", 404, &message)])
        .await;
}

#[tokio::test]
async fn it_is_read_only_and_follows_the_admin_listeners() {
    let api = Api::new(in_a_group());
    assert_eq!(api.send("PUT", "/admin/cluster", "{}").await.status, 405);
    let herder = Arc::new(in_a_group());
    let without = Api {
        routes: main_router(herder.clone(), SHORT, false),
        herder,
    };
    without
        .check(&[(
            "GET",
            "/admin/cluster",
            "",
            404,
            &error(404, "HTTP 404 Not Found"),
        )])
        .await;
}
