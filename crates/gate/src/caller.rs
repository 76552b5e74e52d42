//! Who asks, and what they may do.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use ringbolt_model::{AppId, Capabilities, Capability, KeyId, Role};

use crate::permission::{Permission, allows};
use crate::{Kind, Problem};

/// Who asks: what their token said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// What they may do.
    pub role: Role,
    /// The only application that they may touch; all if absent.
    pub app: Option<AppId>,
    /// Their key; absent for the admin token.
    pub key: Option<KeyId>,
    /// What they may do if they are a portal; nobody else is limited by it.
    pub capabilities: Capabilities,
}

/// The feature flags of a portal's customer, beside its [`Caller`]; nobody else has any.
#[derive(Debug, Clone, Default)]
pub struct Flags(pub Arc<BTreeSet<String>>);

impl Caller {
    /// The holder of the admin token.
    pub const ADMIN: Self = Self {
        role: Role::Admin,
        app: None,
        key: None,
        capabilities: Capabilities::ALL,
    };

    /// Whether this is allowed.
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        let in_scope = self.app.is_none() || !permission.spans_applications();
        in_scope && allows(self.role, permission) && self.is_capable(permission)
    }

    /// Whether a portal was given what this takes.
    const fn is_capable(&self, permission: Permission) -> bool {
        let all = self.capabilities;
        let manages = all.has(Capability::ManageEndpoint);
        let manages_secrets = manages || all.has(Capability::ManageEndpointSecret);
        match (self.role, permission) {
            (Role::Portal, Permission::ChangeEndpoints) => manages,
            (Role::Portal, Permission::RotateSecrets) => manages_secrets,
            (Role::Portal, Permission::ReadSecrets) => {
                manages_secrets || all.has(Capability::ViewEndpointSecret)
            }
            (Role::Portal, Permission::Resend) => all.has(Capability::CreateAttempts),
            _ => true,
        }
    }

    /// Passes if this is allowed.
    ///
    /// # Errors
    /// 403 otherwise.
    pub fn must(&self, permission: Permission) -> Result<(), Problem> {
        if self.may(permission) {
            Ok(())
        } else {
            Err(Problem::forbidden(self.lacks(permission)))
        }
    }

    /// What is wrong with asking for this, and which token would do.
    fn lacks(&self, permission: Permission) -> String {
        let (role, words) = (self.role, permission.words());
        if allows(role, permission) && !self.is_capable(permission) {
            return format!("this portal's access is limited: it may not {words}");
        }
        let able = Role::ALL
            .into_iter()
            .filter(|role| allows(*role, permission));
        let able: Vec<_> = able.map(Role::as_str).collect();
        let limit = match self.app {
            Some(_) if permission.spans_applications() => ", limited to one application,",
            _ => "",
        };
        let one = if permission.spans_applications() {
            " that is not limited to one application"
        } else {
            ""
        };
        format!(
            "this token has the role {role} and may{limit} not {words}; it takes a token{one} of the role {}",
            able.join(" or ")
        )
    }

    /// Passes if the application is within reach; `named` is what the request calls it.
    ///
    /// # Errors
    /// 404 otherwise, as if there were no such application.
    pub fn must_reach(&self, app: AppId, named: &str) -> Result<(), Problem> {
        match self.app {
            Some(own) if own != app => Err(Problem::missing(Kind::Application, named)),
            _ => Ok(()),
        }
    }

    /// What the log calls them: their key's id, or that they hold the admin token.
    #[must_use]
    pub fn who(&self) -> String {
        match self.key {
            Some(key) => key.to_string(),
            None => "admin token".to_owned(),
        }
    }

    /// Whether they operate the server, so that they may see the addresses that it connects to.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        self.app.is_none()
    }
}

impl<S: Sync> FromRequestParts<S> for Flags {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// Whom [`crate::auth::require_token`] found.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .copied()
            .ok_or_else(Problem::unauthenticated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, app: Option<u64>) -> Caller {
        Caller {
            role,
            app: app.map(AppId::from),
            key: Some(KeyId::from(1)),
            capabilities: Capabilities::ALL,
        }
    }

