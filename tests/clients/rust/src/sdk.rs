//! One walk through the API by the official Rust SDK: its types are strict, so parsing is half of the test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use js_option::JsOption;
use serde_json::json;
use svix::api::*;
use svix::error::Error;
use svix::models::*;

pub async fn run() -> Result<()> {
    let svix = client(std::env::var("TOKEN")?)?;
    let receiver = std::env::var("RECEIVER_URL")?;
    let app = applications(&svix).await.context("applications")?;
    event_types(&svix).await.context("event types")?;
    let endpoint = endpoints(&svix, &app, &receiver)
        .await
        .context("endpoints")?;
    messages(&svix, &app, &endpoint).await.context("messages")?;
    pages(&svix, &app).await.context("pages")?;
    portal(&svix, &app).await.context("portal")?;
    crate::options::run(&svix, &receiver)
        .await
        .context("options")?;
    svix.health().get().await.context("health")?;
    Ok(())
}

/// A client whose first answer counts.
pub fn client(token: String) -> Result<Svix> {
    let options = SvixOptions {
        server_url: Some(std::env::var("SERVER_URL")?),
        num_retries: Some(0),
        ..Default::default()
    };
    Ok(Svix::new(token, Some(options)))
}

async fn applications(svix: &Svix) -> Result<String> {
    let given = ApplicationIn {
        uid: Some("rust-app".into()),
        metadata: Some(BTreeMap::from([("k".into(), "v".into())])),
        ..ApplicationIn::new("rust".into())
    };
    let made = svix.application().create(given.clone(), None).await?;
    ensure!(made.metadata["k"] == "v" && made.uid.as_deref() == Some("rust-app"));
    ensure!(svix.application().get("rust-app".into()).await?.id == made.id);
    let found = svix
        .application()
        .get_or_create(given.clone(), None)
        .await?;
    ensure!(found.id == made.id);
    expect(409, svix.application().create(given, None).await)?;
    expect(404, svix.application().get("nobody".into()).await)?;
    let bad = ApplicationIn::new(String::new());
    expect(422, svix.application().create(bad, None).await)?;
    expect(
        401,
        client("nonsense".into())?.application().list(None).await,
    )?;
    let patch = ApplicationPatch {
        uid: JsOption::Null,
        ..Default::default()
    };
    let patched = svix.application().patch(made.id.clone(), patch).await?;
    ensure!(patched.uid.is_none(), "null clears the uid");
    Ok(made.id)
}

async fn event_types(svix: &Svix) -> Result<()> {
    let given = EventTypeIn::new("rust.type".into(), "d".into());
    svix.event_type().create(given.clone(), None).await?;
    expect(409, svix.event_type().create(given, None).await)?;
    svix.event_type().delete("rust.type".into(), None).await?;
    let archived = svix.event_type().get("rust.type".into()).await?.archived;
    ensure!(archived == Some(true), "delete archives");
    Ok(())
}

async fn endpoints(svix: &Svix, app: &str, receiver: &str) -> Result<String> {
    let given = EndpointIn {
        channels: Some(BTreeSet::from(["a".into()])),
        ..EndpointIn::new(receiver.into())
    };
    let made = svix.endpoint().create(app.into(), given, None).await?;
    let patch = EndpointPatch {
        channels: JsOption::Null,
        ..Default::default()
    };
    let id = made.id.clone();
    let patched = svix.endpoint().patch(app.into(), id.clone(), patch).await?;
    ensure!(patched.channels.is_none(), "null clears the channels");
    let key = svix
        .endpoint()
        .get_secret(app.into(), id.clone())
        .await?
        .key;
    let rotate = EndpointSecretRotateIn::new();
    let rotated = svix
        .endpoint()
        .rotate_secret(app.into(), id.clone(), rotate, None)
        .await?;
    ensure!(rotated.key != key, "a new key");
    let headers = EndpointHeadersIn::new(BTreeMap::from([("X-A".into(), "1".into())]));
    svix.endpoint()
        .set_headers(app.into(), id.clone(), headers)
        .await?;
    let read = svix.endpoint().get_headers(app.into(), id.clone()).await?;
    ensure!(read.headers.len() == 1 && read.sensitive.is_empty());
    svix.endpoint()
        .get_stats(app.into(), id.clone(), None)
        .await?;
    let listed = svix.endpoint().list(app.into(), None).await?;
    ensure!(listed.data.len() == 1 && listed.done);
    Ok(id)
}

