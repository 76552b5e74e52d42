//! The part of a list's keys that a page may look at.

use std::time::Duration;

use ringbolt_model::{Timestamp, id};

use crate::{Order, Page};

/// Ids know their time to the millisecond.
const MILLISECOND: Duration = Duration::from_millis(1);
const MICROSECOND: Duration = Duration::from_micros(1);

/// An id as a column holds it.
const fn to_column(raw: u64) -> i64 {
    raw.cast_signed()
}

/// Ids from `low` to `high`, both included, as columns hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Span {
    /// Of a page: beyond its key, made before and after these moments.
    pub(crate) fn of<K: Copy>(
        page: &Page<K>,
        raw: impl Fn(K) -> u64,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
    ) -> Self {
        let mut span = Self {
            low: 0,
            high: i64::MAX,
        };
        if let Some(key) = page.after {
            let key = to_column(raw(key));
            match page.order {
                Order::Ascending => span.low = key.saturating_add(1),
                Order::Descending => span.high = key.saturating_sub(1),
            }
        }
        if let Some(moment) = after {
            span.low = span
                .low
                .max(to_column(id::at_millisecond(moment + MILLISECOND)));
        }
        if let Some(moment) = before {
            let first_not_before = id::at_millisecond(moment + (MILLISECOND - MICROSECOND));
            span.high = span.high.min(to_column(first_not_before).saturating_sub(1));
        }
        span
    }

    /// The part up to `watermark`, and the part beyond it.
    pub(crate) fn split(self, watermark: i64) -> (Self, Self) {
        let folded = Self {
            high: self.high.min(watermark),
            ..self
        };
        let tail = Self {
            low: self.low.max(watermark.saturating_add(1)),
            ..self
        };
        (folded, tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringbolt_model::MessageId;

    #[test]
    fn moments_become_bounds_of_ids() {
        let moment = Timestamp::from_millis(1_800_000_000_123);
        let first_at = |moment| to_column(id::at_millisecond(moment));
        let page = Page {
            limit: 1,
            order: Order::Ascending,
            after: None,
        };
        let span = |after, before| Span::of(&page, MessageId::raw, after, before);
        assert_eq!(span(None, Some(moment)).high, first_at(moment) - 1);
        assert_eq!(span(Some(moment), None).low, first_at(moment + MILLISECOND));
        let within = moment + MICROSECOND;
        assert_eq!(
            span(None, Some(within)).high,
            first_at(moment + MILLISECOND) - 1
        );
        assert_eq!(span(Some(within), None).low, first_at(moment + MILLISECOND));
    }

    #[test]
    fn a_page_goes_on_beyond_its_key_in_its_direction() {
        let page = |order| Page {
            limit: 1,
            order,
            after: Some(MessageId::from(10)),
        };
        let span = |order| Span::of(&page(order), MessageId::raw, None, None);
        assert_eq!(span(Order::Ascending).low, 11);
        assert_eq!(span(Order::Descending).high, 9);
    }

    #[test]
    fn a_watermark_belongs_to_the_folded_part() {
        let (folded, tail) = Span { low: 1, high: 9 }.split(4);
        assert_eq!(
            (folded, tail),
            (Span { low: 1, high: 4 }, Span { low: 5, high: 9 })
        );
        let (folded, _) = Span { low: 5, high: 9 }.split(4);
        assert!(folded.low > folded.high);
    }
}
