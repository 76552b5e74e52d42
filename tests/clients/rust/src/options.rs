//! The methods of the Rust SDK that the walk does not meet, with the options and fields that they can send.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use js_option::JsOption;
use serde_json::json;
use svix::api::*;
use svix::models::*;

use crate::sdk::{client, delivered, expect};

const HOUR: Duration = Duration::from_secs(3600);

pub async fn run(svix: &Svix, receiver: &str) -> Result<()> {
    let app = application(svix).await.context("an application")?;
    event_type(svix).await.context("an event type")?;
    let endpoint = endpoint(svix, &app.id, receiver)
        .await
        .context("an endpoint")?;
    attempts(svix, &app, &endpoint).await.context("attempts")?;
    sessions(svix, &app.id).await.context("sessions")?;
    svix.endpoint()
        .delete(app.id.clone(), endpoint.clone())
        .await?;
    expect(404, svix.endpoint().get(app.id.clone(), endpoint).await)?;
    svix.application().delete(app.id.clone()).await?;
    expect(404, svix.application().get(app.id).await)
}

async fn application(svix: &Svix) -> Result<ApplicationOut> {
    let given = ApplicationIn {
        uid: Some("rust-put".into()),
        throttle_rate: Some(65_535),
        ..ApplicationIn::new("put".into())
    };
    let put = svix.application().upsert("rust-put".into(), given).await?;
    ensure!(put.throttle_rate == Some(65_535) && put.uid.as_deref() == Some("rust-put"));
    let options = ApplicationListOptions {
        limit: Some(1),
        order: Some(Ordering::Descending),
        exclude_apps_with_no_endpoints: Some(false),
        ..Default::default()
    };
    let listed = svix.application().list(Some(options)).await?;
    ensure!(listed.data.len() == 1 && listed.iterator.is_some());
    Ok(put)
}

async fn event_type(svix: &Svix) -> Result<()> {
    let schemas = json!({"1": {"type": "object", "examples": [{"n": 1}]}});
    let given = EventTypeUpsertIn {
        archived: Some(false),
        deprecated: Some(true),
        schemas: Some(schemas.clone()),
        feature_flags: Some(BTreeSet::from(["rust-flag".into()])),
        group_name: Some("rust".into()),
        ..EventTypeUpsertIn::new("put".into())
    };
    let name = || "rust.put".to_owned();
    let put = svix.event_type().upsert(name(), given).await?;
    ensure!(put.schemas == Some(schemas) && put.deprecated);
    ensure!(put.feature_flag.as_deref() == Some("rust-flag") && put.group_name.is_some());
    let patch = EventTypePatch {
        schemas: JsOption::Null,
        feature_flags: JsOption::Null,
        group_name: JsOption::Null,
        ..Default::default()
    };
    let patched = svix.event_type().patch(name(), patch).await?;
    ensure!(patched.schemas.is_none() && patched.feature_flags.is_none());
    let options = EventTypeListOptions {
        limit: Some(250),
        order: Some(Ordering::Ascending),
        include_archived: Some(true),
        with_content: Some(true),
        ..Default::default()
    };
    ensure!(!svix.event_type().list(Some(options)).await?.data.is_empty());
    let wrong = EventTypeUpsertIn {
        schemas: Some(json!({"1": []})),
        ..EventTypeUpsertIn::new("wrong".into())
    };
    expect(422, svix.event_type().upsert(name(), wrong).await)?;
    let options = EventTypeDeleteOptions {
        expunge: Some(true),
    };
    svix.event_type().delete(name(), Some(options)).await?;
    expect(404, svix.event_type().get(name()).await)
}

async fn endpoint(svix: &Svix, app: &str, receiver: &str) -> Result<String> {
    let given = EndpointUpsertIn {
        uid: Some("rust-endpoint".into()),
        throttle_rate: Some(1000),
        metadata: Some(BTreeMap::from([("k".into(), "v".into())])),
        ..EndpointUpsertIn::new(receiver.into())
    };
    let put = svix
        .endpoint()
        .upsert(app.into(), "rust-endpoint".into(), given)
        .await?;
    ensure!(put.metadata["k"] == "v" && put.throttle_rate == Some(1000));
    let set = BTreeMap::from([("x-one".into(), "1".into()), ("x-two".into(), "2".into())]);
    let patch = EndpointHeadersPatchIn {
        delete_headers: Some(vec!["x-never".into()]),
        ..EndpointHeadersPatchIn::new(set)
    };
    svix.endpoint()
        .patch_headers(app.into(), put.id.clone(), patch)
        .await?;
    let example = EventExampleIn {
        payload: Some(json!({"own": true})),
        ..EventExampleIn::new("svix.ping".into())
    };
    let sent = svix
        .endpoint()
        .send_example(app.into(), put.id.clone(), example, None)
        .await?;
    ensure!(sent.payload == json!({"own": true}));
    delivered(svix, app, &sent.id).await?;
    Ok(put.id)
}

