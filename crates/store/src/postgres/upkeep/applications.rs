//! Deleted applications: what they owned goes, then they do.

use crate::Tidied;
use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};

/// How many rows of a table a step removes.
const STEP: i64 = 500;

pub(super) const NEXT: &str =
    "SELECT id FROM application WHERE deleted_at IS NOT NULL ORDER BY deleted_at, id LIMIT 1";

macro_rules! removal {
    ($table:literal, $first:literal $(, $more:literal)*) => {
        concat!(
            "DELETE FROM ", $table, " t USING (SELECT ", $first, $(", ", $more,)* " FROM ", $table,
            " WHERE app_id = $1 LIMIT $2) w WHERE t.app_id = $1 AND t.", $first, " = w.", $first,
            $(" AND t.", $more, " = w.", $more,)*
        )
    };
}

/// What an application owns, in the order in which it goes. Its endpoints were deleted with it and are walked through as such.
pub(super) const OWNED: [&str; 7] = [
    removal!("delivery", "endpoint_id", "message_id"),
    removal!("attempt", "message_id", "id"),
    removal!("finished_delivery", "endpoint_id", "message_id"),
    removal!("message", "id"),
    removal!("counter", "endpoint_id", "hour", "writer"),
    removal!("used_event_id", "event_id"),
    "DELETE FROM api_key WHERE id IN (SELECT id FROM api_key WHERE app_id = $1 LIMIT $2)",
];

/// Removes a part of what a deleted application owned, and the application when it owns no more.
pub(super) async fn remove(link: Link<'_>) -> Result<Tidied, Fault> {
    let Some(row) = link.maybe(NEXT, params![]).await? else {
        return Ok(Tidied::default());
    };
    let app: i64 = get(&row, 0)?;
    let mut rows = 0;
    for sql in OWNED {
        let gone = link.run(sql, params![app, STEP]).await?;
        rows += usize::try_from(gone).unwrap_or_default();
        if gone >= STEP.unsigned_abs() {
            return Ok(Tidied {
                rows,
                expired: 0,
                more: true,
            });
        }
    }
    let sql = "DELETE FROM application WHERE id = $1";
    link.run(sql, params![app]).await?;
    Ok(Tidied {
        rows: rows + 1,
        expired: 0,
        more: true,
    })
}
