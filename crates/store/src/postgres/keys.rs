//! API keys, in rows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ringbolt_model::{ApiKey, AppId, KeyId, Timestamp};
use tokio_postgres::Row;

use super::catalogue::changes::{Changed, again};
use super::column::{
    beyond, direction, from_json_or_null, get, id, listing, one_more, parsed, time_or_null,
    to_column, unreadable,
};
use super::fault::conflict;
use super::link::params;
use super::{Fault, PostgresStore};
use crate::encoding::{json, without_nul};
use crate::{ENDED_AT_ONCE, Keys, Listing, Order, Page, StoreError};

const COLUMNS: &str = "id, name, hash, role, app_id, expires_at, last_used_at, revoked_at, portal";

pub(super) fn all_sql(order: Order) -> String {
    let (compare, direction) = direction(order);
    format!("SELECT {COLUMNS} FROM api_key WHERE id {compare} $1 ORDER BY id {direction} LIMIT $2")
}

pub(super) fn of_application_sql(order: Order) -> String {
    let (compare, direction) = direction(order);
    format!(
        "SELECT {COLUMNS} FROM api_key WHERE id {compare} $1 AND app_id = $3 \
         ORDER BY id {direction} LIMIT $2"
    )
}

/// Those that have ended already stay as they are; `$4` lists sessions, none of them for all.
pub(super) const PORTALS_TO_END: &str = "SELECT id FROM api_key WHERE app_id = $1 AND id > $2 AND role = 'portal' \
    AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3) \
    AND (cardinality($4::text[]) = 0 OR session = ANY($4)) ORDER BY id LIMIT $5 FOR UPDATE";

#[async_trait]
impl Keys for PostgresStore {
    async fn create_key(&self, key: ApiKey) -> Result<(), StoreError> {
        Ok(self.insert_key(&key).await?)
    }

    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<ApiKey, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM api_key WHERE hash = $1");
        let client = self.client().await?;
        let row = self.link(&client).one(&sql, params![&hash[..]]).await?;
        Ok(read(&row)?)
    }

    async fn keys(
        &self,
        app: Option<AppId>,
        page: Page<KeyId>,
    ) -> Result<Listing<ApiKey, KeyId>, StoreError> {
        Ok(self.list_keys(app, &page).await?)
    }

    async fn revoke_key(&self, key: KeyId, now: Timestamp) -> Result<(), StoreError> {
        again!(self.revoke(key, now))
    }

    async fn end_portals(
        &self,
        app: AppId,
        sessions: Vec<String>,
        end: Timestamp,
        after: Option<KeyId>,
    ) -> Result<Vec<KeyId>, StoreError> {
        again!(self.end(app, &sessions, end, after))
    }

    async fn keys_used(&self, used: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError> {
        again!(self.note_used(&used))
    }
}

