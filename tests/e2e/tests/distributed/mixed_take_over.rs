//! A group of two JVM workers and two native ones: led by either kind, with sources and sinks on all of them, asked through each
//! of them, while workers come and go.

use std::collections::{BTreeMap, BTreeSet};

use wharf_e2e::Worker;
use wharf_e2e::truth::{FileConnector, Runs, agreed_owners};

use crate::group::eventually_ok;
use crate::mixed::{LEADS, LINES, Mixed, addresses, create, exercise, healthy, terminate};

/// The leader makes a new key for signed requests each second.
const NEW_KEYS: (&str, &str) = ("inter.worker.key.ttl.ms", "1000");

/// How many such keys the group has had.
fn session_keys(mixed: &Mixed) -> usize {
    let stage = mixed.stage();
    let configs = stage.kafka().reader(&stage.named("configs")).read_to_end();
    let is_key = |key: &Option<Vec<u8>>| key.as_deref() == Some(b"session-key".as_slice());
    configs.iter().filter(|record| is_key(&record.key)).count()
}

/// Pairs of a source and a sink of its topic, which stay while workers come and go.
struct Kept<'m> {
    mixed: &'m Mixed,
    sources: Vec<String>,
    sinks: Vec<String>,
    lines: String,
}

impl<'m> Kept<'m> {
    /// Creates a pair through each of these workers.
    fn create(mixed: &'m Mixed, workers: &[&Worker]) -> Self {
        let sources: Vec<String> = (0..workers.len()).map(|n| format!("kept{n}")).collect();
        let named = |source: &String| mixed.stage().named(&format!("{source}-sink"));
        let sinks: Vec<String> = sources.iter().map(named).collect();
        for (worker, (source, sink)) in workers.iter().zip(sources.iter().zip(&sinks)) {
            create(worker, source, mixed.source(source));
            create(worker, sink, mixed.sink(sink, source));
        }
        Self {
            mixed,
            sources,
            sinks,
            lines: LINES.to_owned(),
        }
    }

    fn connectors(&self) -> Vec<FileConnector> {
        let names = self.sources.iter().chain(&self.sinks);
        let of = |name: &String| FileConnector {
            name: name.clone(),
            file: self.mixed.stage().path(&format!("{name}.txt")),
        };
        names.map(of).collect()
    }

    /// Waits until each connector and its task run on one worker, as all of them say and as their open files show, and each
    /// worker has a source's task or a sink's.
    fn settle(&self, workers: &[&Worker]) {
        eventually_ok("everything runs once", || runs_once(workers, &self.connectors()));
        self.arrive();
    }

    /// Another line goes all the way, and nothing came twice.
    fn flow(&mut self, line: &str) {
        for source in &self.sources {
            self.mixed.add(source, &format!("{line}\n"));
        }
        self.lines.push_str(&format!("{line}\n"));
        self.arrive();
    }

    fn arrive(&self) {
        for (source, sink) in self.sources.iter().zip(&self.sinks) {
            let is_there = |found: String| match found == self.lines {
                true => Ok(()),
                false => Err(format!("{found:?} instead of {:?}", self.lines)),
            };
            eventually_ok(&format!("the topic of {source} has each line once"), || {
                is_there(self.mixed.lines(source))
            });
            eventually_ok(&format!("{sink} wrote each line once"), || {
                let file = self.mixed.stage().read(&format!("{sink}.txt"));
                is_there(String::from_utf8(file).unwrap())
            });
        }
    }
}

/// Threads of JVM workers have other names, so their files tell alone.
fn runs_once(workers: &[&Worker], connectors: &[FileConnector]) -> Result<(), String> {
    let mut said: BTreeMap<String, BTreeMap<_, usize>> = BTreeMap::new();
    for connector in connectors {
        let owners = agreed_owners(workers, &connector.name)?;
        let [instance, task] = owners.as_slice() else {
            return Err(format!("{} has not one task: {owners:?}", connector.name));
        };
        if !addresses(workers).contains(instance) {
            return Err(format!("{} runs on {instance}, which is gone", connector.name));
        }
        said.entry(task.clone())
            .or_default()
            .insert(connector.file.clone(), 1);
    }
    for worker in workers {
        let runs = Runs::of(worker.pid(), connectors).files;
        if said.get(worker.address()) != Some(&runs) {
            return Err(format!(
                "{} has {runs:?} open, but they say {said:?}",
                worker.address()
            ));
        }
    }
    let owners: BTreeSet<String> = said.into_keys().collect();
    if owners != addresses(workers) {
        return Err(format!("tasks run on {owners:?}"));
    }
    Ok(())
}

#[test]
fn either_kind_leads_two_workers_of_each_and_work_moves_when_workers_come_and_go() {
    let Some(mixed) = Mixed::set_up("mixed") else {
        return;
    };
    let one = mixed.group.start_with("one", &[NEW_KEYS]);
    healthy(&one);
    let (jvm, jvm_two) = (
        mixed.launch_jvm_with("jvm", &[NEW_KEYS]),
        mixed.launch_jvm_with("jvm-two", &[NEW_KEYS]),
    );
    let two = mixed.group.start_with("two", &[NEW_KEYS]);
    healthy(&jvm);
    healthy(&jvm_two);
    let all = [&one, &jvm, &two, &jvm_two];
    let mut kept = Kept::create(&mixed, &all);
    kept.settle(&all);
    exercise(&mixed, &all, "native-led");
    kept.flow("while a native worker leads");
    assert!(one.log().contains(LEADS) && !two.log().contains(LEADS));
    assert!(session_keys(&mixed) > 3);
    // Before the native leader: the broker makes one of the members lead that are left.
    terminate([two]);
    kept.settle(&[&one, &jvm, &jvm_two]);
    terminate([one]);
    kept.settle(&[&jvm, &jvm_two]);
    kept.flow("while there are JVM workers only");

    let (three, four) = (
        mixed.group.start_with("three", &[NEW_KEYS]),
        mixed.group.start_with("four", &[NEW_KEYS]),
    );
    let before = session_keys(&mixed);
    let all = [&jvm, &three, &jvm_two, &four];
    kept.settle(&all);
    exercise(&mixed, &all, "jvm-led");
    kept.flow("while a JVM worker leads");
    for native in [&three, &four] {
        assert!(!native.log().contains(LEADS), "a JVM worker leads");
    }
    assert!(session_keys(&mixed) > before + 3);
    terminate([jvm]);
    kept.settle(&[&three, &jvm_two, &four]);
    terminate([jvm_two]);
    kept.settle(&[&three, &four]);
    kept.flow("while there are native workers only");
    assert!(three.log().contains(LEADS) || four.log().contains(LEADS));
}
