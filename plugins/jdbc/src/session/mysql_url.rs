//! What the parameters of a `jdbc:mysql:` or `jdbc:mariadb:` URL ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use mysql_async::OptsBuilder;

use super::mysql_tls::{self, Tls};
use super::parameters::Known;
use crate::connection_config::ConnectionConfig;
use crate::failure::{Answer, Failure, Trouble};

/// How long a connection may take to come about, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// When an idle connection is asked whether it still lives.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Parameters that change who is trusted or what is run, in ways that are not built in. They are refused, never passed over.
const REFUSED: [(&str, &str); 26] = [
    ("authenticationfidocallbackhandler", "a Java class"),
    ("authenticationopenidconnectcallbackhandler", "a Java class"),
    ("authenticationplugins", "Java classes"),
    ("authenticationwebauthncallbackhandler", "a Java class"),
    ("credentialtype", "use connection.password with a config provider"),
    ("defaultauthenticationplugin", "a Java class"),
    (
        "disabledauthenticationplugins",
        "the server says how users log in; use sslMode=VERIFY_IDENTITY",
    ),
    ("enabledsslciphersuites", "OpenSSL's are used"),
    ("fallbacktosystemkeystore", "name the key store"),
    ("fallbacktosystemtruststore", "name the trust store"),
    ("fipscompliantjsse", "OpenSSL is used"),
    ("keymanagerfactoryprovider", "a Java class"),
    ("keypassword", "the key has to have the password of its store"),
    ("keystoreprovider", "a Java class"),
    ("localsocket", "connect over TCP"),
    ("password2", "logging in with several factors"),
    ("password3", "logging in with several factors"),
    ("pipe", "connect over TCP"),
    (
        "restrictedauth",
        "the server says how users log in; use sslMode=verify-full",
    ),
    ("serverrsapublickeyfile", "use sslMode=REQUIRED"),
    ("serviceprincipalname", "Kerberos is not built in"),
    ("socketfactory", "a Java class"),
    ("socksproxyhost", "a proxy"),
    ("sslcontextprovider", "a Java class"),
    ("tlsciphersuites", "OpenSSL's are used"),
    ("trustmanagerfactoryprovider", "a Java class"),
];

/// Parameters of the JVM's drivers that have no meaning here and no bearing on safety.
const MEANINGLESS: [&str; 34] = [
    "allowloadlocalinfile",
    "allowlocalinfile",
    "allowmultiqueries",
    "autoreconnect",
    "cacheprepstmts",
    "cacheresultsetmetadata",
    "cacheserverconfiguration",
    "characterencoding",
    "connectiontimezone",
    "databaseterm",
    "defaultfetchsize",
    "elidesetautocommits",
    "failoverreadonly",
    "forceconnectiontimezonetosession",
    "jdbccomplianttruncation",
    "maintaintimestats",
    "maxreconnects",
    "nullcatalogmeanscurrent",
    "nulldatabasemeanscurrent",
    "prepstmtcachesize",
    "prepstmtcachesqllimit",
    "preserveinstants",
    "rewritebatchedstatements",
    "servertimezone",
    "usebulkstmts",
    "usecompression",
    "usecursorfetch",
    "useinformationschema",
    "usejdbccomplianttimezoneshift",
    "uselegacydatetimecode",
    "uselocalsessionstate",
    "useserverprepstmts",
    "usetimezone",
    "useunicode",
];

/// Parameters by their names, whose letters count as small or large alike: the two drivers write some of them differently.
pub(super) struct Parameters<'a> {
    all: &'a BTreeMap<String, String>,
    /// Whether they are those of MariaDB's driver.
    pub(super) is_mariadb: bool,
}

impl<'a> Parameters<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let mut all = self.all.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// True or false, where it is given.
    pub(super) fn flag(&self, name: &str) -> Answer<Option<bool>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" | "" => Ok(Some(true)),
            "false" | "no" | "0" => Ok(Some(false)),
            _ => Err(no_value(name, value)),
        }
    }

    /// A time in milliseconds, where it is given and has an end.
    fn time(&self, name: &str) -> Answer<Option<Duration>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let millis = value.parse().map_err(|_| no_value(name, value))?;
        Ok(Some(Duration::from_millis(millis)).filter(|time| !time.is_zero()))
    }
}

fn no_value(name: &str, value: &str) -> Failure {
    let text = format!("'{value}' is no value for parameter {name} of connection.url");
    Failure::new(Trouble::Statement, text)
}

/// What becomes of dates that are none, such as 0000-00-00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZeroDate {
    Fail,
    Null,
    /// The first day that there is.
    Round,
}

