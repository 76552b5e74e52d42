//! The endpoints that a message is owed to, with where its delivery stands.

use std::collections::HashSet;

use ringbolt_model::{AppId, Endpoint, EndpointId, MessageId};
use rusqlite::{Connection, OptionalExtension, params};

use super::messages::Owner;
use super::rows::{self, to_column};
use super::standing::Standing;
use crate::lists::part_of;
use crate::sqlite::catalogue::{ENDPOINT_COLUMNS, endpoint as read};
use crate::{DeliveryView, Listing, Page};

pub(super) const TARGETS: &str = "SELECT targets, EXISTS (SELECT 1 FROM open_message o WHERE o.id = m.id) \
    FROM message m WHERE m.id = ?1 AND m.app_id = ?2";

pub(super) const ROW: &str =
    "SELECT state, next_at FROM delivery WHERE endpoint_id = ?1 AND message_id = ?2";

pub(super) const SUCCESSES: &str = "SELECT endpoint_id FROM attempt INDEXED BY attempt_by_message \
    WHERE message_id = ?1 AND failure IS NULL";

pub(super) fn endpoint_by_id() -> String {
    format!("SELECT {ENDPOINT_COLUMNS}, e.deleted_at IS NOT NULL FROM endpoint e WHERE e.id = ?1")
}

/// The deliveries of a message, by endpoint; `None` if there is no such message. Deleted endpoints
/// are among them as long as the store remembers them.
pub(super) fn of_message(
    conn: &Connection,
    app: AppId,
    message: MessageId,
    page: &Page<EndpointId>,
) -> rusqlite::Result<Option<Listing<(Endpoint, DeliveryView), EndpointId>>> {
    let found = conn
        .prepare_cached(TARGETS)?
        .query_row([to_column(message.raw()), to_column(app.raw())], |row| {
            let targets: Vec<u64> = rows::targets(row.get_ref(0)?.as_blob()?).collect();
            Ok((targets, row.get::<_, bool>(1)?))
        })
        .optional()?;
    let Some((targets, open)) = found else {
        return Ok(None);
    };
    let (targets, done) = part_of(targets, page);
    let mut list = Deliveries {
        conn,
        message,
        open,
        successes: None,
    };
    let mut items = Vec::with_capacity(targets.len());
    for endpoint in &targets {
        items.extend(list.of(*endpoint)?);
    }
    Ok(Some(Listing {
        items,
        reached: targets.last().copied(),
        done,
    }))
}

/// Looks up the deliveries of one message.
struct Deliveries<'a> {
    conn: &'a Connection,
    message: MessageId,
    open: bool,
    successes: Option<HashSet<EndpointId>>,
}

impl Deliveries<'_> {
    fn of(&mut self, endpoint: EndpointId) -> rusqlite::Result<Option<(Endpoint, DeliveryView)>> {
        let mut statement = self.conn.prepare_cached(&endpoint_by_id())?;
        let mut found = statement.query([to_column(endpoint.raw())])?;
        let Some(row) = found.next()? else {
            return Ok(None);
        };
        let known = read(row)?;
        let deleted = row.get(row.as_ref().column_count() - 1)?;
        let owner = Owner {
            app: to_column(known.app.raw()),
            disabled: known.disabled.is_some(),
            deleted,
        };
        let view = self
            .standing(endpoint)?
            .view(self.message, owner, || self.succeeded(endpoint))?;
        Ok(Some((known, view)))
    }

    fn standing(&self, endpoint: EndpointId) -> rusqlite::Result<Standing> {
        let keys = params![to_column(endpoint.raw()), to_column(self.message.raw())];
        let row = self
            .conn
            .prepare_cached(ROW)?
            .query_row(keys, |row| Ok((rows::state(row.get(0)?)?, row.get(1)?)))
            .optional()?;
        let (row, next_at) = row.unzip();
        Ok(Standing {
            row,
            next_at,
            open: self.open,
        })
    }

    /// Whether an attempt succeeded. All of the message's attempts are read once, not once for each
    /// endpoint.
    fn succeeded(&mut self, endpoint: EndpointId) -> rusqlite::Result<bool> {
        if let Some(successes) = &self.successes {
            return Ok(successes.contains(&endpoint));
        }
        let successes: rusqlite::Result<HashSet<_>> = self
            .conn
            .prepare_cached(SUCCESSES)?
            .query_map([to_column(self.message.raw())], |row| rows::id(row, 0))?
            .collect();
        Ok(self.successes.insert(successes?).contains(&endpoint))
    }
}
