//! Checks of the clock: against the past, against what the store holds, against another machine's.

use std::time::Duration;

use ringbolt_model::Timestamp;
use ringbolt_net::{ReplyHeaders, retry_after};

use super::Finding;

/// No clock that works shows a time before this was written: 2026-11-01.
const WRITTEN: Timestamp = Timestamp::from_seconds(1_793_491_200);

/// Receivers refuse signatures that are further off.
const TOLERATED: Duration = Duration::from_secs(5 * 60);

/// What a healthy clock keeps to; a `Date` is in whole seconds, and took some time to come.
const HEALTHY: Duration = Duration::from_secs(10);

/// Whether the time can be right, given the newest id in the store.
pub(super) fn clock(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    if now < WRITTEN {
        return Finding::Bad(format!(
            "it shows {now}, which is in the past: set it, with NTP"
        ));
    }
    match newest {
        Some(newest) if newest.since(now) > HEALTHY => Finding::Bad(format!(
            "it shows {now}, but the newest id in the store is of {newest}: set it, with NTP; until it has \
             caught up, new ids are of that time"
        )),
        _ => Finding::Good(format!(
            "it shows {now}; receivers refuse signatures that are 5 minutes off"
        )),
    }
}

/// How the clock compares with that of whoever replied, if the reply says what time it is there.
pub(super) fn beside_theirs(now: Timestamp, headers: &ReplyHeaders) -> Option<Finding> {
    let theirs = date(headers.single("date")?)?;
    let (apart, way) = if theirs > now {
        (theirs.since(now), "behind")
    } else {
        (now.since(theirs), "ahead of")
    };
    if apart <= HEALTHY {
        return Some(Finding::Good("the clocks of both sides agree".into()));
    }
    let said = format!(
        "this clock is {} s {way} the receiver's, which says {theirs}",
        apart.as_secs()
    );
    Some(if apart > TOLERATED {
        Finding::Bad(format!(
            "{said}: signatures are refused; set the one that is wrong, with NTP"
        ))
    } else {
        Finding::Doubtful(format!("{said}: set the one that is wrong, with NTP"))
    })
}

/// A `Date` header has the form of a date in `Retry-After`, which is read as the time since 1970.
fn date(value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Timestamp::default() + retry_after(text, 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_clock_in_the_past_is_found_out() {
        assert!(matches!(clock(NOW, None), Finding::Good(_)));
        assert!(matches!(clock(NOW, Some(NOW)), Finding::Good(_)));
        let early = Timestamp::from_seconds(1_000_000_000);
        assert!(matches!(clock(early, None), Finding::Bad(_)));
        let hour = Duration::from_secs(3600);
        assert!(matches!(clock(NOW, Some(NOW + hour)), Finding::Bad(_)));
        assert!(matches!(clock(NOW + hour, Some(NOW)), Finding::Good(_)));
    }

    #[test]
    fn dates_of_replies_are_read() {
        let read = date(b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(read, Some(Timestamp::from_seconds(784_111_777)));
        assert_eq!(date(b"17"), None);
        assert_eq!(date(b"soon"), None);
    }
}
