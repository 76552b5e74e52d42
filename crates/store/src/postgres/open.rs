//! Opens the database: brings its schema up to date, and sees whether the encryption key is the one it knows.

use std::time::Duration;

use deadpool_postgres::PoolError;

use super::column::get;
use super::link::{Link, params};
use super::settings::PostgresSettings;
use super::{Fault, connect, migrations};
use crate::StoreError;
use crate::vault::{Place, Vault};

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PostgresOpenError {
    /// It cannot be connected to.
    #[error("cannot connect to the database: {0}")]
    Unreachable(String),
    /// What the certificate is to be checked with cannot be used.
    #[error("TLS to the database: {0}")]
    Tls(String),
    /// No encryption key was given.
    #[error(
        "no encryption key was given: PostgreSQL needs RINGBOLT_ENCRYPTION_KEY, the same on every node"
    )]
    NoKey,
    /// What is stored was encrypted with a key that was not given.
    #[error("the database was encrypted with another key than those given")]
    WrongKey,
    /// A later version of the server has written it.
    #[error("the database has schema {found}, this server knows up to {known}: use a newer server")]
    Newer {
        /// The schema's number.
        found: usize,
        /// The last number that this server knows.
        known: usize,
    },
    /// The schema was made by other steps than those of this server.
    #[error("the database was made with another text of migration {migration}")]
    Changed {
        /// Which step differs.
        migration: &'static str,
    },
    /// The database is older than PostgreSQL 14.
    #[error("the database is PostgreSQL {0}: 14 is the oldest that works")]
    TooOld(i32),
    /// As many nodes are alive as ids can tell apart.
    #[error("1,024 nodes are alive already")]
    TooManyNodes,
    /// PostgreSQL said no.
    #[error("cannot open the database: {0}")]
    Store(StoreError),
}

impl From<Fault> for PostgresOpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreachable(why) => Self::Unreachable(why),
            Fault::Postgres(error) if error.code().is_none() => {
                Self::Unreachable(super::fault::words(&error))
            }
            fault => Self::Store(fault.into()),
        }
    }
}

impl From<PoolError> for PostgresOpenError {
    fn from(error: PoolError) -> Self {
        Fault::from(error).into()
    }
}

/// What the check value is sealed to, and what it says.
const PLACE: Place<'_> = Place {
    column: "house.key_check",
    row: b"",
};
const SAYS: &[u8] = b"ringbolt";

/// Seals the check value anew under the first key: when nothing else needs an older one, it does not either.
pub(super) async fn renew_check(link: Link<'_>, vault: &Vault) -> Result<(), Fault> {
    let sealed = vault.seal(PLACE, SAYS)?;
    let sql = "UPDATE house SET key_check = $1";
    link.run(sql, params![sealed]).await.map(drop)
}

/// Sees whether the keys are those of the database. One that is new gets the first.
pub(super) async fn check_key(link: Link<'_>, vault: &Vault) -> Result<(), PostgresOpenError> {
    let sealed = vault.seal(PLACE, SAYS).map_err(PostgresOpenError::Store)?;
    let sql = "UPDATE house SET key_check = $1 WHERE key_check IS NULL";
    link.run(sql, params![sealed]).await?;
    let row = link.one("SELECT key_check FROM house", params![]).await?;
    let found: Vec<u8> = get(&row, 0)?;
    if is_ours(vault, &found) {
        Ok(())
    } else {
        Err(PostgresOpenError::WrongKey)
    }
}

/// What there is to see of a database without changing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresLook {
    /// The server's version.
    pub version: String,
    /// Whether it is a standby, which cannot be written.
    pub in_recovery: bool,
    /// The schema that everything is in, and whether this role may create in it. None if no schema of the search path exists.
    pub schema: Option<(String, bool)>,
    /// The steps of the schema that the next start applies, each with its SQL.
    pub missing: Vec<(&'static str, &'static str)>,
    /// By how much the clocks differ.
    pub clock_differs_by: Duration,
}

/// Looks at a database; joins nothing.
///
/// # Errors
/// [`PostgresOpenError`], as a server would have it.
pub async fn look(settings: &PostgresSettings) -> Result<PostgresLook, PostgresOpenError> {
    let vault = Vault::new(&settings.keys).ok_or(PostgresOpenError::NoKey)?;
    let pool = connect::pool(&settings.address, 1, settings.named_statements)?;
    let client = pool.get().await?;
    let link = Link::of(&client, settings.named_statements);
    let sql = "SELECT current_setting('server_version'), pg_is_in_recovery(), \
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, current_schema()::text, \
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";
    let row = link.one(sql, params![]).await?;
    let ours = settings.clock.now().as_micros();
    let theirs: i64 = get(&row, 2)?;
    let schema: Option<String> = get(&row, 3)?;
    let may_create = get(&row, 4)?;
    let missing = migrations::missing(link).await?;
    let sql = "SELECT to_regclass('house') IS NOT NULL";
    if get(&link.one(sql, params![]).await?, 0)? {
        let row = link.one("SELECT key_check FROM house", params![]).await?;
        let sealed: Option<Vec<u8>> = get(&row, 0)?;
        if sealed.is_some_and(|sealed| !is_ours(&vault, &sealed)) {
            return Err(PostgresOpenError::WrongKey);
        }
    }
    Ok(PostgresLook {
        version: get(&row, 0)?,
        in_recovery: get(&row, 1)?,
        schema: schema.map(|name| (name, may_create)),
        missing,
        clock_differs_by: Duration::from_micros((ours - theirs).unsigned_abs()),
    })
}

/// Brings the schema up to date; says which steps that took.
///
/// # Errors
/// [`PostgresOpenError`]; nothing is changed then.
pub async fn migrate(settings: &PostgresSettings) -> Result<Vec<&'static str>, PostgresOpenError> {
    let pool = connect::pool(&settings.address, 1, settings.named_statements)?;
    let client = pool.get().await?;
    let link = Link::of(&client, settings.named_statements);
    let steps = migrations::migrate(link).await?;
    Ok(steps.into_iter().map(|(name, _)| name).collect())
}

fn is_ours(vault: &Vault, sealed: &[u8]) -> bool {
    vault.open(PLACE, sealed).is_ok_and(|text| **text == *SAYS)
}
