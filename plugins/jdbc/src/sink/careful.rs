//! Rows written one after the other, to find those that the database does not take.
//!
//! A constraint that is looked at by the commit only names no row, and one that fails alone may be good beside another that comes
//! later. So who is at fault is found out first, in a transaction that is rolled back: rows that fail there are tried again beside all
//! that were taken, until a round takes none. What is left is at fault.

use std::collections::HashSet;
use std::sync::Arc;

use super::pending::{Pending, PendingRow, Segment};
use super::writer::{BadRow, LeaveOut, WriteError, Writer};
use crate::dialect::Statement;
use crate::failure::{Answer, Failure, Trouble};
use crate::session::WriteFailure;

/// The most rows that are written before it is looked how late it is.
pub(super) const ROWS_BETWEEN_LOOKS: usize = 200;

/// A segment and the statement that writes it.
pub(super) type Work<'a> = (&'a Segment, Arc<Statement>);

impl Writer {
    /// Row by row, without those that are left out already; then, where the commit is refused, without those at fault for it.
    pub(super) fn write_row_by_row(
        &mut self,
        work: &[Work<'_>],
        pending: &Pending,
        left_out: &mut HashSet<usize>,
        leave_out: &mut LeaveOut<'_>,
    ) -> Result<(), WriteError> {
        match self.write_carefully(work, pending, left_out, leave_out) {
            Err(WriteError::Database(failure)) if failure.is(Trouble::Data) => {
                self.roll_back()?;
                for (row, segment, failure) in self.at_fault_for_commit(work, pending, left_out)? {
                    left_out.insert(row.start);
                    leave_out(&BadRow::new(row, segment, &failure)).map_err(WriteError::Refused)?;
                }
                self.write_carefully(work, pending, left_out, leave_out)
            }
            written => written,
        }
    }

    /// With a savepoint to come back to.
    fn write_carefully(
        &mut self,
        work: &[Work<'_>],
        pending: &Pending,
        left_out: &mut HashSet<usize>,
        leave_out: &mut LeaveOut<'_>,
    ) -> Result<(), WriteError> {
        self.session()?.begin()?;
        let mut segments = work.iter();
        while let Some(one) = segments.next() {
            let (segment, statement) = one;
            let mut parts = parts(segment.rows.iter().filter(|row| !left_out.contains(&row.start)));
            while let Some(mut rows) = parts.pop() {
                self.in_time()?;
                let session = self.session()?;
                session.set_savepoint()?;
                let starts = Segment::starts(&rows);
                let failed = match session.write(statement, &pending.rows, &starts) {
                    Ok(()) => {
                        session.release_savepoint()?;
                        continue;
                    }
                    Err(failed) if failed.failure.is(Trouble::Data) => failed,
                    Err(failed) => return Err(during(failed, segment).into()),
                };
                let is_whole = session.back_to_savepoint()?;
                let at = match failed.row {
                    Some(row) => row,
                    None if rows.len() == 1 => 0,
                    None => {
                        halve(rows, &mut parts);
                        continue;
                    }
                };
                let after = rows.split_off(at + 1);
                if let Some(row) = rows.pop() {
                    let plain = match is_whole {
                        true => self.plain(one)?,
                        false => None,
                    };
                    let mut refused = Some(failed.failure);
                    if let Some(plain) = plain {
                        if !rows.is_empty() {
                            // Alone, once those before it are written.
                            push(&mut parts, [after, vec![row], rows]);
                            continue;
                        }
                        refused = self
                            .write_plainly(&plain, row, pending, false)
                            .map_err(|failed| during(failed, segment))?;
                    }
                    if let Some(failure) = refused {
                        left_out.insert(row.start);
                        leave_out(&BadRow::new(row, segment, &failure)).map_err(WriteError::Refused)?;
                    }
                }
                if !is_whole {
                    // From the beginning, without this row.
                    self.session()?.begin()?;
                    segments = work.iter();
                    break;
                }
                // In this order again.
                push(&mut parts, [after, rows]);
            }
        }
        self.commit().map_err(WriteError::from)
    }

    /// The rows without which the commit would not be refused. Nothing stays written.
    fn at_fault_for_commit<'a>(
        &mut self,
        work: &[Work<'a>],
        pending: &Pending,
        left_out: &HashSet<usize>,
    ) -> Answer<Vec<(PendingRow, &'a Segment, Failure)>> {
        let mut waiting: Vec<(&Work<'a>, Vec<PendingRow>)> = Vec::new();
        for one in work {
            let rows = one.0.rows.iter().filter(|row| !left_out.contains(&row.start));
            waiting.push((one, rows.copied().collect()));
        }
        let session = self.session()?;
        session.begin()?;
        session.check_constraints()?;
        let refused = loop {
            let count: usize = waiting.iter().map(|(_, rows)| rows.len()).sum();
            let mut refused = Vec::new();
            let mut again = Vec::new();
            for (one, rows) in waiting {
                let (segment, statement) = one;
                let mut refused_here = Vec::new();
                let mut parts = vec![rows];
                while let Some(rows) = parts.pop().filter(|rows| !rows.is_empty()) {
                    self.in_time()?;
                    let session = self.session()?;
                    session.set_savepoint()?;
                    let written = session
                        .write(statement, &pending.rows, &Segment::starts(&rows))
                        .and_then(|()| session.check_constraints().map_err(WriteFailure::from));
                    match written {
                        Ok(()) => session.release_savepoint()?,
                        Err(failed) if failed.failure.is(Trouble::Data) => {
                            if !session.back_to_savepoint()? {
                                return Err(during(failed, segment));
                            }
                            match rows.as_slice() {
                                [row] => {
                                    let mut failure = Some(failed.failure);
                                    if let Some(plain) = self.plain(one)? {
                                        failure = self
                                            .write_plainly(&plain, *row, pending, true)
                                            .map_err(|failed| during(failed, segment))?;
                                    }
                                    if let Some(failure) = failure {
                                        refused_here.push(*row);
                                        refused.push((*row, *segment, failure));
                                    }
                                }
                                _ => halve(rows, &mut parts),
                            }
                        }
                        Err(failed) => return Err(during(failed, segment)),
                    }
                }
                again.push((one, refused_here));
            }
            if refused.is_empty() || refused.len() == count {
                break refused;
            }
            waiting = again;
        };
        self.roll_back()?;
        Ok(refused)
    }
}

/// In parts that do not take long, the first one last.
fn parts<'a>(rows: impl Iterator<Item = &'a PendingRow>) -> Vec<Vec<PendingRow>> {
    let rows: Vec<PendingRow> = rows.copied().collect();
    rows.chunks(ROWS_BETWEEN_LOOKS).rev().map(<[_]>::to_vec).collect()
}

/// The last of them is to be written first.
fn push<const N: usize>(parts: &mut Vec<Vec<PendingRow>>, more: [Vec<PendingRow>; N]) {
    parts.extend(more.into_iter().filter(|rows| !rows.is_empty()));
}

fn halve(mut rows: Vec<PendingRow>, parts: &mut Vec<Vec<PendingRow>>) {
    let second = rows.split_off(rows.len() / 2);
    parts.push(second);
    parts.push(rows);
}

fn during(failed: WriteFailure, segment: &Segment) -> Failure {
    failed
        .failure
        .during(format_args!("writing into table {}", segment.table))
}
