//! What stands before a service that speaks plain HTTP, in this process: TLS, a proxy, an issuer of tokens. Each is a thread that
//! serves one connection after the other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;

use crate::Identity;

/// A listener with its thread, and the heads of the requests that it saw.
#[derive(Debug)]
pub struct Front {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A server's side of TLS; with an authority, only clients with a certificate of it are let in.
pub fn acceptor(server: &Identity, clients: Option<&Identity>) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    builder.set_private_key(&server.key).unwrap();
    builder.set_certificate(&server.certificate).unwrap();
    if let Some(authority) = clients {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(authority.certificate.clone()).unwrap();
        builder.set_verify_cert_store(store.build()).unwrap();
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    builder.build()
}

impl Front {
    fn start(serve: impl Fn(TcpStream, &Mutex<Vec<String>>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (heads, stop) = (Arc::clone(&seen), Arc::clone(&stopping));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                serve(stream, &heads);
            }
        });
        Self {
            address,
            seen,
            stopping,
            thread: Some(thread),
        }
    }

    /// TLS before whatever answers one request.
    pub fn tls(acceptor: SslAcceptor, answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + 'static) -> Self {
        Self::start(move |stream, seen| {
            let plain = stream.try_clone().unwrap();
            let Ok(mut stream) = acceptor.accept(stream) else {
                // The alert must arrive, and would not if the connection were reset for what is unread.
                let _ = plain.shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut &plain, &mut std::io::sink());
                return;
            };
            if let Some((head, body)) = request(&mut stream) {
                seen.lock().unwrap().push(head.clone());
                let _ = stream.write_all(&answer(&head, &body));
            }
            let _ = stream.shutdown();
        })
    }

    /// An HTTP proxy for everything it is asked for.
    pub fn proxy() -> Self {
        Self::start(|mut stream, seen| {
            let Some((head, body)) = request(&mut stream) else {
                return;
            };
            seen.lock().unwrap().push(head.clone());
            let mut words = head.split_whitespace();
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            if method == "CONNECT" {
                let Ok(onward) = TcpStream::connect(target) else {
                    let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
                    return;
                };
                stream
                    .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    .unwrap();
                tunnel(&stream, &onward);
                return;
            }
            let rest = target.strip_prefix("http://").unwrap();
            let (host, path) = rest.split_once('/').unwrap();
            let head = head.replacen(target, &format!("/{path}"), 1);
            let answer = ask(host.parse().unwrap(), &head, &body);
            let _ = stream.write_all(&answer);
        })
    }

    /// TLS before a server of plain HTTP that closes the connection after each answer.
    pub fn before(server: SocketAddr, acceptor: SslAcceptor) -> Self {
        Self::tls(acceptor, move |head, body| ask(server, head, body))
    }

    /// The heads of the requests.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        let woken = TcpStream::connect(self.address).is_ok();
        if let (true, Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// Head, with the empty line at its end, and body of a request.
fn request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Sends a request on, and returns the whole answer of a server that closes the connection after it.
fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn tunnel(one: &TcpStream, other: &TcpStream) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::copy(&mut &*one, &mut &*other);
            let _ = other.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut &*other, &mut &*one);
        let _ = one.shutdown(Shutdown::Both);
    });
}
