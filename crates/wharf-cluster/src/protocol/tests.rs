//! The reference vectors, and what is said about bytes that are none.

use wharf_test_services::{hex, unhex};

use super::*;
use crate::ids::ConnectorTaskId;

const URL: &str = "http://w1:8083/";
const URL_HEX: &str = "000f687474703a2f2f77313a383038332f";

fn work(connectors: &[&str], tasks: &[(&str, i32)]) -> ConnectorsAndTasks {
    ConnectorsAndTasks {
        connectors: connectors.iter().map(|name| (*name).to_owned()).collect(),
        tasks: tasks
            .iter()
            .map(|(name, task)| ConnectorTaskId::new(*name, *task))
            .collect(),
    }
}

fn assignment(leader: &str, config_offset: i64) -> Assignment {
    Assignment {
        leader: leader.to_owned(),
        leader_url: URL.to_owned(),
        config_offset,
        ..Assignment::default()
    }
}

#[test]
fn assignments_are_the_reference_vectors() {
    let mismatch = Assignment {
        error: Assignment::CONFIG_MISMATCH,
        ..assignment("L", 7)
    };
    let full = Assignment {
        assigned: work(&["A"], &[("A", 0), ("B", 1)]),
        revoked: work(&["C"], &[("C", 2)]),
        delay: 300_000,
        ..assignment("L", 7)
    };
    for (assignment, protocol, expected) in [
        (
            &full,
            ConnectProtocol::Sessioned,
            format!(
                "0002 0000 00014c {URL_HEX} 0000000000000007 00000002 000141 00000002 ffffffff 00000000 000142 00000001 \
                 00000001 00000001 000143 00000002 ffffffff 00000002 000493e0"
            ),
        ),
        (
            &mismatch,
            ConnectProtocol::Sessioned,
            format!("0002 0001 00014c {URL_HEX} 0000000000000007 00000000 00000000 00000000"),
        ),
        (
            &mismatch,
            ConnectProtocol::Eager,
            format!("0000 0001 00014c {URL_HEX} 0000000000000007 00000000"),
        ),
    ] {
        let expected = expected.replace(' ', "");
        assert_eq!(hex(&assignment.encode(protocol).unwrap()), expected);
        assert_eq!(Assignment::decode(&unhex(&expected)).as_ref(), Ok(assignment));
    }
}

#[test]
fn worker_states_are_the_reference_vectors() {
    let empty = WorkerState {
        url: URL.to_owned(),
        config_offset: 5,
        allocation: None,
        plugins: None,
    };
    let leader = "connect-w1:8083-x";
    let owning = WorkerState {
        allocation: Some(Assignment {
            assigned: work(&["A"], &[("A", 0)]),
            ..assignment(leader, 5)
        }),
        ..empty.clone()
    };
    for (state, protocol, expected) in [
        (
            &empty,
            ConnectProtocol::Eager,
            format!("0000 {URL_HEX} 0000000000000005"),
        ),
        (
            &empty,
            ConnectProtocol::Sessioned,
            format!("0002 {URL_HEX} 0000000000000005 ffffffff"),
        ),
        (
            &owning,
            ConnectProtocol::Sessioned,
            format!(
                "0002 {URL_HEX} 0000000000000005 0000004b 0002 0000 0011636f6e6e6563742d77313a383038332d78 {URL_HEX} \
                 0000000000000005 00000001 000141 00000002 ffffffff 00000000 00000000 00000000"
            ),
        ),
    ] {
        let expected = expected.replace(' ', "");
        assert_eq!(hex(&state.encode(protocol).unwrap()), expected);
        assert_eq!(WorkerState::decode(&unhex(&expected)).as_ref(), Ok(state));
    }
}

fn classes(kind: &str, version: &str, have_short_names: bool, classes: &[&str]) -> PluginClasses {
    PluginClasses {
        kind: kind.to_owned(),
        version: version.to_owned(),
        have_short_names,
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
    }
}

fn plugins() -> Vec<PluginClasses> {
    vec![
        classes(
            "source",
            "1.0",
            true,
            &["org.a.File", "org.a.FileTail", "org.ä", "org.ö", ""],
        ),
        classes("sink", "", false, &["org.a.File"]),
        classes("odd", "2", true, &[]),
    ]
}

#[test]
fn classes_are_written_in_order_each_as_what_is_new_in_it() {
    let state = WorkerState {
        plugins: Some(vec![classes(
            "sink",
            "1",
            true,
            &["a.Foo$Value", "a.Foo$Key", "b.ö", "b.ä"],
        )]),
        ..WorkerState::default()
    };
    let before = WorkerState::default().encode(ConnectProtocol::Sessioned).unwrap();
    let written = state.encode(ConnectProtocol::Sessioned).unwrap();
    // The second byte of a letter is not what it has in common with another one.
    let expected = "7768617266 00 02 00000001 000473696e6b 000131 01 00000004 00 0009612e466f6f244b6579 06 000556616c7565 \
                    00 0004622ec3a4 02 0002c3b6";
    assert_eq!(hex(&written[before.len()..]), expected.replace(' ', ""));
    assert_eq!(WorkerState::decode(&written), Ok(state));
    for (shared, error) in [
        ("0a", "which needs 10 bytes where 9 are left"),
        ("ff", "which needs 255 bytes where 9 are left"),
    ] {
        let damaged = hex(&written).replace("06000556", &format!("{shared}000556"));
        let error_said = WorkerState::decode(&unhex(&damaged)).unwrap_err().to_string();
        assert!(error_said.ends_with(error), "{error_said}");
    }
}

