//! Keys of a running server, through its API.

use http::Method;
use ringbolt_model::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Listed, Made, Wanted};
use crate::config::Config;
use crate::config::value::Secret;
use crate::local_api::LocalApi;

/// Where the API has keys.
const KEYS: &str = "/api/v1/key";

/// The server.
pub(super) struct OverApi(LocalApi);

impl OverApi {
    pub(super) fn new(config: &Config, token: Secret) -> anyhow::Result<Self> {
        Ok(Self(LocalApi::new(config, token)?))
    }

    pub(super) async fn create(&self, wanted: Wanted) -> anyhow::Result<Made> {
        let body = json!({
            "name": wanted.name,
            "role": wanted.role,
            "appId": wanted.application,
            "expiresAt": wanted.expires_at,
        });
        let answer = self.0.call(Method::POST, KEYS, Some(&body)).await?;
        let made: MadeOut = serde_json::from_value(answer)?;
        Ok(Made {
            id: made.id,
            token: made.token,
        })
    }

    pub(super) async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let (mut all, mut iterator) = (Vec::new(), String::new());
        loop {
            let path = format!("{KEYS}?limit=250{iterator}");
            let page: PageOut =
                serde_json::from_value(self.0.call(Method::GET, &path, None).await?)?;
            all.extend(page.data.into_iter().map(Listed::from));
            match page.iterator {
                Some(next) if !page.done => iterator = format!("&iterator={next}"),
                _ => return Ok(all),
            }
        }
    }

    pub(super) async fn revoke(&self, id: &str) -> anyhow::Result<()> {
        let path = format!("{KEYS}/{id}");
        self.0.call(Method::DELETE, &path, None).await.map(drop)
    }
}

#[derive(Deserialize)]
struct MadeOut {
    id: String,
    token: String,
}

#[derive(Deserialize)]
struct PageOut {
    data: Vec<KeyOut>,
    iterator: Option<String>,
    done: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyOut {
    id: String,
    name: String,
    role: String,
    app_id: Option<String>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl From<KeyOut> for Listed {
    fn from(key: KeyOut) -> Self {
        Self {
            id: key.id,
            name: key.name,
            role: key.role,
            application: key.app_id,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked: key.revoked_at.is_some(),
        }
    }
}
