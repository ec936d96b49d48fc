//! One connection to one broker, one request at a time.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{
    Decodable as _, HeaderVersion as _, Request, StrBytes, VersionRange, encode_request_header_into_buffer,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_key_stores::{explain, is_refusal};

use crate::sasl::{Conversation, Step};
use crate::transport::{Transport, refusal};
use crate::{ConnectionError, ConnectionSettings, SaslSettings};

/// No answer that this client asks for is larger: the largest is the list of members with what they own.
const LONGEST_ANSWER: usize = 100 * 1024 * 1024;
const UNSUPPORTED_VERSION: i16 = 35;
/// Part of its time after which a session is authenticated again.
const RENEW_AT: f64 = 0.85;

/// No broker takes a second login of one connection within this time.
const SHORTEST_SESSION: Duration = Duration::from_millis(1_100);

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrokerAddress {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl BrokerAddress {
    /// Reads `host:port`, also `[::1]:9092` and `PLAINTEXT://host:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty()).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A connection that is set up: TLS is done, versions are known, the broker knows who asks.
///
/// After any error it is of no use: an answer may still be on its way.
#[derive(Debug)]
pub struct Connection {
    address: BrokerAddress,
    transport: Transport,
    client_id: StrBytes,
    sasl: Option<SaslSettings>,
    request_timeout: Duration,
    correlation: i32,
    versions: Vec<(i16, VersionRange)>,
    renew_at: Option<Instant>,
    authenticated_at: Instant,
}

impl Connection {
    /// Connects, learns what the broker can do, authenticates.
    ///
    /// # Errors
    /// When any of that fails or takes longer than the set-up time-out.
    pub async fn open(
        address: &BrokerAddress,
        settings: &ConnectionSettings,
    ) -> Result<Self, ConnectionError> {
        let setup = async {
            let transport = Transport::open(address, settings.tls.as_ref()).await?;
            let mut connection = Self {
                address: address.clone(),
                transport,
                client_id: StrBytes::from_string(settings.client_id.clone()),
                sasl: settings.sasl.clone(),
                request_timeout: settings.request_timeout,
                correlation: 0,
                versions: Vec::new(),
                renew_at: None,
                authenticated_at: Instant::now(),
            };
            connection.learn_versions().await?;
            connection.authenticate().await?;
            Ok(connection)
        };
        match tokio::time::timeout(settings.setup_timeout, setup).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectionError::Connect {
                address: address.to_string(),
                reason: format!("not ready within {} ms", settings.setup_timeout.as_millis()),
            }),
        }
    }

    /// Whether the broker will soon drop this session unless it is authenticated again, which
    /// [`Connection::renew`] does between two requests.
    #[must_use]
    pub fn is_renewal_due(&self) -> bool {
        self.renew_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Whether renewal is due so soon that no broker would take it: another connection has to take this one's place.
    #[must_use]
    pub(crate) fn is_lapsing(&self) -> bool {
        self.is_renewal_due() && self.authenticated_at.elapsed() < SHORTEST_SESSION
    }

    /// Authenticates again if that is due, `connections.max.reauth.ms` of the broker (KIP-368).
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn renew(&mut self) -> Result<(), ConnectionError> {
        if self.is_renewal_due() {
            self.authenticate().await?;
        }
        Ok(())
    }

    /// The highest version of a request that both sides know, not above `limit`.
    ///
    /// # Errors
    /// When there is none.
    pub fn version_of<R: Request>(&self, limit: i16) -> Result<i16, ConnectionError> {
        let known = R::VERSIONS;
        let offered = self
            .versions
            .iter()
            .find(|(key, _)| *key == R::KEY)
            .map(|(_, range)| *range);
        offered
            .and_then(|offered| {
                let highest = offered.max.min(known.max).min(limit);
                (highest >= offered.min.max(known.min)).then_some(highest)
            })
            .ok_or_else(|| ConnectionError::Version {
                address: self.address.to_string(),
                request: name_of::<R>(),
                offered: offered.map_or_else(|| "none".to_owned(), |range| range.to_string()),
                known: known.to_string(),
            })
    }

    /// Sends a request in this version and waits for its answer, `time` or the usual request time-out.
    ///
    /// # Errors
    /// When the connection fails or there is no answer in time.
    pub async fn send<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        time: Option<Duration>,
    ) -> Result<R::Response, ConnectionError> {
        let waited = time.unwrap_or(self.request_timeout);
        let exchange = async {
            let mut answer = self.exchange(request, version).await?;
            R::Response::decode(&mut answer, version).map_err(|error| self.malformed::<R>(&error))
        };
        match tokio::time::timeout(waited, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectionError::TimedOut {
                address: self.address.to_string(),
                request: name_of::<R>(),
                waited,
            }),
        }
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<Bytes, ConnectionError> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client_id.clone()));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        encode_request_header_into_buffer(&mut frame, &header)
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|error| self.malformed::<R>(&error))?;
        let length = i32::try_from(frame.len() - 4).unwrap_or(i32::MAX);
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.transport
            .write_all(&frame)
            .await
            .map_err(|error| self.lost(&error))?;
        self.transport.flush().await.map_err(|error| self.lost(&error))?;

        let length = self
            .transport
            .read_i32()
            .await
            .map_err(|error| self.lost(&error))?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= LONGEST_ANSWER)
            .ok_or_else(|| {
                self.malformed::<R>(&format!(
                    "{length} is no length of an answer; is this a Kafka listener?"
                ))
            })?;
        let mut answer = vec![0; length];
        self.transport
            .read_exact(&mut answer)
            .await
            .map_err(|error| self.lost(&error))?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))
            .map_err(|error| self.malformed::<R>(&error))?;
        if header.correlation_id != self.correlation {
            return Err(self.malformed::<R>(&"it belongs to another request"));
        }
        Ok(answer)
    }

    async fn learn_versions(&mut self) -> Result<(), ConnectionError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("wharf"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        // A broker that does not know this version answers in version 0, whatever was asked.
        const VERSION: i16 = 3;
        let mut answer = self.exchange(&request, VERSION).await?;
        let refused = answer.remaining() >= 2 && answer[..2] == UNSUPPORTED_VERSION.to_be_bytes();
        let version = if refused { 0 } else { VERSION };
        let mut versions = ApiVersionsResponse::decode(&mut answer, version)
            .map_err(|error| self.malformed::<ApiVersionsRequest>(&error))?;
        if refused {
            let mut answer = self.exchange(&ApiVersionsRequest::default(), 0).await?;
            versions = ApiVersionsResponse::decode(&mut answer, 0)
                .map_err(|error| self.malformed::<ApiVersionsRequest>(&error))?;
        }
        self.versions = versions
            .api_keys
            .iter()
            .map(|api| {
                let range = VersionRange {
                    min: api.min_version,
                    max: api.max_version,
                };
                (api.api_key, range)
            })
            .collect();
        Ok(())
    }

    async fn authenticate(&mut self) -> Result<(), ConnectionError> {
        let Some(settings) = self.sasl.clone() else {
            return Ok(());
        };
        let address = self.address.to_string();
        let mut fetched = None;
        if let SaslSettings::Token(login) = &settings {
            fetched = Some(login.token().await?);
        }
        let refused = |reason: String| match &settings {
            // The next one may do.
            SaslSettings::Token(login) if login.is_changing() => ConnectionError::Lost {
                address: address.clone(),
                reason: format!("it refused a token that is being replaced: {reason}"),
            },
            settings => ConnectionError::Authentication {
                address: address.clone(),
                mechanism: settings.mechanism().to_owned(),
                reason: explain(&reason, None),
            },
        };
        let handshake = SaslHandshakeRequest::default()
            .with_mechanism(StrBytes::from_string(settings.mechanism().to_owned()));
        let version = self.version_of::<SaslHandshakeRequest>(1)?;
        let answer = self.send(&handshake, version, None).await?;
        if answer.error_code != 0 {
            let offered: Vec<&str> = answer.mechanisms.iter().map(|name| &**name).collect();
            let offered = offered.join(", ");
            return Err(refused(format!(
                "the broker offers {offered}; set sasl.mechanism to one of these"
            )));
        }
        let version = self.version_of::<SaslAuthenticateRequest>(2)?;
        let (mut conversation, mut token) =
            Conversation::begin(&settings, fetched.as_deref()).map_err(&refused)?;
        let started = Instant::now();
        loop {
            let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(token));
            let answer = self.send(&request, version, None).await?;
            if answer.error_code != 0 {
                let text = answer.error_message.as_deref().unwrap_or("no reason was given");
                return Err(refused(text.to_owned()));
            }
            match conversation.step(&answer.auth_bytes).map_err(&refused)? {
                Step::Send(next) => token = next,
                Step::Done => {
                    self.authenticated_at = started;
                    self.renew_at = u64::try_from(answer.session_lifetime_ms)
                        .ok()
                        .filter(|lifetime| *lifetime > 0)
                        .map(|lifetime| started + Duration::from_millis(lifetime).mul_f64(RENEW_AT));
                    return Ok(());
                }
            }
        }
    }

    fn lost(&self, error: &std::io::Error) -> ConnectionError {
        let reason = if error.kind() == std::io::ErrorKind::UnexpectedEof {
            "the broker closed it".to_owned()
        } else {
            error.to_string()
        };
        // With TLS 1.3 the broker judges this client's certificate after the handshake.
        if is_refusal(&reason) {
            return refusal(&self.address, &format!("TLS: {reason}"));
        }
        ConnectionError::Lost {
            address: self.address.to_string(),
            reason,
        }
    }

    fn malformed<R: Request>(&self, reason: &dyn fmt::Display) -> ConnectionError {
        ConnectionError::Malformed {
            address: self.address.to_string(),
            request: name_of::<R>(),
            reason: reason.to_string(),
        }
    }
}

