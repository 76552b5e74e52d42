//! What can be allowed, and which role allows it.

use ringbolt_model::Role;

/// What can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// List all applications.
    ListApplications,
    /// Create any application.
    CreateApplications,
    /// Create an application on the fly, or find it.
    EnsureApplications,
    /// Read one application.
    ReadApplication,
    /// Change or delete one application.
    ChangeApplication,
    /// Read endpoints, their headers (but the sensitive ones) and statistics.
    ReadEndpoints,
    /// Create, change and delete endpoints, and set their headers.
    ChangeEndpoints,
    /// Read signing secrets.
    ReadSecrets,
    /// Rotate signing secrets.
    RotateSecrets,
    /// Send messages.
    SendMessages,
    /// Read messages, deliveries and attempts.
    ReadMessages,
    /// Send again what was sent, or recover what failed.
    Resend,
    /// Send an example of an event type to an endpoint.
    SendExamples,
    /// Remove contents.
    Expunge,
    /// Read event types.
    ReadEventTypes,
    /// Create, change, archive and remove event types.
    ChangeEventTypes,
    /// Hand out access to an application's portal.
    GrantPortal,
    /// Create, list and revoke API keys.
    ManageKeys,
    /// Read metrics.
    Observe,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 19] = [
        Self::ListApplications,
        Self::CreateApplications,
        Self::EnsureApplications,
        Self::ReadApplication,
        Self::ChangeApplication,
        Self::ReadEndpoints,
        Self::ChangeEndpoints,
        Self::ReadSecrets,
        Self::RotateSecrets,
        Self::SendMessages,
        Self::ReadMessages,
        Self::Resend,
        Self::SendExamples,
        Self::Expunge,
        Self::ReadEventTypes,
        Self::ChangeEventTypes,
        Self::GrantPortal,
        Self::ManageKeys,
        Self::Observe,
    ];

    /// What it allows, after "may".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::ListApplications => "list applications",
            Self::CreateApplications => "create applications",
            Self::EnsureApplications => "create an application on the fly",
            Self::ReadApplication => "read applications",
            Self::ChangeApplication => "change applications",
            Self::ReadEndpoints => "read endpoints",
            Self::ChangeEndpoints => "change endpoints",
            Self::ReadSecrets => "read signing secrets",
            Self::RotateSecrets => "rotate signing secrets",
            Self::SendMessages => "send messages",
            Self::ReadMessages => "read messages and attempts",
            Self::Resend => "send again or recover",
            Self::SendExamples => "send examples",
            Self::Expunge => "remove contents",
            Self::ReadEventTypes => "read event types",
            Self::ChangeEventTypes => "change event types",
            Self::GrantPortal => "hand out or end portal access",
            Self::ManageKeys => "manage keys",
            Self::Observe => "read metrics",
        }
    }

    /// Whether it concerns more than one application, so that a key limited to one never has it.
    pub(crate) const fn spans_applications(self) -> bool {
        matches!(
            self,
            Self::ListApplications
                | Self::CreateApplications
                | Self::EnsureApplications
                | Self::ChangeEventTypes
                | Self::ManageKeys
                | Self::Observe
        )
    }
}

/// The table of roles and permissions.
pub(crate) const fn allows(role: Role, permission: Permission) -> bool {
    use Permission as P;
    match role {
        Role::Admin => true,
        Role::Sender => matches!(permission, P::SendMessages | P::EnsureApplications),
        Role::Reader => matches!(
            permission,
            P::ListApplications
                | P::ReadApplication
                | P::ReadEndpoints
                | P::ReadMessages
                | P::ReadEventTypes
                | P::Observe
        ),
        Role::Portal => matches!(
            permission,
            P::ReadApplication
                | P::ReadEndpoints
                | P::ChangeEndpoints
                | P::ReadSecrets
                | P::RotateSecrets
                | P::ReadMessages
                | P::Resend
                | P::ReadEventTypes
        ),
    }
}
