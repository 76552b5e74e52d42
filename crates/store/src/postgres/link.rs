//! A connection, or a transaction on it, as statements are run there: parameters carry their types, so that a
//! statement can be prepared once, or, where a pooler hands connections from hand to hand, sent whole each time.

use std::time::Duration;

use deadpool_postgres::{ClientWrapper, StatementCache, Transaction};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::Fault;

/// A parameter with its type.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// What PostgreSQL calls the type of a value of ours.
pub(super) trait Typed: ToSql + Sync {
    /// The type.
    const TYPE: Type;
}

macro_rules! typed {
    ($($ours:ty => $theirs:ident),+ $(,)?) => {
        $(impl Typed for $ours {
            const TYPE: Type = Type::$theirs;
        })+
    };
}

typed! {
    bool => BOOL,
    i16 => INT2,
    i32 => INT4,
    i64 => INT8,
    f64 => FLOAT8,
    &str => TEXT,
    String => TEXT,
    &[u8] => BYTEA,
    Vec<u8> => BYTEA,
    Vec<bool> => BOOL_ARRAY,
    Vec<i16> => INT2_ARRAY,
    Vec<i32> => INT4_ARRAY,
    Vec<i64> => INT8_ARRAY,
    &[i64] => INT8_ARRAY,
    Vec<&str> => TEXT_ARRAY,
    Vec<String> => TEXT_ARRAY,
    Vec<&[u8]> => BYTEA_ARRAY,
    Vec<Vec<u8>> => BYTEA_ARRAY,
    Vec<Option<i16>> => INT2_ARRAY,
    Vec<Option<i64>> => INT8_ARRAY,
    Vec<Option<&str>> => TEXT_ARRAY,
    Vec<Option<String>> => TEXT_ARRAY,
    Vec<Option<&[u8]>> => BYTEA_ARRAY,
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
}

/// A value as a parameter.
pub(super) const fn param<T: Typed>(value: &T) -> Param<'_> {
    (value, T::TYPE)
}

/// Parameters, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::postgres::link::param(&$value)),*]
    };
}
pub(super) use params;

/// A connection or a transaction; cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Link<'c> {
    client: &'c Client,
    statements: &'c StatementCache,
    /// Whether statements may be prepared under a name, which stays on the connection.
    named: bool,
}

impl<'c> Link<'c> {
    /// Each statement commits by itself.
    pub(super) fn of(client: &'c ClientWrapper, named: bool) -> Self {
        Self {
            client,
            statements: &client.statement_cache,
            named,
        }
    }

    /// Statements belong to this transaction.
    pub(super) fn within(transaction: &'c Transaction<'_>, named: bool) -> Self {
        Self {
            client: transaction.client(),
            statements: &transaction.statement_cache,
            named,
        }
    }

    /// All rows that a statement gives.
    pub(super) async fn all(self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        within_limit(self.query(sql, params)).await
    }

    async fn query(self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        if !self.named {
            return Ok(self.client.query_typed(sql, params).await?);
        }
        let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
        let statement = self
            .statements
            .prepare_typed(self.client, sql, &types)
            .await?;
        let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
        Ok(self.client.query(&statement, &values).await?)
    }

    /// The first row, if there is any.
    pub(super) async fn maybe(self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Fault> {
        Ok(self.all(sql, params).await?.into_iter().next())
    }

    /// The first row; `NotFound` if there is none.
    pub(super) async fn one(self, sql: &str, params: &[Param<'_>]) -> Result<Row, Fault> {
        self.maybe(sql, params).await?.ok_or(Fault::NotFound)
    }

    /// Runs a statement, and says how many rows it wrote.
    pub(super) async fn run(self, sql: &str, params: &[Param<'_>]) -> Result<u64, Fault> {
        within_limit(self.execute(sql, params)).await
    }

    async fn execute(self, sql: &str, params: &[Param<'_>]) -> Result<u64, Fault> {
        if !self.named {
            return Ok(self.client.execute_typed(sql, params).await?);
        }
        let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
        let statement = self
            .statements
            .prepare_typed(self.client, sql, &types)
            .await?;
        let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
        Ok(self.client.execute(&statement, &values).await?)
    }

    /// Runs statements without parameters, one after the other.
    pub(super) async fn batch(self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }
}

/// A database that answers at all has ended a statement by then: see the time limit that connections are told.
const LIMIT: Duration = Duration::from_secs(6);

async fn within_limit<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match timeout(LIMIT, work).await {
        Ok(done) => done,
        Err(_late) => Err(Fault::Unreachable(
            "the database did not answer in time".into(),
        )),
    }
}
