//! Connectors and tasks as small numbers, for the length of one round.
//!
//! A round compares thousands of them many times; names are looked up once. Numbers are given so that their order is the
//! order of the names in Java.

use std::collections::{HashMap, HashSet};

use crate::ids::ConnectorTaskId;
use crate::java_hash;
use crate::protocol::ConnectorsAndTasks;

/// Connectors and tasks are balanced apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Connector,
    Task,
}

impl Kind {
    pub(super) const BOTH: [Self; 2] = [Self::Connector, Self::Task];
}

/// A connector instance or a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Piece {
    pub(super) connector: u32,
    /// Number of the task; the instance has none and comes first.
    task: Option<i32>,
}

impl Piece {
    pub(super) fn kind(self) -> Kind {
        match self.task {
            None => Kind::Connector,
            Some(_) => Kind::Task,
        }
    }
}

/// Pieces of both kinds, each in an order that means something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pieces {
    connectors: Vec<Piece>,
    tasks: Vec<Piece>,
}

impl Pieces {
    pub(super) fn of(&self, kind: Kind) -> &[Piece] {
        match kind {
            Kind::Connector => &self.connectors,
            Kind::Task => &self.tasks,
        }
    }

    pub(super) fn push(&mut self, piece: Piece) {
        match piece.kind() {
            Kind::Connector => self.connectors.push(piece),
            Kind::Task => self.tasks.push(piece),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Piece> {
        self.connectors.iter().chain(&self.tasks).copied()
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(Piece) -> bool) {
        self.connectors.retain(|piece| keep(*piece));
        self.tasks.retain(|piece| keep(*piece));
    }
}

impl FromIterator<Piece> for Pieces {
    fn from_iter<I: IntoIterator<Item = Piece>>(iter: I) -> Self {
        let mut pieces = Self::default();
        iter.into_iter().for_each(|piece| pieces.push(piece));
        pieces
    }
}

/// Pieces in order of name and number.
pub(super) fn sorted(pieces: impl IntoIterator<Item = Piece>) -> Pieces {
    let mut list: Vec<_> = pieces.into_iter().collect();
    list.sort_unstable();
    list.dedup();
    list.into_iter().collect()
}

/// The connectors of a round.
pub(super) struct Names<'a> {
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    pub(super) fn new(names: impl IntoIterator<Item = &'a str>) -> Self {
        let distinct: HashSet<&str> = names.into_iter().collect();
        let mut names: Vec<&str> = distinct.into_iter().collect();
        names.sort_unstable_by(|left, right| java_hash::compare(left, right));
        let numbers = (0..).zip(&names).map(|(number, name)| (*name, number)).collect();
        Self { names, numbers }
    }

    pub(super) fn all(&self) -> &[&'a str] {
        &self.names
    }

    /// Pieces of names that were given to [`Names::new`]; others are left out.
    pub(super) fn pieces(&self, work: &ConnectorsAndTasks) -> Pieces {
        let number = |name: &str| self.numbers.get(name).copied();
        let connectors = work.connectors.iter().filter_map(|name| {
            Some(Piece {
                connector: number(name)?,
                task: None,
            })
        });
        let tasks = work.tasks.iter().filter_map(|id| {
            Some(Piece {
                connector: number(&id.connector)?,
                task: Some(id.task),
            })
        });
        connectors.chain(tasks).collect()
    }

    /// The instance of a connector and its tasks.
    pub(super) fn configured(&self, connector: &str, tasks: i32) -> impl Iterator<Item = Piece> + use<> {
        let number = self.numbers.get(connector).copied();
        number.into_iter().flat_map(move |connector| {
            std::iter::once(None)
                .chain((0..tasks).map(Some))
                .map(move |task| Piece { connector, task })
        })
    }

    /// Back to names.
    pub(super) fn name(&self, pieces: &Pieces) -> ConnectorsAndTasks {
        let name = |piece: &Piece| self.names[piece.connector as usize];
        ConnectorsAndTasks {
            connectors: pieces
                .connectors
                .iter()
                .map(|piece| name(piece).to_owned())
                .collect(),
            tasks: pieces
                .tasks
                .iter()
                .filter_map(|piece| Some(ConnectorTaskId::new(name(piece), piece.task?)))
                .collect(),
        }
    }
}
