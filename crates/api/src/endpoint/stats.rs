//! What became of the messages owed to an endpoint, and sending failed ones again.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::{Caller, Input, Permission, Problem, Query, Segments, both};
use ringbolt_model::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::room::Here;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How far a client's clock may be off.
const SLACK: Duration = Duration::from_secs(5 * 60);
/// The longest window of statistics.
const COUNTED: Duration = Duration::from_secs(28 * 24 * 3600);
/// The longest window of a recovery.
const RECOVERED: Duration = Duration::from_secs(14 * 24 * 3600);

/// How many deliveries stand where.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EndpointStats {
    /// Delivered.
    success: i64,
    /// Waiting for a try.
    pending: i64,
    /// Being tried now.
    sending: i64,
    /// Failed.
    fail: i64,
    /// Cancelled.
    canceled: i64,
}

/// Which failed deliveries to send again.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
pub(super) struct RecoverIn {
    /// Those of messages accepted from this moment on.
    #[schema(required = true, value_type = String, format = DateTime)]
    since: Option<Timestamp>,
    /// Until this moment; now if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// A recovery that has begun.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecoverOut {
    /// Its name.
    #[schema(value_type = String)]
    id: TaskId,
    /// Always `running`.
    status: &'static str,
    /// Always `endpoint.recover`.
    task: &'static str,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Count what became of the messages owed to an endpoint.
///
/// The window has 28 days at most and is widened to whole hours.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats",
    tag = "Endpoint",
    operation_id = "v1.endpoint.get-stats",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        ("since" = Option<String>, Query, description = "28 days before `until` if absent"),
        ("until" = Option<String>, Query, description = "Now if absent"),
    ),
    responses((status = 200, description = "How many stand where", body = EndpointStats), Problems)
)]
pub(super) async fn get_stats(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    query: Query,
) -> Result<Json<EndpointStats>, Problem> {
    let app = room.app(caller, Permission::ReadEndpoints, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let now = room.now();
    let (until, since) = both(query.read("until"), query.read("since"))?;
    let until = until.unwrap_or(now);
    let since = since.unwrap_or(until - COUNTED);
    check_window(since, until, now, COUNTED)?;
    let counts = room
        .store()
        .endpoint_counts(endpoint.id, since, until)
        .await?;
    // What is being sent counts as pending in the store.
    let sending = i64::from(room.handle.in_flight_to(endpoint.id)).min(counts.pending);
    Ok(Json(EndpointStats {
        success: counts.success,
        pending: counts.pending - sending,
        sending,
        fail: counts.fail,
        canceled: counts.cancelled,
    }))
}

/// Send failed messages to an endpoint again.
///
/// The window has 14 days at most. What was delivered is not sent again.
#[utoipa::path(
    post,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/recover",
    tag = "Endpoint",
    operation_id = "v1.endpoint.recover",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = RecoverIn,
    responses((status = 202, description = "It has begun", body = RecoverOut), Problems)
)]
pub(super) async fn recover(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    input: Input<RecoverIn>,
) -> Result<(StatusCode, Json<RecoverOut>), Problem> {
    let app = room.app(caller, Permission::Resend, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let now = room.now();
    let (input, mut faults) = input.open();
    let Some(since) = faults.required("since", input.since) else {
        return Err(faults.into_problem());
    };
    faults.end()?;
    let until = input.until.unwrap_or(now);
    check_window(since, until, now, RECOVERED)?;
    let id = room.handle.recover(endpoint.id, since, until);
    let task = "endpoint.recover";
    let out = RecoverOut {
        id,
        status: "running",
        task,
        updated_at: now,
    };
    Ok((StatusCode::ACCEPTED, Json(out)))
}

fn check_window(
    since: Timestamp,
    until: Timestamp,
    now: Timestamp,
    longest: Duration,
) -> Result<(), Problem> {
    let wrong = |detail: String| Err(Problem::bad_request("invalid_range", detail));
    if until > now + SLACK {
        return wrong("`until` lies in the future".to_owned());
    }
    if since >= until {
        return wrong("`since` must be before `until`".to_owned());
    }
    if until.since(since) > longest + SLACK {
        let days = longest.as_secs() / DAY.as_secs();
        return wrong(format!("the window can have {days} days at most"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lies_in_the_past_and_has_a_longest_length() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let check = |since, until| check_window(since, until, now, RECOVERED);
        assert!(check(now - RECOVERED, now).is_ok());
        assert!(
            check(now - DAY, now + SLACK).is_ok(),
            "clocks differ a little"
        );
        for (since, until) in [
            (now - RECOVERED - SLACK - SLACK, now),
            (now - DAY, now + DAY),
            (now, now),
            (now, now - DAY),
        ] {
            let problem = check(since, until).unwrap_err();
            assert_eq!(
                (problem.status().as_u16(), problem.code()),
                (400, "invalid_range")
            );
        }
    }
}
