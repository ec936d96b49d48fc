//! `jdbc:sqlserver://host\instance:port;property=value;…`.
//!
//! Values are taken as they are, without percent signs; one in braces may hold semicolons. Names of properties are the same in small and
//! capital letters, and several have two.

use std::collections::BTreeMap;
use std::fmt;

use super::{Database, DatabaseUrl, refused, server};
use wharf_api::Result;

const PORT: u16 = 1433;
/// Says where a named instance is. It is asked by its own protocol.
const BROWSER_PORT: u16 = 1434;

/// The property that names an instance.
pub(crate) const INSTANCE: &str = "instanceName";

/// Names that mean the same, the driver's own first.
const NAMES: [&[&str]; 5] = [
    &["databaseName", "database"],
    &["portNumber", "port"],
    &["serverName", "server"],
    &["user", "userName"],
    &["password"],
];

/// Reads what stands after the scheme.
pub(super) fn parse(rest: &str) -> Result<DatabaseUrl> {
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(refused(
            "write jdbc:sqlserver://host:port;databaseName=name, or host\\instance in place of host:port",
        ));
    };
    let (address, properties) = rest.split_once(';').unwrap_or((rest, ""));
    let mut parameters = properties_of(properties)?;
    let mut taken = NAMES.map(|names| take(&mut parameters, names));
    let [name, port, host, user, password] = &mut taken;
    let (address, instance) = match address.split_once('\\') {
        None => (address.to_owned(), None),
        Some((host, rest)) => {
            let (instance, port) = rest.split_once(':').unwrap_or((rest, ""));
            (format!("{host}:{port}"), Some(instance.to_owned()))
        }
    };
    let host_of_property = host.take().unwrap_or_else(|| "localhost".to_owned());
    // An address of IPv6 has colons, too, and is named by the property without brackets.
    let (host_of_property, instance_of_property) = match host_of_property.split_once('\\') {
        Some((host, instance)) => (host.to_owned(), Some(instance.to_owned())),
        None => (host_of_property, None),
    };
    let mut server = server(&address, 0)?;
    if server.host.is_empty() {
        server.host = host_of_property;
    }
    if let Some(text) = port
        && server.port == 0
    {
        server.port = text.parse().map_err(|_| refused("portNumber is no port"))?;
    }
    let instance = instance.or(instance_of_property);
    let asked = match take(&mut parameters, &[INSTANCE]) {
        None => instance,
        named => named,
    };
    match asked.filter(|instance| !instance.is_empty()) {
        // With a port nobody has to be asked.
        Some(instance) if server.port == 0 => {
            server.port = BROWSER_PORT;
            parameters.insert(INSTANCE.to_owned(), instance);
        }
        _ if server.port == 0 => server.port = PORT,
        _ => {}
    }
    let mut servers = vec![server];
    if let Some(partner) = take(&mut parameters, &["failoverPartner"]) {
        servers.push(super::server(&partner, PORT)?);
    }
    Ok(DatabaseUrl {
        database: Database::SqlServer,
        servers,
        name: name.take().unwrap_or_default(),
        user: user.take(),
        password: password.take(),
        is_mariadb: false,
        parameters,
    })
}

/// As people are told of it.
pub(super) fn show(url: &DatabaseUrl, to: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(to, "SQL Server database {} at ", url.name)?;
    for (index, server) in url.servers.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        match url.parameters.get(INSTANCE) {
            Some(instance) => write!(to, "{separator}{}\\{instance}", server.host)?,
            None => write!(to, "{separator}{}:{}", server.host, server.port)?,
        }
    }
    Ok(())
}

/// The value of a property that has these names.
fn take(parameters: &mut BTreeMap<String, String>, names: &[&str]) -> Option<String> {
    let key = parameters
        .keys()
        .find(|key| names.iter().any(|name| key.eq_ignore_ascii_case(name)))?
        .clone();
    parameters.remove(&key)
}

