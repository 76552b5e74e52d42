//! Accepting a message: the rules, and its rows.

use ringbolt_model::{AppId, DeliveryKey, Message, MessageId, Timestamp, id};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::catalogue::application_exists;
use super::delivery_row::DeliveryRows;
use super::fold::{self, Watermarks};
use super::log::rows::{content_type_column, labels_column, to_column};
use super::marks::Marks;
use super::recent_keys::RecentKeys;
use super::{Fault, conflict};
use crate::{Accept, AcceptRefused, Accepted, IDEMPOTENCY_KEPT as KEPT, IdempotencyKey};

/// What came of a message that was to be accepted.
pub(super) type Answer = Result<Accepted, AcceptRefused>;

/// Accepts messages, with statements that were prepared once for a transaction.
pub(super) struct Accepting<'c> {
    conn: &'c Connection,
    insert_message: CachedStatement<'c>,
    insert_mark: CachedStatement<'c>,
    event_taken: CachedStatement<'c>,
    keys: Keys<'c>,
    /// The applications that were looked up in this transaction, and whether they exist.
    apps: Vec<(AppId, bool)>,
    targets: Vec<u64>,
    column: Vec<u8>,
}

impl<'c> Accepting<'c> {
    pub(super) fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            conn,
            insert_message: conn.prepare_cached(
                "INSERT INTO message (id, app_id, event_type, event_id, channels, content_type, \
                 expires_at, targets, payload, tags) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?,
            insert_mark: conn.prepare_cached("INSERT INTO open_message (id) VALUES (?1)")?,
            event_taken: conn.prepare_cached(
                "SELECT 1 FROM message INDEXED BY message_by_event_id \
                 WHERE app_id = ?1 AND event_id = ?2 AND id > ?3 LIMIT 1",
            )?,
            keys: Keys::prepare(conn)?,
            apps: Vec::new(),
            targets: Vec::new(),
            column: Vec::new(),
        })
    }

    /// Writes the message and what is owed to whom, unless a rule forbids it.
    pub(super) fn accept(
        &mut self,
        accept: &Accept,
        rows: &mut DeliveryRows<'_>,
        marks: &mut Marks,
        recent: &RecentKeys,
        watermarks: &Watermarks,
    ) -> Result<Answer, Fault> {
        let message = &*accept.message;
        if let Some(key) = &accept.idempotency
            && let Some(answer) = self.keys.answer(self.conn, recent, key, message.id)?
        {
            return Ok(answer);
        }
        if let Some(refused) = self.refused(message)? {
            return Ok(Err(refused));
        }
        self.write_message(accept)?;
        if let Some(key) = &accept.idempotency {
            recent.add(self.conn, key, message.id)?;
        }
        if watermarks.pass_message(message.id.raw(), self.targets.len()) {
            fold::late_message(self.conn, message.id.raw(), self.targets.iter().copied())?;
        }
        for endpoint in &accept.stored {
            let key = DeliveryKey {
                message: message.id,
                endpoint: *endpoint,
            };
            rows.insert_pending(key, accept.due, false)?;
        }
        if !accept.fresh.is_empty() {
            self.insert_mark.execute([to_column(message.id.raw())])?;
            marks.open(message.id, accept.fresh.len());
        }
        Ok(Ok(Accepted::New))
    }

    fn refused(&mut self, message: &Message) -> Result<Option<AcceptRefused>, Fault> {
        if !self.app_exists(message.app)? {
            return Ok(Some(AcceptRefused::ApplicationGone));
        }
        let Some(event_id) = &message.event_id else {
            return Ok(None);
        };
        let since = to_column(id::at_millisecond(message.id.time() - KEPT));
        let app = to_column(message.app.raw());
        let taken = self.event_taken.exists((app, event_id.as_str(), since))?;
        Ok(taken.then_some(AcceptRefused::EventIdTaken))
    }

    fn app_exists(&mut self, app: AppId) -> Result<bool, Fault> {
        if let Some((_, exists)) = self.apps.iter().find(|(known, _)| *known == app) {
            return Ok(*exists);
        }
        let exists = application_exists(self.conn, app)?;
        self.apps.push((app, exists));
        Ok(exists)
    }

    fn write_message(&mut self, accept: &Accept) -> Result<(), Fault> {
        let message = &*accept.message;
        self.targets.clear();
        self.targets.extend(
            accept
                .fresh
                .iter()
                .chain(&accept.stored)
                .map(|target| target.raw()),
        );
        self.targets.sort_unstable();
        self.column.clear();
        self.column
            .extend(self.targets.iter().flat_map(|target| target.to_be_bytes()));
        let row = params![
            to_column(message.id.raw()),
            to_column(message.app.raw()),
            message.event_type.as_str(),
            message.event_id.as_ref().map(ringbolt_model::Uid::as_str),
            labels_column(&message.channels),
            content_type_column(&message.content_type),
            message.expires_at.map(Timestamp::as_micros),
            &self.column[..],
            Blob(message.payload.as_deref()),
            labels_column(&message.tags),
        ];
        self.insert_message.execute(row).map_err(conflict("id"))?;
        Ok(())
    }
}

/// Bytes that may be absent; unlike an empty list, absent bytes are NULL.
pub(super) struct Blob<'a>(pub(super) Option<&'a [u8]>);

impl ToSql for Blob<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(
            self.0.map_or(ValueRef::Null, ValueRef::Blob),
        ))
    }
}

/// The idempotency keys of accepted messages.
struct Keys<'c> {
    select: CachedStatement<'c>,
}

impl<'c> Keys<'c> {
    fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            select: conn.prepare_cached(
                "SELECT body, message_id FROM idempotency WHERE key = ?1 AND at > ?2",
            )?,
        })
    }

    /// What came of this key within the last day, if it was used.
    fn answer(
        &mut self,
        tx: &Connection,
        recent: &RecentKeys,
        key: &IdempotencyKey,
        message: MessageId,
    ) -> Result<Option<Answer>, Fault> {
        let since = message.time() - KEPT;
        let used = match recent.find(tx, &key.key)? {
            Some(used) if used.message.time() > since => Some((used.body, Some(used.message))),
            _ => self.entered(key, since)?,
        };
        Ok(used.map(|(body, first)| match first {
            Some(first) if body == key.body => Ok(Accepted::Repeated(first)),
            _ => Err(AcceptRefused::KeyReused),
        }))
    }

    fn entered(
        &mut self,
        key: &IdempotencyKey,
        since: Timestamp,
    ) -> rusqlite::Result<Option<([u8; 16], Option<MessageId>)>> {
        let row = (&key.key[..], since.as_micros());
        let found = self.select.query_row(row, |row| {
            let message: Option<i64> = row.get(1)?;
            let message = message.map(|raw| MessageId::from(raw.cast_unsigned()));
            Ok((row.get(0)?, message))
        });
        found.optional()
    }
}
