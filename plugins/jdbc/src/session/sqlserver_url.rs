//! What the properties of a `jdbc:sqlserver:` URL ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use tiberius::{AuthMethod, Config, EncryptionLevel};

use super::mysql_tls;
use super::parameters::{Known, not_built_in};
use crate::connection_config::ConnectionConfig;
use crate::failure::{Answer, Failure, Trouble};
use crate::url::Server;
use crate::url::sqlserver::INSTANCE;

/// How long a connection may take to come about, unless the URL says otherwise.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
const PEM: &[u8] = b"-----BEGIN";

/// Properties that are understood here.
const HERE: [&str; 20] = [
    "applicationintent",
    "applicationname",
    "authentication",
    "columnencryptionsetting",
    "database",
    "databasename",
    "encrypt",
    "fips",
    "hostnameincertificate",
    "instancename",
    "integratedsecurity",
    "locktimeout",
    "logintimeout",
    "packetsize",
    "sockettimeout",
    "sslprotocol",
    "trustservercertificate",
    "truststore",
    "truststorepassword",
    "workstationid",
];

/// Properties that change who is trusted, who logs in or what is encrypted, in ways that are not built in. They are refused, never
/// passed over.
const REFUSED: [(&str, &str); 31] = [
    ("aadsecureprincipalid", LOGIN),
    ("aadsecureprincipalsecret", LOGIN),
    ("accesstoken", LOGIN),
    ("accesstokencallbackclass", LOGIN),
    ("authenticationscheme", LOGIN),
    ("clientcertificate", LOGIN),
    ("clientkey", LOGIN),
    ("clientkeypassword", LOGIN),
    ("domain", LOGIN),
    ("gsscredential", LOGIN),
    ("jaasconfigurationname", LOGIN),
    ("msiclientid", LOGIN),
    ("realm", LOGIN),
    ("serverspn", LOGIN),
    ("usedefaultgsscredential", LOGIN),
    ("usedefaultjaasconfig", LOGIN),
    ("enclaveattestationprotocol", COLUMNS),
    ("enclaveattestationurl", COLUMNS),
    ("keystoreauthentication", COLUMNS),
    ("keystorelocation", COLUMNS),
    ("keystoreprincipalid", COLUMNS),
    ("keystoresecret", COLUMNS),
    ("keyvaultproviderclientid", COLUMNS),
    ("keyvaultproviderclientkey", COLUMNS),
    ("fipsprovider", "OpenSSL is used"),
    ("servercertificate", "name the certificate by trustStore"),
    ("socketfactoryclass", "a Java class"),
    ("socketfactoryconstructorarg", "a Java class"),
    ("trustmanagerclass", "a Java class; use trustStore"),
    ("trustmanagerconstructorarg", "a Java class; use trustStore"),
    (
        "ssl",
        "a property of jTDS; use encrypt and trustServerCertificate",
    ),
];
const LOGIN: &str = "users log in with a name and a password of SQL Server";
const COLUMNS: &str = "columns that the client decrypts (Always Encrypted) are not built in";

/// Properties of the JVM's driver that have no meaning here and no bearing on safety.
const MEANINGLESS: [&str; 33] = [
    "bulkcopyforbatchinsertallowencryptedvaluemodifications",
    "bulkcopyforbatchinsertbatchsize",
    "bulkcopyforbatchinsertcheckconstraints",
    "bulkcopyforbatchinsertfiretriggers",
    "bulkcopyforbatchinsertkeepidentity",
    "bulkcopyforbatchinsertkeepnulls",
    "bulkcopyforbatchinserttablelock",
    "cachebulkcopymetadata",
    "cancelquerytimeout",
    "connectretrycount",
    "connectretryinterval",
    "datetimeparametertype",
    "delayloadinglobs",
    "disablestatementpooling",
    "enableprepareonfirstpreparedstatementcall",
    "ignoreoffsetondatetimeoffsetconversion",
    "ipaddresspreference",
    "lastupdatecount",
    "maxresultbuffer",
    "multisubnetfailover",
    "preparemethod",
    "quotedidentifier",
    "responsebuffering",
    "selectmethod",
    "sendstringparametersasunicode",
    "sendtemporaldatatypesasstringforbulkcopy",
    "sendtimeasdatetime",
    "serverpreparedstatementdiscardthreshold",
    "statementpoolingcachesize",
    "transparentnetworkipresolution",
    "truststoretype",
    "usebulkcopyforbatchinsert",
    "xopenstates",
];

