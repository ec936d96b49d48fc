//! Which tables are read, and which task reads which.

use wharf_api::{ConnectError, Result};

use super::config::SourceConfig;
use super::offset::At;
use crate::dialect::dialect;
use crate::failure::Answer;
use crate::session::{self, ReadSession, Stop};
use crate::table_id::{Quoting, TableId};

/// How names are written in statements and task configurations.
pub(crate) fn quoting(config: &SourceConfig, always: bool) -> Quoting {
    Quoting {
        quote: dialect(config.connection.url.database).quote(),
        always,
    }
}

/// The tables that the configuration takes, in the order of their names.
pub(crate) fn list(config: &SourceConfig, stop: &Stop) -> Answer<Found> {
    let mut session: Box<dyn ReadSession> = session::connect_to_read(config, stop)?;
    look(&mut *session, config)
}

/// The same, by a connection that there is.
pub(crate) fn look(session: &mut dyn ReadSession, config: &SourceConfig) -> Answer<Found> {
    let now = match config.begins_now() {
        true => Some(session.now()?),
        false => None,
    };
    let mut tables = match config.query {
        Some(_) => Vec::new(),
        None => session.tables(&config.filter)?,
    };
    let always = quoting(config, true);
    let names = |table: &TableId| [table.name.clone(), table.to_string(), table.sql(always)];
    let all: Vec<[String; 3]> = tables.iter().map(names).collect();
    let unknown = match config.query {
        Some(_) => Vec::new(),
        None => config.filter.unknown(&all),
    };
    tables.retain(|table| {
        let [name, in_full, quoted] = names(table);
        config.filter.takes(&name, &in_full, &quoted)
    });
    tables.sort();
    Ok(Found { tables, unknown, now })
}

/// What the database has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) tables: Vec<TableId>,
    /// Names and patterns of the configuration that no table has that the user may read, with their keys.
    pub(crate) unknown: Vec<(&'static str, String)>,
    /// The database's time, where rows are read from the connector's start on.
    pub(crate) now: Option<At>,
}

/// Refuses tables whose records would come to one topic.
///
/// # Errors
/// Naming the first two.
pub(crate) fn check(tables: &[TableId]) -> Result<()> {
    for (at, table) in tables.iter().enumerate() {
        if let Some(other) = tables[..at].iter().find(|other| other.name == table.name) {
            return Err(ConnectError::config(format!(
                "tables {other} and {table} have one name, and their rows would come to one topic; take one of them by \
                 schema.pattern, catalog.pattern or table.whitelist, and give the other a connector of its own"
            )));
        }
    }
    Ok(())
}

/// Neighbours in groups whose sizes differ by one at most, the greater first.
pub(crate) fn groups<T>(items: &[T], most: usize) -> Vec<&[T]> {
    let count = most.min(items.len());
    let mut rest = items;
    (0..count)
        .map(|group| {
            let size = rest.len().div_ceil(count - group);
            let (these, others) = rest.split_at(size);
            rest = others;
            these
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_shared_out_evenly_and_stay_in_order() {
        for (count, most, sizes) in [
            (0, 3, vec![]),
            (2, 3, vec![1, 1]),
            (7, 3, vec![3, 2, 2]),
            (3, 1, vec![3]),
        ] {
            let items: Vec<usize> = (0..count).collect();
            let groups = groups(&items, most);
            assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), sizes);
            assert_eq!(groups.concat(), items);
        }
    }

    #[test]
    fn tables_of_one_name_are_refused() {
        let table = |schema: &str, name: &str| TableId {
            catalog: None,
            schema: Some(schema.to_owned()),
            name: name.to_owned(),
        };
        check(&[table("a", "t"), table("a", "u")]).unwrap();
        let error = check(&[table("a", "t"), table("b", "t")]).unwrap_err();
        assert!(
            error.message().contains("tables a.t and b.t have one name"),
            "{error}"
        );
    }
}
