//! Tests of the tables: one group with everything that a terminal may have to show.

use wharf_runtime::config::InternalTopic;
use wharf_runtime::inspect::{
    Finding, FindingKind, GenerationReport, LeaderReport, MemberTopicReport, StatusReport,
};

use super::*;

fn member(name: &str, kind: Option<WorkerKind>) -> MemberReport {
    MemberReport {
        url: Some(format!("http://{name}:8083/")),
        worker_id: Some(format!("{name}:8083")),
        member_id: format!("connect-{name}-uuid"),
        client_id: format!("connect-{name}"),
        host: "10.0.0.1".to_owned(),
        is_leader: name == "a",
        kind,
        version: kind.map(|_| "1.2".to_owned()),
        silent: kind.is_none().then(|| "connection refused".to_owned()),
        generation: None,
        config_offset_when_joined: Some(9),
        connectors: vec!["c".to_owned()],
        tasks: Vec::new(),
        topics: Vec::new(),
    }
}

fn status(state: &'static str, worker: &str) -> Option<StatusReport> {
    Some(StatusReport {
        state,
        worker_id: format!("{worker}:8083"),
        generation: 7,
        version: None,
        trace: None,
    })
}

fn report() -> ClusterReport {
    let mut told = member("a", Some(WorkerKind::Wharf));
    told.topics = ["config", "offset", "status"]
        .into_iter()
        .zip([0, 12, 3])
        .map(|(role, lag)| MemberTopicReport {
            role: role.to_owned(),
            positions: vec![1],
            lag,
        })
        .collect();
    let work = |task, assigned_to: &[&str], status| WorkReport {
        task,
        assigned_to: assigned_to.iter().map(|name| format!("{name}:8083")).collect(),
        status,
    };
    ClusterReport {
        group_id: "workers".to_owned(),
        kafka_cluster_id: "id".to_owned(),
        state: "Stable".to_owned(),
        protocol: Some("sessioned".to_owned()),
        generation: Some(GenerationReport {
            number: 7,
            source: GenerationSource::Member,
        }),
        leader: Some(LeaderReport {
            member_id: "connect-a-uuid".to_owned(),
            url: "http://a:8083/".to_owned(),
        }),
        waiting_for_lost_workers_ms: None,
        members: vec![told, member("b", Some(WorkerKind::Jvm)), member("d", None)],
        connectors: vec![ConnectorReport {
            name: "c".to_owned(),
            class: Some("org.x.Source".to_owned()),
            target_state: "STARTED",
            connector: work(None, &["a"], status("RUNNING", "a")),
            tasks: vec![
                work(Some(0), &[], status("RUNNING", "gone")),
                work(Some(1), &["a", "b"], None),
            ],
        }],
        topics: vec![
            TopicReport {
                exists: true,
                partitions: 1,
                cleanup_policy: Some("compact".to_owned()),
                end_offsets: vec![10],
                ..TopicReport::missing(InternalTopic::Config, "configs")
            },
            TopicReport::missing(InternalTopic::Status, "statuses"),
        ],
        config_offset: 10,
        findings: Vec::new(),
    }
}

#[test]
fn everything_is_in_aligned_tables() {
    let text = render(&report(), Marks::Off);
    let expected = "\
Group       workers
State       Stable
Protocol    sessioned
Generation  7
Leader      http://a:8083/
Kafka       id

MEMBERS
  URL                      WORKER           CONNECTORS  TASKS  CONFIG OFFSET        LAG config/offset/status
  http://a:8083/ (leader)  wharf 1.2        1           0      9 of 10 when joined  0/12/3
  http://b:8083/           jvm 1.2          1           0      9 of 10 when joined  not told
  http://d:8083/           does not answer  1           0      9 of 10 when joined  not told

CONNECTORS AND TASKS
  NAME      TARGET   STATE    ASSIGNED TO        REPORTED BY  GENERATION  CLASS
  c         STARTED  RUNNING  a:8083             a:8083       7           org.x.Source
    task 0           RUNNING  nobody             gone:8083    7
    task 1           unknown  a:8083 and b:8083  -            -

INTERNAL TOPICS
  ROLE    TOPIC     PARTITIONS      END OFFSETS  CLEANUP POLICY
  config  configs   1               10           compact
  status  statuses  does not exist  -            -

MEMBER IDS
  URL             HOST      CLIENT ID  MEMBER ID
  http://a:8083/  10.0.0.1  connect-a  connect-a-uuid
  http://b:8083/  10.0.0.1  connect-b  connect-b-uuid
  http://d:8083/  10.0.0.1  connect-d  connect-d-uuid

No problems found.";
    assert_eq!(text, expected);
}

#[test]
fn what_is_wrong_is_marked_in_colour_only_where_colour_is_seen() {
    assert!(!render(&report(), Marks::Off).contains('\u{1b}'));
    let text = render(&report(), Marks::Colour);
    for bad in [
        "does not answer",
        "nobody",
        "gone:8083",
        "a:8083 and b:8083",
        "does not exist",
    ] {
        assert!(text.contains(&format!("\u{1b}[31m{bad}\u{1b}[0m")), "{bad}");
    }
}

#[test]
fn problems_and_notes_come_last_and_an_empty_group_is_said_to_be_empty() {
    let mut report = report();
    let finding = |is_problem, message: &str| Finding {
        kind: FindingKind::NoMembers,
        is_problem,
        subject: String::new(),
        message: message.to_owned(),
    };
    report.findings = vec![finding(false, "a note"), finding(true, "a problem\nin two lines")];
    report.members.clear();
    report.connectors.clear();
    report.state = "Dead".to_owned();
    report.generation = Some(GenerationReport {
        number: 3,
        source: GenerationSource::StatusTopic,
    });
    report.waiting_for_lost_workers_ms = Some(500);
    let text = render(&report, Marks::Off);
    for part in [
        "MEMBERS\n  none\n",
        "CONNECTORS AND TASKS\n  none\n",
        "Generation  3 or later (the newest that the status topic names; no member tells)",
        "Waiting     up to 500 ms for a worker that left",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(
        text.ends_with("PROBLEMS (1)\n  a problem\u{fffd}in two lines\n\nNOTES\n  a note"),
        "{text}"
    );
}
