//! Inserts of rows that may be in the table already: from a commit that was lost, or that the worker was killed after, before it could
//! say so to the broker. Such a row is no bad one. It is told by its unique index, and by its values: one with the record's key and other
//! values is somebody else's.

use std::sync::Arc;

use super::careful::Work;
use super::pending::{Pending, PendingRow};
use super::shape::Shape;
use super::writer::Writer;
use crate::dialect::{Statement, Table, Target, Verb};
use crate::failure::{Answer, Failure, Trouble};
use crate::session::WriteFailure;

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
                        let columns = &statement.places;
                        let unique = found_by(table, &segment.shape, columns)?;
                        self.dialect()
                            .insert_unless_there(&segment.table, columns, unique, self.quoting())
                    });
                is_another |= other.is_some();
                (*segment, other.map_or_else(|| Arc::clone(statement), Arc::new))
            })
            .collect();
        is_another.then_some(work)
    }

    /// The plain INSERT of a segment whose statement is another one, that passes over what is there. What is refused by that one may be
    /// so for its other words: triggers and policies for updates, rights, a division of ours.
    pub(super) fn plain(&mut self, (segment, statement): &Work<'_>) -> Answer<Option<Arc<Statement>>> {
        let plain = self.statement(segment)?;
        Ok(plain.filter(|plain| plain.sql != statement.sql))
    }

    /// Writes a row by the plain INSERT, of which nothing is written at present. Answers why it is refused, and nothing when it is
    /// written. `is_checked` asks the constraints that would speak at the commit, too.
    pub(super) fn write_plainly(
        &mut self,
        plain: &Statement,
        row: PendingRow,
        pending: &Pending,
        is_checked: bool,
    ) -> Result<Option<Failure>, WriteFailure> {
        let session = self.session()?;
        session.set_savepoint()?;
        let written = session
            .write(plain, &pending.rows, &[row.start])
            .and_then(|()| match is_checked {
                true => session.check_constraints().map_err(WriteFailure::from),
                false => Ok(()),
            });
        match written {
            Ok(()) => {
                session.release_savepoint()?;
                Ok(None)
            }
            // What ends the whole transaction is in databases without such statements only.
            Err(refused) if refused.failure.is(Trouble::Data) && session.back_to_savepoint()? => {
                Ok(Some(refused.failure))
            }
            Err(failed) => Err(failed),
        }
    }
}

/// The unique index by which a row that is there is found.
fn found_by<'a>(table: &'a Table, shape: &Shape, columns: &[Target]) -> Option<&'a [String]> {
    let of = |name: &String| columns.iter().find(|column| column.name == *name);
    let indexes = || {
        table
            .unique
            .iter()
            .filter(|index| !index.is_empty() && index.iter().all(|name| of(name).is_some()))
    };
    // No row is found by a null.
    let is_required = |name: &String| of(name).is_some_and(|column| !shape.columns[column.slot].optional);
    let unique = indexes()
        .find(|index| index.iter().all(is_required))
        .or_else(|| indexes().next())?;
    Some(unique)
}
