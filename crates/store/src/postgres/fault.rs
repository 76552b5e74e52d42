//! What can go wrong on a connection, and what the outside is told of it.

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use crate::{StoreError, Unwritable};

/// Why work on a connection was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// PostgreSQL said no, or the connection broke.
    Postgres(tokio_postgres::Error),
    /// No connection could be had.
    Unreachable(String),
    /// What was looked for is not there.
    NotFound,
    /// Others have taken over what this node had: it may not write any more.
    Fenced,
    /// The work itself said no.
    Store(StoreError),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Postgres(error),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl Fault {
    /// What PostgreSQL calls it.
    pub(super) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            _ => None,
        }
    }

    /// Whether the transaction may go through if it is tried again at once: another one was in its way.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.code(), Some(code)
            if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// Whether the database has no space.
    fn is_full(&self) -> bool {
        matches!(self.code(), Some(code) if *code == SqlState::DISK_FULL)
    }
}

impl From<&Fault> for Unwritable {
    fn from(fault: &Fault) -> Self {
        if fault.is_full() {
            return Self::Full;
        }
        match fault {
            Fault::Postgres(error) => match error.code() {
                None => Self::Io,
                Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Self::Denied,
                Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => Self::Denied,
                Some(code) if *code == SqlState::DATA_CORRUPTED => Self::Corrupt,
                Some(code) if *code == SqlState::INDEX_CORRUPTED => Self::Corrupt,
                Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Self::Busy,
                Some(code) if code.code().starts_with("57P") => Self::Io,
                Some(_) => Self::Other,
            },
            Fault::Unreachable(_) => Self::Io,
            Fault::Store(StoreError::Full) => Self::Full,
            Fault::Store(StoreError::Unreadable(_)) => Self::Corrupt,
            Fault::NotFound | Fault::Fenced | Fault::Store(_) => Self::Other,
        }
    }
}

/// What the outside is told. Here, and nowhere else, PostgreSQL's codes get their meaning.
impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        if fault.is_full() {
            return Self::Full;
        }
        match fault {
            Fault::Store(error) => error,
            Fault::NotFound => Self::NotFound,
            Fault::Fenced => {
                let why = "other nodes have taken over what this one had; it begins anew";
                Self::Unavailable(why.into())
            }
            Fault::Unreachable(why) => Self::Unavailable(why),
            Fault::Postgres(error) => {
                let words = words(&error);
                match error.code() {
                    Some(code) if *code == SqlState::DATA_CORRUPTED => Self::Unreadable(words),
                    Some(code) if *code == SqlState::INDEX_CORRUPTED => Self::Unreadable(words),
                    _ => Self::Unavailable(words),
                }
            }
        }
    }
}

/// What happened, with the cause: the error's own text leaves it out.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Turns a violated uniqueness into `Conflict(what)`, or `Conflict("id")` if it was the primary key's, and
/// leaves other errors as they are.
pub(super) fn conflict(what: &'static str) -> impl FnOnce(Fault) -> Fault {
    move |fault| {
        let constraint = match &fault {
            Fault::Postgres(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                error.as_db_error().and_then(DbError::constraint)
            }
            _ => return fault,
        };
        let of_key = constraint.is_some_and(|name| name.ends_with("_pkey"));
        StoreError::Conflict(if of_key { "id" } else { what }).into()
    }
}
