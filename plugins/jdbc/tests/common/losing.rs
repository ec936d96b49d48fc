//! A way to a server on which the answer to a COMMIT is lost: the server has it and does it, and the connection ends before the client
//! hears of it.

#![allow(dead_code, reason = "not every test file asks for everything")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const COMMIT: &[u8] = b"COMMIT";

/// What connects to it reaches the server.
pub(crate) struct Losing {
    pub(crate) port: u16,
    loses: Arc<AtomicBool>,
}

impl Losing {
    /// A way to the server at this port.
    pub(crate) fn new(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let loses = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&loses);
        // Ends with the process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(service) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else {
                    continue;
                };
                pass(client.unwrap(), service, &of_thread);
            }
        });
        Self { port, loses }
    }

    /// The answer to the next COMMIT is lost.
    pub(crate) fn lose_next(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }

    /// Whether none is to be lost any more.
    pub(crate) fn has_lost(&self) -> bool {
        !self.loses.load(Ordering::SeqCst)
    }
}

fn pass(client: TcpStream, service: TcpStream, loses: &Arc<AtomicBool>) {
    // Of one connection.
    let is_lost = Arc::new(AtomicBool::new(false));
    let (mut from, mut to) = (client.try_clone().unwrap(), service.try_clone().unwrap());
    let (loses, lost) = (Arc::clone(loses), Arc::clone(&is_lost));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let sent = &buffer[..count];
            if sent.windows(COMMIT.len()).any(|part| part == COMMIT) && loses.swap(false, Ordering::SeqCst) {
                lost.store(true, Ordering::SeqCst);
            }
            if to.write_all(sent).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (service, client);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if is_lost.load(Ordering::SeqCst) || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
