//! So many lines of one kind in the log each second: what happens to many at once is counted instead.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Says who may write a line.
#[derive(Debug)]
pub struct LineLimit {
    most: u32,
    second: Mutex<Second>,
}

/// The second that runs.
#[derive(Debug)]
struct Second {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl LineLimit {
    /// At most so many lines a second.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        let second = Second {
            began: None,
            lines: 0,
            left_out: 0,
        };
        Self {
            most,
            second: Mutex::new(second),
        }
    }

    /// Takes a line of this second: how many were left out before it, or nothing if it is to be left out.
    pub fn line(&self) -> Option<u64> {
        self.line_at(Instant::now())
    }

    fn line_at(&self, now: Instant) -> Option<u64> {
        let mut second = self.second.lock();
        let lasts = |began: Instant| now.duration_since(began) < Duration::from_secs(1);
        if !second.began.is_some_and(lasts) {
            second.began = Some(now);
            second.lines = 0;
        }
        if second.lines == self.most {
            second.left_out += 1;
            return None;
        }
        second.lines += 1;
        Some(std::mem::take(&mut second.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_happens_a_thousand_times_at_once_most_is_counted_instead_of_written() {
        let (limit, began) = (LineLimit::new(20), Instant::now());
        let written = (0..1000).filter(|_| limit.line_at(began).is_some()).count();
        assert_eq!(written, 20);
        let later = began + Duration::from_secs(1);
        assert_eq!(limit.line_at(later), Some(980));
        assert_eq!(limit.line_at(later), Some(0));
    }
}
