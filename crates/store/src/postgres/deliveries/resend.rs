//! Making deliveries pending again: one by hand, or the failed ones of an endpoint. They are this node's from then on.

use ringbolt_model::{AppId, DeliveryKey, DeliveryState, EndpointId, MessageId, Timestamp};

use super::prove;
use crate::Recovered;
use crate::encoding;
use crate::lists::Window;
use crate::postgres::column::{get, to_column, unreadable};
use crate::postgres::journal::hour_of;
use crate::postgres::link::{Link, params};
use crate::postgres::{Fault, PostgresStore};

/// Failed deliveries of an endpoint, oldest first, each with whether its content is there.
pub(in crate::postgres) const FAILED: &str = "SELECT f.message_id, m.payload IS NOT NULL FROM ( \
        SELECT message_id FROM finished_delivery WHERE app_id = $1 AND endpoint_id = $2 AND state = 2 \
            AND message_id > $3 AND message_id < $4 AND message_id >= (SELECT horizon FROM house) \
        ORDER BY message_id LIMIT $5) f \
    LEFT JOIN message m ON m.app_id = $1 AND m.id = f.message_id AND m.id > $3 AND m.id < $4 ORDER BY f.message_id";

/// How many failed deliveries a step looks at for each that it may take.
const LOOKED_AT: usize = 4;

/// Which of the counters something is added to.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Owed,
    Ended(DeliveryState),
}

impl Counted {
    const fn column(self) -> Option<&'static str> {
        match self {
            Self::Owed => Some("owed"),
            Self::Ended(DeliveryState::Delivered) => Some("success"),
            Self::Ended(DeliveryState::Failed) => Some("fail"),
            Self::Ended(DeliveryState::Cancelled) => Some("cancelled"),
            Self::Ended(DeliveryState::Pending) => None,
        }
    }
}

impl PostgresStore {
    /// Makes a delivery pending; says `false` if its message's content is gone.
    pub(super) async fn resend_now(
        &self,
        app: AppId,
        key: DeliveryKey,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let link = self.within(&transaction);
        prove(link, self.membership.incarnation()).await?;
        let again = self
            .resend_within(link, to_column(app.raw()), key, now)
            .await?;
        transaction.commit().await?;
        Ok(again)
    }

    async fn resend_within(
        &self,
        link: Link<'_>,
        app: i64,
        key: DeliveryKey,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let (message, endpoint) = (to_column(key.message.raw()), to_column(key.endpoint.raw()));
        let sql = "SELECT payload IS NOT NULL, $3 = ANY(targets) FROM message m \
            WHERE app_id = $1 AND id = $2 AND (id >= (SELECT horizon FROM house) \
                OR EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = m.id) \
                OR EXISTS (SELECT 1 FROM open_message o WHERE o.app_id = m.app_id AND o.id = m.id)) \
            FOR NO KEY UPDATE";
        let row = link.one(sql, params![app, message, endpoint]).await?;
        let (present, wanted): (bool, bool) = (get(&row, 0)?, get(&row, 1)?);
        let sql = "SELECT 1 FROM endpoint WHERE id = $1 AND app_id = $2 AND deleted_at IS NULL FOR KEY SHARE";
        link.one(sql, params![endpoint, app]).await?;
        if !present {
            return Ok(false);
        }
        if wanted {
            self.reopen_target(link, app, key, now).await?;
        } else {
            let sql =
                "UPDATE message SET targets = targets || $3::bigint WHERE app_id = $1 AND id = $2";
            link.run(sql, params![app, message, endpoint]).await?;
            self.count(link, app, key, Counted::Owed, 1).await?;
            self.wait_by_hand(link, app, key, now).await?;
        }
        Ok(true)
    }

    /// A target's delivery: one that has ended waits again, one that waits is due now, one in memory stays there.
    async fn reopen_target(
        &self,
        link: Link<'_>,
        app: i64,
        key: DeliveryKey,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (message, endpoint) = (to_column(key.message.raw()), to_column(key.endpoint.raw()));
        let sql = "DELETE FROM finished_delivery WHERE app_id = $1 AND endpoint_id = $2 AND message_id = $3 \
            RETURNING state";
        let ended = link.maybe(sql, params![app, endpoint, message]).await?;
        if let Some(row) = ended {
            let state = encoding::state(get::<i16>(&row, 0)?.into()).map_err(unreadable)?;
            self.count(link, app, key, Counted::Ended(state), -1)
                .await?;
            return self.wait_by_hand(link, app, key, now).await;
        }
        let sql = "UPDATE delivery SET next_at = $4, attempts = 0, manual = true, owner = $5 \
            WHERE app_id = $1 AND endpoint_id = $2 AND message_id = $3";
        let (at, owner) = (now.as_micros(), self.membership.incarnation());
        link.run(sql, params![app, endpoint, message, at, owner])
            .await?;
        Ok(())
    }

