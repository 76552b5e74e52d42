//! A connection that writes the hot path. What a transaction does is one statement put together of parts, so that the
//! database begins, runs and commits it at one request, and nothing is to be waited for in between.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use deadpool_postgres::{Client, Pool};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::parts::{Key, Part, key_of, text_of, types_of};
use crate::postgres::Fault;

/// Plans are made once for each statement, whatever its parameters are: they are arrays of all lengths, which says nothing.
const SET_UP: &str = "SET plan_cache_mode = force_generic_plan";

/// A statement on its way.
type Sent<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Fault>> + Send + 'a>>;

/// Why a transaction was not made.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nothing of it is there.
    Undone(Fault),
    /// The connection ended when it was to be committed: it may be there.
    Unknown(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Undone(fault)
    }
}

/// What is sent at once, and waited for.
pub(super) enum Step<'a> {
    /// A command without parameters.
    Command(&'static str),
    /// A statement of these parts.
    Parts(Vec<Part<'a>>),
}

/// A connection that writes the hot path.
pub(super) struct Hand {
    client: Client,
    prepared: Mutex<HashMap<Key, Statement>>,
    named: bool,
}

impl Hand {
    /// Takes a connection for good.
    pub(super) async fn take(pool: &Pool, named: bool) -> Result<Self, Fault> {
        let client = pool.get().await?;
        if named {
            client.batch_execute(SET_UP).await?;
        }
        Ok(Self {
            client,
            prepared: Mutex::default(),
            named,
        })
    }

    /// Whether it cannot be used any more.
    pub(super) fn is_broken(&self) -> bool {
        self.client.is_closed()
    }

    /// Lets go of the connection; it is not used again.
    pub(super) fn discard(self) {
        drop(Client::take(self.client));
    }

    /// Sends steps without waiting in between, and gives what each gave.
    pub(super) async fn run(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        self.prepare(steps).await?;
        let mut sent = self.sent(steps);
        send_all(&mut sent).await?;
        join_all(sent).await.into_iter().collect()
    }

    /// Runs one statement, which is a transaction.
    pub(super) async fn commit_one(&self, parts: Vec<Part<'_>>) -> Result<(), Failed> {
        let step = [Step::Parts(parts)];
        self.prepare(&step).await?;
        judged(join_all(self.sent(&step)).await)
    }

    /// Ends a transaction that has begun with these steps and the commit behind them.
    pub(super) async fn commit(&self, steps: &[Step<'_>]) -> Result<(), Failed> {
        self.prepare(steps).await?;
        let mut sent = self.sent(steps);
        send_all(&mut sent).await?;
        sent.extend(self.sent(&[Step::Command("COMMIT")]));
        judged(join_all(sent).await)
    }

    /// Ends a transaction without a change.
    pub(super) async fn roll_back(&self) -> Result<(), Fault> {
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }

    /// Prepares what has not been met yet: then nothing holds up what is sent.
    async fn prepare(&self, steps: &[Step<'_>]) -> Result<(), Fault> {
        for step in steps {
            let Step::Parts(parts) = step else { continue };
            let key = key_of(parts);
            if !self.named || self.prepared.lock().contains_key(&key) {
                continue;
            }
            let (text, types) = (text_of(parts), types_of(parts));
            let ready = self.client.prepare_typed(&text, &types).await?;
            self.prepared.lock().insert(key, ready);
        }
        Ok(())
    }

    /// Each is sent when it is first polled.
    fn sent<'s>(&'s self, steps: &'s [Step<'_>]) -> Vec<Sent<'s>> {
        let sent = |step: &'s Step<'_>| match step {
            Step::Command(text) => self.command(text),
            Step::Parts(parts) => self.statement(parts),
        };
        steps.iter().map(sent).collect()
    }

    fn command<'s>(&'s self, text: &'static str) -> Sent<'s> {
        Box::pin(async move {
            self.client.batch_execute(text).await?;
            Ok(Vec::new())
        })
    }

    fn statement<'s>(&'s self, parts: &'s [Part<'_>]) -> Sent<'s> {
        let ready = self.prepared.lock().get(&key_of(parts)).cloned();
        Box::pin(async move {
            let values = parts.iter().flat_map(|part| part.values.iter().copied());
            let Some(ready) = ready else {
                let types = types_of(parts);
                let typed: Vec<_> = values.zip(types).collect();
                return Ok(self.client.query_typed(&text_of(parts), &typed).await?);
            };
            let values: Vec<&(dyn ToSql + Sync)> = values.collect();
            Ok(self.client.query(&ready, &values).await?)
        })
    }
}

/// Whether all of it was done.
fn judged(results: Vec<Result<Vec<Row>, Fault>>) -> Result<(), Failed> {
    for result in results {
        match result {
            Ok(_) => {}
            // What PostgreSQL refuses is refused with all the rest, unless it says so when it commits because it stops.
            Err(fault) if is_refusal(&fault) => return Err(Failed::Undone(fault)),
            Err(fault) => return Err(Failed::Unknown(fault)),
        }
    }
    Ok(())
}

fn is_refusal(fault: &Fault) -> bool {
    let stops = |code: &SqlState| code.code().starts_with("57P");
    fault.code().is_some_and(|code| !stops(code))
}

/// Polls each once, in order: then all are on their way, unless one of them could not even be sent.
async fn send_all(work: &mut Vec<Sent<'_>>) -> Result<(), Fault> {
    for sent in work.iter_mut() {
        let early = poll_fn(|context| match sent.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(result) = early.await {
            let rows = result?;
            *sent = Box::pin(async move { Ok(rows) });
        }
    }
    Ok(())
}
