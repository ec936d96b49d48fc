//! A small identity provider: gives out tokens to one client by the OAuth grant for client credentials, signs them with RS256, and
//! shows its public key as brokers ask for it.
//!
//! It lives in the process of the test, so that a test can turn it: how long tokens hold, what it answers, whether it is there
//! at all. What must stay true: what it says it has given out, it has given out; secrets are constants, so that a test can look
//! for them in logs, and so are recorded tokens.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::process::on_path;
use crate::{KafkaOptions, ServiceError, ports, skip, target_dir, unhex};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the key at `/keys`.
const KEY_ID: &str = "wharf-test";
/// Scope of who asks for none.
const USUAL_SCOPE: &str = "kafka";

/// What the token endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenAnswer {
    /// A token, if id and secret are right.
    Token,
    /// This status and body.
    Fixed(u16, String),
    /// Nothing; the connection stays open.
    Silence,
}

struct State {
    answer: TokenAnswer,
    lifetime: Duration,
    audience: String,
    tokens: Vec<String>,
    refused: usize,
    requests: Vec<String>,
    /// Connections that get no answer.
    silent: Vec<TcpStream>,
}

/// The provider. Dropping it ends it.
pub struct IdentityProvider {
    port: u16,
    folder: PathBuf,
    /// The modulus of the key, big-endian.
    modulus: Vec<u8>,
    state: Arc<Mutex<State>>,
    server: Mutex<Option<(JoinHandle<()>, Arc<AtomicBool>)>>,
}

