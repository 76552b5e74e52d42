//! Every setting there is, by group.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ringbolt_model::{RetrySchedule, SignatureHeaders};
use ringbolt_net::EgressProxy;
use ringbolt_store::PostgresAddress;

use super::setting::settings;
use super::value::{
    Concurrency, EncryptionKeys, HttpUrl, LogFormat, NameServers, Networks, Origins, Ports, Secret,
    Size, StoreUrl,
};

settings! {
    /// Where the server is and what it keeps.
    General {
        /// Address and port to serve on. Port 0 takes any free one.
        listen: SocketAddr = "listen", "127.0.0.1:8071";
        /// Where everything is kept: a file, whose folder is made if it is missing, or a PostgreSQL database that
        /// several servers share. `sslmode` may be up to `verify-full`, with `sslrootcert`; several hosts may be named.
        store: StoreUrl = "store", "sqlite:ringbolt-data/ringbolt.db";
        /// What every address that is handed out begins with.
        /// Without it: `http://` (with TLS `https://`) and the address to serve on.
        public_url: Option<HttpUrl> = "public_url", "";
        /// The token that may do everything, 16 characters or more.
        /// Without it one is made at the first start, in the file `admin-token` beside the store; PostgreSQL needs it.
        admin_token: Option<Secret> = "admin_token", "";
        /// Keys that encrypt secrets at rest, each 32 bytes in base64. The first encrypts, all decrypt: put
        /// a new one in front to rotate. Without it one is made at the first start, in the file
        /// `encryption-key` beside the store; it belongs into the backup. PostgreSQL needs it.
        encryption_key: Option<EncryptionKeys> = "encryption_key", "";
        /// Networks of the proxies in front of this server, whose X-Forwarded-For is believed.
        trusted_proxies: Networks = "trusted_proxies", "";
    }
}

settings! {
    /// Logs, on standard error. RUST_LOG says what is logged (`info` by default; `warn,ringbolt=debug`).
    Log {
        /// Lines for people, or one JSON object a line.
        format: LogFormat = "log.format", "text";
    }
}

settings! {
    /// TLS by this server itself; both files or none. SIGHUP reads them again.
    Tls {
        /// PEM file of the certificate with its chain.
        certificate: Option<PathBuf> = "tls.certificate", "";
        /// PEM file of the certificate's private key.
        key: Option<PathBuf> = "tls.key", "";
    }
}

settings! {
    /// How messages are delivered.
    Delivery {
        /// Whether nothing is sent: what is accepted waits until a start without it. For a look at a copy of
        /// another server's data.
        paused: bool = "delivery.paused", "false";
        /// Networks that endpoints may be in although they are private, such as `10.1.0.0/16`.
        allow_networks: Networks = "delivery.allow_networks", "";
        /// Networks that endpoints may not be in although they are public, such as those of your other machines.
        deny_networks: Networks = "delivery.deny_networks", "";
        /// Ports that endpoints may have although they are those of services that speak no HTTP.
        allow_ports: Ports = "delivery.allow_ports", "";
        /// Whether endpoints may be plain `http://`.
        allow_http: bool = "delivery.allow_http", "true";
        /// The waits after the first, second, … failed attempt; each is drawn 20 % around its value.
        retry_schedule: RetrySchedule = "delivery.retry_schedule", "5s,5m,30m,2h,5h,10h,10h";
        /// The longest an attempt may take as a whole.
        timeout: Duration = "delivery.timeout", "15s";
        /// The longest that connecting may take, and then the TLS handshake.
        connect_timeout: Duration = "delivery.connect_timeout", "5s";
        /// Attempts in flight in all; they are shared fairly among the endpoints.
        max_in_flight: NonZeroU32 = "delivery.max_in_flight", "1024";
        /// Attempts in flight to one endpoint that sets no number of its own; about three times as many
        /// while it answers promptly.
        concurrency: Concurrency = "delivery.concurrency", "10";
        /// Idle connections kept open in all.
        idle_connections: u32 = "delivery.idle_connections", "1024";
        /// Idle connections kept open to one host.
        idle_connections_per_host: u32 = "delivery.idle_connections_per_host", "512";
        /// Payloads held in memory while they wait; beyond it the store is the queue.
        max_memory_bytes: Size = "delivery.max_memory_bytes", "64MiB";
        /// Deliveries held in memory while they wait; beyond it the store is the queue.
        max_memory_deliveries: NonZeroU32 = "delivery.max_memory_deliveries", "100000";
        /// What the endpoints of applications in use may take in memory, to find those that want a message;
        /// beyond it those of applications that send nothing are read again when they do.
        max_routes_bytes: Size = "delivery.max_routes_bytes", "128MiB";
        /// How long an endpoint may fail without a success before it is disabled; `0s` for ever.
        disable_after: Duration = "delivery.disable_after", "5d";
        /// The User-Agent of attempts.
        user_agent: String = "delivery.user_agent", concat!("Ringbolt/", env!("CARGO_PKG_VERSION"));
        /// Which signature headers are sent where the endpoint does not say: `standard` (webhook-*),
        /// `svix` (svix-*) or `both`.
        signature_headers: SignatureHeaders = "delivery.signature_headers", "standard";
        /// A proxy that every attempt goes through: `http://` (CONNECT) or `socks5://`, with user and
        /// password where it asks for them. Proxies named in the environment are never used.
        egress_proxy: Option<EgressProxy> = "delivery.egress_proxy", "";
    }
}

