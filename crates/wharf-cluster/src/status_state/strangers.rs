//! Finds writers of the status topic that are no members of the group: most likely another group uses the same topic.
//!
//! A worker writes a status with the generation in which it was last given an assignment. It was a member in that one, and who
//! led it had the ids of all members before any of them could write so. That is why only a leader can tell, and only of the
//! generations that it has led without a break; what must stay true is that a worker of the group is never taken for a stranger,
//! rather than that every stranger is found.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Millis;

/// Generations whose members are remembered; what comes later than that is not judged.
const REMEMBERED: usize = 64;

/// A worker that says it runs something, and was no member of the group in the generation that it says so with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// How it signs: host and port of its REST API.
    pub worker_id: String,
    /// The generation of its own group.
    pub generation: i32,
}

/// What one worker knows of the members of the generations that it leads.
#[derive(Debug)]
pub struct Strangers {
    session_timeout: Millis,
    /// Ids of the members by generation; none where one of them is not known.
    led: BTreeMap<i32, Option<BTreeSet<String>>>,
    /// One that wrote with a generation which the group has not reached, as far as is known here.
    ahead: Option<(Millis, Stranger)>,
}

impl Strangers {
    /// Nothing is led yet.
    #[must_use]
    pub fn new(session_timeout: Millis) -> Self {
        Self {
            session_timeout,
            led: BTreeMap::new(),
            ahead: None,
        }
    }

    /// This worker was elected. `members` are the ids of all members, itself included; an empty one is not known.
    pub fn led<'a>(&mut self, generation: i32, members: impl IntoIterator<Item = &'a str>) {
        let follows = self
            .led
            .last_key_value()
            .is_some_and(|(last, _)| last.checked_add(1) == Some(generation));
        if !follows {
            self.led.clear();
        }
        let ids: BTreeSet<String> = members.into_iter().map(str::to_owned).collect();
        self.led.insert(generation, (!ids.contains("")).then_some(ids));
        if self.led.len() > REMEMBERED {
            self.led.pop_first();
        }
        // What it was ahead of is no longer known.
        self.ahead = None;
    }

    /// This worker leads no longer, or is not sure of it.
    pub fn leads_no_longer(&mut self) {
        self.led.clear();
        self.ahead = None;
    }

    /// A worker wrote that it runs something.
    pub fn runs(&mut self, now: Millis, worker_id: &str, generation: i32) -> Option<Stranger> {
        let (last, _) = self.led.last_key_value()?;
        let stranger = || Stranger {
            worker_id: worker_id.to_owned(),
            generation,
        };
        if generation > *last {
            self.ahead.get_or_insert_with(|| (now, stranger()));
            return None;
        }
        let members = self.led.get(&generation)?.as_ref()?;
        (!members.contains(worker_id)).then(stranger)
    }

    /// To be asked now and then while the group has nothing to settle and confirms that this worker is a member: one that was
    /// ahead of the group for a session time-out, through which the group stayed where it is, is in another one.
    pub fn confirmed(&mut self, now: Millis) -> Option<Stranger> {
        let (since, _) = self.ahead.as_ref()?;
        if now < since + self.session_timeout {
            return None;
        }
        self.ahead.take().map(|(_, stranger)| stranger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Millis = 10_000;

    fn leading(generations: &[(i32, &[&str])]) -> Strangers {
        let mut strangers = Strangers::new(SESSION);
        for (generation, members) in generations {
            strangers.led(*generation, members.iter().copied());
        }
        strangers
    }

    fn is_found(strangers: &mut Strangers, worker: &str, generation: i32) -> bool {
        let found = strangers.runs(0, worker, generation);
        if let Some(found) = &found {
            assert_eq!((found.worker_id.as_str(), found.generation), (worker, generation));
        }
        found.is_some()
    }

    #[test]
    fn one_that_was_no_member_in_the_generation_it_writes_with_is_a_stranger() {
        let mut strangers = leading(&[(3, &["a:1", "b:1"]), (4, &["a:1", "c:1"])]);
        for (worker, generation, expected) in [
            ("a:1", 3, false),
            ("a:1", 4, false),
            // It was a member and has left; what it said then may arrive late.
            ("b:1", 3, false),
            ("b:1", 4, true),
            ("x:1", 3, true),
            ("x:1", 4, true),
            // The members of these were never known here.
            ("x:1", 2, false),
            ("x:1", -1, false),
        ] {
            assert_eq!(
                is_found(&mut strangers, worker, generation),
                expected,
                "{worker} in {generation}"
            );
        }
    }

    #[test]
    fn only_generations_that_were_led_without_a_break_are_judged() {
        // Somebody else led 5, or the group began anew.
        for generations in [
            &[(4, &["a:1"][..]), (6, &["a:1"])][..],
            &[(4, &["a:1"]), (1, &["a:1"])],
        ] {
            let mut strangers = leading(generations);
            assert!(!is_found(&mut strangers, "x:1", 4), "{generations:?}");
            assert!(is_found(&mut strangers, "x:1", generations[1].0));
        }
        let mut strangers = leading(&[(4, &["a:1"])]);
        strangers.leads_no_longer();
        assert!(!is_found(&mut strangers, "x:1", 4));
        assert!(!is_found(&mut strangers, "x:1", 5));
        assert_eq!(strangers.confirmed(SESSION), None);
    }

    #[test]
    fn nobody_is_judged_where_a_member_could_not_be_read() {
        let mut strangers = leading(&[(4, &["a:1", ""])]);
        assert!(!is_found(&mut strangers, "x:1", 4));
    }

    #[test]
    fn one_that_is_ahead_is_a_stranger_when_the_group_stays_where_it_is() {
        let mut strangers = leading(&[(4, &["a:1"])]);
        assert_eq!(strangers.runs(5, "x:1", 9), None);
        assert_eq!(strangers.runs(4_000, "y:1", 10), None);
        assert_eq!(strangers.confirmed(SESSION), None);
        let found = strangers.confirmed(SESSION + 5).unwrap();
        assert_eq!((found.worker_id.as_str(), found.generation), ("x:1", 9));
        assert_eq!(strangers.confirmed(SESSION + 5), None);

        // The group has gone on meanwhile, with this worker as leader again.
        assert_eq!(strangers.runs(0, "x:1", 5), None);
        strangers.led(5, ["a:1", "x:1"]);
        assert_eq!(strangers.confirmed(SESSION), None);
        assert!(!is_found(&mut strangers, "x:1", 5));
    }

    #[test]
    fn a_group_that_never_settles_takes_no_more_memory() {
        let mut strangers = Strangers::new(SESSION);
        for generation in 1..1_000 {
            strangers.led(generation, ["a:1"]);
        }
        assert_eq!(strangers.led.len(), REMEMBERED);
        assert!(is_found(&mut strangers, "x:1", 999));
        assert!(!is_found(&mut strangers, "x:1", 1));
    }
}