fn name_of<R: Request>() -> &'static str {
    match ApiKey::try_from(R::KEY) {
        Ok(ApiKey::ApiVersions) => "ApiVersions",
        Ok(ApiKey::SaslHandshake) => "SaslHandshake",
        Ok(ApiKey::SaslAuthenticate) => "SaslAuthenticate",
        Ok(ApiKey::FindCoordinator) => "FindCoordinator",
        Ok(ApiKey::JoinGroup) => "JoinGroup",
        Ok(ApiKey::SyncGroup) => "SyncGroup",
        Ok(ApiKey::Heartbeat) => "Heartbeat",
        Ok(ApiKey::LeaveGroup) => "LeaveGroup",
        Ok(ApiKey::InitProducerId) => "InitProducerId",
        _ => "a request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed() {
        for (text, expected) in [
            ("localhost:9092", Some(("localhost", 9092))),
            ("SASL_SSL://b1.example:9093", Some(("b1.example", 9093))),
            ("[::1]:1", Some(("::1", 1))),
            ("localhost", None),
            (":9092", None),
            ("a:0", None),
            ("a:70000", None),
        ] {
            let read = BrokerAddress::parse(text);
            assert_eq!(
                read.as_ref().map(|it| (it.host.as_str(), it.port)),
                expected,
                "{text}"
            );
        }
        assert_eq!(BrokerAddress::parse("[::1]:1").unwrap().to_string(), "[::1]:1");
    }
}