    #[test]
    fn a_portal_does_what_it_was_made_capable_of() {
        use Capability as C;
        use Permission as P;
        let may = |given: &[C], permission| {
            let capabilities = given.iter().copied().collect();
            let portal = Caller {
                capabilities,
                ..caller(Role::Portal, Some(1))
            };
            portal.may(permission)
        };
        for reading in [
            P::ReadApplication,
            P::ReadEndpoints,
            P::ReadMessages,
            P::ReadEventTypes,
        ] {
            assert!(may(&[C::ViewBase], reading), "{reading:?}");
        }
        for (permission, enough) in [
            (P::ChangeEndpoints, vec![C::ManageEndpoint]),
            (
                P::RotateSecrets,
                vec![C::ManageEndpoint, C::ManageEndpointSecret],
            ),
            (
                P::ReadSecrets,
                vec![
                    C::ManageEndpoint,
                    C::ManageEndpointSecret,
                    C::ViewEndpointSecret,
                ],
            ),
            (P::Resend, vec![C::CreateAttempts]),
        ] {
            for one in C::ALL {
                assert_eq!(
                    may(&[one], permission),
                    enough.contains(&one),
                    "{permission:?} by {one:?}"
                );
            }
        }
        let reading = Caller {
            capabilities: Capabilities::READING,
            ..caller(Role::Portal, Some(1))
        };
        let problem = reading.must(P::Resend).unwrap_err();
        let text = String::from_utf8(problem.render().body().to_vec()).unwrap();
        assert!(
            text.contains("access is limited: it may not send again"),
            "{text}"
        );
    }

    #[test]
    fn an_admin_may_do_everything_and_within_an_application_everything_there() {
        for permission in Permission::ALL {
            assert!(Caller::ADMIN.may(permission));
            assert_eq!(
                caller(Role::Admin, Some(1)).may(permission),
                !permission.spans_applications(),
            );
        }
    }

    #[test]
    fn a_reader_changes_nothing_and_sees_no_secrets() {
        let reader = caller(Role::Reader, None);
        let allowed: Vec<_> = Permission::ALL
            .into_iter()
            .filter(|p| reader.may(*p))
            .collect();
        use Permission as P;
        assert_eq!(
            allowed,
            [
                P::ListApplications,
                P::ReadApplication,
                P::ReadEndpoints,
                P::ReadMessages,
                P::ReadEventTypes,
                P::Observe,
            ],
        );
    }

    #[test]
    fn a_portal_does_not_manage_applications_event_types_or_other_portals() {
        use Permission as P;
        let portal = caller(Role::Portal, Some(1));
        for denied in [
            P::ListApplications,
            P::CreateApplications,
            P::ChangeApplication,
            P::SendMessages,
            P::ChangeEventTypes,
            P::Expunge,
            P::SendExamples,
            P::GrantPortal,
            P::ManageKeys,
        ] {
            assert!(!portal.may(denied), "{denied:?}");
        }
        assert!(portal.may(P::ChangeEndpoints) && portal.may(P::Resend));
    }

    #[test]
    fn a_refusal_says_which_token_would_do() {
        let told = |caller: Caller, permission| {
            let problem = caller.must(permission).unwrap_err();
            String::from_utf8(problem.render().body().to_vec()).unwrap()
        };
        let text = told(caller(Role::Reader, None), Permission::SendMessages);
        assert!(
            text.contains("role reader and may not send messages"),
            "{text}"
        );
        assert!(
            text.contains("a token of the role admin or sender"),
            "{text}"
        );
        let text = told(caller(Role::Admin, Some(1)), Permission::ManageKeys);
        assert!(
            text.contains("may, limited to one application, not manage keys"),
            "{text}"
        );
        assert!(
            text.contains("not limited to one application of the role admin"),
            "{text}"
        );
    }

    #[test]
    fn another_application_is_not_found() {
        let portal = caller(Role::Portal, Some(1));
        assert!(portal.must_reach(AppId::from(1), "mine").is_ok());
        let problem = portal.must_reach(AppId::from(2), "theirs").unwrap_err();
        assert_eq!(problem.status().as_u16(), 404);
    }
}
