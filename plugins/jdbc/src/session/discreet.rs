//! A connection whose failures tell no values of rows (`trim.sensitive.log`): they go into the log, the status and the headers of
//! dead letters.

use super::{Session, WriteFailure};
use crate::dialect::{Statement, Table};
use crate::failure::{Answer, Failure};
use crate::sink::cell::Rows;
use crate::table_id::{Quoting, TableId};

pub(super) struct Discreet(pub(super) Box<dyn Session>);

fn trimmed<T>(answer: Answer<T>) -> Answer<T> {
    answer.map_err(Failure::without_values)
}

impl Session for Discreet {
    fn describe(&mut self, table: &TableId, quoting: Quoting) -> Answer<Option<Table>> {
        trimmed(self.0.describe(table, quoting))
    }

    fn engine_without_transactions(&mut self, table: &TableId) -> Answer<Option<String>> {
        trimmed(self.0.engine_without_transactions(table))
    }

    fn execute(&mut self, sql: &str) -> Answer<()> {
        trimmed(self.0.execute(sql))
    }

    fn write(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Result<(), WriteFailure> {
        self.0
            .write(statement, rows, starts)
            .map_err(|failed| WriteFailure {
                failure: failed.failure.without_values(),
                ..failed
            })
    }

    fn write_bulk(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Answer<()> {
        trimmed(self.0.write_bulk(statement, rows, starts))
    }

    fn begin(&mut self) -> Answer<()> {
        trimmed(self.0.begin())
    }

    fn commit(&mut self) -> Answer<()> {
        trimmed(self.0.commit())
    }

    fn may_have_committed(&self, failure: &Failure) -> bool {
        self.0.may_have_committed(failure)
    }

    fn roll_back(&mut self) -> Answer<()> {
        trimmed(self.0.roll_back())
    }

    fn set_savepoint(&mut self) -> Answer<()> {
        trimmed(self.0.set_savepoint())
    }

    fn release_savepoint(&mut self) -> Answer<()> {
        trimmed(self.0.release_savepoint())
    }

    fn back_to_savepoint(&mut self) -> Answer<bool> {
        trimmed(self.0.back_to_savepoint())
    }

    fn check_constraints(&mut self) -> Answer<()> {
        trimmed(self.0.check_constraints())
    }
}
