//! Opens the database: brings its schema up to date, and sees whether the encryption key is the one it knows.

use deadpool_postgres::PoolError;

use super::Fault;
use super::link::{Link, params};
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

/// Sees whether the keys are those of the database. One that is new gets the first.
pub(super) async fn check_key(link: Link<'_>, vault: &Vault) -> Result<(), PostgresOpenError> {
    let sealed = vault.seal(PLACE, SAYS).map_err(PostgresOpenError::Store)?;
    let sql = "UPDATE house SET key_check = $1 WHERE key_check IS NULL";
    link.run(sql, params![sealed]).await?;
    let row = link.one("SELECT key_check FROM house", params![]).await?;
    let found: Vec<u8> = super::column::get(&row, 0)?;
    match vault.open(PLACE, &found) {
        Ok(text) if **text == *SAYS => Ok(()),
        _ => Err(PostgresOpenError::WrongKey),
    }
}
