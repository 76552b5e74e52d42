//! What a change takes, judged before any of its request's body is read: nobody's bytes are held, or waited
//! for, who may not send them. Handlers judge again, with what they know of the application.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use ringbolt_gate::{Caller, Permission, Problem, Query};

/// Turns those away who may not make the change that they ask for. Behind the one that knows who asks.
pub(crate) async fn permitted(request: Request, next: Next) -> Response {
    match judge(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn judge(request: &Request) -> Result<(), Problem> {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    let query = request.uri().query().unwrap_or_default();
    let caller = request.extensions().get::<Caller>();
    match (caller, permission(request.method(), route, query)) {
        (Some(caller), Some(permission)) => caller.must(permission),
        // Whose route takes none, or whom nobody knows, is for the handler to judge.
        _ => Ok(()),
    }
}

/// What a change by this route takes; nothing if it is none.
fn permission(method: &Method, route: &str, query: &str) -> Option<Permission> {
    use Permission as P;
    if *method == Method::GET || *method == Method::HEAD {
        return None;
    }
    let creates = *method == Method::POST;
    let permission = match route.strip_prefix("/api/v1")? {
        "/app" => creating(&Query::parse(query).unwrap_or_default()),
        "/app/{app_id}" => P::ChangeApplication,
        "/app/{app_id}/endpoint"
        | "/app/{app_id}/endpoint/{endpoint_id}"
        | "/app/{app_id}/endpoint/{endpoint_id}/headers" => P::ChangeEndpoints,
        "/app/{app_id}/endpoint/{endpoint_id}/secret/rotate" => P::RotateSecrets,
        "/app/{app_id}/endpoint/{endpoint_id}/send-example" => P::SendExamples,
        "/app/{app_id}/endpoint/{endpoint_id}/recover"
        | "/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend" => P::Resend,
        "/app/{app_id}/msg" if creates => P::SendMessages,
        "/app/{app_id}/msg/{msg_id}/content"
        | "/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content" => P::Expunge,
        "/event-type" | "/event-type/{event_type_name}" => P::ChangeEventTypes,
        "/key" | "/key/{key_id}" => P::ManageKeys,
        "/auth/app-portal-access/{app_id}"
        | "/auth/dashboard-access/{app_id}"
        | "/auth/app/{app_id}/expire-all" => P::GrantPortal,
        _ => return None,
    };
    Some(permission)
}

/// What it takes to create an application, or only to see to it that there is one.
pub(crate) fn creating(query: &Query) -> Permission {
    match query.flag("get_if_exists", false) {
        Ok(true) => Permission::EnsureApplications,
        _ => Permission::CreateApplications,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_that_changes_something_has_its_permission() {
        let described = serde_json::to_value(crate::routes::description()).unwrap();
        let mut changes = 0;
        for (path, item) in described["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                let method = method.to_uppercase().parse().unwrap();
                let found = permission(&method, path, "");
                // Ending one's own token takes none.
                let expected = method != Method::GET && path != "/api/v1/auth/logout";
                assert_eq!(found.is_some(), expected, "{method} {path}");
                changes += usize::from(expected);
            }
        }
        assert!(changes > 20, "{changes}");
    }

    #[test]
    fn to_see_that_there_is_an_application_takes_less_than_to_create_one() {
        let of = |query| permission(&Method::POST, "/api/v1/app", query);
        assert_eq!(
            of("get_if_exists=true"),
            Some(Permission::EnsureApplications)
        );
        assert_eq!(of("x=y"), Some(Permission::CreateApplications));
    }
}
