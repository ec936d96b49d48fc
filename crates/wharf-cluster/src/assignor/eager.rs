//! The oldest strategy: everything is handed out anew in every round, like cards.

use super::{CanRun, ClusterAssignment, ConfiguredWork, MemberShare};
use crate::ids::ConnectorTaskId;
use crate::java_hash;
use crate::protocol::ConnectorsAndTasks;

/// The eager assignor. It remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct EagerAssignor;

impl EagerAssignor {
    /// Deals first all connectors, then all tasks, to one member after another in order of their ids. Whom the next card
    /// would go to is passed over when it cannot run it.
    #[must_use]
    pub fn assign(
        self,
        members: &[String],
        configured: &ConfiguredWork,
        can_run: Option<CanRun<'_>>,
    ) -> ClusterAssignment {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|left, right| java_hash::compare(&members[*left], &members[*right]));
        let mut connectors: Vec<_> = configured.connectors.iter().collect();
        connectors.sort_by(|(left, _), (right, _)| java_hash::compare(left, right));

        let mut next = 0;
        let mut deal = |connector: &str| {
            let able = |place: usize| can_run.is_none_or(|can| can(&members[order[place]], connector));
            let place = (next..order.len()).chain(0..next).find(|place| able(*place))?;
            next = (place + 1) % order.len();
            Some(order[place])
        };
        let mut shares = vec![ConnectorsAndTasks::default(); members.len()];
        let mut unplaceable = ConnectorsAndTasks::default();
        for (connector, _) in &connectors {
            let share = deal(connector).map_or(&mut unplaceable, |member| &mut shares[member]);
            share.connectors.push(connector.clone());
        }
        for (connector, tasks) in &connectors {
            for task in 0..*tasks {
                let share = deal(connector).map_or(&mut unplaceable, |member| &mut shares[member]);
                share.tasks.push(ConnectorTaskId::new(connector.as_str(), task));
            }
        }
        let shares = members.iter().zip(shares).map(|(member, work)| MemberShare {
            member: member.clone(),
            assigned: work.clone(),
            revoked: ConnectorsAndTasks::default(),
            owned: work,
        });
        ClusterAssignment {
            shares: shares.collect(),
            delay: 0,
            unplaceable,
        }
    }
}