/// What a URL asks for.
pub(super) struct Settings {
    /// Tried in turn.
    pub(super) servers: Vec<Server>,
    /// All but the server's address.
    pub(super) config: Config,
    /// Whether servers are asked where the instance is.
    pub(super) by_instance: bool,
    pub(super) login_timeout: Duration,
    /// How long the server may be silent.
    pub(super) socket_timeout: Option<Duration>,
    /// How long a lock is waited for.
    pub(super) lock_timeout: Option<Duration>,
}

/// Properties, whose names are the same in small and capital letters.
struct Properties<'a>(&'a BTreeMap<String, String>);

impl<'a> Properties<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut all = self.0.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str) -> Answer<bool> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "false" | "no") => Ok(false),
            Some("true" | "yes") => Ok(true),
            Some(other) => Err(no_value(name, other)),
        }
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Answer<Option<T>> {
        self.get(name)
            .map(|value| value.parse().map_err(|_| no_value(name, value)))
            .transpose()
    }
}

fn wrong(text: String) -> Failure {
    Failure::new(Trouble::Statement, text)
}

fn no_value(name: &str, value: &str) -> Failure {
    wrong(format!(
        "'{value}' is no value for parameter {name} of connection.url"
    ))
}

/// Reads the URL's properties.
///
/// # Errors
/// When one cannot be held.
pub(super) fn settings(config: &ConnectionConfig) -> Answer<Settings> {
    let url = &config.url;
    let properties = Properties(&url.parameters);
    check(&properties)?;
    let mut target = Config::new();
    // Answers are waited for elsewhere.
    target.command_timeout(None);
    target.handshake_timeout(None);
    target.application_name(properties.get("applicationName").unwrap_or("wharf"));
    if let Some(name) = properties.get("workstationID") {
        target.client_name(name);
    }
    let database = Some(url.name.as_str()).filter(|name| !name.is_empty());
    let of_key = || properties.get("databaseName").or(properties.get("database"));
    if let Some(name) = database.or_else(of_key) {
        target.database(name);
    }
    if let Some(size) = properties.number::<u32>("packetSize")? {
        if !(512..=32_767).contains(&size) {
            return Err(no_value("packetSize", &size.to_string()));
        }
        target.packet_size(size);
    }
    match properties
        .get("applicationIntent")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None | Some("readwrite") => {}
        Some("readonly") => target.readonly(true),
        Some(other) => return Err(no_value("applicationIntent", other)),
    }
    let instance = properties.get(INSTANCE).filter(|name| !name.is_empty());
    if let Some(instance) = instance {
        target.instance_name(instance);
    }
    let password = config.password.as_ref().map_or("", |password| password.reveal());
    let user = config.user.as_deref().unwrap_or_default();
    target.authentication(AuthMethod::sql_server(user, password));
    encryption(&properties, &mut target)?;
    let millis = |name: &str, least: i64| -> Answer<Option<Duration>> {
        let number = properties.number::<i64>(name)?;
        Ok(number
            .filter(|millis| *millis >= least)
            .and_then(|millis| u64::try_from(millis).ok())
            .map(Duration::from_millis))
    };
    Ok(Settings {
        servers: url.servers.clone(),
        config: target,
        by_instance: instance.is_some(),
        login_timeout: properties
            .number("loginTimeout")?
            .filter(|seconds| *seconds > 0)
            .map_or(LOGIN_TIMEOUT, Duration::from_secs),
        socket_timeout: millis("socketTimeout", 1)?,
        lock_timeout: millis("lockTimeout", 0)?,
    })
}

