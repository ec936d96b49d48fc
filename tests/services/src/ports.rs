//! Free TCP ports on the loopback interface.

use std::io;
use std::net::TcpListener;

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
}