settings! {
    /// How this server finds and trusts others.
    Net {
        /// Name servers to ask instead of the system's.
        resolver: NameServers = "net.resolver", "";
        /// PEM file of root certificates to trust besides the system's.
        extra_roots: Option<PathBuf> = "net.extra_roots", "";
    }
}

settings! {
    /// The HTTP API and its limits.
    Api {
        /// The largest payload of a message, 10 MiB at most.
        max_payload: Size = "api.max_payload", "1MiB";
        /// The most endpoints that an application may have.
        max_endpoints_per_app: NonZeroU32 = "api.max_endpoints_per_app", "10000";
        /// Origins of web pages that may call the API with a portal token.
        cors_origins: Origins = "api.cors_origins", "";
        /// Whether `/metrics` is shown without a token.
        metrics_open: bool = "api.metrics_open", "false";
        /// The most connections at once. Beyond it the one that has been idle, or has kept its request back, for longest makes room.
        max_connections: NonZeroU32 = "api.max_connections", "10000";
        /// The longest that the head of a request may take to arrive.
        header_timeout: Duration = "api.header_timeout", "10s";
        /// The longest that the body of a request may take to arrive.
        body_timeout: Duration = "api.body_timeout", "30s";
        /// How long a connection may lie idle.
        idle_timeout: Duration = "api.idle_timeout", "75s";
        /// The longest that a client may take to read an answer, give or take half of it.
        answer_timeout: Duration = "api.answer_timeout", "60s";
        /// What answers may hold in memory in all while their clients have not read them. Beyond it
        /// connections that hold most for longest are closed, those first whose token holds most; a request waits up to 4 seconds for that.
        max_unread: Size = "api.max_unread", "64MiB";
    }
}

settings! {
    /// How long things are kept.
    Retention {
        /// Messages with their attempts, from when they were accepted; `1s` at least. What is still to be
        /// tried is kept until that has ended.
        content: Duration = "retention.content", "30d";
    }
}

settings! {
    /// A store in PostgreSQL, and this server as one of several nodes.
    Postgres {
        /// Connections of this node at most; one more listens. Three write what is accepted and delivered.
        connections: NonZeroU32 = "postgres.connections", "10";
        /// Whether statements are prepared once under a name. `false` behind a pooler that hands connections on from
        /// transaction to transaction, such as PgBouncer.
        named_statements: bool = "postgres.named_statements", "true";
        /// Where notifications are listened to, past such a pooler. Without it: where the store is.
        listen_url: Option<PostgresAddress> = "postgres.listen_url", "";
        /// How long a silent node keeps what it has before others take it over; it is renewed five times as often.
        lease: Duration = "postgres.lease", "5s";
        /// A node whose clock differs by more than this from the database's accepts no messages.
        clock_tolerance: Duration = "postgres.clock_tolerance", "10s";
        /// What the node is called in lists. Without it: the name of the machine.
        node_name: Option<String> = "postgres.node_name", "";
    }
}

settings! {
    /// The process.
    Runtime {
        /// Threads that do the work, beside the store's own. Without it: one less than there are cores.
        workers: Option<NonZeroU32> = "runtime.workers", "";
        /// How long attempts in flight may take to finish at shutdown.
        shutdown_grace: Duration = "runtime.shutdown_grace", "30s";
    }
}
