//! Figures for Prometheus: what was accepted, delivered, failed, retried, and how long it took.

use std::fmt::Write as _;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use ringbolt_engine::{Change, Decision};
use ringbolt_model::AttemptFailure;
use ringbolt_store::{Distribution, Sizes};

use crate::handle::Status;
use crate::process;
use crate::transport::Tried;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

/// The counters; the gauges are read off [`Status`] when they are asked for.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    messages: Counter,
    owed: Counter,
    delivered: Counter,
    retried: Counter,
    failed: Counter,
    expired: Counter,
    attempts_failed: Vec<(AttemptFailure, Counter)>,
    attempts_repeated: Counter,
    attempt_seconds: Histogram,
    accept_seconds: Histogram,
    warnings: Counter,
    disabled: Counter,
    pages: Counter,
    read_back: Counter,
    applications: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ringbolt");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let messages = counter("messages_accepted", "Messages that were answered 202");
        let owed = counter(
            "deliveries_owed",
            "Deliveries that accepted messages were owed to",
        );
        let delivered = counter("deliveries_delivered", "Deliveries that an endpoint took");
        let retried = counter(
            "deliveries_retried",
            "Tries that will be followed by another",
        );
        let failed = counter("deliveries_failed", "Deliveries that ended without success");
        let expired = counter("deliveries_expired", "Of these, for want of their content");
        let attempts_repeated = counter(
            "attempts_repeated",
            "Tries that were made once more on a new connection, as the kept one had ended",
        );
        let warnings = counter(
            "endpoint_warnings",
            "Warnings that an endpoint keeps failing",
        );
        let disabled = counter(
            "endpoints_disabled",
            "Endpoints that were disabled automatically",
        );
        let pages = counter("store_pages_read", "Pages of waiting deliveries read back");
        let read_back = counter("store_deliveries_read", "Deliveries in them");
        let applications = counter(
            "applications_read",
            "Applications whose endpoints were all read, to route messages",
        );
        let family = Family::<Why, Counter>::default();
        registry.register(
            "attempts_failed",
            "Tries that failed, by reason",
            family.clone(),
        );
        let of = |why: AttemptFailure| {
            (
                why,
                family
                    .get_or_create(&Why {
                        reason: why.as_str(),
                    })
                    .clone(),
            )
        };
        let attempts_failed = AttemptFailure::ALL.into_iter().map(of).collect();
        let attempt_seconds = Histogram::new(exponential_buckets(0.000_25, 2.0, 18));
        let help = "How long tries took, from look-up to the end of the answer";
        registry.register_with_unit("attempt", help, Unit::Seconds, attempt_seconds.clone());
        let accept_seconds = Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        let help = "How long accepting took, from routing to the commit";
        registry.register_with_unit("accept", help, Unit::Seconds, accept_seconds.clone());
        Self {
            registry: Mutex::new(registry),
            messages,
            owed,
            delivered,
            retried,
            failed,
            expired,
            attempts_failed,
            attempts_repeated,
            attempt_seconds,
            accept_seconds,
            warnings,
            disabled,
            pages,
            read_back,
            applications,
        }
    }
}

impl Metrics {
    pub(crate) fn accepted(&self, deliveries: usize, took: Duration) {
        self.accept_seconds.observe(took.as_secs_f64());
        self.messages.inc();
        self.owed.inc_by(deliveries as u64);
    }

    pub(crate) fn finished(&self, tried: &Tried, decision: &Decision) {
        self.attempt_seconds
            .observe(tried.timings.total.as_secs_f64());
        self.attempts_repeated.inc_by(u64::from(tried.repeated));
        let counters = &self.attempts_failed;
        if let Some((_, counter)) = counters.iter().find(|(why, _)| tried.failure == Some(*why)) {
            counter.inc();
        }
        match decision.change {
            Change::Delivered => self.delivered.inc(),
            Change::Retry { .. } => self.retried.inc(),
            Change::Failed(_) => self.failed.inc(),
            Change::Waits | Change::Cancelled => return,
        };
    }

    pub(crate) fn application_read(&self) {
        self.applications.inc();
    }

    pub(crate) fn expired(&self, deliveries: usize) {
        self.expired.inc_by(deliveries as u64);
        self.failed.inc_by(deliveries as u64);
    }

    pub(crate) fn warned(&self) {
        self.warnings.inc();
    }

    pub(crate) fn disabled(&self) {
        self.disabled.inc();
    }

    pub(crate) fn page_read(&self, deliveries: usize) {
        self.pages.inc();
        self.read_back.inc_by(deliveries as u64);
    }