/// As the JVM's driver has it: everything is encrypted and the server has to show who it is, unless the URL says otherwise. What is
/// not to be encrypted is so for the login at least, and nobody is asked who he is.
fn encryption(properties: &Properties<'_>, target: &mut Config) -> Answer<()> {
    if let Some(name) = properties
        .get("hostNameInCertificate")
        .filter(|name| !name.is_empty())
    {
        target.hostname_in_certificate(name);
    }
    let trusts_all = properties.flag("trustServerCertificate")?;
    let encrypt = properties.get("encrypt").unwrap_or("true").to_ascii_lowercase();
    let is_checked = match encrypt.as_str() {
        "true" | "yes" | "mandatory" => {
            target.encryption(EncryptionLevel::Required);
            !trusts_all
        }
        // The driver's rule, too: what trustServerCertificate says does not count.
        "strict" => {
            target.encryption(EncryptionLevel::Strict);
            true
        }
        "false" | "no" | "optional" => {
            target.encryption(EncryptionLevel::Off);
            false
        }
        other => {
            return Err(wrong(format!(
                "encrypt={other} is not known; use true, false or strict"
            )));
        }
    };
    if !is_checked {
        target.trust_cert();
        return Ok(());
    }
    let Some(path) = properties.get("trustStore").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    target.trust_cert_ca_bundle(certificates(path, properties.get("trustStorePassword"))?);
    Ok(())
}

/// The certificates of a trust store, in PEM.
fn certificates(path: &str, password: Option<&str>) -> Answer<Vec<u8>> {
    const NAME: &str = "trustStore";
    let bytes = mysql_tls::read(NAME, path)?;
    if bytes.starts_with(PEM) {
        return Ok(bytes);
    }
    let store = mysql_tls::open(NAME, path, &bytes, password)?;
    let mut pem = Vec::new();
    for certificate in store.ca.into_iter().flatten().chain(store.cert) {
        let text = certificate
            .to_pem()
            .map_err(|error| wrong(format!("{NAME}={path} cannot be read: {error}")))?;
        pem.extend_from_slice(&text);
    }
    if pem.is_empty() {
        return Err(wrong(format!("{NAME}={path} holds no certificates")));
    }
    Ok(pem)
}