/// How columns are read whose type says less than it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Habits {
    /// TINYINT(1) is a boolean.
    pub(super) tiny_is_boolean: bool,
    /// YEAR is its first day.
    pub(super) year_is_date: bool,
    pub(super) zero_date: ZeroDate,
}

/// What a URL asks for.
pub(super) struct Settings {
    /// One for each server.
    pub(super) servers: Vec<OptsBuilder>,
    pub(super) tls: Tls,
    pub(super) connect_timeout: Duration,
    /// How long the server may be silent.
    pub(super) socket_timeout: Option<Duration>,
    /// As they stand after SET.
    pub(super) session_variables: Option<String>,
    pub(super) habits: Habits,
}

/// Reads the URL's parameters.
///
/// # Errors
/// When one cannot be held.
pub(super) fn settings(config: &ConnectionConfig) -> Answer<Settings> {
    let url = &config.url;
    let parameters = Parameters {
        all: &url.parameters,
        is_mariadb: url.is_mariadb,
    };
    check(&parameters)?;
    let tls = mysql_tls::tls(&parameters)?;
    if parameters.flag("allowPublicKeyRetrieval")? == Some(false) && !matches!(tls, Tls::Always(_)) {
        let text =
            "allowPublicKeyRetrieval=false can be held with TLS alone: set sslMode=REQUIRED, or leave it out";
        return Err(Failure::new(Trouble::Statement, text));
    }
    let keepalive = (parameters.flag("tcpKeepAlive")? != Some(false)).then_some(KEEPALIVE);
    let servers = url.servers.iter().map(|server| {
        OptsBuilder::default()
            .ip_or_hostname(server.host.clone())
            .tcp_port(server.port)
            .user(config.user.clone())
            .pass(
                config
                    .password
                    .as_ref()
                    .map(|password| password.reveal().to_owned()),
            )
            .db_name(Some(url.name.clone()).filter(|name| !name.is_empty()))
            .tcp_keepalive(keepalive)
            // What the server sends may be larger than what it takes; the latter is seen to where rows are written.
            .max_allowed_packet(Some(MOST_PACKET))
            // Over the network as the URL says, whatever else the server offers.
            .prefer_socket(false)
    });
    let zero_date = match parameters.get("zeroDateTimeBehavior") {
        None => ZeroDate::Fail,
        Some(value) => match value.to_ascii_lowercase().replace('_', "").as_str() {
            "exception" => ZeroDate::Fail,
            "converttonull" => ZeroDate::Null,
            "round" => ZeroDate::Round,
            _ => return Err(no_value("zeroDateTimeBehavior", value)),
        },
    };
    Ok(Settings {
        servers: servers.collect(),
        tls,
        connect_timeout: parameters.time("connectTimeout")?.unwrap_or(CONNECT_TIMEOUT),
        socket_timeout: parameters.time("socketTimeout")?,
        session_variables: parameters
            .get("sessionVariables")
            .map(|text| text.replace(';', ",")),
        habits: Habits {
            tiny_is_boolean: parameters.flag("tinyInt1isBit")? != Some(false)
                && parameters.flag("transformedBitIsBoolean")? != Some(false),
            year_is_date: parameters.flag("yearIsDateType")? != Some(false),
            zero_date,
        },
    })
}

/// The largest packet of the protocol.
const MOST_PACKET: usize = 1 << 30;