#[test]
fn a_long_package_is_shared_as_far_as_it_may_be() {
    let long = format!("{}ö.", "p".repeat(63));
    let names = ["A", "B"].map(|name| format!("{long}{name}"));
    let state = WorkerState {
        plugins: Some(vec![classes("sink", "1", true, &[&names[0], &names[1]])]),
        ..WorkerState::default()
    };
    let bytes = state.encode(ConnectProtocol::Eager).unwrap();
    assert!(
        bytes.ends_with(&["\u{3f}\0\u{4}ö.B".as_bytes()].concat()),
        "{bytes:?}"
    );
    assert_eq!(WorkerState::decode(&bytes), Ok(state));
}

#[test]
fn what_plugins_a_native_worker_has_stands_behind_all_that_jvm_workers_read() {
    let native = WorkerState {
        plugins: Some(plugins()),
        allocation: Some(assignment("L", 7)),
        url: URL.to_owned(),
        config_offset: 3,
    };
    for protocol in ConnectProtocol::ALL {
        let allocation = native.allocation.clone().filter(|_| protocol.is_cooperative());
        let plain = WorkerState {
            plugins: None,
            allocation,
            ..native.clone()
        };
        let bytes = native.encode(protocol).unwrap();
        let of_upstream = plain.encode(protocol).unwrap();
        assert_eq!(bytes[..of_upstream.len()], of_upstream[..], "{protocol}");
        let expected = WorkerState {
            plugins: native.plugins.clone(),
            ..plain.clone()
        };
        assert_eq!(WorkerState::decode(&bytes), Ok(expected));
        assert_eq!(WorkerState::decode(&of_upstream), Ok(plain.clone()));
        // Somebody else's surplus is nobody's business.
        let surplus = [&of_upstream[..], b"more"].concat();
        assert_eq!(WorkerState::decode(&surplus), Ok(plain.clone()));
        assert!(WorkerState::decode(&bytes[..bytes.len() - 1]).is_err());
        // JVM workers read every version as if it were a newer one: what follows the offset is an allocation, or none.
        let as_newer = [&1_i16.to_be_bytes(), &bytes[2..]].concat();
        let read = WorkerState::decode(&as_newer).unwrap();
        assert_eq!(
            (&read.allocation, &read.plugins),
            (&plain.allocation, &native.plugins)
        );
    }
}

#[test]
fn a_nested_allocation_has_the_version_of_the_message_around_it() {
    let state = WorkerState {
        allocation: Some(assignment("L", 7)),
        ..WorkerState::default()
    };
    let bytes = state.encode(ConnectProtocol::Compatible).unwrap();
    let nested = 2 + 2 + 8 + 4;
    assert_eq!(
        (&bytes[..2], &bytes[nested..nested + 2]),
        (&[0, 1][..], &[0, 1][..])
    );
}

#[test]
fn newer_versions_and_surplus_bytes_are_read() {
    let mut bytes = assignment("L", 7).encode(ConnectProtocol::Sessioned).unwrap();
    bytes[1] = 9;
    bytes.extend_from_slice(b"more");
    assert_eq!(Assignment::decode(&bytes), Ok(assignment("L", 7)));
}

#[test]
fn what_a_worker_repeats_counts_once() {
    let bytes = unhex(&format!(
        "0002 0000 00014c {URL_HEX} 0000000000000007 00000002 000141 00000003 ffffffff 00000000 00000000 000141 \
         00000002 ffffffff 00000001"
    ));
    assert_eq!(
        Assignment::decode(&bytes).unwrap().assigned,
        work(&["A"], &[("A", 0), ("A", 1)])
    );
}

#[test]
fn bytes_that_are_no_message_are_refused_by_name() {
    let cases: [(&str, &str); 6] = [
        (
            "",
            "the assignment ends in its field 'version', which needs 2 bytes where 0 are left",
        ),
        ("ffff", "the assignment has version -1, and there is none below 0"),
        (
            "0002 0000 0005",
            "the assignment ends in its field 'leader', which needs 5 bytes where 0 are left",
        ),
        (
            "0002 0000 fffe",
            "the assignment gives its field 'leader' the length -2",
        ),
        (
            "0002 0000 0000 0000 0000000000000007 7fffffff",
            "the assignment ends in its field 'assignment', which needs 2147483647 bytes where 0 are left",
        ),
        (
            "0002 0000 0000 0000 0000000000000007 00000001 000141 ffffffff",
            "the assignment gives its field 'tasks' the length -1",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(
            Assignment::decode(&unhex(bytes)).unwrap_err().to_string(),
            expected
        );
    }
    let nested = unhex("0002 0000 0000000000000005 00000000");
    assert!(
        WorkerState::decode(&nested).is_err(),
        "an allocation of no bytes is no allocation"
    );
}

#[test]
fn a_name_that_is_too_long_is_refused_and_not_cut() {
    let long = Assignment {
        assigned: work(&[&"x".repeat(32_768)], &[]),
        ..assignment("L", 7)
    };
    assert_eq!(
        long.encode(ConnectProtocol::Eager).unwrap_err().to_string(),
        "the field 'connector' of the assignment has a length of 32768, and at most 32767 can be sent"
    );
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let good = WorkerState {
        url: URL.to_owned(),
        config_offset: 5,
        allocation: Some(Assignment {
            assigned: work(&["A", "B"], &[("A", 0), ("C", 1)]),
            revoked: work(&["D"], &[("D", 0)]),
            ..assignment("L", 7)
        }),
        plugins: Some(plugins()),
    };
    let bytes = good.encode(ConnectProtocol::Sessioned).unwrap();
    let mut refused = 0;
    for at in 0..bytes.len() {
        refused += usize::from(WorkerState::decode(&bytes[..at]).is_err());
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            refused += usize::from(WorkerState::decode(&damaged).is_err());
            let _ = Assignment::decode(&damaged);
        }
    }
    assert!(refused > bytes.len(), "{refused}");
}
