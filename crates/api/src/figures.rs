//! Figures of the API itself: how many requests, with which end, how long accepting took.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;

use crate::room::Room;

/// Upper bounds of the histogram, in microseconds.
const BOUNDS: [u64; 12] = [
    250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];

/// What is counted.
#[derive(Default)]
pub(crate) struct Figures {
    /// Answers by the hundred of their status, from 1xx on.
    answers: [AtomicU64; 5],
    /// Requests with a message by how long they took; the last one is beyond every bound.
    accepts: [AtomicU64; BOUNDS.len() + 1],
    accept_micros: AtomicU64,
}

impl Figures {
    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5);
        self.answers[class - 1].fetch_add(1, Relaxed);
    }

    /// Counts a message that was accepted, by how long that took.
    pub(crate) fn accepted(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let slot = BOUNDS
            .iter()
            .position(|bound| micros <= *bound)
            .unwrap_or(BOUNDS.len());
        self.accepts[slot].fetch_add(1, Relaxed);
        self.accept_micros.fetch_add(micros, Relaxed);
    }

    /// As Prometheus reads them.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from(
            "# HELP ringbolt_http_answers Answers of the HTTP API by class of status.\n\
             # TYPE ringbolt_http_answers counter\n",
        );
        for (index, count) in self.answers.iter().enumerate() {
            let (class, count) = (index + 1, count.load(Relaxed));
            let _ = writeln!(
                text,
                "ringbolt_http_answers_total{{class=\"{class}xx\"}} {count}"
            );
        }
        text.push_str(
            "# HELP ringbolt_http_accept_seconds From a request with a message to its answer.\n\
             # TYPE ringbolt_http_accept_seconds histogram\n",
        );
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(&self.accepts) {
            below += count.load(Relaxed);
            let seconds = Duration::from_micros(*bound).as_secs_f64();
            let name = "ringbolt_http_accept_seconds_bucket";
            let _ = writeln!(text, "{name}{{le=\"{seconds}\"}} {below}");
        }
        below += self.accepts[BOUNDS.len()].load(Relaxed);
        let sum = Duration::from_micros(self.accept_micros.load(Relaxed)).as_secs_f64();
        let _ = writeln!(
            text,
            "ringbolt_http_accept_seconds_bucket{{le=\"+Inf\"}} {below}"
        );
        let _ = writeln!(text, "ringbolt_http_accept_seconds_sum {sum}");
        let _ = writeln!(text, "ringbolt_http_accept_seconds_count {below}");
        text
    }
}

/// Counts what the router answers.
pub(crate) async fn counted(
    State(room): State<Arc<Room>>,
    request: Request,
    next: Next,
) -> Response {
    let answer = next.run(request).await;
    room.figures.answered(answer.status());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_what_is_below_each_bound() {
        let figures = Figures::default();
        for micros in [100, 400, 9_000_000] {
            figures.accepted(Duration::from_micros(micros));
        }
        figures.answered(StatusCode::ACCEPTED);
        let text = figures.text();
        for line in [
            "ringbolt_http_answers_total{class=\"2xx\"} 1",
            "ringbolt_http_accept_seconds_bucket{le=\"0.00025\"} 1",
            "ringbolt_http_accept_seconds_bucket{le=\"5\"} 2",
            "ringbolt_http_accept_seconds_bucket{le=\"+Inf\"} 3",
            "ringbolt_http_accept_seconds_sum 9.0005",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
