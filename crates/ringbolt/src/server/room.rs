//! Who makes room when answers hold too much: whoever holds most, for longest.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

use super::activity::{Activity, Order};

/// A connection with answers that its client has not taken.
struct Holding<'a> {
    activity: &'a Arc<Activity>,
    holder: u64,
    bytes: usize,
    weight: u64,
}

/// Ends connections until `bytes` are on their way back: those first whose token holds most over all of its
/// connections, and of these those that hold most. Bytes weigh more with every second in which little of them
/// is taken. Whoever asks is never ended, and nobody for it who holds less. Says whether that many bytes are.
pub(super) fn make_room<'a>(
    all: impl Iterator<Item = &'a Arc<Activity>>,
    asking: &Arc<Activity>,
    now: u32,
    bytes: usize,
) -> bool {
    let (mut leaving, mut held) = (0, Vec::new());
    let mut of_holder = HashMap::<u64, u64>::new();
    for activity in all {
        let bytes = activity.unread.bytes();
        if activity.is_ending() {
            leaving += bytes;
        } else if bytes > 0 {
            let (holder, weight) = (activity.holder(), activity.weight(now));
            *of_holder.entry(holder).or_default() += weight;
            held.push(Holding {
                activity,
                holder,
                bytes,
                weight,
            });
        }
    }
    let asks = |one: &Holding<'_>| ptr::eq(Arc::as_ptr(one.activity), Arc::as_ptr(asking));
    held.sort_unstable_by_key(|one| {
        let of_holder = of_holder.get(&one.holder).copied();
        Reverse((of_holder, one.holder, one.weight, asks(one)))
    });
    for one in held.into_iter().take_while(|one| !asks(one)) {
        if leaving >= bytes {
            break;
        }
        if one.activity.tell(Order::Close) {
            leaving += one.bytes;
        }
    }
    leaving >= bytes
}
