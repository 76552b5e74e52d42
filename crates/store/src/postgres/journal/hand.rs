//! A connection that writes the hot path: its statements are prepared before they are needed, so that a whole transaction
//! can be sent without waiting in between.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use deadpool_postgres::{Client, Pool};
use futures_util::future::join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Statement};

use crate::postgres::Fault;

/// A statement of the hot path, with the types of its parameters.
#[derive(Debug)]
pub(super) struct HotSql {
    pub(super) text: &'static str,
    pub(super) types: &'static [Type],
}

/// A statement on its way.
pub(super) type Sent<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Fault>> + Send + 'a>>;

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

/// A connection that writes the hot path.
pub(super) struct Hand {
    client: Client,
    prepared: HashMap<&'static str, Statement>,
    named: bool,
}

impl Hand {
    /// Takes a connection for good, and prepares these statements on it.
    pub(super) async fn take(
        pool: &Pool,
        statements: &[&'static HotSql],
        named: bool,
    ) -> Result<Self, Fault> {
        let client = pool.get().await?;
        let mut prepared = HashMap::new();
        if named {
            for statement in statements {
                let ready = client
                    .prepare_typed(statement.text, statement.types)
                    .await?;
                prepared.insert(statement.text, ready);
            }
        }
        Ok(Self {
            client,
            prepared,
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

    /// A statement that is sent when it is first polled.
    pub(super) fn send<'a>(
        &'a self,
        statement: &'static HotSql,
        values: Vec<&'a (dyn ToSql + Sync)>,
    ) -> Sent<'a> {
        Box::pin(async move {
            if !self.named {
                let typed: Vec<_> = values
                    .into_iter()
                    .zip(statement.types.iter().cloned())
                    .collect();
                return Ok(self.client.query_typed(statement.text, &typed).await?);
            }
            let ready = &self.prepared[statement.text];
            Ok(self.client.query(ready, &values).await?)
        })
    }

    /// A command without parameters that is sent when it is first polled.
    pub(super) fn command<'a>(&'a self, text: &'static str) -> Sent<'a> {
        Box::pin(async move {
            self.client.batch_execute(text).await?;
            Ok(Vec::new())
        })
    }

    /// Sends statements without waiting in between, and gives what each gave.
    pub(super) async fn run(&self, mut work: Vec<Sent<'_>>) -> Result<Vec<Vec<Row>>, Fault> {
        send_all(&mut work).await?;
        join_all(work).await.into_iter().collect()
    }

    /// The same, with the commit of the transaction behind them.
    pub(super) async fn commit(&self, mut work: Vec<Sent<'_>>) -> Result<(), Failed> {
        send_all(&mut work).await?;
        work.push(self.command("COMMIT"));
        for result in join_all(work).await {
            match result {
                Ok(_) => {}
                // What PostgreSQL refuses is refused with all the rest, unless it says so when it commits because it stops.
                Err(fault) if is_refusal(&fault) => return Err(Failed::Undone(fault)),
                Err(fault) => return Err(Failed::Unknown(fault)),
            }
        }
        Ok(())
    }

    /// Ends a transaction without a change.
    pub(super) async fn roll_back(&self) -> Result<(), Fault> {
        self.command("ROLLBACK").await.map(drop)
    }
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
