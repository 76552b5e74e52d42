#![doc = include_str!("../README.md")]

mod accept;
mod attempts;
mod breaker_lines;
mod changes;
mod destinations;
mod driver;
mod handle;
mod http;
mod line_limit;
mod load;
mod message_lines;
mod metrics;
mod mind;
mod news;
mod perform;
mod process;
mod recovery;
mod routing;
mod settings;
mod shared;
mod transport;
mod upkeep;
mod waiters;
mod workers;

pub use accept::{Draft, Refused, Taken};
pub use driver::Driver;
pub use handle::{Handle, Status, UrlRefused};
pub use http::HttpTransport;
pub use line_limit::LineLimit;
pub use news::KeyNews;
pub use ringbolt_engine::{Failure, Hold, LaneState, LaneView, Outcome, Snapshot, Verdict};
pub use settings::{DriverSettings, HttpSettings, StartError, start, start_with};
pub use transport::{Transport, Tried};
pub use workers::WorkerView;
