//! What a worker has told the group that it knows of the config topic.
//!
//! A leader assigns what it knew when it joined, which may be less than it knows by now: the group was told that offset.

use std::collections::VecDeque;

use super::ConfigView;
use crate::assignor::ConfiguredWork;
use crate::member::Elected;
use crate::protocol::WorkerState;

/// How many are kept. Only those matter that were told around the time of a join; a leader that misses one assigns what it
/// knows now, which is right too. Without a bound a group that never rebalances would keep a view for every record.
const KEPT: usize = 16;

/// The views behind the offsets that the group was told last.
#[derive(Debug)]
pub struct ToldViews<V>(VecDeque<(i64, V)>);

impl<V> Default for ToldViews<V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<V: ConfigView> ToldViews<V> {
    /// The next join tells this offset.
    pub fn tell(&mut self, config_offset: i64, view: V) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((config_offset, view));
    }

    /// A rebalance is over: only what was told last can be what the next one begins with.
    pub fn joined(&mut self) {
        self.0.drain(..self.0.len().saturating_sub(1));
    }

    /// What this leader knew when it joined, by its own metadata; nothing when that cannot be told any more.
    #[must_use]
    pub fn joined_with(&self, elected: &Elected) -> ConfiguredWork {
        let own = elected.members.iter().find(|(id, _)| *id == elected.member_id);
        let offset = own
            .and_then(|(_, metadata)| WorkerState::decode(metadata).ok())
            .map_or(-1, |state| state.config_offset);
        self.0
            .iter()
            .rev()
            .find(|(told, _)| *told == offset)
            .map_or_else(ConfiguredWork::default, |(_, view)| ConfiguredWork::of(view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ConnectProtocol;

    /// A view in which everything follows from its offset.
    struct View(i64);

    impl ConfigView for View {
        fn offset(&self) -> i64 {
            self.0
        }

        fn connectors(&self) -> Vec<String> {
            vec![format!("c{}", self.0)]
        }

        fn has_connector(&self, name: &str) -> bool {
            self.connectors() == [name]
        }

        fn task_count(&self, _: &str) -> i32 {
            1
        }
    }

    fn elected_with(offset: i64) -> Elected {
        let state = WorkerState {
            config_offset: offset,
            ..WorkerState::default()
        };
        let metadata = state.encode(ConnectProtocol::Sessioned).unwrap();
        Elected {
            generation: 1,
            last_completed_generation: -1,
            member_id: "me".into(),
            protocol: ConnectProtocol::Sessioned,
            members: vec![("other".into(), Vec::new()), ("me".into(), metadata)],
        }
    }

    #[test]
    fn a_leader_assigns_what_it_had_told_and_not_what_it_knows_by_now() {
        let mut told = ToldViews::default();
        told.tell(5, View(5));
        told.tell(7, View(7));
        assert_eq!(told.joined_with(&elected_with(5)), ConfiguredWork::of(&View(5)));
        told.joined();
        assert_eq!(told.joined_with(&elected_with(5)), ConfiguredWork::default());
        assert_eq!(told.joined_with(&elected_with(7)), ConfiguredWork::of(&View(7)));
    }

    #[test]
    fn a_group_that_never_rebalances_keeps_a_handful_of_views() {
        let mut told = ToldViews::default();
        for offset in 0..1_000 {
            told.tell(offset, View(offset));
        }
        assert_eq!(told.0.len(), KEPT);
        assert_eq!(
            told.joined_with(&elected_with(999)),
            ConfiguredWork::of(&View(999))
        );
    }
}