impl std::fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityProvider")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdentityProvider {
    /// Id of the one client; also the subject of its tokens.
    pub const CLIENT_ID: &'static str = "wharf-worker";
    /// Its secret.
    pub const CLIENT_SECRET: &'static str = "cl1ent-s3cret";
    /// The audience that brokers expect.
    pub const AUDIENCE: &'static str = "kafka-brokers";

    /// Starts one, with tokens that hold for an hour.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] without the program `openssl`, else [`ServiceError::Failed`].
    pub fn start() -> Result<Self, ServiceError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !on_path("openssl") {
            return Err(ServiceError::unavailable(
                "`openssl` is needed to sign tokens, and there is none",
            ));
        }
        let failed = |what: &str, error: io::Error| ServiceError::failed(format!("cannot {what}: {error}"));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = target_dir()
            .join("services")
            .join(format!("identity-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| failed("make a folder", error))?;
        openssl(&folder, &["genrsa", "-out", "key.pem", "2048"], &[])?;
        let modulus = openssl(&folder, &["rsa", "-in", "key.pem", "-noout", "-modulus"], &[])?;
        let modulus = String::from_utf8_lossy(&modulus);
        let modulus = modulus.trim().trim_start_matches("Modulus=");
        // It has to be there again at the same port after it was away.
        let [port] = ports::lasting().map_err(|error| failed("find a port", error))?;
        let provider = Self {
            port,
            folder,
            modulus: unhex(&modulus.to_lowercase()),
            state: Arc::new(Mutex::new(State {
                answer: TokenAnswer::Token,
                lifetime: Duration::from_secs(3_600),
                audience: Self::AUDIENCE.to_owned(),
                tokens: Vec::new(),
                refused: 0,
                requests: Vec::new(),
                silent: Vec::new(),
            })),
            server: Mutex::new(None),
        };
        provider.listen().map_err(|error| failed("listen", error))?;
        Ok(provider)
    }

    /// One for a test; `None` when the test may return because this machine cannot run it.
    pub fn for_test() -> Option<Self> {
        skip::available(Self::start())
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.address())
    }

    /// Where brokers find the key.
    pub fn keys_url(&self) -> String {
        format!("http://{}/keys", self.address())
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How long the next tokens hold; seconds count.
    pub fn set_lifetime(&self, lifetime: Duration) {
        open(&self.state).lifetime = lifetime;
    }

    /// For whom the next tokens are.
    pub fn set_audience(&self, audience: &str) {
        open(&self.state).audience = audience.to_owned();
    }

    /// What it answers from now on; whoever waits in silence is let go.
    pub fn set_answer(&self, answer: TokenAnswer) {
        let mut state = open(&self.state);
        state.answer = answer;
        state.silent.clear();
    }

    /// The tokens it has given out.
    pub fn tokens(&self) -> Vec<String> {
        open(&self.state).tokens.clone()
    }

    /// A token without being asked by HTTP, as something that keeps a file fresh would get it.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn give_out(&self) -> String {
        let token = self.desk().token("").expect("openssl signed before");
        open(&self.state).tokens.push(token.clone());
        token
    }

    /// How many it has given out.
    pub fn issued(&self) -> usize {
        open(&self.state).tokens.len()
    }

    /// How often it did not know who asked.
    pub fn refused(&self) -> usize {
        open(&self.state).refused
    }

    /// What it was asked for tokens, head and body.
    pub fn requests(&self) -> Vec<String> {
        open(&self.state).requests.clone()
    }

    /// Goes away: connections are refused.
    ///
    /// # Panics
    /// When its thread cannot be ended.
    pub fn leave(&self) {
        let Some((thread, ends)) = open(&self.server).take() else {
            return;
        };
        ends.store(true, Ordering::SeqCst);
        // Wakes the thread, which closes the listener.
        let _ = TcpStream::connect(self.address());
        assert!(thread.join().is_ok(), "the identity provider panicked");
        open(&self.state).silent.clear();
    }

    /// Comes back to the same port.
    ///
    /// # Panics
    /// When somebody else took it.
    pub fn come_back(&self) {
        self.listen()
            .expect("the port of the identity provider was taken");
    }

    /// A broker that lets in whoever has a token of this provider, and ends sessions after `reauthentication` at the latest, or
    /// with their tokens.
    pub fn broker(&self, reauthentication: Duration) -> KafkaOptions {
        let module = "org.apache.kafka.common.security.oauthbearer";
        let mut properties = vec![
            ("sasl.oauthbearer.jwks.endpoint.url".to_owned(), self.keys_url()),
            (
                "sasl.oauthbearer.expected.audience".to_owned(),
                Self::AUDIENCE.to_owned(),
            ),
            // A second of slack, because tokens live for few; the usual half minute would let them outlive the test.
            ("sasl.oauthbearer.clock.skew.seconds".to_owned(), "1".to_owned()),
        ];
        for listener in ["sasl_ssl", "sasl_plaintext"] {
            let prefix = format!("listener.name.{listener}.oauthbearer");
            properties.extend([
                (
                    format!("{prefix}.sasl.server.callback.handler.class"),
                    format!("{module}.OAuthBearerValidatorCallbackHandler"),
                ),
                (
                    format!("{prefix}.connections.max.reauth.ms"),
                    reauthentication.as_millis().to_string(),
                ),
            ]);
        }
        KafkaOptions {
            secured: true,
            properties,
            java: vec![format!(
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}",
                self.keys_url()
            )],
            ..KafkaOptions::default()
        }
    }

    fn listen(&self) -> io::Result<()> {
        let listener = ports::listen(self.port)?;
        let ends = Arc::new(AtomicBool::new(false));
        let desk = self.desk();
        let told = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away in the middle is its own affair.
                let _ = desk.serve(stream);
            }
        });
        *open(&self.server) = Some((thread, ends));
        Ok(())
    }

    fn desk(&self) -> Desk {
        Desk {
            folder: self.folder.clone(),
            keys: self.keys(),
            state: Arc::clone(&self.state),
        }
    }

    fn keys(&self) -> String {
        let modulus = base64url(&self.modulus);
        // The exponent is 65537.
        format!(
            r#"{{"keys":[{{"kty":"RSA","use":"sig","alg":"RS256","kid":"{KEY_ID}","n":"{modulus}","e":"AQAB"}}]}}"#
        )
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        if let Some((_, ends)) = open(&self.server).take() {
            ends.store(true, Ordering::SeqCst);
            let _ = TcpStream::connect(self.address());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What the thread needs.
struct Desk {
    folder: PathBuf,
    keys: String,
    state: Arc<Mutex<State>>,
}

impl Desk {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (head, body) = read(&mut stream)?;
        if !head.starts_with("POST /token") {
            return match head.starts_with("GET /keys") {
                true => answer(&mut stream, 200, &self.keys),
                false => answer(&mut stream, 404, ""),
            };
        }
        let wanted = {
            let mut state = open(&self.state);
            state.requests.push(format!("{head}\r\n\r\n{body}"));
            state.answer.clone()
        };
        match wanted {
            TokenAnswer::Silence => {
                open(&self.state).silent.push(stream);
                Ok(())
            }
            TokenAnswer::Fixed(status, text) => answer(&mut stream, status, &text),
            TokenAnswer::Token => {
                let known = format!(
                    "{}:{}",
                    IdentityProvider::CLIENT_ID,
                    IdentityProvider::CLIENT_SECRET
                );
                let known = format!("authorization: basic {}", base64(known.as_bytes()));
                let is_known = head
                    .lines()
                    .any(|line| line.eq_ignore_ascii_case(&known) && line.ends_with(&known[21..]));
                if !is_known {
                    open(&self.state).refused += 1;
                    let text =
                        r#"{"error":"invalid_client","error_description":"unknown client or wrong secret"}"#;
                    return answer(&mut stream, 401, text);
                }
                let token = self.token(&body).map_err(io::Error::other)?;
                open(&self.state).tokens.push(token.clone());
                let text = format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#);
                answer(&mut stream, 200, &text)
            }
        }
    }

    /// A new token, signed.
    fn token(&self, form: &str) -> Result<String, ServiceError> {
        let scope = form.split('&').find_map(|field| field.strip_prefix("scope="));
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let claims = {
            let state = open(&self.state);
            format!(
                r#"{{"sub":"{}","aud":"{}","scope":"{}","jti":"{}","iat":{now},"exp":{}}}"#,
                IdentityProvider::CLIENT_ID,
                state.audience,
                scope.unwrap_or(USUAL_SCOPE).replace('+', " "),
                state.tokens.len(),
                now + state.lifetime.as_secs()
            )
        };
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{KEY_ID}"}}"#);
        let signed = format!(
            "{}.{}",
            base64url(header.as_bytes()),
            base64url(claims.as_bytes())
        );
        let signature = openssl(
            &self.folder,
            &["dgst", "-sha256", "-sign", "key.pem", "-binary"],
            signed.as_bytes(),
        )?;
        Ok(format!("{signed}.{}", base64url(&signature)))
    }
}

/// Head and body of a request.
fn read(stream: &mut TcpStream) -> io::Result<(String, String)> {
    let mut raw = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&raw);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, length)| length.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => raw.extend_from_slice(&part[..count]),
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes())
}

