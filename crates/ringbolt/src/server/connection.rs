//! One connection from its first byte to its last.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::body::RequestBody;
use super::registry::{Activity, Order, Place};
use super::watched::Watched;

/// The longest head of a request; a longer one is answered 431.
const LONGEST_HEAD: usize = 64 << 10;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 64;

/// Whoever answers requests.
pub(crate) trait Front: Send + Sync + 'static {
    /// The body of an answer.
    type Body: http_body::Body<Data = Bytes, Error: Into<super::body::BodyError> + Send + Sync>
        + Send
        + 'static;

    /// Answers a request, whatever it is.
    fn answer(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Who is connected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The address that the connection came from; a proxy's, if there is one in front.
    pub(crate) address: SocketAddr,
}

/// Serves a connection without TLS.
pub(super) async fn serve<F: Front>(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    front: Arc<F>,
) {
    one_at_a_time(stream, peer, &place, front).await;
}

/// Serves a connection with TLS; the handshake has as long as a head.
pub(super) async fn serve_tls<F: Front>(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    front: Arc<F>,
    config: Arc<ServerConfig>,
) {
    let handshake = TlsAcceptor::from(config).accept(stream);
    match timeout(place.limits().head, handshake).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            many_at_once(stream, peer, &place, front).await;
        }
        Ok(Ok(stream)) => one_at_a_time(stream, peer, &place, front).await,
        Ok(Err(why)) => tracing::debug!(%peer, error = %why, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

/// HTTP/1.1.
async fn one_at_a_time<S, F>(stream: S, peer: SocketAddr, place: &Place, front: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Front,
{
    let (io, service) = parts(stream, peer, place, front);
    // The registry keeps time, with fewer timers and another limit for silence between requests.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let finish = |connection: Pin<&mut http1::Connection<_, _>>| connection.graceful_shutdown();
    follow(&place.activity, connection.as_mut(), finish, peer).await;
}

/// HTTP/2.
async fn many_at_once<S, F>(stream: S, peer: SocketAddr, place: &Place, front: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Front,
{
    place.activity.multiplex();
    let (io, service) = parts(stream, peer, place, front);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(LONGEST_HEAD).unwrap_or(u32::MAX))
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let finish = |connection: Pin<&mut http2::Connection<_, _, _>>| connection.graceful_shutdown();
    follow(&place.activity, connection.as_mut(), finish, peer).await;
}

fn parts<S, F: Front>(
    stream: S,
    peer: SocketAddr,
    place: &Place,
    front: Arc<F>,
) -> (TokioIo<Watched<S>>, Requests<F>) {
    let activity = Arc::clone(&place.activity);
    let peer = Peer { address: peer };
    let service = Requests {
        front,
        peer,
        activity: Arc::clone(&activity),
        body: place.limits().body,
    };
    (TokioIo::new(Watched { stream, activity }), service)
}

/// Runs a connection to its end, or to the end that it is told.
async fn follow<C>(
    activity: &Activity,
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    peer: SocketAddr,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut finishing = false;
    let ended = poll_fn(|cx: &mut Context<'_>| {
        match activity.order(cx.waker()) {
            Order::Close => return Poll::Ready(Ok(())),
            Order::Finish if !finishing => {
                finishing = true;
                finish(connection.as_mut());
            }
            Order::Finish | Order::Serve => {}
        }
        connection.as_mut().poll(cx)
    });
    if let Err(why) = ended.await {
        tracing::debug!(%peer, error = %why, "connection ended");
    }
}

/// The requests of one connection.
struct Requests<F> {
    front: Arc<F>,
    peer: Peer,
    activity: Arc<Activity>,
    body: std::time::Duration,
}

impl<F: Front> Service<Request<Incoming>> for Requests<F> {
    type Response = Response<F::Body>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (front, peer, limit) = (Arc::clone(&self.front), self.peer, self.body);
        let in_flight = InFlight::new(&self.activity);
        Box::pin(async move {
            let _in_flight = in_flight;
            let request = request.map(|body| RequestBody::new(body, limit));
            Ok(front.answer(request, peer).await)
        })
    }
}

/// A request that has not been answered; also counted out when its client leaves.
struct InFlight(Arc<Activity>);

impl InFlight {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.request_began();
        Self(Arc::clone(activity))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}
