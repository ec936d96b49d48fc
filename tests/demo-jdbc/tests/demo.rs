//! The demo does what it shows.

use wharf_test_services::{Postgres, available, built};

#[test]
fn a_table_of_postgresql_becomes_one_of_sqlite_while_it_is_changed() {
    // Where one of these is not to be had, that is said.
    if available(built::worker()).is_none() || available(Postgres::start(&[])).is_none() {
        return;
    }
    wharf_demo_jdbc::run().unwrap();
}
