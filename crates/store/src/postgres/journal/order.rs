//! Batches that are written side by side are told in the order in which they were taken.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::Receipt;

/// What was written early and waits for what was taken before it.
#[derive(Debug, Default)]
pub(super) struct Order(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// The number of the batch that is told next.
    next: u64,
    early: BTreeMap<u64, Vec<Receipt>>,
}

impl Order {
    /// A batch has been written: tells it, and those that waited for it; or lets it wait for those before it.
    pub(super) fn written(&self, number: u64, receipts: Vec<Receipt>, tell: impl Fn(Vec<Receipt>)) {
        let mut waiting = self.0.lock();
        waiting.early.insert(number, receipts);
        loop {
            let next = waiting.next;
            let Some(receipts) = waiting.early.remove(&next) else {
                return;
            };
            waiting.next += 1;
            tell(receipts);
        }
    }
}

#[cfg(test)]
mod tests {
    use ringbolt_model::{DeliveryKey, EndpointId, MessageId};

    use super::*;

    fn receipt(number: u64) -> Vec<Receipt> {
        let (message, endpoint) = (MessageId::from(number), EndpointId::from(1));
        let delivery = DeliveryKey { message, endpoint };
        vec![Receipt::Disowned { delivery }]
    }

    #[test]
    fn what_was_taken_first_is_told_first() {
        let (order, told) = (Order::default(), Mutex::new(Vec::new()));
        let tell = |receipts: Vec<Receipt>| {
            for receipt in receipts {
                if let Receipt::Disowned { delivery } = receipt {
                    told.lock().push(delivery.message.raw());
                }
            }
        };
        order.written(1, receipt(11), tell);
        order.written(2, receipt(12), tell);
        assert!(told.lock().is_empty());
        order.written(0, receipt(10), tell);
        order.written(3, receipt(13), tell);
        assert_eq!(*told.lock(), [10, 11, 12, 13]);
    }
}
