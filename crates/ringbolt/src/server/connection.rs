//! One connection from its first byte to its last.

use std::future::{Future, poll_fn};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ringbolt_gate::Problem;
use ringbolt_gate::rest::drain;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Order};
use super::answer::Answer;
use super::body::RequestBody;
use super::judge::LONGEST_HEAD;
use super::own_words;
use super::registry::{Place, Registry};
use super::watched::Watched;

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 64;
/// How many of them may be waiting for, or be, a long answer; the others wait for their turn.
const LONG_ANSWERS: usize = 4;
/// What is longer is a long answer.
const LONG: u64 = 64 << 10;

/// Whoever answers requests.
pub(crate) trait Front: Send + Sync + 'static {
    /// The body of an answer.
    type Body: http_body::Body<Data = Bytes, Error: Into<super::body::BodyError> + Send + Sync>
        + Send
        + Unpin
        + 'static;

    /// Answers a request, whatever it is.
    fn answer(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Whether a request is answered even where answers have no room, as it asks whether we are well.
    fn is_vital<B>(&self, _request: &Request<B>) -> bool {
        false
    }

    /// The door itself has refused what this client sent, with this status. Matters to whoever keeps a log.
    fn refused(&self, _status: StatusCode, _peer: Peer) {}
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
    let end = Instant::now() + place.limits().head;
    if timeout_at(end, speaks_plain_http(&stream)).await == Ok(true) {
        front.refused(StatusCode::BAD_REQUEST, Peer { address: peer });
        return own_words::plain_to_tls(stream).await;
    }
    let handshake = TlsAcceptor::from(config).accept(stream);
    match timeout_at(end, handshake).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            many_at_once(stream, peer, &place, front).await;
        }
        Ok(Ok(stream)) => one_at_a_time(stream, peer, &place, front).await,
        Ok(Err(why)) => tracing::debug!(%peer, error = %why, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

/// Whether a client begins as no TLS client does, and as every HTTP request does: with a capital letter. Its
/// bytes stay where they are.
async fn speaks_plain_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = stream.peek(&mut first).await;
    peeked.is_ok() && first[0].is_ascii_uppercase()
}

/// HTTP/1.1.
async fn one_at_a_time<S, F>(stream: S, peer: SocketAddr, place: &Place, front: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Front,
{
    let io = Watched::judging(stream, &place.activity);
    let service = Requests::new(peer, place, Arc::clone(&front), None);
    // The registry keeps time, with fewer timers and another limit for silence between requests.
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(io), service);
    let finish = |connection: Pin<&mut http1::Connection<_, _>>| connection.graceful_shutdown();
    let order = follow(&place.activity, Pin::new(&mut connection), finish, peer).await;
    let io = connection.into_parts().io.into_inner();
    if let Some(status) = io.status_of_own_words() {
        front.refused(status, Peer { address: peer });
    }
    if order == Order::Late {
        front.refused(StatusCode::REQUEST_TIMEOUT, Peer { address: peer });
        own_words::head_came_late(io.into_stream()).await;
    }
}

/// HTTP/2.
async fn many_at_once<S, F>(stream: S, peer: SocketAddr, place: &Place, front: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Front,
{
    place.activity.multiplex();
    let io = Watched::only(stream, &place.activity);
    let turns = Arc::new(Semaphore::new(LONG_ANSWERS));
    let service = Requests::new(peer, place, front, Some(turns));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(LONGEST_HEAD).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let finish = |connection: Pin<&mut http2::Connection<_, _, _>>| connection.graceful_shutdown();
    follow(&place.activity, connection.as_mut(), finish, peer).await;
}

/// Runs a connection to its end, or to the end that it is told, which it gives.
async fn follow<C>(
    activity: &Activity,
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    peer: SocketAddr,
) -> Order
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut finishing = false;
    let ended = poll_fn(|cx: &mut Context<'_>| {
        match activity.order(cx.waker()) {
            order @ (Order::Close | Order::Late) => return Poll::Ready(Ok(order)),
            Order::Finish if !finishing => {
                finishing = true;
                finish(connection.as_mut());
            }
            Order::Finish | Order::Serve => {}
        }
        connection.as_mut().poll(cx).map_ok(|()| Order::Serve)
    });
    ended.await.unwrap_or_else(|why| {
        tracing::debug!(%peer, error = %why, "connection ended");
        Order::Close
    })
}

