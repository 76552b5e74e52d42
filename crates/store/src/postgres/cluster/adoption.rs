//! Taking over from nodes that are gone: first they are fenced off, then what they had becomes this node's, page by page.

use std::time::Duration;

use ringbolt_model::{EndpointId, Timestamp};

use super::Peers;
use crate::LaneWork;
use crate::lease::{MARKS_AT_ONCE, Page, Walk};
use crate::postgres::Fault;
use crate::postgres::column::{get, id, time};
use crate::postgres::deliveries::prove;
use crate::postgres::link::{Link, params};
use crate::postgres::membership::micros;

/// A lease that lapsed so long ago is nobody's any more, whatever the database went through.
const LONG: Duration = Duration::from_secs(60);

/// Nodes whose lease lapsed longer ago than this.
const LAPSED: &str = "SELECT incarnation FROM node WHERE alive AND incarnation <> $1 \
    AND lease_until < now() - $2 * interval '1 microsecond' ORDER BY incarnation";

/// Locks a node's rows against all its transactions, waits for those under way, and ends it.
const FENCE: &str = "WITH lapsed AS (SELECT incarnation FROM node WHERE incarnation = $1 AND alive \
        AND lease_until < now() FOR UPDATE), \
    ended AS (UPDATE node n SET alive = false FROM lapsed l WHERE n.incarnation = l.incarnation) \
    UPDATE writer w SET alive = false FROM lapsed l WHERE w.incarnation = l.incarnation";

/// Marks become rows of this node: targets, less those that have ended, less those that have rows.
const MARKS: &str = "WITH page AS (SELECT batch FROM open_batch WHERE owner = $1 AND batch > $2 \
            ORDER BY batch LIMIT $3 FOR UPDATE SKIP LOCKED), \
        gone AS (DELETE FROM open_batch o USING page p WHERE o.owner = $1 AND o.batch = p.batch \
            RETURNING o.batch, o.app_ids, o.message_ids), \
        rows AS (INSERT INTO delivery (app_id, endpoint_id, message_id, owner, next_at, attempts, manual) \
            SELECT m.app_id, e.id, m.id, $4, $5, 0, false \
            FROM gone g CROSS JOIN LATERAL unnest(g.app_ids, g.message_ids) AS w(app_id, id) \
            JOIN message m ON m.app_id = w.app_id AND m.id = w.id \
            CROSS JOIN LATERAL unnest(m.targets) AS t(endpoint_id) JOIN endpoint e ON e.id = t.endpoint_id \
            WHERE NOT EXISTS (SELECT 1 FROM finished_delivery f WHERE f.app_id = m.app_id \
                AND f.endpoint_id = t.endpoint_id AND f.message_id = m.id) \
            ON CONFLICT DO NOTHING RETURNING endpoint_id) \
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM rows), (SELECT max(batch) FROM gone), \
        ARRAY(SELECT DISTINCT endpoint_id FROM rows)";

/// The earliest rows of some lanes become this node's, a step down the index for each lane.
const ROWS: &str = "WITH RECURSIVE lane AS ( \
        (SELECT endpoint_id FROM delivery WHERE owner = $1 AND endpoint_id > $2 ORDER BY endpoint_id LIMIT 1) \
        UNION ALL \
        SELECT n.endpoint_id FROM lane l CROSS JOIN LATERAL (SELECT endpoint_id FROM delivery \
            WHERE owner = $1 AND endpoint_id > l.endpoint_id ORDER BY endpoint_id LIMIT 1) n), \
    chosen AS (SELECT endpoint_id FROM lane LIMIT $3), \
    page AS (SELECT r.app_id, r.endpoint_id, r.message_id FROM chosen s CROSS JOIN LATERAL ( \
        SELECT app_id, endpoint_id, message_id FROM delivery WHERE owner = $1 AND endpoint_id = s.endpoint_id \
        ORDER BY next_at, message_id LIMIT $4 FOR UPDATE SKIP LOCKED) r), \
    mine AS (UPDATE delivery d SET owner = $5 FROM page p WHERE d.app_id = p.app_id \
        AND d.endpoint_id = p.endpoint_id AND d.message_id = p.message_id RETURNING d.endpoint_id, d.next_at) \
    SELECT s.endpoint_id, min(m.next_at), count(m.next_at) FROM chosen s LEFT JOIN mine m ON m.endpoint_id = s.endpoint_id \
    GROUP BY s.endpoint_id ORDER BY s.endpoint_id";

/// What a page brought.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Taken {
    /// How many deliveries.
    pub(super) deliveries: usize,
    /// In which lanes.
    pub(super) lanes: Vec<LaneWork>,
    /// Whether there may be more.
    pub(super) more: bool,
}

