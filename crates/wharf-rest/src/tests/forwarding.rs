//! Requests that are passed on while the group changes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wharf_runtime::config::AdminListeners;
use wharf_runtime::herder::HerderError;

use super::sockets::config;
use super::{Api, FakeHerder, SHORT};
use crate::{BoundServer, RunningServer, Timeouts};

const NO_LEADER: &str = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.";
const STALE: &str = "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)";
const TWO_HOPS: &str = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";

/// Time for every attempt that a test needs.
const PATIENT: Timeouts = Timeouts {
    request: Duration::from_secs(60),
    ..SHORT
};
/// Time for some attempts, when all of them are in vain, with enough left after the last one on a busy machine.
const HASTY: Timeouts = Timeouts {
    request: Duration::from_millis(4500),
    ..SHORT
};

fn conflict(message: &str) -> HerderError {
    HerderError::Conflict(message.to_owned())
}

fn in_a_row<const N: usize>(errors: [HerderError; N]) -> Mutex<VecDeque<HerderError>> {
    Mutex::new(errors.into())
}

/// Another worker.
struct Peer {
    herder: Arc<FakeHerder>,
    url: String,
    _server: RunningServer,
}

impl Peer {
    async fn start(herder: FakeHerder) -> Self {
        let bound = BoundServer::bind(config(&["http://127.0.0.1:0"], AdminListeners::Off))
            .await
            .unwrap();
        let url = format!("http://{}/", bound.addresses()[0]);
        let herder = Arc::new(herder);
        Self {
            _server: bound.serve(Arc::<FakeHerder>::clone(&herder), PATIENT),
            herder,
            url,
        }
    }

    /// A worker that passes everything on to this one.
    fn asked_by(&self, timeouts: Timeouts) -> Api {
        let herder = FakeHerder {
            has_peers: true,
            fails: Some(HerderError::Elsewhere(self.url.clone())),
            ..FakeHerder::with(&["c"])
        };
        Api::patient(herder, timeouts)
    }
}

#[tokio::test]
async fn a_worker_that_refuses_because_of_a_rebalance_is_asked_again_with_the_same_request() {
    let peer = Peer::start(FakeHerder {
        fails_first: in_a_row([NO_LEADER, STALE, TWO_HOPS].map(conflict)),
        ..FakeHerder::with(&["c"])
    })
    .await;
    let api = peer.asked_by(PATIENT);
    let answer = api.send("PATCH", "/connectors/c/config", r#"{"a":"b"}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(peer.herder.calls(), [r#"patch c {"a": Some("b")}"#; 4]);
}

#[tokio::test]
async fn a_worker_that_refuses_for_another_reason_or_may_have_done_something_is_asked_once() {
    for (error, status) in [
        (conflict("Connector c already exists"), 409),
        // It has stopped something that it had begun.
        (conflict("this worker leads no longer"), 409),
        // Somebody may give a connector such a name.
        (conflict(&format!("Connector {STALE} already exists")), 409),
        (HerderError::Internal(STALE.to_owned()), 500),
        (HerderError::ShuttingDown("it is ending".to_owned()), 503),
    ] {
        let peer = Peer::start(FakeHerder {
            fails_first: in_a_row([error.clone()]),
            ..FakeHerder::with(&["c"])
        })
        .await;
        let api = peer.asked_by(PATIENT);
        let answer = api.send("PUT", "/connectors/c/stop", "").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(&error.to_string()), "{answer:?}");
        assert_eq!(peer.herder.calls(), ["stop c"]);
    }
}

#[tokio::test]
async fn a_refusal_that_lasts_is_handed_back_when_the_time_is_over() {
    let peer = Peer::start(FakeHerder {
        fails: Some(conflict(STALE)),
        ..FakeHerder::with(&["c"])
    })
    .await;
    let answer = peer
        .asked_by(HASTY)
        .send("POST", "/connectors/c/restart", "")
        .await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.body.contains(STALE), "{answer:?}");
    assert!(peer.herder.calls().len() > 1);
}

#[tokio::test]
async fn a_request_that_was_refused_goes_to_whoever_is_the_right_worker_by_then() {
    let old = Peer::start(FakeHerder {
        fails: Some(conflict(STALE)),
        ..FakeHerder::with(&["c"])
    })
    .await;
    let new = Peer::start(FakeHerder::with(&["c"])).await;
    let api = new.asked_by(PATIENT);
    *api.herder.fails_first.lock().unwrap() = [HerderError::Elsewhere(old.url.clone())].into();
    let answer = api.send("POST", "/connectors/c/restart", "").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(old.herder.calls(), ["restart c"]);
    assert_eq!(new.herder.calls(), ["restart c"]);

    // This worker, too.
    let api = Api::patient(
        FakeHerder {
            has_peers: true,
            fails_first: in_a_row([HerderError::Elsewhere(old.url.clone())]),
            ..FakeHerder::with(&["c"])
        },
        PATIENT,
    );
    let answer = api.send("POST", "/connectors/c/restart", "").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(api.herder.calls(), ["restart c"; 2]);
}

#[tokio::test]
async fn the_last_worker_that_may_be_asked_waits_until_the_request_belongs_there() {
    let elsewhere = || HerderError::Elsewhere("http://127.0.0.1:1/".to_owned());
    let api = Api::patient(
        FakeHerder {
            has_peers: true,
            fails_first: in_a_row([elsewhere(), elsewhere()]),
            ..FakeHerder::with(&["c"])
        },
        PATIENT,
    );
    let uri = "/connectors/c/restart?forward=false";
    let answer = api.send("POST", uri, "").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(api.herder.calls(), ["restart c"; 3]);

    let api = Api::patient(
        FakeHerder {
            has_peers: true,
            fails: Some(elsewhere()),
            ..FakeHerder::with(&["c"])
        },
        HASTY,
    );
    let answer = api.send("POST", uri, "").await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.body.contains(TWO_HOPS), "{answer:?}");
    assert!(api.herder.calls().len() > 1);
}