/// The requests of one connection.
struct Requests<F> {
    front: Arc<F>,
    peer: Peer,
    activity: Arc<Activity>,
    registry: Arc<Registry>,
    /// Where requests share a connection: whose answer may be long.
    turns: Option<Arc<Semaphore>>,
}

impl<F: Front> Requests<F> {
    fn new(
        address: SocketAddr,
        place: &Place,
        front: Arc<F>,
        turns: Option<Arc<Semaphore>>,
    ) -> Self {
        Self {
            front,
            peer: Peer { address },
            activity: Arc::clone(&place.activity),
            registry: Arc::clone(&place.registry),
            turns,
        }
    }
}

impl<F: Front> Service<Request<Incoming>> for Requests<F> {
    type Response = Response<Answer<F::Body>>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (front, peer) = (Arc::clone(&self.front), self.peer);
        let registry = Arc::clone(&self.registry);
        let in_flight = InFlight::new(&self.activity);
        if self.turns.is_none()
            && let Err(fault) = self.activity.next_head()
        {
            let answer = last(fault.problem());
            front.refused(answer.status(), peer);
            let answer = answer.map(|body| Answer::small(body, &self.activity));
            return Box::pin(std::future::ready(Ok(answer)));
        }
        self.activity.asked_by(holder(&request));
        let vital = front.is_vital(&request);
        let long = !vital && may_be_long(&request);
        let turns = self.turns.clone().filter(|_| long);
        Box::pin(async move {
            let turn = turn(turns).await;
            let limit = registry.limits.body;
            let request = request.map(|body| RequestBody::new(body, limit, &in_flight.0));
            let refuse = || {
                let refusal = no_room(&in_flight.0);
                front.refused(refusal.status(), peer);
                refusal
            };
            let refusable = !vital && has_no_effect(request.method());
            if !vital && !registry.has_room(&in_flight.0, !refusable).await {
                let (head, body) = request.into_parts();
                drain(body, &head.headers).await;
                return Ok(refuse());
            }
            let answer = front.answer(request, peer).await;
            let held = held(answer, &registry, &in_flight.0, turn, refusable);
            Ok(held.unwrap_or_else(refuse))
        })
    }
}

/// Whether the answer to a request may be long: it may be that of a list, or repeat what it was sent.
fn may_be_long(request: &Request<Incoming>) -> bool {
    let sent = request.body().size_hint().upper();
    request.method() == Method::GET || sent.is_none_or(|bytes| bytes > LONG)
}

/// Whose request it is: what its token is known by here, which is enough to tell many from one.
fn holder<B>(request: &Request<B>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let token = request.headers().get(AUTHORIZATION);
    token.map(HeaderValue::as_bytes).hash(&mut hasher);
    hasher.finish()
}

/// Whether a request can be refused after it was answered: nothing has changed by it.
fn has_no_effect(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

async fn turn(turns: Option<Arc<Semaphore>>) -> Option<OwnedSemaphorePermit> {
    // It is never closed.
    turns?.acquire_owned().await.ok()
}

/// Counts an answer until its client has taken it; gives nothing if there is no room for it and it is
/// `refusable`. What has had an effect is answered in any case: its client would do it again.
fn held<B>(
    answer: Response<B>,
    registry: &Registry,
    activity: &Arc<Activity>,
    turn: Option<OwnedSemaphorePermit>,
    refusable: bool,
) -> Option<Response<Answer<B>>>
where
    B: http_body::Body<Data = Bytes>,
{
    let size = answer.body().size_hint().exact().unwrap_or(LONG);
    let (mut share, fits) = registry.hold(activity, usize::try_from(size).unwrap_or(usize::MAX));
    if refusable && !fits {
        return None;
    }
    share.turn = turn.filter(|_| size > LONG);
    Some(answer.map(|body| Answer::of(body, share)))
}

/// What is answered instead.
fn no_room<B>(activity: &Arc<Activity>) -> Response<Answer<B>>
where
    B: http_body::Body<Data = Bytes>,
{
    let detail = "too many answers wait for somebody to read them";
    let refusal = Problem::unavailable(detail).render();
    refusal.map(|body| Answer::small(body, activity))
}

/// An answer after which the connection ends.
fn last(problem: Problem) -> Response<Bytes> {
    let mut answer = problem.render();
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    answer
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
