//! A network between a client and a service that can be cut: a TCP proxy on the loopback interface.
//!
//! A cut is what a firewall or a dead cable makes of connections: they stay open, what is sent stays on the way, and nobody is told.
//! Mended, what was on the way arrives, late; so does what was sent on connections that were opened meanwhile. A client that is to
//! stay behind the proxy must be told of no other address: see [`crate::KafkaOptions::proxy`].

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a quiet connection looks whether the proxy has ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct State {
    target: u16,
    cut: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until bytes may pass; where to, or `None` at the end of the proxy.
    fn pass(&self) -> Option<u16> {
        let state = self
            .changed
            .wait_while(self.lock(), |state| {
                !state.ended && (state.cut || state.target == 0)
            })
            .unwrap_or_else(PoisonError::into_inner);
        (!state.ended).then_some(state.target)
    }
}

/// A running proxy; it ends when dropped, and its connections with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free port. Nothing passes before [`Proxy::forward_to`].
    ///
    /// # Errors
    /// When the system gives no port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_thread.lock().ended {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                std::thread::spawn(move || connect(client, &shared));
            }
        });
        Ok(Self {
            port,
            shared,
            thread: Some(thread),
        })
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Says where the service listens.
    pub fn forward_to(&self, port: u16) {
        self.shared.change(|state| state.target = port);
    }

    /// Lets nothing pass any more, in both directions, on connections old and new.
    pub fn cut(&self) {
        self.shared.change(|state| state.cut = true);
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.shared.change(|state| state.cut = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.change(|state| state.ended = true);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves one connection until either side ends it.
fn connect(client: TcpStream, shared: &Arc<Shared>) {
    let Some(port) = shared.pass() else { return };
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // The client hears of a service that is away by the end of its connection.
    let Ok(service) = TcpStream::connect(target) else {
        return;
    };
    let (Ok(from), Ok(to)) = (client.try_clone(), service.try_clone()) else {
        return;
    };
    let of_thread = Arc::clone(shared);
    let back = std::thread::spawn(move || pump(&to, &from, &of_thread));
    pump(&client, &service, shared);
    let _ = back.join();
}

fn pump(from: &TcpStream, to: &TcpStream, shared: &Shared) {
    let _ = from.set_read_timeout(Some(LOOK_EVERY));
    let (mut reader, mut writer) = (from, to);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = reader.read(&mut buffer);
        // Also the end of a connection has to pass.
        if shared.pass().is_none() {
            break;
        }
        match read {
            Ok(0) => break,
            Ok(count) if writer.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that says everything twice.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() {
                        stream.write_all(&[byte[0]; 2]).unwrap();
                    }
                });
            }
        });
        port
    }

    fn client(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream
    }

    #[test]
    fn what_is_sent_while_the_network_is_cut_arrives_when_it_is_mended() {
        let proxy = Proxy::start().unwrap();
        proxy.forward_to(echo());
        let mut old = client(&proxy);
        let mut answer = [0; 2];
        old.write_all(b"a").unwrap();
        old.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"aa");

        proxy.cut();
        let mut new = client(&proxy);
        for (stream, byte) in [(&mut old, b"b"), (&mut new, b"c")] {
            stream.write_all(byte).unwrap();
            let error = stream.read_exact(&mut answer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
        }

        proxy.mend();
        for (stream, expected) in [(&mut old, b"bb"), (&mut new, b"cc")] {
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, expected);
        }
        drop(proxy);
        assert_eq!(
            old.read(&mut answer).unwrap(),
            0,
            "the connection outlives its proxy"
        );
    }
}
