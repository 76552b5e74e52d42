//! Slows down whoever guesses tokens: each address may miss so often.

use std::net::IpAddr;

use parking_lot::Mutex;
use ringbolt_model::Timestamp;

use crate::generations::Generations;

/// How many addresses are remembered.
const ADDRESSES: usize = 10_000;
/// How many misses in a row are free.
const BURST: i64 = 30;
/// One more is free after each such time, in microseconds.
const PACE: i64 = 1_000_000;

/// Counts tokens that had to be looked up and were unknown, by address. A wrong token that is sent
/// again costs nothing (it is remembered as unknown), so a misconfigured client does not shut out its
/// neighbours behind the same address.
pub(crate) struct Throttle {
    /// For each address the moment at which all its misses are forgiven, in microseconds.
    forgiven_at: Generations<IpAddr, i64>,
    step: Mutex<()>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            forgiven_at: Generations::new(ADDRESSES),
            step: Mutex::new(()),
        }
    }

    /// Whether this address has missed too often to be looked up now.
    pub(crate) fn closed(&self, address: IpAddr, now: Timestamp) -> bool {
        let debt = self.forgiven_at.get(&network(address)).unwrap_or(0) - now.as_micros();
        debt > BURST * PACE
    }

    /// Counts a miss.
    pub(crate) fn missed(&self, address: IpAddr, now: Timestamp) {
        let _alone = self.step.lock();
        let address = network(address);
        let forgiven = self
            .forgiven_at
            .get(&address)
            .unwrap_or(0)
            .max(now.as_micros());
        self.forgiven_at.put(address, forgiven + PACE);
    }
}

/// An IPv6 subscriber owns a whole /64, so it is counted as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_add_up_and_are_forgiven_with_time() {
        let throttle = Throttle::new();
        let (guesser, other) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let now = Timestamp::from_seconds(1_000_000);
        for _ in 0..=BURST {
            assert!(!throttle.closed(guesser, now));
            throttle.missed(guesser, now);
        }
        assert!(throttle.closed(guesser, now));
        assert!(
            throttle.closed("2001:db8::2".parse().unwrap(), now),
            "the same subscriber"
        );
        assert!(!throttle.closed(other, now));
        assert!(!throttle.closed(guesser, now + std::time::Duration::from_secs(2)));
    }
}
