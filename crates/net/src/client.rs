//! The client: finds a connection for an exchange, makes it within its time, and reports.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::dial::{Dialler, Trace};
use crate::failure::Failure;
use crate::guard::Guard;
use crate::headers::HeaderBlock;
use crate::http1::{Connection, Standing, Stumbled};
use crate::http2::{self, Lease, SharedConnections};
use crate::pool::{Key, Pool};
use crate::reply::{Reply, Report, Timings};
use crate::resolve::Resolver;
use crate::settings::{ClientSettings, Limits, SettingsError};
use crate::target::{Scheme, Target};
use crate::tls::TlsProfile;

/// What is to be sent, and where.
#[derive(Debug, Clone)]
pub struct Exchange<'a> {
    /// The checked destination.
    pub target: &'a Arc<Target>,
    /// The method.
    pub method: Method,
    /// All headers but those of the framing, the host and the client's own.
    pub headers: &'a HeaderBlock,
    /// The body, sent as it is.
    pub body: Bytes,
    /// How long everything may take, to the end of the reply's body.
    pub timeout: Duration,
    /// Whom to trust, if not the client's own profile.
    pub tls: Option<&'a TlsProfile>,
}

/// Makes exchanges. Share one: it holds the idle connections and the cache of names. It must be
/// used within one Tokio runtime.
pub struct Client {
    dialler: Dialler,
    limits: Limits,
    standing: Standing,
    tls: TlsProfile,
    http2: bool,
    pool: Pool,
    shared: SharedConnections,
    tasks: TaskTracker,
}

impl Client {
    /// Makes a client. Nothing is dialled and no certificate store is read yet.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that cannot be used.
    pub fn new(settings: ClientSettings) -> Result<Self, SettingsError> {
        let limits = settings.limits;
        Ok(Self {
            standing: Standing::new(&settings.user_agent).map_err(SettingsError::UserAgent)?,
            tls: TlsProfile::new(&settings.extra_roots_pem, settings.http2)?,
            http2: settings.http2,
            pool: Pool::new(&limits),
            shared: SharedConnections::new(&limits),
            tasks: TaskTracker::new(),
            dialler: Dialler {
                guard: settings.guard,
                resolver: Resolver::new(settings.resolver, limits.resolve_timeout)?,
                proxy: settings.proxy,
                limits,
            },
            limits,
        })
    }

    /// The guard in force, for judging a target when it is registered.
    pub fn guard(&self) -> &Guard {
        &self.dialler.guard
    }

    /// A profile that trusts, besides the system's root certificates, these (PEM). Keep it:
    /// exchanges share connections only when they are made with the same profile.
    ///
    /// # Errors
    /// [`SettingsError::Roots`].
    pub fn tls_profile(&self, roots_pem: &[u8]) -> Result<TlsProfile, SettingsError> {
        TlsProfile::new(roots_pem, self.http2)
    }

    /// Why names cannot be looked up as the system does, if that is so.
    pub fn resolver_problem(&self) -> Option<&str> {
        self.dialler.resolver.problem()
    }

    /// Why no `https` target can be reached, if that is so. Reads the system's certificates.
    pub fn tls_problem(&self) -> Option<String> {
        self.tls.config().err().map(String::from)
    }

    /// Idle connections at this moment, HTTP/1.1 and HTTP/2.
    pub fn idle_connections(&self) -> usize {
        self.pool.len() + self.shared.idle()
    }

    /// Closes what has been idle for too long, and looks which addresses this machine has now; to be
    /// called every few seconds.
    pub fn sweep(&self, now: Instant) {
        if let Some(own) = self.dialler.guard.own() {
            own.keep_current(now);
        }
        self.pool.sweep(now);
        self.shared.sweep(now);
    }

