//! Reads a `Retry-After` header (RFC 9110 §10.2.3).

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// How long to wait, counted from `now_unix` (seconds since 1970), or `None` when the value is
/// not one the RFC knows: the caller then keeps to its own schedule. A date in the past is "now".
/// Nothing is capped here but what does not fit into the type.
pub fn retry_after(value: &str, now_unix: i64) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let due = http_date(value, now_unix)?;
    Some(Duration::from_secs(
        u64::try_from(due.saturating_sub(now_unix)).unwrap_or(0),
    ))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const SHORT_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// The three forms of RFC 9110 §5.6.7, case-sensitive, in seconds since 1970.
fn http_date(value: &str, now_unix: i64) -> Option<i64> {
    match value.split_once(',') {
        Some((day, rest)) if SHORT_DAYS.contains(&day) => imf_fixdate(rest),
        Some((day, rest)) if LONG_DAYS.contains(&day) => rfc850_date(rest, now_unix),
        Some(_) => None,
        None => asctime_date(value),
    }
}

/// ` 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(rest: &str) -> Option<i64> {
    let rest = rest.strip_prefix(' ')?.strip_suffix(" GMT")?;
    let mut parts = rest.split(' ');
    let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let date = (number(year, 4)?, month_number(month)?, number(day, 2)?);
    if parts.next().is_some() {
        None
    } else {
        seconds(date, clock)
    }
}

/// ` 06-Nov-94 08:49:37 GMT`
fn rfc850_date(rest: &str, now_unix: i64) -> Option<i64> {
    let rest = rest.strip_prefix(' ')?.strip_suffix(" GMT")?;
    let (date, clock) = rest.split_once(' ')?;
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let year = full_year(number(year, 2)?, now_unix)?;
    seconds((year, month_number(month)?, number(day, 2)?), clock)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(value: &str) -> Option<i64> {
    let (weekday, rest) = value.split_once(' ')?;
    let (month, rest) = rest.split_once(' ')?;
    let (day, rest) = rest.split_at_checked(2)?;
    let (clock, year) = rest.strip_prefix(' ')?.split_once(' ')?;
    if !SHORT_DAYS.contains(&weekday) {
        return None;
    }
    let day = match day.strip_prefix(' ') {
        Some(digit) => number(digit, 1)?,
        None => number(day, 2)?,
    };
    seconds((number(year, 4)?, month_number(month)?, day), clock)
}

/// A two-digit year that would lie more than 50 years ahead is of the century before.
fn full_year(short: i16, now_unix: i64) -> Option<i16> {
    let now = jiff::Timestamp::from_second(now_unix).ok()?;
    let this_year = TimeZone::UTC.to_datetime(now).year();
    let year = this_year - this_year % 100 + short;
    Some(if year > this_year + 50 {
        year - 100
    } else {
        year
    })
}

fn seconds((year, month, day): (i16, i8, i16), clock: &str) -> Option<i64> {
    let date = Date::new(year, month, i8::try_from(day).ok()?).ok()?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let part = |text| i8::try_from(number(text, 2)?).ok();
    // The grammar admits a leap second, which no clock here counts.
    let second = match part(second)? {
        60 => 59,
        second => second,
    };
    let time = Time::new(part(hour)?, part(minute)?, second, 0).ok()?;
    let moment = DateTime::from_parts(date, time);
    // The last day of the year 9999, which some mean by "never", is beyond what can be counted.
    let moment = TimeZone::UTC.to_timestamp(moment);
    Some(moment.unwrap_or(jiff::Timestamp::MAX).as_second())
}

fn month_number(name: &str) -> Option<i8> {
    i8::try_from(MONTHS.iter().position(|month| *month == name)? + 1).ok()
}

fn number(text: &str, digits: usize) -> Option<i16> {
    let exact = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    exact.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06T08:49:37Z, the moment of the RFC's examples.
    const EXAMPLE: i64 = 784_111_777;

    fn wait(value: &str) -> Option<u64> {
        retry_after(value, EXAMPLE - 120).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_as_they_are() {
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("99999999999999999999999999"), Some(u64::MAX));
    }

    #[test]
    fn the_end_of_the_last_year_is_far_away() {
        let wait = wait("Fri, 31 Dec 9999 23:59:59 GMT").unwrap();
        assert!(wait > 8000 * 365 * 86_400, "{wait}");
    }

    #[test]
    fn all_three_forms_of_a_date_name_the_same_moment() {
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(120));
        assert_eq!(wait("Sunday, 06-Nov-94 08:49:37 GMT"), Some(120));
        assert_eq!(wait("Sun Nov  6 08:49:37 1994"), Some(120));
        assert_eq!(wait("Wed Nov 16 08:49:37 1994"), Some(120 + 864_000));
    }

    #[test]
    fn a_date_in_the_past_means_now() {
        let now = 1_790_000_000;
        for past in [
            "Wed, 21 Oct 2015 07:28:00 GMT",
            "Fri, 31 Dec 1999 23:59:59 GMT",
        ] {
            assert_eq!(retry_after(past, now), Some(Duration::ZERO));
        }
    }

    #[test]
    fn a_short_year_far_ahead_is_of_the_past_century() {
        let in_2026 = 1_790_000_000;
        let past = retry_after("Sunday, 06-Nov-94 08:49:37 GMT", in_2026);
        assert_eq!(past, Some(Duration::ZERO));
        let ahead = retry_after("Friday, 06-Nov-76 08:49:37 GMT", in_2026).unwrap();
        assert!(ahead > Duration::from_secs(49 * 365 * 86_400));
    }

    #[test]
    fn anything_else_is_ignored() {
        for value in [
            "",
            "-1",
            "1.5",
            "120s",
            "120, 60",
            "+5",
            "soon",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
        ] {
            assert_eq!(wait(value), None, "{value:?}");
        }
    }

    proptest::proptest! {
        /// Nothing makes it panic, not even a clock that is far off.
        #[test]
        fn no_value_and_no_clock_are_too_strange(
            value in "([A-Z][a-z]{2,8},? ?)?[0-9]{0,22}[ -~é]{0,24}|Sun, [0-9]{2} Nov [0-9]{4} [0-9:]{8} GMT|Sunday, [0-9]{2}-Nov-[0-9]{2} [0-9:]{8} GMT",
            now: i64,
        ) {
            let _any = retry_after(&value, now);
            let seconds = value.trim_matches([' ', '\t']);
            if !seconds.is_empty() && seconds.bytes().all(|b| b.is_ascii_digit()) {
                proptest::prop_assert!(retry_after(&value, now).is_some());
            }
        }
    }
}
