//! Gathering a page from rows of SQLite.

use rusqlite::{Row, Rows};

use crate::lists::{Gathering, Source};

impl<T, K: From<u64>> Gathering<T, K> {
    /// Takes rows until the page is full or the source is exhausted. A row's first column is the
    /// key of the list; `look` says what the row is worth, and how many bytes of content it carries.
    pub(super) fn take(
        &mut self,
        cost: usize,
        mut rows: Rows<'_>,
        mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<(T, usize)>>,
    ) -> rusqlite::Result<Source> {
        while let Some(row) = rows.next()? {
            if self.is_full() {
                return Ok(Source::MoreFollows);
            }
            let found = look(row)?;
            self.examined(cost, super::rows::id(row, 0)?, found);
        }
        Ok(Source::Exhausted)
    }
}
