//! What is sealed in an endpoint's row: its secrets, and the headers that it gets.

use ringbolt_model::{CustomHeaders, EndpointId, EndpointSecrets};

use super::changes::Changed;
use super::endpoint_row::{ENDPOINT_COLUMNS, endpoint};
use crate::encoding::{open_headers, open_secrets, seal_headers, seal_secrets};
use crate::postgres::column::{get, to_column};
use crate::postgres::link::params;
use crate::postgres::{Fault, PostgresStore};
use crate::{Destination, Edit, StoreError};

pub(super) async fn destination(
    store: &PostgresStore,
    id: EndpointId,
) -> Result<Destination, Fault> {
    let sql = format!(
        "SELECT {ENDPOINT_COLUMNS}, e.secrets, e.headers FROM endpoint e \
         WHERE e.id = $1 AND e.deleted_at IS NULL"
    );
    let client = store.client().await?;
    let row = store
        .link(&client)
        .one(&sql, params![to_column(id.raw())])
        .await?;
    Ok(Destination {
        endpoint: endpoint(&row)?,
        secrets: open_secrets(&store.vault, id, get(&row, 16)?)?,
        headers: open_headers(&store.vault, id, get(&row, 17)?)?,
    })
}

/// What is sealed in an endpoint's row.
#[derive(Clone, Copy)]
enum Part {
    Secrets,
    Headers,
}

impl Part {
    const fn column(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Headers => "headers",
        }
    }
}

/// Changes what is sealed in an endpoint's row. No route depends on it, but other nodes have read it.
async fn reseal<T>(
    store: &PostgresStore,
    id: EndpointId,
    part: Part,
    work: impl FnOnce(&[u8]) -> Result<(Vec<u8>, T), StoreError>,
) -> Result<T, Fault> {
    let (key, column) = (to_column(id.raw()), part.column());
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    let sql = format!(
        "SELECT app_id, {column} FROM endpoint WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"
    );
    let row = link.one(&sql, params![key]).await?;
    let (sealed, made) = work(get(&row, 1)?)?;
    let sql = format!("UPDATE endpoint SET {column} = $2 WHERE id = $1");
    link.run(&sql, params![key, sealed]).await?;
    store
        .note_change(link, Changed::Endpoint, get(&row, 0)?, key)
        .await?;
    transaction.commit().await?;
    Ok(made)
}

pub(super) async fn edit_secrets(
    store: &PostgresStore,
    id: EndpointId,
    change: &mut Edit<EndpointSecrets>,
) -> Result<EndpointSecrets, Fault> {
    reseal(store, id, Part::Secrets, |sealed| {
        let mut secrets = open_secrets(&store.vault, id, sealed)?;
        change(&mut secrets);
        Ok((seal_secrets(&store.vault, id, &secrets)?, secrets))
    })
    .await
}

pub(super) async fn edit_headers(
    store: &PostgresStore,
    id: EndpointId,
    change: &mut Edit<CustomHeaders>,
) -> Result<CustomHeaders, Fault> {
    reseal(store, id, Part::Headers, |sealed| {
        let mut headers = open_headers(&store.vault, id, sealed)?;
        change(&mut headers);
        Ok((seal_headers(&store.vault, id, &headers)?, headers))
    })
    .await
}
