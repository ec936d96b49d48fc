//! Free TCP ports on the loopback interface.

use std::io;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// `N` different ports that were free a moment ago.
///
/// All are bound before any is released, so they differ from each other. Another process may take one before the
/// caller does; whoever starts a service must therefore be ready to try again with others.
pub fn free<const N: usize>() -> io::Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// `N` different ports that nobody listens on, below those that systems choose from by themselves: for a server that is ended
/// and started again, whose port no outgoing connection of another process may take meanwhile. This process is not given the same
/// one again before it has had all of them, so that no other server of it takes the place of one that is down.
///
/// # Errors
/// When too few are free.
pub fn lasting<const N: usize>() -> io::Result<[u16; N]> {
    const RANGE: std::ops::Range<u16> = 20_000..30_000;
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    // Processes that look for ports at the same time begin at different places.
    let first = || std::process::id() % u32::from(RANGE.end - RANGE.start);
    let start = next.unwrap_or_else(|| u16::try_from(first()).unwrap_or_default());
    let mut ports = [0; N];
    let mut found = Vec::with_capacity(N);
    let later = RANGE.start + start..RANGE.end;
    for port in later.chain(RANGE.start..RANGE.start + start) {
        if found.len() == N {
            break;
        }
        // Held until all are found.
        found.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    for (port, listener) in ports.iter_mut().zip(&found) {
        *port = listener.local_addr()?.port();
    }
    if found.len() < N {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "no free ports between 20000 and 30000",
        ));
    }
    *next = ports.last().map(|last| last - RANGE.start + 1);
    Ok(ports)
}

/// Listens on a port that this process has just had.
///
/// Another thread that starts a program has copies of all sockets from its fork to its exec, and so may hold a port that was given
/// up a moment ago: it is waited for.
///
/// # Errors
/// When somebody else keeps it.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const INTERVAL: Duration = Duration::from_millis(5);
    let began = Instant::now();
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < PATIENCE => {
                std::thread::sleep(INTERVAL);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_bound() {
        let ports = free::<4>().unwrap();
        for (i, port) in ports.iter().enumerate() {
            assert!(!ports[..i].contains(port), "{ports:?}");
            assert_ne!(*port, 0);
        }
    }

    #[test]
    fn lasting_ports_are_none_that_systems_choose() {
        let ports = lasting::<3>().unwrap();
        for (i, port) in ports.iter().enumerate() {
            assert!(!ports[..i].contains(port), "{ports:?}");
            assert!((20_000..30_000).contains(port), "{ports:?}");
            listen(*port).unwrap();
        }
        let others = lasting::<3>().unwrap();
        assert!(
            others.iter().all(|port| !ports.contains(port)),
            "{ports:?} {others:?}"
        );
    }

    #[test]
    fn a_port_is_had_again_while_programs_start() {
        let over = std::sync::atomic::AtomicBool::new(false);
        let [port] = lasting().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(std::process::Command::new("true").status().unwrap().success());
                }
            });
            let tries = (0..2_000).map(|_| listen(port).map(drop));
            let outcome = tries.collect::<io::Result<Vec<()>>>();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            outcome.unwrap();
        });
    }
}