    /// Closes all idle connections and waits for the tasks of those that are not.
    pub async fn shutdown(&self) {
        self.pool.clear();
        self.shared.clear();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Makes one exchange. Dropping the future closes the connection it was using.
    pub async fn send(&self, exchange: Exchange<'_>) -> Report {
        let started = Instant::now();
        let deadline = started + exchange.timeout;
        let mut course = Course::default();
        let running = self.run(&exchange, started, &mut course);
        let result = match timeout_at(deadline, running).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Failure::Timeout),
        };
        Report {
            address: course.trace.address,
            timings: course.timings(started.elapsed()),
            reused: course.reused,
            repeated: course.repeated,
            result,
        }
    }

    /// Uses an idle connection if there is one. If it turns out to have ended, the exchange is made
    /// once more on a new one. Over HTTP/2 only where the peer has surely not acted on it: a
    /// GOAWAY tells which requests it took. HTTP/1.1 has no such word, and servers close idle
    /// connections all the time; there a peer that did act before it closed gets the request
    /// twice, and knows the message by its id.
    async fn run(
        &self,
        exchange: &Exchange<'_>,
        started: Instant,
        course: &mut Course,
    ) -> Result<Reply, Failure> {
        let profile = self.profile(exchange);
        let tls = profile.map_or(0, TlsProfile::id);
        let key = Key {
            origin: Arc::clone(exchange.target.origin()),
            tls,
        };
        match self.run_on_idle(&key, exchange, started, course).await {
            Some(Ok(reply)) => return Ok(reply),
            Some(Err(stumbled)) if !stumbled.repeatable => return Err(stumbled.failure),
            Some(Err(_)) => {
                *course = Course {
                    repeated: true,
                    ..Course::default()
                }
            }
            None => {}
        }
        // Dialling is rare and its state large: boxed, so that every other exchange stays small.
        Box::pin(self.run_on_new(key, profile, exchange, course)).await
    }

    fn profile<'a>(&'a self, exchange: &Exchange<'a>) -> Option<&'a TlsProfile> {
        match exchange.target.scheme() {
            Scheme::Http => None,
            Scheme::Https => Some(exchange.tls.unwrap_or(&self.tls)),
        }
    }

    async fn run_on_idle(
        &self,
        key: &Key,
        exchange: &Exchange<'_>,
        now: Instant,
        course: &mut Course,
    ) -> Option<Result<Reply, Stumbled>> {
        if key.tls != 0
            && let Some(lease) = self.shared.lease(key)
        {
            course.reused = true;
            return Some(self.run_http2(&lease, exchange, course).await);
        }
        let connection = self.pool.take(key, now)?;
        course.reused = true;
        Some(
            self.run_http1(key.clone(), connection, exchange, course)
                .await,
        )
    }

    async fn run_on_new(
        &self,
        key: Key,
        profile: Option<&TlsProfile>,
        exchange: &Exchange<'_>,
        course: &mut Course,
    ) -> Result<Reply, Failure> {
        let dialled = self
            .dialler
            .dial(exchange.target, profile, &mut course.trace)
            .await?;
        let outcome = if dialled.http2 {
            let begun = http2::shake_hands(dialled.stream, &self.limits, &self.tasks).await?;
            let lease = self.shared.add(key, begun, dialled.address);
            self.run_http2(&lease, exchange, course).await
        } else {
            let connection = Connection::new(dialled.stream, dialled.address);
            self.run_http1(key, connection, exchange, course).await
        };
        outcome.map_err(|stumbled| stumbled.failure)
    }

    async fn run_http1(
        &self,
        key: Key,
        mut connection: Connection,
        exchange: &Exchange<'_>,
        course: &mut Course,
    ) -> Result<Reply, Stumbled> {
        course.begin(connection.address);
        let first_byte = &mut course.first_byte;
        let finished = connection
            .exchange(exchange, &self.standing, &self.limits, first_byte)
            .await?;
        if finished.reusable {
            self.pool.put(key, connection, Instant::now());
        }
        Ok(finished.reply)
    }

    async fn run_http2(
        &self,
        lease: &Lease,
        exchange: &Exchange<'_>,
        course: &mut Course,
    ) -> Result<Reply, Stumbled> {
        course.begin(lease.address());
        let first_byte = &mut course.first_byte;
        let outcome =
            http2::exchange(lease, exchange, &self.standing, &self.limits, first_byte).await;
        self.shared.settle(lease);
        outcome
    }
}

/// What an exchange has been through so far, readable also when it is cut short.
#[derive(Default)]
struct Course {
    trace: Trace,
    reused: bool,
    repeated: bool,
    begun: Option<Instant>,
    first_byte: Option<Instant>,
}

impl Course {
    fn begin(&mut self, address: std::net::SocketAddr) {
        self.trace.address = Some(address);
        self.begun = Some(Instant::now());
    }

    fn timings(&self, total: Duration) -> Timings {
        let first_byte = match (self.begun, self.first_byte) {
            (Some(begun), Some(first)) => Some(first.saturating_duration_since(begun)),
            _ => None,
        };
        Timings {
            first_byte,
            total,
            ..self.trace.timings
        }
    }
}
