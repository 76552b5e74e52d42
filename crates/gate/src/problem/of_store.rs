//! How an error of the store looks to a client.

use std::time::Duration;

use http::StatusCode;
use ringbolt_store::{ResendRefused, StoreError};

use super::Problem;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            // Whoever knows what was asked for says so by `Kind::or`.
            StoreError::NotFound => {
                let detail = "it was deleted meanwhile";
                Self::new(StatusCode::NOT_FOUND, "not_found", detail)
            }
            StoreError::Conflict(what) => {
                Self::conflict(format!("another one with this {what} exists"))
            }
            StoreError::TooMany { what, limit } => Self::bad_request(
                "limit_reached",
                format!("at most {limit} {what} are possible"),
            ),
            StoreError::Full => {
                let wait = Duration::from_secs(5);
                Self::unavailable("the server's disk is full; nothing was stored").after(wait)
            }
            StoreError::Unavailable(why) => {
                tracing::warn!(error = %why, "the store is unavailable");
                Self::unavailable("the store is unavailable; nothing was stored")
            }
            StoreError::Unreadable(why) => Self::internal(why),
        }
    }
}

impl From<ResendRefused> for Problem {
    fn from(refused: ResendRefused) -> Self {
        match refused {
            ResendRefused::MissingPayload => {
                let detail =
                    "the content of this message is gone: it was removed, or kept long enough";
                Self::bad_request("missing_payload", detail)
            }
            ResendRefused::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn what_went_wrong_inside_is_not_told() {
        let problem = Problem::from(StoreError::Unreadable("key 7 at /var/lib".into()));
        assert_eq!(problem.status(), 500);
        assert!(!String::from_utf8_lossy(problem.render().body()).contains("/var/lib"));
    }

    #[test]
    fn a_full_disk_is_to_be_tried_again() {
        let answer = Problem::from(StoreError::Full).render();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()[RETRY_AFTER], "5");
    }
}
