//! Brings a database to this version's schema, one node at a time, and refuses one that it cannot trust.

use sha2::{Digest, Sha256};

use super::Fault;
use super::column::get;
use super::link::{Link, params};
use super::open::PostgresOpenError;

/// A step of the schema's history. One that was released never changes, and leaves what nodes of the version
/// before work with as it was.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_house",
    sql: include_str!("../../migrations/postgres/0001_house.sql"),
}];

const RECORD: &str = "CREATE TABLE IF NOT EXISTS migration (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

/// Held while the schema is changed; `RBol`.
const LOCK: i32 = 0x5242_6f6c;

/// The oldest PostgreSQL that works, as it numbers itself.
const OLDEST: i32 = 140_000;

/// A step that is missing: its name, and what it does.
pub(super) type Missing = (&'static str, &'static str);

/// Applies what is missing, in one transaction under a lock: other nodes wait for it.
pub(super) async fn migrate(link: Link<'_>) -> Result<Vec<Missing>, PostgresOpenError> {
    check_version(link).await?;
    // The schema is taken from who is first; whoever waits may wait longer than a statement may otherwise.
    link.batch("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        .await?;
    let done = apply_missing(link).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    link.batch(end).await?;
    done
}

/// What is missing; nothing is changed.
pub(super) async fn missing(link: Link<'_>) -> Result<Vec<Missing>, PostgresOpenError> {
    check_version(link).await?;
    let sql = "SELECT to_regclass('migration') IS NOT NULL";
    let has_record: bool = get(&link.one(sql, params![]).await?, 0)?;
    let applied = if has_record {
        applied(link).await?
    } else {
        Vec::new()
    };
    steps_to_apply(&applied)
}

async fn check_version(link: Link<'_>) -> Result<(), PostgresOpenError> {
    let sql = "SELECT current_setting('server_version_num')::integer";
    let version: i32 = get(&link.one(sql, params![]).await?, 0)?;
    if version < OLDEST {
        return Err(PostgresOpenError::TooOld(version / 10_000));
    }
    Ok(())
}

async fn apply_missing(link: Link<'_>) -> Result<Vec<Missing>, PostgresOpenError> {
    // However long another node takes: it is waited for.
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK}, hashtext(current_schema()))");
    link.batch(&lock).await?;
    link.batch(RECORD).await?;
    let applied = applied(link).await?;
    let steps = steps_to_apply(&applied)?;
    for (place, (name, sql)) in steps.iter().enumerate() {
        link.batch(sql).await?;
        let number = i32::try_from(applied.len() + place + 1).unwrap_or(i32::MAX);
        let checksum = Sha256::digest(sql).to_vec();
        let record = "INSERT INTO migration (number, name, checksum) VALUES ($1, $2, $3)";
        link.run(record, params![number, *name, checksum]).await?;
        if !applied.is_empty() {
            tracing::info!(step = name, "an older database was brought up to date");
        }
    }
    Ok(steps)
}

/// The checksums of the steps that were applied.
async fn applied(link: Link<'_>) -> Result<Vec<Vec<u8>>, Fault> {
    let sql = "SELECT checksum FROM migration ORDER BY number";
    let rows = link.all(sql, params![]).await?;
    rows.iter().map(|row| get(row, 0)).collect()
}

/// The steps that are missing, by the checksums of those that were applied.
fn steps_to_apply(applied: &[Vec<u8>]) -> Result<Vec<Missing>, PostgresOpenError> {
    let known = MIGRATIONS.len();
    if applied.len() > known {
        return Err(PostgresOpenError::Newer {
            found: applied.len(),
            known,
        });
    }
    for (found, migration) in applied.iter().zip(MIGRATIONS) {
        if **found != *Sha256::digest(migration.sql) {
            return Err(PostgresOpenError::Changed {
                migration: migration.name,
            });
        }
    }
    let missing = MIGRATIONS.iter().skip(applied.len());
    Ok(missing.map(|step| (step.name, step.sql)).collect())
}
