//! What can go wrong on a connection, and what the outside is told of it.

use rusqlite::ffi::{
    ErrorCode, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE,
    SQLITE_IOERR_SHMSIZE, SQLITE_READONLY_DBMOVED,
};

use crate::{StoreError, Unwritable};

/// Why work on a connection was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite said no.
    Sqlite(rusqlite::Error),
    /// The work itself did.
    Store(StoreError),
    /// The file is not where it was opened.
    Moved,
    /// Its log is not where it was opened.
    LogMoved,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    /// Whether the file or the disk is to blame, so that nothing else in the transaction would fare
    /// better.
    pub(super) fn is_of_the_file(&self) -> bool {
        let error = match self {
            Self::Sqlite(error) => error,
            Self::Store(_) => return false,
            Self::Moved | Self::LogMoved => return true,
        };
        matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::OutOfMemory
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::PermissionDenied
                    | ErrorCode::OperationInterrupted
            )
        )
    }

    /// Whether the disk was full: then the connection itself is sound.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Store(StoreError::Full))
            || matches!(self, Self::Sqlite(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}

impl From<&Fault> for Unwritable {
    fn from(fault: &Fault) -> Self {
        let error = match fault {
            Fault::Sqlite(error) => error,
            Fault::Moved | Fault::LogMoved => return Self::Moved,
            Fault::Store(StoreError::Full) => return Self::Full,
            Fault::Store(StoreError::Unreadable(_)) => return Self::Corrupt,
            Fault::Store(_) => return Self::Other,
        };
        if wants_space(error) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) if was_moved(error) => Self::Moved,
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Self::Io,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::Denied,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Other,
        }
    }
}

/// Whether SQLite itself has found that the file is elsewhere.
fn was_moved(error: &rusqlite::Error) -> bool {
    error.sqlite_extended_error_code() == Some(SQLITE_READONLY_DBMOVED)
}

/// Whether the disk is full. The index of the log is a file as well; SQLite says only that it could
/// not be made larger, and for want of space is nearly always why.
pub(super) fn wants_space(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_extended_error_code() == Some(SQLITE_IOERR_SHMSIZE)
}

/// What the outside is told. Here, and nowhere else, SQLite's codes get their meaning.
impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let error = match fault {
            Fault::Store(error) => return error,
            Fault::Moved => {
                let why = "the database file was moved or removed while it was in use: put it back";
                return Self::Unavailable(why.into());
            }
            Fault::LogMoved => {
                let why = "the write-ahead log was moved or removed while it was in use: put it back, \
                    or start the server again if it is gone";
                return Self::Unavailable(why.into());
            }
            Fault::Sqlite(rusqlite::Error::QueryReturnedNoRows) => return Self::NotFound,
            Fault::Sqlite(error) => error,
        };
        match error.sqlite_error_code() {
            _ if wants_space(&error) => Self::Full,
            Some(
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch,
            ) => Self::Unreadable(error.to_string()),
            Some(_) => Self::Unavailable(error.to_string()),
            None => Self::Unreadable(error.to_string()),
        }
    }
}

/// Turns a violated uniqueness into `Conflict(what)`, or `Conflict("id")` if it was the id's, and
/// leaves other errors as they are.
pub(crate) fn conflict(what: &'static str) -> impl FnOnce(rusqlite::Error) -> Fault {
    move |error| match error.sqlite_extended_error_code() {
        Some(SQLITE_CONSTRAINT_UNIQUE) => Fault::Store(StoreError::Conflict(what)),
        Some(SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_ROWID) => {
            Fault::Store(StoreError::Conflict("id"))
        }
        _ => Fault::Sqlite(error),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{self, Error};

    use super::*;

    #[test]
    fn each_failure_of_the_file_has_its_word() {
        let of = |code| {
            let fault = Fault::Sqlite(rusqlite::Error::SqliteFailure(Error::new(code), None));
            Unwritable::from(&fault).word()
        };
        assert_eq!(of(ffi::SQLITE_FULL), "full");
        assert_eq!(of(SQLITE_IOERR_SHMSIZE), "full");
        assert_eq!(of(ffi::SQLITE_IOERR_FSYNC), "io");
        assert_eq!(of(ffi::SQLITE_CANTOPEN), "io");
        assert_eq!(of(SQLITE_READONLY_DBMOVED), "moved");
        assert_eq!(Unwritable::from(&Fault::Moved).word(), "moved");
        assert_eq!(Unwritable::from(&Fault::LogMoved).word(), "moved");
        assert_eq!(of(ffi::SQLITE_READONLY), "denied");
        assert_eq!(of(ffi::SQLITE_PERM), "denied");
        assert_eq!(of(ffi::SQLITE_CORRUPT), "corrupt");
        assert_eq!(of(ffi::SQLITE_NOTADB), "corrupt");
        assert_eq!(of(ffi::SQLITE_BUSY), "busy");
        assert_eq!(of(ffi::SQLITE_NOMEM), "other");
        assert_eq!(
            Unwritable::from(&Fault::Store(StoreError::Full)).word(),
            "full"
        );
    }
}
