//! A server that answers what a test wants: it speaks SQL Server's protocol over TLS from the first byte (`encrypt=strict`), and knows no
//! SQL.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
use wharf_test_services::Identity;

const PRELOGIN: u8 = 0x12;
const LOGIN: u8 = 0x10;
const BATCH: u8 = 0x01;
const RPC: u8 = 0x03;
const ATTENTION: u8 = 0x06;
const ATTENTION_SEEN: u16 = 0x20;
const ROW: u8 = 0xD1;

/// Tokens for what was asked, or nothing, for ever. Of a statement with values in its places the text holds these, too, among much
/// else.
type Respond = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// A value of a row: nvarchar or int.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(Option<i32>),
}

fn text16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_le_bytes()
}

/// That something is done.
pub(crate) fn done(status: u16) -> Vec<u8> {
    let mut token = vec![0xFD];
    token.extend(status.to_le_bytes());
    token.extend([0; 10]);
    token
}

/// That something is refused, with the error's number and severity.
pub(crate) fn error(code: u32, class: u8, message: &str) -> Vec<u8> {
    let mut body = code.to_le_bytes().to_vec();
    body.extend([1, class]);
    body.extend(short(message.encode_utf16().count()));
    body.extend(text16(message));
    body.extend([0, 0]);
    body.extend(1_u32.to_le_bytes());
    let mut token = vec![0xAA];
    token.extend(short(body.len()));
    token.extend(body);
    token.extend(done(2));
    token
}

/// These rows, whose columns are of the types that `like` has.
pub(crate) fn rows(like: &[Value<'_>], rows: &[&[Value<'_>]]) -> Vec<u8> {
    let mut tokens = vec![0x81];
    tokens.extend(short(like.len()));
    for value in like {
        tokens.extend([0, 0, 0, 0, 1, 0]);
        match value {
            Value::Text(_) => tokens.extend([0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 0x34]),
            Value::Number(_) => tokens.extend([0x26, 4]),
        }
        tokens.push(0);
    }
    for row in rows {
        tokens.push(ROW);
        for value in *row {
            match value {
                Value::Text(text) => {
                    let text = text16(text);
                    tokens.extend(short(text.len()));
                    tokens.extend(text);
                }
                Value::Number(None) => tokens.push(0),
                Value::Number(Some(number)) => {
                    tokens.push(4);
                    tokens.extend(number.to_le_bytes());
                }
            }
        }
    }
    tokens.extend(done(0x10));
    tokens
}

/// Rows of texts.
pub(crate) fn texts(found: &[&[&str]]) -> Vec<u8> {
    let found: Vec<Vec<Value<'_>>> = found
        .iter()
        .map(|row| row.iter().map(|text| Value::Text(text)).collect())
        .collect();
    let found: Vec<&[Value<'_>]> = found.iter().map(Vec::as_slice).collect();
    rows(found.first().copied().unwrap_or(&[Value::Text("")]), &found)
}

/// A row of one number.
pub(crate) fn number(value: i32) -> Vec<u8> {
    let row = [Value::Number(Some(value))];
    rows(&row, &[&row])
}

/// That the user may come in.
pub(crate) fn login_ack() -> Vec<u8> {
    let mut body = vec![1];
    body.extend(0x7400_0004_u32.to_be_bytes());
    body.extend([0, 16, 0, 0, 0]);
    let mut token = vec![0xAD];
    token.extend(short(body.len()));
    token.extend(body);
    token.extend(done(0));
    token
}

pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    attention: Arc<AtomicBool>,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(
        login: Vec<u8>,
        respond: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let authority = Identity::authority("authority");
        let own = authority.issue("server");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.certificate_pem()).unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_private_key(&own.key).unwrap();
        acceptor.set_certificate(&own.certificate).unwrap();
        let acceptor = acceptor.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            attention: Arc::default(),
            folder,
        };
        let (asked, attention) = (Arc::clone(&this.asked), Arc::clone(&this.attention));
        let respond: Arc<Respond> = Arc::new(respond);
        // Ends with the process; each connection ends with its client.
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (acceptor, login) = (acceptor.clone(), login.clone());
                let (asked, attention) = (Arc::clone(&asked), Arc::clone(&attention));
                let respond = Arc::clone(&respond);
                std::thread::spawn(move || {
                    if let Ok(stream) = acceptor.accept(socket.unwrap()) {
                        serve(stream, &login, &asked, &attention, &*respond);
                    }
                });
            }
        });
        this
    }

    /// Its URL, by which it is trusted.
    pub(crate) fn url(&self) -> String {
        let store = self.folder.path().join("ca.pem");
        format!(
            "jdbc:sqlserver://127.0.0.1:{};databaseName=shop;encrypt=strict;trustStore={}",
            self.port,
            store.display()
        )
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Whether it has been asked this, to be looked at later.
    pub(crate) fn is_asked(&self, text: &'static str) -> impl Fn() -> bool + Send + Sync + 'static {
        let asked = Arc::clone(&self.asked);
        move || asked.lock().unwrap().iter().any(|one| one == text)
    }

    /// Whether a statement was cancelled.
    pub(crate) fn has_seen_attention(&self) -> bool {
        self.attention.load(Ordering::SeqCst)
    }
}

/// The type of a message, and what it says; nothing at the end.
fn message(stream: &mut SslStream<TcpStream>) -> Option<(u8, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header).ok()?;
        let mut part = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])) - 8];
        stream.read_exact(&mut part).ok()?;
        body.extend(part);
        if header[1] & 1 == 1 {
            return Some((header[0], body));
        }
    }
}

fn units(bytes: &[u8]) -> String {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn serve(
    mut stream: SslStream<TcpStream>,
    login: &[u8],
    asked: &Mutex<Vec<String>>,
    attention: &AtomicBool,
    respond: &Respond,
) {
    while let Some((kind, body)) = message(&mut stream) {
        let tokens = match kind {
            // A version, encryption that is required, and the end.
            PRELOGIN => Some(vec![0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 16, 0, 0, 0, 0, 0, 3]),
            LOGIN => Some(login.to_vec()),
            ATTENTION => {
                attention.store(true, Ordering::SeqCst);
                Some(done(ATTENTION_SEEN))
            }
            BATCH | RPC => {
                let head = usize::try_from(u32::from_le_bytes(body[..4].try_into().unwrap())).unwrap();
                let text = match kind {
                    BATCH => units(&body[head..]),
                    // Texts of a call stand anywhere among its bytes.
                    _ => format!("{}{}", units(&body[head..]), units(&body[head + 1..])),
                };
                let answer = if text.starts_with("SET ") {
                    Some(done(0))
                } else {
                    respond(&text)
                };
                asked.lock().unwrap().push(text);
                answer
            }
            _ => None,
        };
        let Some(tokens) = tokens else { continue };
        let mut packet = vec![4, 1];
        packet.extend(u16::try_from(tokens.len() + 8).unwrap().to_be_bytes());
        packet.extend([0, 0, 1, 0]);
        packet.extend(tokens);
        if stream.write_all(&packet).is_err() {
            return;
        }
    }
}