impl Peers {
    /// Takes over from nodes whose lease lapsed so long ago that it is nobody's any more; says how many deliveries
    /// that were in their memory are due now.
    pub(in crate::postgres) async fn adopt_long_dead(
        &self,
        now: Timestamp,
    ) -> Result<usize, Fault> {
        self.fence_lapsed(LONG).await?;
        let mut deliveries = 0;
        for dead in self.dead().await? {
            let mut walk = Walk::default();
            loop {
                let in_memory = !walk.marks_are_done();
                let taken = self.take_page(dead, &mut walk, now).await?;
                if in_memory {
                    deliveries += taken.deliveries;
                }
                if !taken.more {
                    break;
                }
            }
        }
        Ok(deliveries)
    }

    /// Fences off nodes whose lease lapsed longer ago than this.
    pub(super) async fn fence_lapsed(&self, longer_ago: Duration) -> Result<(), Fault> {
        let mut client = self.client().await?;
        let (own, ago) = (self.membership.incarnation(), micros(longer_ago) as f64);
        let lapsed = self.link(&client).all(LAPSED, params![own, ago]).await?;
        for row in &lapsed {
            let node: i64 = get(row, 0)?;
            let transaction = client.transaction().await?;
            let link = self.within(&transaction);
            prove(link, own).await?;
            let fenced = link.run(FENCE, params![node]).await?;
            transaction.commit().await?;
            if fenced > 0 {
                tracing::warn!(node, "a node is gone: what it had is taken over");
            }
        }
        Ok(())
    }

    /// Nodes that are gone.
    pub(super) async fn dead(&self) -> Result<Vec<i64>, Fault> {
        let client = self.client().await?;
        let sql = "SELECT incarnation FROM node WHERE NOT alive ORDER BY incarnation";
        let rows = self.link(&client).all(sql, params![]).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    /// Takes over a page of what a node that is gone had: first what was in its memory, then rows of each lane in turn.
    pub(super) async fn take_page(
        &self,
        dead: i64,
        walk: &mut Walk,
        now: Timestamp,
    ) -> Result<Taken, Fault> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let link = self.within(&transaction);
        let own = self.membership.incarnation();
        prove(link, own).await?;
        let taken = match walk.next() {
            Page::Marks { after } => take_marks(link, (dead, own), after, walk, now).await?,
            Page::Rows { after, lanes, each } => {
                take_rows(link, (dead, own), (after, lanes, each), walk).await?
            }
        };
        transaction.commit().await?;
        Ok(taken)
    }

    /// Forgets a node that is gone, once nothing of it is left and its slot has rested.
    pub(super) async fn forget(&self, dead: i64) -> Result<(), Fault> {
        let client = self.client().await?;
        let sql = "WITH forgotten AS (DELETE FROM node n WHERE n.incarnation = $1 AND NOT n.alive \
                AND n.lease_until < now() - interval '2 minutes' \
                AND NOT EXISTS (SELECT 1 FROM delivery WHERE owner = $1) \
                AND NOT EXISTS (SELECT 1 FROM open_batch WHERE owner = $1) RETURNING n.incarnation) \
            DELETE FROM writer w USING forgotten f WHERE w.incarnation = f.incarnation";
        self.link(&client).run(sql, params![dead]).await?;
        Ok(())
    }
}

async fn take_marks(
    link: Link<'_>,
    (dead, own): (i64, i64),
    after: i64,
    walk: &mut Walk,
    now: Timestamp,
) -> Result<Taken, Fault> {
    let at = now.as_micros();
    let row = link
        .one(MARKS, params![dead, after, MARKS_AT_ONCE, own, at])
        .await?;
    walk.took_marks(get(&row, 0)?, get(&row, 2)?);
    let endpoints: Vec<i64> = get(&row, 3)?;
    let lane = |raw: i64| LaneWork {
        endpoint: EndpointId::from(raw.cast_unsigned()),
        due: now,
    };
    Ok(Taken {
        deliveries: usize::try_from(get::<i64>(&row, 1)?).unwrap_or(0),
        lanes: endpoints.into_iter().map(lane).collect(),
        more: true,
    })
}

/// Takes rows of the next lanes.
async fn take_rows(
    link: Link<'_>,
    (dead, own): (i64, i64),
    (after, lanes, each): (i64, i64, i64),
    walk: &mut Walk,
) -> Result<Taken, Fault> {
    let rows = link
        .all(ROWS, params![dead, after, lanes, each, own])
        .await?;
    let (mut taken, mut last) = (Taken::default(), None);
    for row in &rows {
        last = Some(get(row, 0)?);
        taken.deliveries += usize::try_from(get::<i64>(row, 2)?).unwrap_or(0);
        if get::<Option<i64>>(row, 1)?.is_some() {
            taken.lanes.push(LaneWork {
                endpoint: id(row, 0)?,
                due: time(row, 1)?,
            });
        }
    }
    taken.more = walk.took_rows(rows.len(), last, taken.deliveries);
    Ok(taken)
}
