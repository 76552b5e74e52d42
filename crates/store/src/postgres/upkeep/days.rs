//! Days that lie past retention are dropped whole. What of them is still needed is carried forward: messages that are
//! unfinished, with what has ended of them, and the attempts at them.

use deadpool_postgres::Client;

use super::tidying::{Bounds, is_alone};
use crate::Tidied;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};
use crate::postgres::partitions::{BY_ID, GRACE, day_of, ids_of, lock, name_of, there};
use crate::postgres::{Fault, PostgresStore};

/// A day with more unfinished messages than this is left for later: all who read wait while they are carried forward.
const MOST_KEPT: i64 = 20_000;

/// Everything that reads these tables waits for the one who drops, and it for whoever reads: not for long.
const LOCKED: &str = "SET LOCAL lock_timeout = '500ms'; \
    LOCK TABLE ONLY message, ONLY finished_delivery, ONLY attempt, ONLY counter IN ACCESS EXCLUSIVE MODE";

/// Messages before the end of a day with something unfinished.
const UNFINISHED: &str = "(SELECT app_id, message_id FROM delivery WHERE message_id < $1 ORDER BY message_id LIMIT $2) \
    UNION (SELECT app_id, id FROM open_message WHERE id < $1 LIMIT $2)";

/// Drops the oldest day that lies past retention, if there is one and nobody is in the way.
pub(super) async fn drop_one(
    store: &PostgresStore,
    client: &mut Client,
    bounds: &Bounds,
) -> Result<Tidied, Fault> {
    // Whoever looked at the horizon before it was raised has ended by then.
    let before = day_of(bounds.oldest - GRACE);
    let days = there(store.link(client)).await?;
    let mut old = days.into_iter().filter(|day| *day < before);
    let Some(day) = old.next() else {
        return Ok(Tidied::default());
    };
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    if !is_alone(link).await? {
        return Ok(Tidied::default());
    }
    let Some(rows) = drop_day(link, day).await? else {
        return Ok(Tidied::default());
    };
    transaction.commit().await?;
    store.days.forget(day);
    tracing::info!(day, kept = rows, "a day past retention was dropped");
    Ok(Tidied {
        rows: rows + 1,
        expired: 0,
        more: old.next().is_some(),
    })
}

/// Drops a day, unless too much of it is still needed; says how many messages were carried forward.
async fn drop_day(link: Link<'_>, day: i64) -> Result<Option<usize>, Fault> {
    let (_, end) = ids_of(day);
    lock(link).await?;
    link.batch(LOCKED).await?;
    let found = link.all(UNFINISHED, params![end, MOST_KEPT]).await?;
    if found.len() as i64 >= MOST_KEPT {
        tracing::warn!(
            day,
            "a day past retention is kept: too much of it is unfinished"
        );
        return Ok(None);
    }
    let (mut apps, mut messages) = (Vec::new(), Vec::new());
    for row in &found {
        apps.push(get::<i64>(row, 0)?);
        messages.push(get::<i64>(row, 1)?);
    }
    for table in BY_ID {
        let (part, message) = (
            name_of(table, day),
            if table == "message" {
                "id"
            } else {
                "message_id"
            },
        );
        link.batch(&format!("ALTER TABLE {table} DETACH PARTITION {part}"))
            .await?;
        let sql = format!(
            "INSERT INTO {table} SELECT p.* FROM unnest($1::bigint[], $2::bigint[]) AS w(app_id, message) \
             JOIN {part} p ON p.app_id = w.app_id AND p.{message} = w.message"
        );
        link.run(&sql, params![apps, messages]).await?;
        link.batch(&format!("DROP TABLE {part}")).await?;
    }
    let counters = name_of("counter", day);
    link.batch(&format!("DROP TABLE IF EXISTS {counters}"))
        .await?;
    Ok(Some(messages.len()))
}
