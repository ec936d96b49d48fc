//! Sockets of the REST API: bound first, because a worker's id contains the port really bound; served once there is a
//! herder; stopped gracefully.
//!
//! Between binding and serving, clients wait in the socket's queue (upstream answers them 404). A client that is silent in
//! the middle of a request, or between two, is not waited for longer than [`Timeouts::read`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::Layer as _;
use wharf_runtime::config::{AdminListeners, Listener, RestConfig, Scheme};
use wharf_runtime::herder::Herder;

use crate::api::Timeouts;
use crate::error::RestError;
use crate::response_headers;
use crate::routes::{admin_router, main_router};

/// Sockets that are open and not served yet.
#[derive(Debug)]
pub struct BoundServer {
    config: RestConfig,
    local_host: String,
    main: Vec<TcpListener>,
    admin: Vec<TcpListener>,
}

impl BoundServer {
    /// Opens all listeners.
    ///
    /// # Errors
    /// An address cannot be listened on, or asks for https.
    pub async fn bind(config: RestConfig) -> Result<Self, RestError> {
        let main = bind_all("listeners", &config.listeners).await?;
        let admin = match &config.admin_listeners {
            AdminListeners::Separate(listeners) => bind_all("admin.listeners", listeners).await?,
            _ => Vec::new(),
        };
        Ok(Self {
            local_host: local_host(),
            config,
            main,
            admin,
        })
    }

    /// The URL that others are told, ending with a slash.
    #[must_use]
    pub fn advertised_url(&self) -> String {
        self.config.advertised_url(&self.ports(), &self.local_host)
    }

    /// The worker's id: `host:port` of the advertised URL.
    #[must_use]
    pub fn worker_id(&self) -> String {
        self.config.worker_id(&self.ports(), &self.local_host)
    }

    /// The addresses really bound for everything, in the order of `listeners`.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.main)
    }

    /// The addresses really bound for `/admin/*` alone.
    #[must_use]
    pub fn admin_addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.admin)
    }

    fn ports(&self) -> Vec<u16> {
        self.addresses().iter().map(SocketAddr::port).collect()
    }

    /// Starts to answer. Must be called on a tokio runtime.
    pub fn serve(self, herder: Arc<dyn Herder>, timeouts: Timeouts) -> RunningServer {
        let with_admin = self.config.admin_listeners == AdminListeners::OnMainListeners;
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        // not around the admin listeners, as upstream
        let main = response_headers::around(
            main_router(Arc::clone(&herder), timeouts, with_admin),
            &self.config,
        );
        for listener in self.main {
            running.spawn(answer(listener, main.clone(), timeouts.read, stopping.clone()));
        }
        if !self.admin.is_empty() {
            let admin = admin_router(herder, timeouts);
            for listener in self.admin {
                running.spawn(answer(listener, admin.clone(), timeouts.read, stopping.clone()));
            }
        }
        RunningServer { stop, running }
    }
}

/// A server that answers. Dropping it closes everything at once.
#[derive(Debug)]
pub struct RunningServer {
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl RunningServer {
    /// Upstream's limit for [`stop`](Self::stop).
    pub const GRACE: Duration = Duration::from_secs(60);

    /// Takes no more requests and waits for those under way, at most this long. Says whether all were answered.
    pub async fn stop(mut self, grace: Duration) -> bool {
        // nobody listening means that every listener has ended already
        let _ = self.stop.send(true);
        let all = async { while self.running.join_next().await.is_some() {} };
        tokio::time::timeout(grace, all).await.is_ok()
    }
}

/// Answers on a listener until the stop, and then what is under way.
async fn answer(
    mut listener: TcpListener,
    routes: Router,
    read_limit: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        // axum's way to accept waits a moment when the system has no more sockets to give
        let (stream, peer) = tokio::select! {
            accepted = axum::serve::Listener::accept(&mut listener) => accepted,
            // takes what has ended out of the set
            Some(_) = connections.join_next() => continue,
            () = stopped(&mut stopping) => break,
        };
        // answers are small and whole: waiting for more to send only adds latency. A socket that refuses is still usable.
        drop(stream.set_nodelay(true));
        connections.spawn(converse(
            stream,
            peer,
            routes.clone(),
            read_limit,
            stopping.clone(),
        ));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection: request after request, until either side ends it.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    read_limit: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(routes));
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(read_limit);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // the client went away, was too slow, or speaks no HTTP: its affair
        tracing::debug!(%peer, error, "a REST connection ended early");
    }
}

/// Ready when the server is to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // an error means that the sender is gone, which is a stop as well
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn bind_all(key: &'static str, listeners: &[Listener]) -> Result<Vec<TcpListener>, RestError> {
    let mut bound = Vec::with_capacity(listeners.len());
    for listener in listeners {
        if listener.scheme != Scheme::Http {
            return Err(RestError::Https {
                listener: listener.to_string(),
                key,
            });
        }
        bound.push(bind(listener, key).await?);
    }
    Ok(bound)
}

async fn bind(listener: &Listener, key: &'static str) -> Result<TcpListener, RestError> {
    let cannot_bind = |source| RestError::Bind {
        listener: listener.to_string(),
        key,
        source,
    };
    if !listener.host.is_empty() {
        let addresses: Vec<SocketAddr> = lookup_host((listener.host.as_str(), listener.port))
            .await
            .map_err(|source| RestError::Resolve {
                listener: listener.to_string(),
                key,
                source,
            })?
            .collect();
        return TcpListener::bind(&addresses[..]).await.map_err(cannot_bind);
    }
    // all interfaces: the IPv6 wildcard takes IPv4 too, unless the machine has no IPv6
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, listener.port)).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, listener.port)).await
        }
        bound => bound,
    }
    .map_err(cannot_bind)
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    // the address of a bound socket is known to the system; there is no way for it to fail
    listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect()
}

/// An address of this machine that others can use: the one it would send from. The loopback address when there is no
/// network.
#[must_use]
pub fn local_host() -> String {
    // connecting a datagram socket sends nothing, it only asks the system for the route; the target is an address
    // reserved for documentation
    let outgoing = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    outgoing
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
        .to_string()
}