/// One value each: the driver takes the last one, which may undo what the first one is there for.
fn properties_of(text: &str) -> Result<BTreeMap<String, String>> {
    let mut properties: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['=', ';']).unwrap_or(rest.len());
        let key = rest[..end].trim().to_owned();
        let (value, left) = if rest[end..].starts_with('=') {
            value_of(&rest[end + 1..])?
        } else {
            (String::new(), &rest[end..])
        };
        rest = left.strip_prefix(';').unwrap_or(left);
        if key.is_empty() {
            continue;
        }
        let same = |other: &&String| {
            let mut names = NAMES.iter();
            let is_in = |names: &[&str], key: &str| names.iter().any(|name| name.eq_ignore_ascii_case(key));
            other.eq_ignore_ascii_case(&key) || names.any(|names| is_in(names, other) && is_in(names, &key))
        };
        if let Some(other) = properties.keys().find(same).cloned() {
            if properties.get(&other) != Some(&value) {
                return Err(refused(format!(
                    "parameter {key} is there twice, with two values; take one of them out"
                )));
            }
            continue;
        }
        properties.insert(key, value);
    }
    Ok(properties)
}

/// A value, and what follows it.
fn value_of(text: &str) -> Result<(String, &str)> {
    let Some(braced) = text.trim_start().strip_prefix('{') else {
        let end = text.find(';').unwrap_or(text.len());
        return Ok((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = braced.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '}' {
            value.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == '}') {
            characters.next();
            value.push('}');
        } else {
            return Ok((value, braced[at + 1..].trim_start()));
        }
    }
    Err(refused("a value begins with { and has no } at its end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_people_have_are_understood() {
        for (text, meant) in [
            (
                "sqlserver://db;databaseName=shop",
                "SQL Server database shop at db:1433",
            ),
            (
                "sqlserver://db:1444;database=shop;",
                "SQL Server database shop at db:1444",
            ),
            (
                "microsoft:sqlserver://db:1444;DatabaseName=shop",
                "SQL Server database shop at db:1444",
            ),
            (
                r"sqlserver://db\SALES;databaseName=shop;encrypt=false",
                r"SQL Server database shop at db\SALES",
            ),
            (
                "sqlserver://db;instanceName=SALES;databaseName=shop",
                r"SQL Server database shop at db\SALES",
            ),
            // A port says where the instance is.
            (
                r"sqlserver://db\SALES:1444;databaseName=shop",
                "SQL Server database shop at db:1444",
            ),
            (
                "sqlserver://;serverName=::1;portNumber=1444;databaseName=shop",
                "SQL Server database shop at ::1:1444",
            ),
            (
                "sqlserver://[::1]:1444;databaseName={a;b}}c}",
                "SQL Server database a;b}c at ::1:1444",
            ),
            (
                "sqlserver://a:1444;failoverPartner=b;databaseName=shop",
                "SQL Server database shop at a:1444,b:1433",
            ),
            ("sqlserver://", "SQL Server database  at localhost:1433"),
        ] {
            let url = DatabaseUrl::parse(&format!("jdbc:{text}")).unwrap();
            assert_eq!(
                (url.database, url.to_string()),
                (Database::SqlServer, meant.to_owned())
            );
        }
    }

    #[test]
    fn login_is_taken_out_and_not_shown() {
        let text = "jdbc:sqlserver://h;User=sa;password={s;cr=t};encrypt=strict; trustStore = /ca.pem";
        let url = DatabaseUrl::parse(text).unwrap();
        assert_eq!(
            (url.user.as_deref(), url.password.as_deref()),
            (Some("sa"), Some("s;cr=t"))
        );
        assert_eq!(url.parameters["encrypt"], "strict");
        assert_eq!(url.parameters["trustStore"], "/ca.pem");
        assert!(!format!("{url:?} {url}").contains("s;cr"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_without_its_secrets() {
        for (text, part) in [
            ("sqlserver:h;password=secret", "write jdbc:sqlserver://host:port"),
            ("sqlserver://h:port;password=secret", "is no port"),
            (
                "sqlserver://h;portNumber=x;password=secret",
                "portNumber is no port",
            ),
            ("sqlserver://h;password={secret", "no } at its end"),
            (
                "sqlserver://h;encrypt=strict;Encrypt=false;password=secret",
                "parameter Encrypt is there twice",
            ),
            (
                "sqlserver://h;databaseName=a;database=b;password=secret",
                "parameter database is there twice",
            ),
        ] {
            let error = DatabaseUrl::parse(&format!("jdbc:{text}")).unwrap_err();
            let message = error.message();
            assert!(message.contains(part), "{message}");
            assert!(
                message.contains("connection.url") && !message.contains("secret"),
                "{message}"
            );
        }
    }
}