    /// Everything as text, without the closing `# EOF`, so that others can append theirs. The form is OpenMetrics 1.0.
    pub(crate) fn text(&self, status: &Status, sizes: &Sizes) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry.lock()).is_err() {
            return String::new();
        }
        let end = text.trim_end().trim_end_matches("# EOF").len();
        text.truncate(end);
        let help = "Writes in each transaction of the store";
        histogram(
            &mut text,
            "store_commit_writes",
            help,
            &sizes.commit_writes,
            1.0,
        );
        let help = "How long each transaction of the store took, commit included";
        histogram(
            &mut text,
            "store_commit_seconds",
            help,
            &sizes.commit_micros,
            1e6,
        );
        for (name, help, value) in gauges(status, sizes) {
            let _infallible = write!(
                text,
                "# HELP ringbolt_{name} {help}.\n# TYPE ringbolt_{name} gauge\nringbolt_{name} {value}\n"
            );
        }
        lanes(&mut text, status);
        process::append(&mut text);
        text
    }
}

fn gauges(status: &Status, sizes: &Sizes) -> Vec<(&'static str, &'static str, f64)> {
    let lanes = &status.lanes;
    vec![
        (
            "attempts_in_flight",
            "Attempts in flight",
            lanes.in_flight as f64,
        ),
        (
            "memory_deliveries",
            "Deliveries held in memory",
            lanes.deliveries as f64,
        ),
        (
            "memory_payload_bytes",
            "Payload bytes held in memory",
            lanes.bytes as f64,
        ),
        (
            "store_deliveries_pending",
            "Pending deliveries with rows",
            status.pending_rows as f64,
        ),
        (
            "outcomes_unwritten",
            "Outcomes that wait to be written",
            status.unwritten as f64,
        ),
        (
            "store_up",
            "Whether the store can be written",
            f64::from(u8::from(status.store.writable)),
        ),
        (
            "store_bytes",
            "Bytes the store takes on disk",
            sizes.on_disk as f64,
        ),
        (
            "store_free_bytes",
            "Of these, free for reuse",
            sizes.free as f64,
        ),
    ]
}

/// What the store has counted itself; `per` of its units make one of the metric's.
fn histogram(text: &mut String, name: &str, help: &str, seen: &Distribution, per: f64) {
    let mut lines = format!("# HELP ringbolt_{name} {help}.\n# TYPE ringbolt_{name} histogram\n");
    let mut so_far = 0;
    for (bound, count) in &seen.buckets {
        so_far += count;
        let bound = *bound as f64 / per;
        let _infallible = writeln!(lines, "ringbolt_{name}_bucket{{le=\"{bound:?}\"}} {so_far}");
    }
    let (count, sum) = (so_far + seen.beyond, seen.sum as f64 / per);
    let _infallible = write!(
        lines,
        "ringbolt_{name}_bucket{{le=\"+Inf\"}} {count}\nringbolt_{name}_sum {sum:?}\nringbolt_{name}_count {count}\n"
    );
    text.push_str(&lines);
}

fn lanes(text: &mut String, status: &Status) {
    text.push_str("# HELP ringbolt_lanes Lanes by state.\n# TYPE ringbolt_lanes gauge\n");
    let lanes = &status.lanes;
    let states = [
        ("idle", lanes.idle),
        ("active", lanes.active),
        ("waiting_for_rate", lanes.waiting_for_rate),
        ("held", lanes.held),
        ("breaker_open", lanes.broken),
        ("disabled", lanes.disabled),
        ("behind", lanes.behind),
    ];
    for (state, count) in states {
        let _infallible = writeln!(text, "ringbolt_lanes{{state=\"{state}\"}} {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_upwards_to_infinity() {
        let seen = Distribution {
            buckets: vec![(125, 2), (250, 0), (500, 3)],
            beyond: 1,
            sum: 3_250_000,
        };
        let mut text = String::new();
        histogram(&mut text, "t", "Help", &seen, 1e6);
        let expected = "# HELP ringbolt_t Help.\n# TYPE ringbolt_t histogram\n\
            ringbolt_t_bucket{le=\"0.000125\"} 2\nringbolt_t_bucket{le=\"0.00025\"} 2\n\
            ringbolt_t_bucket{le=\"0.0005\"} 5\nringbolt_t_bucket{le=\"+Inf\"} 6\n\
            ringbolt_t_sum 3.25\nringbolt_t_count 6\n";
        assert_eq!(text, expected);
    }
}