/// Refuses what cannot be held, and names what is not known.
fn check(parameters: &Parameters<'_>) -> Answer<()> {
    const HERE: [&str; 10] = [
        "allowpublickeyretrieval",
        "connecttimeout",
        "connectionattributes",
        "sessionvariables",
        "sockettimeout",
        "tcpkeepalive",
        "tinyint1isbit",
        "transformedbitisboolean",
        "yearisdatetype",
        "zerodatetimebehavior",
    ];
    let known = Known {
        here: &[&HERE, &mysql_tls::PARAMETERS],
        refused: &REFUSED,
        meaningless: &MEANINGLESS,
    };
    known.check(parameters.all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Answer<Settings> {
        let def = crate::connection_config::define(wharf_api::config::ConfigDef::new());
        let config = wharf_testkit::config([("connection.url", url)]);
        settings(&ConnectionConfig::of(&def.parse(&config).unwrap()).unwrap())
    }

    fn tls_of(parameters: &str) -> String {
        match of(&format!("jdbc:{parameters}")).unwrap().tls {
            Tls::Never => "never".to_owned(),
            Tls::IfOffered(_) => "if offered".to_owned(),
            Tls::Always(options) if options.accept_invalid_certs() => "trust".to_owned(),
            Tls::Always(options) if options.skip_domain_validation() => "chain".to_owned(),
            Tls::Always(_) => "chain and name".to_owned(),
        }
    }

    #[test]
    fn tls_is_what_the_drivers_make_of_their_parameters() {
        for (url, expected) in [
            ("mysql://h/d", "if offered"),
            ("mysql://h/d?sslMode=DISABLED", "never"),
            ("mysql://h/d?sslMode=PREFERRED", "if offered"),
            ("mysql://h/d?sslMode=REQUIRED", "trust"),
            ("mysql://h/d?sslMode=VERIFY_CA", "chain"),
            ("mysql://h/d?sslMode=VERIFY_IDENTITY", "chain and name"),
            ("mysql://h/d?useSSL=false", "never"),
            ("mysql://h/d?useSSL=true", "if offered"),
            ("mysql://h/d?useSSL=true&requireSSL=true", "trust"),
            ("mysql://h/d?useSSL=true&verifyServerCertificate=true", "chain"),
            ("mariadb://h/d?sslMode=trust", "trust"),
            ("mariadb://h/d?sslMode=verify-ca", "chain"),
            ("mariadb://h/d?sslMode=verify-full", "chain and name"),
            ("mariadb://h/d?useSsl=true", "chain and name"),
            ("mariadb://h/d?useSsl=true&trustServerCertificate=true", "trust"),
            (
                "mariadb://h/d?useSsl=true&disableSslHostnameVerification=true",
                "chain",
            ),
        ] {
            assert_eq!(tls_of(url), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_held_is_refused_by_name() {
        for (parameters, said) in [
            ("sslMode=sometimes", "sslMode=sometimes is not known"),
            ("useSSL=maybe", "no value for parameter useSSL"),
            ("tlsVersions=TLSv1.3", "TLSv1.2 and TLSv1.3 are spoken"),
            ("socketFactory=x.Y", "parameter socketFactory"),
            ("serverRSAPublicKeyFile=/x", "parameter serverRSAPublicKeyFile"),
            ("allowPublicKeyRetrieval=false", "set sslMode=REQUIRED"),
            (
                "sslMode=VERIFY_IDENTITY&SSLMode=DISABLED",
                "parameter sslMode of connection.url is there twice",
            ),
            ("connectTimeout=soon", "no value for parameter connectTimeout"),
            (
                "sslMode=VERIFY_CA&trustCertificateKeyStoreUrl=file:/no/such/file",
                "trustCertificateKeyStoreUrl=file:/no/such/file cannot be read",
            ),
        ] {
            let Err(failure) = of(&format!("jdbc:mysql://h/d?{parameters}")) else {
                panic!("{parameters} was taken")
            };
            assert!(failure.message.contains(said), "{failure}");
            assert!(failure.is(Trouble::Statement));
        }
    }

    #[test]
    fn a_parameter_has_one_value_in_the_url_and_the_keys() {
        let def = crate::connection_config::define(wharf_api::config::ConfigDef::new());
        let with = |key: &str, value: &str| {
            let config = wharf_testkit::config([
                ("connection.url", "jdbc:mysql://h/d?sslMode=VERIFY_IDENTITY"),
                (key, value),
            ]);
            ConnectionConfig::of(&def.parse(&config).unwrap())
        };
        let error = with("connection.sslMode", "DISABLED").unwrap_err();
        assert!(error.message().contains("have two values"), "{error}");
        let Err(failure) = settings(&with("connection.sslmode", "DISABLED").unwrap()) else {
            panic!("a weaker one was taken")
        };
        assert!(failure.message.contains("is there twice"), "{failure}");
        assert!(settings(&with("connection.sslMode", "VERIFY_IDENTITY").unwrap()).is_ok());
    }

    #[test]
    fn habits_are_those_of_the_parameters() {
        let plain = of("jdbc:mysql://h/d").unwrap().habits;
        let expected = Habits {
            tiny_is_boolean: true,
            year_is_date: true,
            zero_date: ZeroDate::Fail,
        };
        assert_eq!(plain, expected);
        let other = of(
            "jdbc:mysql://h/d?tinyInt1isBit=false&yearIsDateType=false&zeroDateTimeBehavior=CONVERT_TO_NULL",
        );
        let expected = Habits {
            tiny_is_boolean: false,
            year_is_date: false,
            zero_date: ZeroDate::Null,
        };
        assert_eq!(other.unwrap().habits, expected);
    }
}
