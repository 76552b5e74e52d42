//! What other nodes are told of changes: a row, for those that missed the notification, and the notification.

use crate::postgres::cluster::hearing::{APPLICATION, CHANNEL, ENDPOINT, KEY};
use crate::postgres::link::{Link, params};
use crate::postgres::{Fault, PostgresStore};

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub(in crate::postgres) enum Changed {
    /// An application was changed or deleted; its id stands twice.
    Application = APPLICATION,
    /// An endpoint was created, changed, disabled or deleted.
    Endpoint = ENDPOINT,
    /// A key was revoked or ends earlier; its application is 0 if it has none.
    Key = KEY,
}

/// Both at once: the notification is heard when the transaction is committed.
const NOTE: &str = "WITH noted AS (INSERT INTO change (origin, kind, app_id, id) \
    SELECT $1, $2, $3, id FROM unnest($4::bigint[]) id RETURNING origin, kind, app_id, id) \
    SELECT pg_notify($5, concat_ws(' ', origin, kind, app_id, id)) FROM noted";

impl PostgresStore {
    /// Tells other nodes of a change, once the transaction is committed.
    pub(in crate::postgres) async fn note_change(
        &self,
        link: Link<'_>,
        kind: Changed,
        app: i64,
        id: i64,
    ) -> Result<(), Fault> {
        self.note_changes(link, kind, app, &[id]).await
    }

    /// The same of several.
    pub(in crate::postgres) async fn note_changes(
        &self,
        link: Link<'_>,
        kind: Changed,
        app: i64,
        ids: &[i64],
    ) -> Result<(), Fault> {
        let (origin, kind) = (self.membership.incarnation(), kind as i16);
        link.all(NOTE, params![origin, kind, app, ids, CHANNEL])
            .await?;
        Ok(())
    }
}

/// Counts a change of an application's routes. Its row is locked from here on, so that changes of its endpoints come one after
/// the other; `NotFound` if it was deleted.
pub(super) async fn grow_routes(link: Link<'_>, app: i64) -> Result<(), Fault> {
    let sql = "UPDATE application SET routes = routes + 1 WHERE id = $1 AND deleted_at IS NULL";
    match link.run(sql, params![app]).await? {
        0 => Err(Fault::NotFound),
        _ => Ok(()),
    }
}

/// Does a transaction again that another one was in the way of.
macro_rules! again {
    ($work:expr) => {{
        let mut tries = 1..$crate::postgres::catalogue::changes::TRIES;
        loop {
            match $work.await {
                Err(fault) if fault.is_passing() && tries.next().is_some() => {}
                done => break done.map_err($crate::StoreError::from),
            }
        }
    }};
}
pub(in crate::postgres) use again;

/// How often a transaction is tried.
pub(in crate::postgres) const TRIES: usize = 5;
