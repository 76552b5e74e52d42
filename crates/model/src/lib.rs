#![doc = include_str!("../README.md")]

pub mod application;
pub mod attempt;
pub mod delivery;
pub mod endpoint;
pub mod event_type;
pub mod filter;
pub mod id;
pub mod key;
pub mod message;
pub mod metadata;
pub mod name;
pub mod portal;
pub mod schedule;
pub mod time;

mod base62;

pub use application::Application;
pub use attempt::{Attempt, AttemptFailure, Timings, Trigger};
pub use delivery::{DeliveryKey, DeliveryState, FinalReason};
pub use endpoint::{CustomHeaders, DisableReason, Endpoint, EndpointSecrets, SignatureHeaders};
pub use event_type::EventType;
pub use filter::Subscription;
pub use id::{AppId, AttemptId, EndpointId, IdMaker, KeyId, MessageId, TaskId};
pub use key::{ApiKey, Role};
pub use message::Message;
pub use metadata::Metadata;
pub use name::{Channel, EventTypeName, NameError, Tag, Uid};
pub use portal::{Capabilities, Capability, PortalAccess};
pub use ringbolt_signatures::Secret;
pub use schedule::RetrySchedule;
pub use time::{Clock, Timestamp};
