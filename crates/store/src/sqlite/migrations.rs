//! Brings a database file to this version's schema, and refuses files that it cannot trust.

use rusqlite::{Connection, TransactionBehavior};
use sha2::{Digest, Sha256};

use super::open::OpenError;

/// `RBol`: what marks a file as ours.
const APPLICATION_ID: i32 = 0x5242_6f6c;

/// A step of the schema's history. One that was released never changes.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_house",
        sql: include_str!("../../migrations/sqlite/0001_house.sql"),
    },
    Migration {
        name: "0002_recent_keys",
        sql: include_str!("../../migrations/sqlite/0002_recent_keys.sql"),
    },
    Migration {
        name: "0003_portal_access",
        sql: include_str!("../../migrations/sqlite/0003_portal_access.sql"),
    },
    Migration {
        name: "0004_tags",
        sql: include_str!("../../migrations/sqlite/0004_tags.sql"),
    },
    Migration {
        name: "0005_failing",
        sql: include_str!("../../migrations/sqlite/0005_failing.sql"),
    },
    Migration {
        name: "0006_gone_content",
        sql: include_str!("../../migrations/sqlite/0006_gone_content.sql"),
    },
];

const RECORD: &str = "CREATE TABLE migration (
    number     INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   BLOB NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT";

/// Checks whose file it is, before anything is written to it.
pub(super) fn check_file(conn: &Connection) -> Result<(), OpenError> {
    let not_ours = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ffi::ErrorCode::NotADatabase) => OpenError::NotOurs,
        _ => OpenError::Sqlite(error),
    };
    let id: i32 = conn
        .query_row("PRAGMA application_id", (), |row| row.get(0))
        .map_err(not_ours)?;
    let empty: bool = conn
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| {
            row.get(0)
        })
        .map_err(not_ours)?;
    if id == APPLICATION_ID || (id == 0 && empty) {
        Ok(())
    } else {
        Err(OpenError::NotOurs)
    }
}

/// Applies what is missing, each step in a transaction of its own.
pub(super) fn migrate(conn: &mut Connection, now: i64) -> Result<(), OpenError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !has_record(&tx)? {
        tx.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; {RECORD}"
        ))?;
    }
    tx.commit()?;
    let missing = steps_to_apply(&applied(conn)?)?;
    let first = MIGRATIONS.len() - missing;
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(first) {
        if first > 0 {
            tracing::info!(
                step = migration.name,
                "an older database is brought up to date"
            );
        }
        apply(conn, at + 1, migration, now)?;
    }
    Ok(())
}

fn has_record(conn: &Connection) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'migration'";
    conn.prepare(sql)?.exists(())
}

/// How many steps are missing, by the checksums of those that were applied.
pub(super) fn steps_to_apply(applied: &[Vec<u8>]) -> Result<usize, OpenError> {
    let known = MIGRATIONS.len();
    let missing = known.checked_sub(applied.len()).ok_or(OpenError::Newer {
        found: applied.len(),
        known,
    })?;
    for (found, migration) in applied.iter().zip(MIGRATIONS) {
        if **found != *Sha256::digest(migration.sql) {
            return Err(OpenError::Changed {
                migration: migration.name,
            });
        }
    }
    Ok(missing)
}

/// The checksums of the steps that were applied, none to a file that is new.
pub(super) fn applied(conn: &Connection) -> Result<Vec<Vec<u8>>, rusqlite::Error> {
    if !has_record(conn)? {
        return Ok(Vec::new());
    }
    let mut statement = conn.prepare("SELECT checksum FROM migration ORDER BY number")?;
    let rows = statement.query_map((), |row| row.get(0))?;
    rows.collect()
}

fn apply(
    conn: &mut Connection,
    number: usize,
    migration: &Migration,
    now: i64,
) -> Result<(), OpenError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(migration.sql)?;
    let checksum = Sha256::digest(migration.sql);
    tx.execute(
        "INSERT INTO migration VALUES (?1, ?2, ?3, ?4)",
        (number as i64, migration.name, &checksum[..], now),
    )?;
    tx.execute_batch(&format!("PRAGMA user_version = {number}"))?;
    Ok(tx.commit()?)
}
