#![doc = include_str!("../README.md")]

mod client;
mod dial;
mod failure;
pub mod guard;
mod headers;
mod http1;
mod http2;
mod interfaces;
mod pool;
mod proxy;
mod reply;
mod resolve;
mod retry_after;
mod settings;
mod stream;
pub mod target;
mod tls;

pub use client::{Client, Exchange};
pub use failure::{DnsFailure, Failure, ProxyFailure};
pub use guard::{Blocked, Guard, Refusal};
pub use headers::{HeaderBlock, HeaderError, check_custom_header};
pub use http::Method;
pub use interfaces::OwnAddresses;
pub use ipnet::IpNet;
pub use proxy::EgressProxy;
pub use reply::{Reply, ReplyHeaders, Report, Timings};
pub use resolve::ResolverSettings;
pub use retry_after::retry_after;
pub use settings::{ClientSettings, Limits, SettingsError};
pub use target::{Target, TargetError, TargetPolicy};
pub use tls::TlsProfile;