async fn attempts(svix: &Svix, app: &ApplicationOut, endpoint: &str) -> Result<()> {
    let (since, until) = (app.created_at - HOUR, app.created_at);
    let (app, endpoint) = (|| app.id.clone(), || endpoint.to_owned());
    let stats = EndpointGetStatsOptions {
        since: Some(since),
        until: Some(until),
    };
    let stats = svix
        .endpoint()
        .get_stats(app(), endpoint(), Some(stats))
        .await?;
    ensure!(stats.success >= 1, "whole hours are counted");
    let recover = RecoverIn {
        until: Some(until),
        ..RecoverIn::new(since)
    };
    let task = svix
        .endpoint()
        .recover(app(), endpoint(), recover, None)
        .await?;
    ensure!(task.status == BackgroundTaskStatus::Running);
    ensure!(task.task == BackgroundTaskType::EndpointRecover);

    let raw = MessageIn::new_raw_payload("rust.raw".into(), "plain".into())
        .with_content_type("text/plain".into());
    let sent = svix.message().create(app(), raw, None).await?;
    delivered(svix, &app(), &sent.id).await?;
    let options = MessageGetOptions {
        with_content: Some(true),
    };
    let got = svix
        .message()
        .get(app(), sent.id.clone(), Some(options))
        .await?;
    ensure!(got.payload == json!("plain"));
    let options = MessageListOptions {
        before: Some(sent.timestamp + HOUR),
        after: Some(since),
        with_content: Some(true),
        event_types: Some(BTreeSet::from(["rust.raw".into()])),
        ..Default::default()
    };
    ensure!(svix.message().list(app(), Some(options)).await?.data.len() == 1);

    let options = MessageAttemptListByEndpointOptions {
        status: Some(MessageStatus::Success),
        status_code_class: Some(StatusCodeClass::Code2xx),
        before: Some(sent.timestamp + HOUR),
        after: Some(since),
        with_msg: Some(true),
        event_types: Some(BTreeSet::from(["rust.raw".into()])),
        ..Default::default()
    };
    let attempts = svix.message_attempt();
    let listed = attempts
        .list_by_endpoint(app(), endpoint(), Some(options))
        .await?;
    let [attempt] = listed.data.as_slice() else {
        anyhow::bail!("{} attempts", listed.data.len());
    };
    ensure!(attempt.msg.as_ref().is_some_and(|msg| msg.id == sent.id));
    let id = attempt.id.clone();
    let got = attempts
        .get(app(), sent.id.clone(), id.clone(), None)
        .await?;
    ensure!(got.status_text == MessageStatusText::Success);
    attempts
        .expunge_content(app(), sent.id.clone(), id.clone())
        .await?;
    let got = attempts.get(app(), sent.id, id, None).await?;
    ensure!(got.response == "EXPUNGED");
    Ok(())
}

async fn sessions(svix: &Svix, app: &str) -> Result<()> {
    let asked = AppPortalAccessIn {
        capabilities: Some(BTreeSet::from([AppPortalCapability::ViewBase])),
        feature_flags: Some(BTreeSet::from(["rust-flag".into()])),
        expiry: Some(3600),
        session_id: Some("rust-session".into()),
        ..AppPortalAccessIn::new()
    };
    let access = svix
        .authentication()
        .app_portal_access(app.into(), asked, None)
        .await?;
    let portal = client(access.token)?;
    portal.endpoint().list(app.into(), None).await?;
    let end = ApplicationTokenExpireIn {
        expiry: Some(0),
        session_ids: Some(vec!["rust-session".into()]),
    };
    svix.authentication()
        .expire_all(app.into(), end, None)
        .await?;
    expect(401, portal.endpoint().list(app.into(), None).await)
}
