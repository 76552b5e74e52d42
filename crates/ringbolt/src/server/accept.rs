//! Takes connections and gives each a task.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Front};
use super::registry::Registry;
use super::tls::Certificates;

/// How long to wait when the kernel has no descriptors or memory left for another connection.
const PAUSE: Duration = Duration::from_millis(50);

/// The loop that takes connections.
pub(super) struct Accepting<F> {
    pub(super) listener: TcpListener,
    pub(super) front: Arc<F>,
    pub(super) registry: Arc<Registry>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) tracker: TaskTracker,
}

impl<F: Front> Accepting<F> {
    /// Runs until it is closed.
    pub(super) async fn run(self, closing: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = closing.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.take(stream, peer);
                    // Whoever made room gives its file back before the next one is taken.
                    if self.registry.is_full() {
                        yield_now().await;
                    }
                }
                // The client has left again before we came.
                Err(why) if why.kind() == ErrorKind::ConnectionAborted => {}
                Err(why) => {
                    // It may be for want of files, and then whoever has been idle longest gives theirs.
                    let made = self.registry.make_place();
                    if self.registry.first_failed_this_second() {
                        tracing::warn!(error = %why, made, "cannot accept connections");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
        // Those that came before the loop ended are told as well.
        self.registry.finish_all();
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.registry.admit() else {
            if self.registry.first_refused_this_second() {
                tracing::warn!(%peer, "connections are refused: as many as allowed are busy");
            }
            return;
        };
        // Answers are written whole, so there is nothing to wait for. A failure costs speed only.
        let _ = stream.set_nodelay(true);
        let front = Arc::clone(&self.front);
        match &self.certificates {
            None => {
                self.tracker
                    .spawn(connection::serve(stream, peer, place, front));
            }
            Some(certificates) => {
                let config = certificates.current();
                self.tracker
                    .spawn(connection::serve_tls(stream, peer, place, front, config));
            }
        }
    }
}
