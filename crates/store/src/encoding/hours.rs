//! Deliveries are counted by the hour, since 1970, in which their message was accepted.

use std::ops::Range;

use ringbolt_model::Timestamp;

/// Its seconds.
pub(crate) const HOUR: i64 = 3600;

/// The hours that a window touches.
pub(crate) fn hours(since: Timestamp, until: Timestamp) -> Range<i64> {
    let first = since.as_seconds().div_euclid(HOUR);
    let end = (until.as_micros() - 1).div_euclid(HOUR * 1_000_000) + 1;
    first..end.max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_widened_to_whole_hours() {
        let at = Timestamp::from_seconds;
        assert_eq!(hours(at(3600), at(7200)), 1..2);
        assert_eq!(hours(at(3599), at(7201)), 0..3);
        assert!(hours(at(7200), at(3600)).is_empty());
    }
}
