//! What a commit that reported a failure may have left behind, and how it is removed.

use ringbolt_model::{EndpointId, MessageId};
use rusqlite::Connection;

use crate::sqlite::accept::Answer;
use crate::sqlite::log::rows::to_column;
use crate::sqlite::marks::Marks;
use crate::sqlite::recent_keys;
use crate::{Accept, Accepted};

/// A commit failed in a way that leaves open whether it happened. Its messages were refused, so they
/// must not be there; and which fresh deliveries are unsettled has to be read anew.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    refused: Vec<Refused>,
}

#[derive(Debug)]
struct Refused {
    message: MessageId,
    key: Option<[u8; 16]>,
    stored: Vec<EndpointId>,
}

impl Doubt {
    /// Notes the messages that were new in the transaction that failed.
    pub(super) fn add(&mut self, accepts: &[Accept], answers: &[Answer]) {
        for (accept, answer) in accepts.iter().zip(answers) {
            if *answer == Ok(Accepted::New) {
                self.refused.push(Refused {
                    message: accept.message.id,
                    key: accept.idempotency.map(|key| key.key),
                    stored: accept.stored.to_vec(),
                });
            }
        }
    }

    /// Removes what should not be there, and counts anew.
    pub(super) fn resolve(&self, tx: &Connection, marks: &mut Marks) -> rusqlite::Result<()> {
        for refused in &self.refused {
            let message = to_column(refused.message.raw());
            for sql in [
                "DELETE FROM message WHERE id = ?1",
                "DELETE FROM open_message WHERE id = ?1",
            ] {
                tx.prepare_cached(sql)?.execute([message])?;
            }
            let sql = "DELETE FROM idempotency WHERE key = ?1 AND message_id = ?2";
            if let Some(key) = &refused.key {
                tx.prepare_cached(sql)?.execute((&key[..], message))?;
            }
            let sql = "DELETE FROM delivery WHERE endpoint_id = ?1 AND message_id = ?2";
            for endpoint in &refused.stored {
                tx.prepare_cached(sql)?
                    .execute((to_column(endpoint.raw()), message))?;
            }
        }
        let mut messages: Vec<_> = self.refused.iter().map(|refused| refused.message).collect();
        messages.sort_unstable();
        recent_keys::remove(tx, &messages)?;
        marks.rebuild(tx)
    }
}