async fn messages(svix: &Svix, app: &str, endpoint: &str) -> Result<()> {
    for payload in [json!({"n": 1}), json!([1, 2]), json!("text")] {
        let given = MessageIn::new("rust.sent".into(), payload);
        let sent = svix.message().create(app.into(), given, None).await?;
        let attempt = delivered(svix, app, &sent.id).await?;
        ensure!(attempt.endpoint_id == endpoint && attempt.response_status_code == 200);
        ensure!(attempt.status == MessageStatus::Success);
    }
    let once = async || {
        let options = MessageCreateOptions {
            idempotency_key: Some("rust-once".into()),
            ..Default::default()
        };
        let given = MessageIn::new("rust.once".into(), json!({}));
        svix.message()
            .create(app.into(), given, Some(options))
            .await
    };
    let (one, two) = (once().await?, once().await?);
    ensure!(one.id == two.id, "one key, one message");
    delivered(svix, app, &one.id).await?;
    svix.message_attempt()
        .resend(app.into(), one.id.clone(), endpoint.into(), None)
        .await?;
    svix.message_attempt()
        .list_attempted_destinations(app.into(), one.id.clone(), None)
        .await?;
    svix.message_attempt()
        .list_attempted_messages(app.into(), endpoint.into(), None)
        .await?;
    svix.message().expunge_content(app.into(), one.id).await?;
    Ok(())
}

/// Waits for the first attempt at a message.
pub async fn delivered(svix: &Svix, app: &str, message: &str) -> Result<MessageAttemptOut> {
    for _ in 0..2_400 {
        let listed = svix
            .message_attempt()
            .list_by_msg(app.into(), message.into(), None)
            .await?;
        if let Some(attempt) = listed.data.into_iter().next() {
            return Ok(attempt);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("{message} was not tried within two minutes")
}

async fn pages(svix: &Svix, app: &str) -> Result<()> {
    let (mut iterator, mut seen) = (None, BTreeSet::new());
    loop {
        let options = MessageListOptions {
            limit: Some(3),
            iterator,
            ..Default::default()
        };
        let page = svix.message().list(app.into(), Some(options)).await?;
        for message in page.data {
            ensure!(seen.insert(message.id), "a message came twice");
        }
        if page.done {
            break;
        }
        iterator = page.iterator;
    }
    ensure!(seen.len() == 4, "{} of 4 messages", seen.len());
    Ok(())
}

async fn portal(svix: &Svix, app: &str) -> Result<()> {
    let access = svix
        .authentication()
        .app_portal_access(app.into(), AppPortalAccessIn::new(), None)
        .await?;
    let portal = client(access.token)?;
    portal.endpoint().list(app.into(), None).await?;
    portal.authentication().logout(None).await?;
    expect(401, portal.endpoint().list(app.into(), None).await)
}

/// The call must have been refused with this status, in the form that the SDK can read.
pub fn expect<T>(status: u16, answer: Result<T, Error>) -> Result<()> {
    match answer {
        Err(Error::Http(error)) if error.status.as_u16() == status => {
            error.payload.context("the error has no {code, detail}")?;
        }
        Err(Error::Validation(error)) if status == 422 => {
            error.payload.context("the error has no validation form")?;
        }
        Err(error) => bail!("expected {status}, got {error:?}"),
        Ok(_) => bail!("expected {status}, but it succeeded"),
    }
    Ok(())
}