/// Refuses what cannot be held, and names what is not known.
fn check(properties: &Properties<'_>) -> Answer<()> {
    let is = |name: &str, values: &[&str]| {
        let value = properties.get(name).unwrap_or_default();
        value.is_empty() || values.iter().any(|known| value.eq_ignore_ascii_case(known))
    };
    if properties.flag("integratedSecurity")? {
        return Err(not_built_in("integratedSecurity", LOGIN));
    }
    if !is("authentication", &["NotSpecified", "SqlPassword"]) {
        return Err(not_built_in("authentication", LOGIN));
    }
    if !is("columnEncryptionSetting", &["Disabled"]) {
        return Err(not_built_in("columnEncryptionSetting", COLUMNS));
    }
    if !is("sslProtocol", &["TLS"]) {
        return Err(wrong(
            "sslProtocol cannot be held: TLSv1.2 and TLSv1.3 are spoken; leave it out, or write TLS"
                .to_owned(),
        ));
    }
    if properties.flag("fips")? {
        return Err(not_built_in("fips", "OpenSSL is used"));
    }
    let known = Known {
        here: &[&HERE],
        refused: &REFUSED,
        meaningless: &MEANINGLESS,
    };
    known.check(properties.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(properties: &str) -> Answer<Settings> {
        of_keys(&[("connection.url", &format!("jdbc:sqlserver://h{properties}"))])
    }

    fn of_keys(keys: &[(&str, &str)]) -> Answer<Settings> {
        let def = crate::connection_config::define(wharf_api::config::ConfigDef::new());
        let config = wharf_testkit::config(keys.iter().copied());
        settings(&ConnectionConfig::of(&def.parse(&config).unwrap()).unwrap())
    }

    /// The library's own words for how the server is asked who it is.
    fn shown(properties: &str) -> String {
        let text = format!("{:?}", of(properties).unwrap().config);
        let of_level = ["Required", "Off", "Strict"];
        let level = of_level
            .into_iter()
            .find(|level| text.contains(&format!("encryption: {level}")))
            .unwrap_or_default();
        let trust = match (text.contains("bypass: true"), text.contains("Bundle {")) {
            (true, _) => "everybody",
            (false, true) => "the store",
            (false, false) => "the system's",
        };
        format!("{level}, {trust}")
    }

    #[test]
    fn tls_is_what_the_driver_makes_of_its_properties() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("ca.pem");
        std::fs::write(&store, "-----BEGIN CERTIFICATE-----\n").unwrap();
        let with_store = |rest: &str| format!(";trustStore={}{rest}", store.display());
        for (properties, expected) in [
            (String::new(), "Required, the system's"),
            (";encrypt=true".to_owned(), "Required, the system's"),
            (
                ";encrypt=mandatory;trustServerCertificate=true".to_owned(),
                "Required, everybody",
            ),
            (
                ";trustServerCertificate=false".to_owned(),
                "Required, the system's",
            ),
            (with_store(""), "Required, the store"),
            (";encrypt=false".to_owned(), "Off, everybody"),
            (";encrypt=optional".to_owned(), "Off, everybody"),
            (";encrypt=strict".to_owned(), "Strict, the system's"),
            (
                ";encrypt=strict;trustServerCertificate=true".to_owned(),
                "Strict, the system's",
            ),
            (with_store(";encrypt=strict"), "Strict, the store"),
        ] {
            assert_eq!(shown(&properties), expected, "{properties}");
        }
        let named = of(";hostNameInCertificate=db.example").unwrap();
        assert!(format!("{:?}", named.config).contains(r#"hostname_in_certificate: Some("db.example")"#));
    }

    #[test]
    fn what_cannot_be_held_is_refused_by_name() {
        for (properties, said) in [
            (
                "integratedSecurity=true",
                "parameter integratedSecurity of connection.url is not built in",
            ),
            (
                "authentication=ActiveDirectoryPassword",
                "parameter authentication",
            ),
            ("AccessToken=x", "parameter AccessToken"),
            ("columnEncryptionSetting=Enabled", "Always Encrypted"),
            ("serverCertificate=/x", "name the certificate by trustStore"),
            ("trustManagerClass=x.Y", "parameter trustManagerClass"),
            ("sslProtocol=TLSv1.2", "sslProtocol cannot be held"),
            ("fips=true", "parameter fips"),
            ("encrypt=sometimes", "encrypt=sometimes is not known"),
            (
                "trustServerCertificate=maybe",
                "no value for parameter trustServerCertificate",
            ),
            ("loginTimeout=soon", "no value for parameter loginTimeout"),
            ("packetSize=100", "'100' is no value for parameter packetSize"),
            (
                "applicationIntent=Write",
                "no value for parameter applicationIntent",
            ),
            (
                "trustStore=/no/such/file",
                "trustStore=/no/such/file cannot be read",
            ),
        ] {
            let Err(failure) = of(&format!(";{properties}")) else {
                panic!("{properties} was taken")
            };
            assert!(failure.message.contains(said), "{failure}");
            assert!(failure.is(Trouble::Statement));
        }
        of(";integratedSecurity=false;authentication=SqlPassword;columnEncryptionSetting=Disabled;sslProtocol=TLS").unwrap();
    }

    #[test]
    fn times_are_those_of_the_properties() {
        let settings = of(";loginTimeout=5;socketTimeout=7000;lockTimeout=0").unwrap();
        assert_eq!(settings.login_timeout, Duration::from_secs(5));
        assert_eq!(settings.socket_timeout, Some(Duration::from_secs(7)));
        assert_eq!(settings.lock_timeout, Some(Duration::ZERO));
        let settings = of(r"\SALES;socketTimeout=0;lockTimeout=-1").unwrap();
        assert_eq!(settings.login_timeout, LOGIN_TIMEOUT);
        assert_eq!((settings.socket_timeout, settings.lock_timeout), (None, None));
        assert!(settings.by_instance);
    }

    #[test]
    fn a_key_does_not_undo_what_the_url_asks_for() {
        let with = |key: &'static str, value: &'static str| {
            of_keys(&[
                ("connection.url", "jdbc:sqlserver://h;encrypt=strict"),
                (key, value),
            ])
        };
        let Err(failure) = with("connection.Encrypt", "false") else {
            panic!("the key went before the URL")
        };
        assert!(
            failure
                .message
                .contains("encrypt of connection.url is there twice"),
            "{failure}"
        );
        let settings = with("connection.databaseName", "shop").unwrap();
        assert!(format!("{:?}", settings.config).contains(r#"database: Some("shop")"#));
    }
}
