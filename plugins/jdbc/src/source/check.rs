//! What the database says of a configuration when it is validated.

use super::config::SourceConfig;
use super::scan::{Relation, Wanted};
use super::tables;
use crate::dialect::dialect;
use crate::failure::Answer;
use crate::probe::{self, Asking, Findings};
use crate::session::{self, ReadSession};

/// How many tables are named under one key.
const MOST_NAMED: usize = 10;

/// What is wrong with it: the keys it is said of, and the messages.
pub(super) fn check(config: &SourceConfig) -> Findings {
    let mut config = config.clone();
    probe::ask(&config.connection.clone(), move |asking| {
        if asking.is_without_file {
            return Vec::new();
        }
        config.connection = asking.connection.clone();
        let session = session::connect_to_read(&config, &asking.stop);
        let mut session = match asking.connected(session) {
            Ok(session) => session,
            Err(findings) => return findings,
        };
        let mut findings = Vec::new();
        let asked = match &config.query {
            Some(query) => of_query(query, &mut *session, &config, &mut findings),
            None => of_tables(&mut *session, &config, asking, &mut findings),
        };
        match asked {
            Err(failure) if config.query_is_masked() => asking.warn(&failure.without_query()),
            Err(failure) => asking.warn(&failure),
            Ok(()) => {}
        }
        few(findings)
    })
}

fn of_query(
    query: &str,
    session: &mut dyn ReadSession,
    config: &SourceConfig,
    findings: &mut Findings,
) -> Answer<()> {
    let relation = Relation::Query(query.to_owned());
    match session.columns(&relation, config.connection.quoting()) {
        Ok(columns) => {
            let wanted = Wanted {
                relation: &relation,
                columns: &columns,
                config,
                dialect: dialect(config.connection.url.database),
            };
            add_faults(&wanted, findings);
            Ok(())
        }
        Err(failure) if failure.trouble.may_heal() => Err(failure),
        Err(failure) => {
            let key = config.query_key();
            // What the database says may repeat a part of the query.
            let reason = match (config.query_is_masked(), &failure.code) {
                (false, _) => format!(": {failure}"),
                (true, Some(code)) => format!(" [{code}]"),
                (true, None) => String::new(),
            };
            findings.push((
                key,
                format!(
                    "the configured {key} is not valid{reason}; compare it with the tables and columns of the {}, and with what this user \
                     may read",
                    config.connection.url
                ),
            ));
            Ok(())
        }
    }
}

fn of_tables(
    session: &mut dyn ReadSession,
    config: &SourceConfig,
    asking: &Asking,
    findings: &mut Findings,
) -> Answer<()> {
    let found = tables::look(session, config)?;
    // They may be made after the connector.
    for text in config.filter.missing(&found.unknown) {
        asking.note(&text);
    }
    let quoting = config.connection.quoting();
    for table in found.tables {
        if asking.is_over() {
            break;
        }
        let relation = Relation::Table(table);
        let columns = match session.columns(&relation, quoting) {
            Ok(columns) => columns,
            // It was dropped meanwhile.
            Err(failure) if failure.is_missing_table() => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let wanted = Wanted {
            relation: &relation,
            columns: &columns,
            config,
            dialect: dialect(config.connection.url.database),
        };
        add_faults(&wanted, findings);
    }
    Ok(())
}

fn add_faults(wanted: &Wanted<'_>, findings: &mut Findings) {
    let faults = wanted.faults();
    findings.extend(
        faults
            .into_iter()
            .map(|fault| (fault.key, fault.error.message().to_owned())),
    );
}

/// The first ones of each key.
fn few(findings: Findings) -> Findings {
    let mut few: Findings = Vec::new();
    for (key, message) in findings {
        let same = few.iter().filter(|(other, _)| *other == key).count();
        if same < MOST_NAMED {
            few.push((key, message));
        }
    }
    few
}