/// Runs the program with this on its standard input and returns what it printed.
fn openssl(folder: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, ServiceError> {
    let run = || {
        let mut child = Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input)?;
        }
        child.wait_with_output()
    };
    let output = run().map_err(|error| ServiceError::failed(format!("cannot run openssl: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ServiceError::failed(format!(
        "openssl {} failed: {said}",
        arguments.join(" ")
    )))
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let sign = BASE64[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(sign) } else { '=' });
        }
    }
    text
}

/// The same in signs that tokens may hold.
fn base64url(bytes: &[u8]) -> String {
    base64(bytes)
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    #[test]
    fn bytes_become_base64() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff, 0xfe, 0]), "-__-AA");
    }

    #[test]
    fn a_token_is_given_to_who_knows_the_secret_and_only_while_it_is_there() {
        let Some(provider) = IdentityProvider::for_test() else {
            return;
        };
        let ask = |secret: &str| {
            let known = format!("{}:{secret}", IdentityProvider::CLIENT_ID);
            let authorization = format!("Basic {}", base64(known.as_bytes()));
            let headers = [
                ("Authorization", authorization.as_str()),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ];
            http::send(
                &provider.address(),
                "POST",
                "/token",
                &headers,
                Some("grant_type=client_credentials"),
            )
        };
        assert_eq!(ask("wrong").unwrap().status, 401);
        let given = ask(IdentityProvider::CLIENT_SECRET).unwrap();
        assert_eq!((given.status, provider.issued(), provider.refused()), (200, 1, 1));
        assert!(given.body.contains(&provider.tokens()[0]), "{}", given.body);
        let keys = http::request(&provider.address(), "GET", "/keys", None).unwrap();
        assert!(keys.body.contains(r#""e":"AQAB""#), "{}", keys.body);
        provider.leave();
        assert!(ask(IdentityProvider::CLIENT_SECRET).is_err());
        provider.come_back();
        provider.set_answer(TokenAnswer::Fixed(503, "later".to_owned()));
        let busy = ask(IdentityProvider::CLIENT_SECRET).unwrap();
        assert_eq!((busy.status, busy.body.as_str()), (503, "later"));
        assert_eq!(provider.requests().len(), 3);
    }
}
