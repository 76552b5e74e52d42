//! States, reasons, failures and timings as columns hold them.

use std::time::Duration;

use ringbolt_model::{AttemptFailure, DeliveryState, FinalReason, Timings};

use crate::Settled;

/// A number in a column that stands for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no {0} has this code")]
pub(crate) struct UnknownCode(pub(crate) &'static str);

/// A failure: its place in the model's list, which only grows at its end.
pub(crate) fn failure_code(failure: AttemptFailure) -> i16 {
    let place = AttemptFailure::ALL.iter().position(|one| *one == failure);
    place
        .and_then(|place| i16::try_from(place).ok())
        .expect("every failure is in the list")
}

/// Reads a failure.
pub(crate) fn failure(code: i64) -> Result<AttemptFailure, UnknownCode> {
    let place = usize::try_from(code).ok();
    place
        .and_then(|place| AttemptFailure::ALL.get(place))
        .copied()
        .ok_or(UnknownCode("failure"))
}

/// Timings: five spans of microseconds in four bytes each; all bits set stand for a part that did not
/// happen.
pub(crate) fn timings_column(timings: &Timings) -> [u8; 20] {
    let Timings {
        dns,
        connect,
        tls,
        first_byte,
        total,
    } = *timings;
    let mut column = [0; 20];
    for (place, span) in column
        .chunks_mut(4)
        .zip([dns, connect, tls, first_byte, Some(total)])
    {
        let micros = |span: Duration| u32::try_from(span.as_micros()).unwrap_or(u32::MAX - 1);
        place.copy_from_slice(&span.map_or(u32::MAX, micros).to_be_bytes());
    }
    column
}

/// Reads timings.
pub(crate) fn timings(column: &[u8]) -> Result<Timings, UnknownCode> {
    let span = |part: usize| {
        let micros = column
            .as_chunks()
            .0
            .get(part)
            .map(|four| u32::from_be_bytes(*four));
        micros
            .filter(|micros| *micros != u32::MAX)
            .map(|micros| Duration::from_micros(micros.into()))
    };
    Ok(Timings {
        dns: span(0),
        connect: span(1),
        tls: span(2),
        first_byte: span(3),
        total: span(4).ok_or(UnknownCode("timing"))?,
    })
}

/// What became of a delivery, as an attempt tells it.
pub(crate) const fn settled_code(settled: Settled) -> i16 {
    match settled {
        Settled::Delivered => 0,
        Settled::Retry { .. } => 1,
        Settled::Failed(_) => 2,
        Settled::Waits => 3,
        Settled::Cancelled => 4,
    }
}

/// A delivery's state.
pub(crate) const fn state_code(state: DeliveryState) -> i16 {
    match state {
        DeliveryState::Pending => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::Failed => 2,
        DeliveryState::Cancelled => 3,
    }
}

/// Reads a delivery's state.
pub(crate) const fn state(code: i64) -> Result<DeliveryState, UnknownCode> {
    match code {
        0 => Ok(DeliveryState::Pending),
        1 => Ok(DeliveryState::Delivered),
        2 => Ok(DeliveryState::Failed),
        3 => Ok(DeliveryState::Cancelled),
        _ => Err(UnknownCode("state")),
    }
}

/// Why a delivery ended.
pub(crate) const fn reason_code(reason: FinalReason) -> i16 {
    match reason {
        FinalReason::Exhausted => 0,
        FinalReason::Expired => 1,
        FinalReason::Deleted => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_survive_their_column() {
        let some = Timings {
            dns: None,
            connect: Some(Duration::from_micros(12)),
            tls: None,
            first_byte: Some(Duration::from_millis(30)),
            total: Duration::from_secs(15),
        };
        assert_eq!(timings(&timings_column(&some)), Ok(some));
        assert!(timings(&[]).is_err());
    }

    #[test]
    fn every_failure_and_state_survives_its_code() {
        for one in AttemptFailure::ALL {
            assert_eq!(failure(failure_code(one).into()), Ok(one));
        }
        for one in [
            DeliveryState::Pending,
            DeliveryState::Delivered,
            DeliveryState::Failed,
            DeliveryState::Cancelled,
        ] {
            assert_eq!(state(state_code(one).into()), Ok(one));
        }
    }
}
