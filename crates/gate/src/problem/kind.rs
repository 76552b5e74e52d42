//! What a path or a body can name, and how an error calls it.

use std::fmt::Display;

use ringbolt_store::StoreError;

use super::Problem;

/// What a path or a body can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An application, by id or uid.
    Application,
    /// An endpoint of an application, by id or uid.
    Endpoint,
    /// A message of an application, by id or event id.
    Message,
    /// An attempt at a message.
    Attempt,
    /// An event type, by name.
    EventType,
    /// An API key.
    Key,
}

impl Kind {
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Endpoint => "endpoint",
            Self::Message => "message",
            Self::Attempt => "attempt",
            Self::EventType => "event type",
            Self::Key => "key",
        }
    }

    pub(super) const fn place(self) -> &'static str {
        match self {
            Self::Endpoint | Self::Message => " in this application",
            Self::Attempt => " at this message",
            Self::Application | Self::EventType | Self::Key => "",
        }
    }

    /// What the store said when it was asked for the one with this name.
    pub fn or(self, error: StoreError, named: &str) -> Problem {
        match error {
            StoreError::NotFound => Problem::missing(self, named),
            other => other.into(),
        }
    }

    /// What the store said when one was to be stored under these names of the user's own.
    pub fn taken(self, error: StoreError, uid: Option<impl Display>) -> Problem {
        match (error, uid) {
            (StoreError::Conflict("uid"), Some(uid)) => {
                let (noun, place) = (self.noun(), self.place());
                Problem::conflict(format!("another {noun}{place} has the uid `{uid}`"))
            }
            (other, _) => other.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::body;
    use super::*;

    #[test]
    fn what_is_missing_or_taken_is_named() {
        let told = |problem: Problem| body(&problem)["detail"].as_str().unwrap().to_owned();
        assert_eq!(
            told(Kind::Endpoint.or(StoreError::NotFound, "ep_x")),
            "there is no endpoint `ep_x` in this application"
        );
        assert_eq!(
            told(Kind::Endpoint.taken(StoreError::Conflict("uid"), Some("mine"))),
            "another endpoint in this application has the uid `mine`"
        );
        let long = told(Problem::missing(Kind::Application, &"x".repeat(100_000)));
        assert!(long.len() < 400, "{}", long.len());
        assert_eq!(Kind::Key.or(StoreError::Full, "k").status(), 503);
    }
}
