//! Two stores in memory that fail when told so, and a log of what was written to which.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use wharf_api::ConnectError;

use super::*;
use crate::offsets::{MemoryOffsetBackingStore, OffsetStorage};

const X: &str = r#"["c",{"f":"x"}]"#;
const Y: &str = r#"["c",{"f":"y"}]"#;

type Order = Arc<Mutex<Vec<(&'static str, Vec<String>)>>>;

struct Fake {
    name: &'static str,
    inner: MemoryOffsetBackingStore,
    failing: AtomicBool,
    order: Order,
}

impl OffsetBackingStore for Fake {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.inner.get(keys)
    }

    fn set(&self, entries: Vec<OffsetEntry>) -> Result<()> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(ConnectError::connect("broker gone"));
        }
        let shown = entries
            .iter()
            .map(|(key, value)| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                format!("{}={}", text(key), value.as_deref().map_or("-".to_owned(), text))
            })
            .collect();
        self.order.lock().unwrap().push((self.name, shown));
        self.inner.set(entries)
    }

    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        self.inner.connector_entries(connector)
    }
}

impl OffsetTopic for Fake {
    fn topic(&self) -> &str {
        self.name
    }
}

struct Both {
    primary: Arc<Fake>,
    secondary: Arc<Fake>,
    thread: OffsetStoreThread,
    order: Order,
    layered: Arc<LayeredOffsetBackingStore>,
}

fn both() -> Both {
    let order = Order::default();
    let fake = |name| {
        Arc::new(Fake {
            name,
            inner: MemoryOffsetBackingStore::default(),
            failing: AtomicBool::new(false),
            order: Arc::clone(&order),
        })
    };
    let (primary, secondary) = (fake("primary"), fake("secondary"));
    let thread = OffsetStoreThread::start(Arc::clone(&secondary) as _).unwrap();
    let layered = LayeredOffsetBackingStore::new(
        Arc::clone(&primary) as _,
        Arc::clone(&secondary) as _,
        thread.clone(),
    );
    Both {
        primary,
        secondary,
        thread,
        order,
        layered: Arc::new(layered),
    }
}

impl Both {
    /// What was written since it was asked last, after all that was put off is done.
    fn written(&self) -> Vec<(&'static str, Vec<String>)> {
        // The store may be one that fails now; the outcome is of no interest.
        drop(self.thread.store(Vec::new()));
        let mut written = std::mem::take(&mut *self.order.lock().unwrap());
        written.retain(|(_, entries)| !entries.is_empty());
        written
    }
}

fn entry(key: &str, value: Option<&str>) -> OffsetEntry {
    (key.into(), value.map(Into::into))
}

#[test]
fn a_key_that_the_connectors_topic_lacks_is_found_in_the_workers() {
    let both = both();
    both.secondary
        .set(vec![entry(X, Some(r#"{"p":1}"#)), entry(Y, Some(r#"{"p":2}"#))])
        .unwrap();
    both.primary.set(vec![entry(Y, Some(r#"{"p":3}"#))]).unwrap();
    let missing = r#"["c",{"f":"z"}]"#;
    let values = both.layered.get(&[X.into(), missing.into(), Y.into()]).unwrap();
    assert_eq!(
        values,
        [Some(r#"{"p":1}"#.into()), None, Some(r#"{"p":3}"#.into())]
    );
}

#[test]
fn offsets_go_to_the_connectors_topic_first_and_are_copied_without_tombstones() {
    let both = both();
    both.layered
        .set(vec![entry(X, Some("1")), entry(Y, Some("2"))])
        .unwrap();
    let all = vec![format!("{X}=1"), format!("{Y}=2")];
    assert_eq!(both.written(), [("primary", all.clone()), ("secondary", all)]);
    both.layered
        .set(vec![entry(X, None), entry(Y, Some("3"))])
        .unwrap();
    assert_eq!(
        both.written(),
        [
            ("secondary", vec![format!("{X}=-")]),
            ("primary", vec![format!("{X}=-"), format!("{Y}=3")]),
            ("secondary", vec![format!("{Y}=3")]),
        ]
    );
}

#[test]
fn nothing_is_written_to_the_connectors_topic_when_the_workers_cannot_forget() {
    let both = both();
    both.secondary.failing.store(true, Ordering::Relaxed);
    let error = both
        .layered
        .set(vec![entry(X, None), entry(Y, Some("3"))])
        .unwrap_err();
    assert!(format!("{error:#}").contains("broker gone"), "{error:#}");
    assert_eq!(both.written(), []);
    // Without tombstones it only lags behind.
    both.layered.set(vec![entry(Y, Some("3"))]).unwrap();
    assert_eq!(both.written(), [("primary", vec![format!("{Y}=3")])]);
}

#[test]
fn a_failed_write_to_the_connectors_topic_fails_the_call_and_is_not_copied() {
    let both = both();
    both.primary.failing.store(true, Ordering::Relaxed);
    both.layered.set(vec![entry(X, Some("1"))]).unwrap_err();
    assert_eq!(both.written(), []);
}

#[test]
fn around_a_transaction_the_workers_store_forgets_before_and_is_told_after() {
    let both = both();
    let entries = vec![entry(X, None), entry(Y, Some("3"))];
    both.layered.before_transaction(&entries).unwrap();
    assert_eq!(both.written(), [("secondary", vec![format!("{X}=-")])]);
    both.layered.after_transaction(entries);
    assert_eq!(both.written(), [("secondary", vec![format!("{Y}=3")])]);
    assert_eq!(both.layered.topic(), "primary");
}

#[test]
fn the_list_is_the_union_and_a_partition_under_two_keys_is_the_connectors_topics() {
    let both = both();
    let (ours, theirs) = (r#"["c",{"g":1,"f":"x"}]"#, r#"["c",{"f":"x","g":1}]"#);
    both.primary.set(vec![entry(ours, Some(r#"{"p":7}"#))]).unwrap();
    both.secondary
        .set(vec![
            entry(theirs, Some(r#"{"p":1}"#)),
            entry(Y, Some(r#"{"p":2}"#)),
        ])
        .unwrap();
    let keys: Vec<String> = both
        .layered
        .connector_entries("c")
        .unwrap()
        .into_iter()
        .map(|entry| String::from_utf8(entry.key).unwrap())
        .collect();
    assert_eq!(keys, [Y, ours]);
    let storage = OffsetStorage::new("c", Arc::clone(&both.layered) as _);
    let partition = storage.list().unwrap().remove(1).0;
    let offset = storage.read(&[partition]).unwrap().remove(0).unwrap();
    assert_eq!(offset.get("p").and_then(|value| value.as_i64()), Some(7));
}
