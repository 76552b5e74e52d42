//! What other nodes change, as it is notified. A notification that is lost is made up for by the pulse.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use ringbolt_model::{AppId, EndpointId, KeyId};
use tokio_postgres::{AsyncMessage, Row};
use tokio_util::sync::CancellationToken;

use super::Peers;
use crate::News;
use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::connect;

/// What changed lately; the pulse reads it.
pub(super) const CHANGES: &str = "SELECT seq, origin, kind, app_id, id FROM change \
    WHERE at > clock_timestamp() - interval '15 seconds' ORDER BY seq";
/// How changes are notified.
pub(in crate::postgres) const CHANNEL: &str = "ringbolt_change";
/// How long it waits before it listens again.
const AGAIN: Duration = Duration::from_secs(1);

/// What kind of thing changed, as its column holds it.
pub(in crate::postgres) const APPLICATION: i16 = 1;
pub(in crate::postgres) const ENDPOINT: i16 = 2;
pub(in crate::postgres) const KEY: i16 = 3;

/// A change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) origin: i64,
    kind: i16,
    app: i64,
    id: i64,
}

impl Change {
    /// Reads a row of [`CHANGES`].
    pub(super) fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            origin: get(row, 1)?,
            kind: get(row, 2)?,
            app: get(row, 3)?,
            id: get(row, 4)?,
        })
    }

    /// Reads a notification: the four numbers.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(str::parse::<i64>);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            origin: next()?,
            kind: i16::try_from(next()?).ok()?,
            app: next()?,
            id: next()?,
        })
    }

    fn news(self) -> Option<News> {
        let app = AppId::from(self.app.cast_unsigned());
        let id = self.id.cast_unsigned();
        match self.kind {
            APPLICATION => Some(News::Application(app)),
            ENDPOINT => Some(News::Endpoint(app, EndpointId::from(id))),
            KEY => Some(News::Key(KeyId::from(id))),
            // A newer node knows more than this one.
            _ => None,
        }
    }
}

impl Peers {
    /// Tells of a change.
    pub(super) fn tell_of(&self, change: &Change) {
        self.tell(change.news().unwrap_or(News::Everything));
    }
}

/// Listens until the store is closed.
pub(super) async fn run(peers: Arc<Peers>, closing: CancellationToken) {
    loop {
        let ended = tokio::select! {
            () = closing.cancelled() => true,
            heard = listen(&peers) => {
                if let Err(fault) = heard {
                    tracing::debug!(?fault, "notifications are not heard for a while");
                }
                tokio::time::timeout(AGAIN, closing.cancelled()).await.is_ok()
            }
        };
        if ended {
            return;
        }
    }
}

async fn listen(peers: &Peers) -> Result<(), Fault> {
    let address = peers
        .settings
        .listen_address
        .as_ref()
        .unwrap_or(&peers.settings.address);
    let (client, mut messages) = connect::single(address).await?;
    let sql = format!("LISTEN {CHANNEL}");
    let listens = client.batch_execute(&sql);
    tokio::pin!(listens);
    let mut listening = false;
    loop {
        tokio::select! {
            done = &mut listens, if !listening => {
                done?;
                listening = true;
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    let own = peers.membership.incarnation();
                    match Change::parse(notification.payload()) {
                        Some(change) if change.origin == own => {}
                        Some(change) => peers.tell_of(&change),
                        None => peers.tell(News::Everything),
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_says_who_changed_what() {
        let change = Change::parse("7 2 11 12").unwrap();
        assert_eq!(change.origin, 7);
        let news = News::Endpoint(AppId::from(11), EndpointId::from(12));
        assert_eq!(change.news(), Some(news));
        assert_eq!(Change::parse("7 2 eleven 12"), None);
        assert_eq!(Change::parse("7 9 11 12").unwrap().news(), None);
    }
}
