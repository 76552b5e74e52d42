//! The door: accepts connections, bounds what each may cost, and hands requests to one service.

mod accept;
mod activity;
mod answer;
mod body;
mod connection;
mod judge;
mod own_words;
mod registry;
mod room;
mod tls;
mod unread;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use body::RequestBody;
pub(crate) use connection::{Front, Peer};
pub(crate) use tls::{Certificates, chain};

use crate::config::Config;
use registry::Registry;

/// Connections that the kernel holds for us until we take them.
const BACKLOG: u32 = 4096;

/// What one client may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once.
    pub(crate) connections: usize,
    /// For the head of a request, and for the TLS handshake.
    pub(crate) head: Duration,
    /// For the body of a request.
    pub(crate) body: Duration,
    /// For a connection on which nothing happens.
    pub(crate) idle: Duration,
    /// For a client to take an answer.
    pub(crate) answer: Duration,
    /// Bytes that answers of all clients may hold until they are taken.
    pub(crate) unread: usize,
}

impl Limits {
    /// As configured.
    pub(crate) fn of(config: &Config) -> Self {
        let api = &config.api;
        Self {
            connections: usize::try_from(api.max_connections.get()).unwrap_or(usize::MAX),
            head: api.header_timeout,
            body: api.body_timeout,
            idle: api.idle_timeout,
            answer: api.answer_timeout,
            unread: usize::try_from(api.max_unread.0).unwrap_or(usize::MAX),
        }
    }
}

/// A port that is ours and on which nobody is served yet: whoever connects waits in the kernel.
pub(crate) struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Takes the port.
    ///
    /// # Errors
    /// If somebody else has it, or it is not ours to take.
    pub(crate) fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = listen(address).with_context(|| {
            format!("cannot listen on {address}; another address can be set as RINGBOLT_LISTEN")
        })?;
        let address = listener
            .local_addr()
            .context("the listener has no address")?;
        Ok(Self { listener, address })
    }

    /// Where it is; the port is known even if any was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to serve.
    pub(crate) fn serve<F: Front>(
        self,
        front: F,
        limits: Limits,
        certificates: Option<Arc<Certificates>>,
    ) -> Serving {
        let (registry, tracker) = (Arc::new(Registry::new(limits)), TaskTracker::new());
        let closing = CancellationToken::new();
        let accepting = accept::Accepting {
            listener: self.listener,
            front: Arc::new(front),
            registry: Arc::clone(&registry),
            certificates,
            tracker: tracker.clone(),
        };
        tracker.spawn(accepting.run(closing.clone()));
        tracker.spawn(registry::sweep(Arc::clone(&registry), closing.clone()));
        Serving {
            registry,
            tracker,
            closing,
        }
    }
}

/// Without SO_REUSEPORT: with it, a leftover process would silently share the port.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A door that is open.
pub(crate) struct Serving {
    registry: Arc<Registry>,
    tracker: TaskTracker,
    closing: CancellationToken,
}

impl Serving {
    /// What the door's tasks are doing, for operators.
    pub(crate) fn watch(&self) -> Watch {
        Watch {
            registry: Arc::clone(&self.registry),
            closing: self.closing.clone(),
        }
    }

    /// Takes no more connections, lets every request in flight be answered, and waits for that no
    /// longer than `grace`. Says whether all ended by themselves.
    pub(crate) async fn close(self, grace: Duration) -> bool {
        self.closing.cancel();
        self.tracker.close();
        self.registry.finish_all();
        let ended = timeout(grace, self.tracker.wait()).await.is_ok();
        self.registry.close_all();
        ended
    }
}

/// Sees what the door's tasks are doing.
#[derive(Clone)]
pub(crate) struct Watch {
    registry: Arc<Registry>,
    closing: CancellationToken,
}

impl Watch {
    /// Of the one that takes connections.
    pub(crate) fn accepting(&self) -> String {
        match self.closing.is_cancelled() {
            true => "closing".to_owned(),
            false => "accepting".to_owned(),
        }
    }

    /// Of the one that looks once a second which connections have had their time.
    pub(crate) fn sweeping(&self) -> String {
        format!("last looked {} s ago", self.registry.unswept().as_secs())
    }
}

#[cfg(test)]
mod tests;
