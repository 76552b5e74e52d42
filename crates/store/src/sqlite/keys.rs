//! API keys in rows.

use async_trait::async_trait;
use ringbolt_model::{ApiKey, AppId, KeyId, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::{beyond, direction, from_json, json, listing, one_more, time_or_null};
use super::log::rows::{id, parsed, to_column};
use super::{Fault, SqliteStore, conflict};
use crate::{ENDED_AT_ONCE, Keys, Listing, Order, Page, StoreError};

const COLUMNS: &str = "id, name, hash, role, app_id, expires_at, last_used_at, revoked_at, portal";

pub(in crate::sqlite) fn by_hash() -> String {
    format!("SELECT {COLUMNS} FROM api_key WHERE hash = ?1")
}

pub(in crate::sqlite) fn all_sql(order: Order) -> String {
    let (compare, direction) = direction(order);
    format!("SELECT {COLUMNS} FROM api_key WHERE id {compare} ?1 ORDER BY id {direction} LIMIT ?2")
}

pub(in crate::sqlite) fn of_application_sql(order: Order) -> String {
    let (compare, direction) = direction(order);
    format!(
        "SELECT {COLUMNS} FROM api_key INDEXED BY api_key_by_app \
         WHERE id {compare} ?1 AND app_id = ?3 ORDER BY id {direction} LIMIT ?2"
    )
}

/// It cannot run but by that index. Those that have ended already stay as they are; `?4` is a JSON list of sessions, empty for all.
pub(in crate::sqlite) const PORTALS_TO_END: &str = "SELECT id FROM api_key INDEXED BY api_key_by_app \
    WHERE app_id = ?1 AND id > ?2 AND role = 'portal' AND revoked_at IS NULL \
    AND ifnull(expires_at, ?3 + 1) > ?3 \
    AND (?4 = '[]' OR session IN (SELECT value FROM json_each(?4))) ORDER BY id LIMIT ?5";

#[async_trait]
impl Keys for SqliteStore {
    async fn create_key(&self, key: ApiKey) -> Result<(), StoreError> {
        self.write(move |tx| create(tx, &key)).await
    }

    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<ApiKey, StoreError> {
        self.read(move |conn| {
            let found = conn
                .prepare_cached(&by_hash())?
                .query_row([hash], read)
                .optional()?;
            Ok(found.ok_or(StoreError::NotFound)?)
        })
        .await
    }

    async fn keys(
        &self,
        app: Option<AppId>,
        page: Page<KeyId>,
    ) -> Result<Listing<ApiKey, KeyId>, StoreError> {
        self.read(move |conn| Ok(list(conn, app, &page)?)).await
    }

    async fn revoke_key(&self, key: KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| {
            let changed = tx
                .prepare_cached(
                    "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
                )?
                .execute([to_column(key.raw()), now.as_micros()])?;
            if changed == 0 {
                Err(StoreError::NotFound.into())
            } else {
                Ok(())
            }
        })
        .await
    }

    async fn end_portals(
        &self,
        app: AppId,
        sessions: Vec<String>,
        end: Timestamp,
        after: Option<KeyId>,
    ) -> Result<Vec<KeyId>, StoreError> {
        let sessions = json(&sessions)?;
        self.write(move |tx| {
            let from = after.map_or(i64::MIN, |key| to_column(key.raw()));
            let all = params![
                to_column(app.raw()),
                from,
                end.as_micros(),
                sessions,
                i64::try_from(ENDED_AT_ONCE).unwrap_or(i64::MAX)
            ];
            let found: rusqlite::Result<Vec<KeyId>> = tx
                .prepare_cached(PORTALS_TO_END)?
                .query_map(all, |row| id(row, 0))?
                .collect();
            let found = found?;
            let mut statement =
                tx.prepare_cached("UPDATE api_key SET expires_at = ?2 WHERE id = ?1")?;
            for key in &found {
                statement.execute([to_column(key.raw()), end.as_micros()])?;
            }
            Ok(found)
        })
        .await
    }

    async fn keys_used(&self, used: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError> {
        self.write(move |tx| {
            let mut statement = tx.prepare_cached(
                "UPDATE api_key SET last_used_at = ?2 \
                 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
            )?;
            for (key, at) in used {
                statement.execute([to_column(key.raw()), at.as_micros()])?;
            }
            Ok(())
        })
        .await
    }
}

fn create(tx: &Connection, key: &ApiKey) -> Result<(), Fault> {
    let micros = |moment: Option<Timestamp>| moment.map(Timestamp::as_micros);
    let portal = key.portal.as_ref().map(json).transpose()?;
    tx.prepare_cached(&format!(
        "INSERT INTO api_key ({COLUMNS}, session) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?
    .execute(params![
        to_column(key.id.raw()),
        key.name,
        key.hash,
        key.role.as_str(),
        key.app.map(|app| to_column(app.raw())),
        micros(key.expires_at),
        micros(key.last_used_at),
        micros(key.revoked_at),
        portal,
        key.portal
            .as_ref()
            .and_then(|portal| portal.session.as_deref()),
    ])
    .map_err(conflict("id"))?;
    Ok(())
}

fn list(
    conn: &Connection,
    app: Option<AppId>,
    page: &Page<KeyId>,
) -> rusqlite::Result<Listing<ApiKey, KeyId>> {
    let from = beyond(page.after.map(KeyId::raw), page.order);
    let rows = one_more(page.limit);
    let items: rusqlite::Result<Vec<ApiKey>> = match app {
        None => conn
            .prepare_cached(&all_sql(page.order))?
            .query_map([from, rows], read)?
            .collect(),
        Some(app) => conn
            .prepare_cached(&of_application_sql(page.order))?
            .query_map([from, rows, to_column(app.raw())], read)?
            .collect(),
    };
    Ok(listing(items?, page.limit, |key| key.id))
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: id(row, 0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        role: parsed(row, 3)?,
        app: row
            .get::<_, Option<i64>>(4)?
            .map(|app| AppId::from(app.cast_unsigned())),
        expires_at: time_or_null(row, 5)?,
        last_used_at: time_or_null(row, 6)?,
        revoked_at: time_or_null(row, 7)?,
        portal: match row.get_ref(8)? {
            ValueRef::Null => None,
            _ => Some(from_json(row, 8)?),
        },
    })
}