    async fn wait_by_hand(
        &self,
        link: Link<'_>,
        app: i64,
        key: DeliveryKey,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (message, endpoint) = (to_column(key.message.raw()), to_column(key.endpoint.raw()));
        let sql = "INSERT INTO delivery (app_id, endpoint_id, message_id, owner, next_at, attempts, manual) \
            VALUES ($1, $2, $3, $4, $5, 0, true)";
        let (owner, at) = (self.membership.incarnation(), now.as_micros());
        link.run(sql, params![app, endpoint, message, owner, at])
            .await?;
        Ok(())
    }

    async fn count(
        &self,
        link: Link<'_>,
        app: i64,
        key: DeliveryKey,
        counted: Counted,
        by: i64,
    ) -> Result<(), Fault> {
        let Some(column) = counted.column() else {
            return Ok(());
        };
        let sql = format!(
            "INSERT INTO counter (app_id, endpoint_id, hour, writer, {column}) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (app_id, endpoint_id, hour, writer) DO UPDATE SET {column} = counter.{column} + excluded.{column}"
        );
        let endpoint = to_column(key.endpoint.raw());
        let (hour, writer) = (hour_of(key.message), self.membership.rare_counter());
        link.run(&sql, params![app, endpoint, hour, writer, by])
            .await?;
        Ok(())
    }

    /// Makes failed deliveries pending whose content is there.
    pub(super) async fn recover_some(
        &self,
        endpoint: EndpointId,
        window: Window,
        limit: usize,
        now: Timestamp,
    ) -> Result<Recovered, Fault> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let link = self.within(&transaction);
        let owner = self.membership.incarnation();
        prove(link, owner).await?;
        let lane = to_column(endpoint.raw());
        let sql = "SELECT app_id FROM endpoint WHERE id = $1 FOR KEY SHARE";
        let Some(row) = link.maybe(sql, params![lane]).await? else {
            return Ok(Recovered {
                deliveries: 0,
                reached: None,
            });
        };
        let app: i64 = get(&row, 0)?;
        let most = limit.saturating_mul(LOOKED_AT);
        let looked_at = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = link
            .all(
                FAILED,
                params![app, lane, window.after, window.before, looked_at],
            )
            .await?;
        let (mut taken, mut last, mut ended) = (Vec::new(), None, rows.len() < most);
        for row in &rows {
            if taken.len() == limit {
                ended = false;
                break;
            }
            let message: i64 = get(row, 0)?;
            last = Some(MessageId::from(message.cast_unsigned()));
            if get(row, 1)? {
                taken.push(message);
            }
        }
        let (at, writer) = (now.as_micros(), self.membership.rare_counter());
        link.run(REOPEN, params![app, lane, taken, owner, at, writer])
            .await?;
        transaction.commit().await?;
        Ok(Recovered {
            deliveries: taken.len(),
            reached: last.filter(|_| !ended),
        })
    }
}

/// Failed deliveries wait again, and are taken out of the counters.
const REOPEN: &str = "WITH again AS (DELETE FROM finished_delivery \
        WHERE app_id = $1 AND endpoint_id = $2 AND message_id = ANY($3) AND state = 2 RETURNING message_id), \
    waits AS (INSERT INTO delivery (app_id, endpoint_id, message_id, owner, next_at, attempts, manual) \
        SELECT $1, $2, message_id, $4, $5, 0, true FROM again ON CONFLICT DO NOTHING) \
    INSERT INTO counter (app_id, endpoint_id, hour, writer, fail) \
    SELECT $1, $2, ((message_id >> 32) + 1400000000) / 3600, $6, -count(*) FROM again GROUP BY 3 ORDER BY 3 \
    ON CONFLICT (app_id, endpoint_id, hour, writer) DO UPDATE SET fail = counter.fail + excluded.fail";
