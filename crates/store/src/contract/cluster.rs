//! The nodes that share a store: who is alive, what changed elsewhere, and whether this one may still act.

use std::time::Duration;

use async_trait::async_trait;
use ringbolt_model::{AppId, EndpointId, KeyId, Timestamp};

use super::{LaneWork, StoreError};

/// What a node has to know that it has not done itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Another node changed or deleted an application.
    Application(AppId),
    /// Another node created, changed, disabled or deleted an endpoint.
    Endpoint(AppId, EndpointId),
    /// Another node revoked a key, or ended it earlier.
    Key(KeyId),
    /// News may have been missed: whatever was read before may be older than what is stored.
    Everything,
    /// These endpoints have rows that are this node's from now on: those of a node that is gone, or that another
    /// node has put into a lane that this one owns.
    Lanes(Vec<LaneWork>),
    /// Others have taken over everything that this node had: what is in memory is theirs. It is another node
    /// from now on, which has nothing yet.
    Disowned,
}

/// Is told of news; it must be quick.
pub type Ear = Box<dyn Fn(News) + Send + Sync>;

/// What a node tells the others about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeLoad {
    /// Lanes that are not idle.
    pub lanes: u64,
    /// Attempts in flight.
    pub in_flight: u64,
    /// Deliveries in memory, and rows that wait, as last counted.
    pub pending: u64,
}

/// Who a node is, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeName {
    /// Its host's name, or another.
    pub name: String,
    /// Where it can be reached.
    pub address: String,
    /// Its version.
    pub version: String,
}

/// A node, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its fencing number: each start has another.
    pub incarnation: u64,
    /// Its number in ids.
    pub slot: u16,
    /// What it calls itself.
    pub name: String,
    /// Where it can be reached.
    pub address: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// How long its lease holds, from now: not at all if it has lapsed, nothing if it never ends.
    pub lease_left: Option<Duration>,
    /// Whether it is the one that was asked.
    pub is_this: bool,
    /// What it said of itself when it was last seen.
    pub load: NodeLoad,
}

/// The nodes that share a store. A store that only one process can open has one, whose lease never ends.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Who is told of news, from any thread. Set once, before the first write.
    fn hear(&self, ear: Ear);
    /// This node's number in ids, below 1,024. It is another after [`News::Disowned`].
    fn slot(&self) -> u16;
    /// Whether an attempt may begin: its lease holds, by a clock that counts while the machine sleeps.
    fn may_send(&self) -> bool;
    /// Whether messages may be accepted: that, and the node's clock agrees with the database's.
    fn may_accept(&self) -> Result<(), StoreError>;
    /// What this node says of itself with its next sign of life.
    fn report(&self, load: NodeLoad);
    /// The nodes that are alive, or have left something behind, by incarnation.
    async fn nodes(&self) -> Result<Vec<Node>, StoreError>;
    /// Gives up the lease: others may take over at once. To be called when nothing is written any more.
    async fn leave(&self) -> Result<(), StoreError>;
}
