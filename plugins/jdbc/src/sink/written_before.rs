//! Inserts of rows that may be in the table already: from a commit that was lost, or that the worker was killed after, before it could
//! say so to the broker. Such a row is no bad one. It is told by its unique index, and by its values: one with the record's key and other
//! values is somebody else's.

use std::sync::Arc;

use super::careful::Work;
use super::pending::{Pending, PendingRow, Segment};
use super::shape::Shape;
use super::writer::Writer;
use crate::dialect::{Table, Target, Verb};
use crate::failure::{Answer, Failure};

/// By which index a row that is there is found, and which columns say that it is the same.
struct Known<'a> {
    unique: &'a [String],
    same: Vec<&'a Target>,
}

impl Writer {
    /// The same work, with statements that insert only what is not there; nothing where there are none.
    pub(super) fn unless_there<'a>(&self, work: &[Work<'a>]) -> Option<Vec<Work<'a>>> {
        let mut is_another = false;
        let work = work
            .iter()
            .map(|(segment, statement)| {
                let other = Some(statement)
                    .filter(|statement| statement.verb == Verb::Insert)
                    .and_then(|statement| {
                        let table = self.known_table(&segment.table)?;
                        let known = known(table, &segment.shape, &statement.places)?;
                        let columns = &statement.places;
                        self.dialect().insert_unless_there(
                            &segment.table,
                            columns,
                            known.unique,
                            &known.same,
                            self.quoting(),
                        )
                    });
                is_another |= other.is_some();
                (*segment, other.map_or_else(|| Arc::clone(statement), Arc::new))
            })
            .collect();
        is_another.then_some(work)
    }

    /// Why a row is refused, in the database's words: statements of ours refuse one that is there, and differs, by a division by zero.
    /// `before` are the rows that it follows, of which none is written at present.
    pub(super) fn own_words(
        &mut self,
        (segment, statement): &Work<'_>,
        row: PendingRow,
        before: &[PendingRow],
        pending: &Pending,
        failure: Failure,
    ) -> Answer<Failure> {
        const DIVISIONS: [&str; 2] = ["22012", "1365"];
        let is_division = failure
            .code
            .as_deref()
            .is_some_and(|code| DIVISIONS.contains(&code));
        if !is_division {
            return Ok(failure);
        }
        let Some(plain) = self.statement(segment)? else {
            return Ok(failure);
        };
        if plain.sql == statement.sql {
            return Ok(failure);
        }
        let session = self.session()?;
        session.set_savepoint()?;
        let refused = session
            .write(statement, &pending.rows, &Segment::starts(before))
            .and_then(|()| session.write(&plain, &pending.rows, &[row.start]));
        session.back_to_savepoint()?;
        Ok(refused.map_or_else(|refused| refused.failure, |()| failure))
    }
}

fn known<'a>(table: &'a Table, shape: &Shape, columns: &'a [Target]) -> Option<Known<'a>> {
    let of = |name: &String| columns.iter().find(|column| column.name == *name);
    let indexes = || {
        table
            .unique
            .iter()
            .filter(|index| !index.is_empty() && index.iter().all(|name| of(name).is_some()))
    };
    // The coordinates of a record say which one it is, whatever became of its row.
    if let Some(unique) = indexes().find(|index| {
        shape.is_keyed_by_coordinates()
            && index.len() == shape.keys().count()
            && index.iter().all(|name| of(name).is_some_and(|column| column.key))
    }) {
        let same = columns.iter().filter(|column| column.key).collect();
        return Some(Known { unique, same });
    }
    // No row is found by a null.
    let is_required = |name: &String| of(name).is_some_and(|column| !shape.columns[column.slot].optional);
    let unique = indexes()
        .find(|index| index.iter().all(is_required))
        .or_else(|| indexes().next())?;
    Some(Known {
        unique,
        same: columns.iter().collect(),
    })
}