impl PostgresStore {
    async fn insert_key(&self, key: &ApiKey) -> Result<(), Fault> {
        let micros = |moment: Option<Timestamp>| moment.map(Timestamp::as_micros);
        let sql = format!(
            "INSERT INTO api_key ({COLUMNS}, session) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        );
        let session = key
            .portal
            .as_ref()
            .and_then(|portal| portal.session.as_deref());
        let session = session.map(without_nul);
        let client = self.client().await?;
        let written = self
            .link(&client)
            .run(
                &sql,
                params![
                    to_column(key.id.raw()),
                    &*without_nul(&key.name),
                    &key.hash[..],
                    key.role.as_str(),
                    key.app.map(|app| to_column(app.raw())),
                    micros(key.expires_at),
                    micros(key.last_used_at),
                    micros(key.revoked_at),
                    key.portal.as_ref().map(json).transpose()?,
                    session.as_deref(),
                ],
            )
            .await;
        written.map_err(conflict("id"))?;
        Ok(())
    }

    async fn list_keys(
        &self,
        app: Option<AppId>,
        page: &Page<KeyId>,
    ) -> Result<Listing<ApiKey, KeyId>, Fault> {
        let (from, rows) = (
            beyond(page.after.map(KeyId::raw), page.order),
            one_more(page.limit),
        );
        let client = self.client().await?;
        let link = self.link(&client);
        let rows = match app {
            None => link.all(&all_sql(page.order), params![from, rows]).await?,
            Some(app) => {
                link.all(
                    &of_application_sql(page.order),
                    params![from, rows, to_column(app.raw())],
                )
                .await?
            }
        };
        let found: Result<_, _> = rows.iter().map(read).collect();
        Ok(listing(found?, page.limit, |key| key.id))
    }

    async fn revoke(&self, key: KeyId, now: Timestamp) -> Result<(), Fault> {
        let (id, now) = (to_column(key.raw()), now.as_micros());
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let link = self.within(&transaction);
        let sql = "UPDATE api_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 \
            RETURNING coalesce(app_id, 0)";
        let app: i64 = get(&link.one(sql, params![id, now]).await?, 0)?;
        self.note_change(link, Changed::Key, app, id).await?;
        Ok(transaction.commit().await?)
    }

    async fn end(
        &self,
        app: AppId,
        sessions: &[String],
        end: Timestamp,
        after: Option<KeyId>,
    ) -> Result<Vec<KeyId>, Fault> {
        let sessions: Vec<String> = sessions
            .iter()
            .map(|name| without_nul(name).into())
            .collect();
        let (app, end) = (to_column(app.raw()), end.as_micros());
        let from = after.map_or(i64::MIN, |key| to_column(key.raw()));
        let most = i64::try_from(ENDED_AT_ONCE).unwrap_or(i64::MAX);
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let link = self.within(&transaction);
        let rows = link
            .all(PORTALS_TO_END, params![app, from, end, sessions, most])
            .await?;
        let keys: Vec<i64> = rows
            .iter()
            .map(|row| get(row, 0))
            .collect::<Result<_, _>>()?;
        let sql = "UPDATE api_key SET expires_at = $2 WHERE id = ANY($1)";
        link.run(sql, params![&keys[..], end]).await?;
        self.note_changes(link, Changed::Key, app, &keys).await?;
        transaction.commit().await?;
        rows.iter().map(|row| id(row, 0)).collect()
    }

    /// Rows are locked in one order, so that two nodes that note the same keys do not wait for each other.
    async fn note_used(&self, used: &[(KeyId, Timestamp)]) -> Result<(), Fault> {
        let mut latest: BTreeMap<i64, i64> = BTreeMap::new();
        for (key, at) in used {
            let known = latest.entry(to_column(key.raw())).or_insert(i64::MIN);
            *known = at.as_micros().max(*known);
        }
        let (keys, moments): (Vec<i64>, Vec<i64>) = latest.into_iter().unzip();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let link = self.within(&transaction);
        let sql = "SELECT id FROM api_key WHERE id = ANY($1) ORDER BY id FOR UPDATE";
        link.all(sql, params![&keys[..]]).await?;
        let sql = "UPDATE api_key k SET last_used_at = used.at \
            FROM unnest($1::bigint[], $2::bigint[]) AS used (id, at) \
            WHERE k.id = used.id AND (k.last_used_at IS NULL OR k.last_used_at < used.at)";
        link.run(sql, params![keys, moments]).await?;
        Ok(transaction.commit().await?)
    }
}

fn read(row: &Row) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        id: id(row, 0)?,
        name: get(row, 1)?,
        hash: get::<&[u8]>(row, 2)?.try_into().map_err(unreadable)?,
        role: parsed(row, 3)?,
        app: get::<Option<i64>>(row, 4)?.map(|app| AppId::from(app.cast_unsigned())),
        expires_at: time_or_null(row, 5)?,
        last_used_at: time_or_null(row, 6)?,
        revoked_at: time_or_null(row, 7)?,
        portal: from_json_or_null(row, 8)?,
    })
}

/// The lists of keys with the index that each walks, for the test of query plans.
#[cfg(test)]
pub(super) fn lists() -> Vec<(String, &'static [&'static str])> {
    let mut lists: Vec<(String, &'static [&'static str])> =
        vec![(PORTALS_TO_END.to_owned(), &["using api_key_by_app on"])];
    for order in [Order::Ascending, Order::Descending] {
        lists.push((all_sql(order), &["using api_key_pkey on"]));
        lists.push((of_application_sql(order), &["using api_key_by_app on"]));
    }
    lists
}
