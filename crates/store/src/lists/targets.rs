//! Pages of a message's targets.

use ringbolt_model::EndpointId;

use crate::{Order, Page};

/// The targets on this page, and whether none follow.
pub(crate) fn part_of(mut targets: Vec<u64>, page: &Page<EndpointId>) -> (Vec<EndpointId>, bool) {
    targets.sort_unstable();
    targets.dedup();
    if page.order == Order::Descending {
        targets.reverse();
    }
    let beyond = |target: &u64| match (page.after, page.order) {
        (None, _) => true,
        (Some(key), Order::Ascending) => *target > key.raw(),
        (Some(key), Order::Descending) => *target < key.raw(),
    };
    targets.retain(beyond);
    let done = targets.len() <= page.limit;
    targets.truncate(page.limit);
    (targets.into_iter().map(EndpointId::from).collect(), done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(order: Order, after: Option<u64>) -> (Vec<u64>, bool) {
        let page = Page {
            limit: 2,
            order,
            after: after.map(EndpointId::from),
        };
        let (part, done) = part_of(vec![3, 1, 2, 2], &page);
        (part.into_iter().map(EndpointId::raw).collect(), done)
    }

    #[test]
    fn targets_are_paged_in_order_and_each_once() {
        assert_eq!(part(Order::Ascending, None), (vec![1, 2], false));
        assert_eq!(part(Order::Ascending, Some(2)), (vec![3], true));
        assert_eq!(part(Order::Descending, None), (vec![3, 2], false));
        assert_eq!(part(Order::Descending, Some(2)), (vec![1], true));
    }
}
