//! What looking things up means.

mod attempts;
mod messages;
mod reach;
mod standing;

use std::time::Duration;

use ringbolt_model::{AppId, AttemptId, EndpointId, MessageId};

use self::attempts::{
    attempts_at_a_message_are_filtered, attempts_at_an_endpoint_are_listed_whatever_is_folded,
};
use self::messages::{
    an_event_id_finds_the_newest_message, content_is_given_on_demand,
    filters_narrow_messages_and_pages_stay_bounded, messages_are_listed_both_ways_page_by_page,
    what_an_endpoint_is_owed_is_listed_whatever_is_folded,
};
use self::reach::{
    expunged_answers_are_gone_and_the_rest_stays, expunged_content_is_gone_and_the_rest_stays,
    nothing_is_found_through_another_application,
};
use self::standing::{
    a_delivery_stands_the_same_in_every_list, counts_are_by_hour, counts_follow_deliveries,
    deliveries_to_a_deleted_endpoint_read_as_cancelled,
};
use super::{Bench, Ground, run};
use crate::{AttemptFilter, Listing, MessageFilter, Order, Page, StoreError};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        messages_are_listed_both_ways_page_by_page,
        filters_narrow_messages_and_pages_stay_bounded,
        an_event_id_finds_the_newest_message,
        content_is_given_on_demand,
        what_an_endpoint_is_owed_is_listed_whatever_is_folded,
        attempts_at_an_endpoint_are_listed_whatever_is_folded,
        attempts_at_a_message_are_filtered,
        a_delivery_stands_the_same_in_every_list,
        deliveries_to_a_deleted_endpoint_read_as_cancelled,
        counts_follow_deliveries,
        counts_are_by_hour,
        expunged_content_is_gone_and_the_rest_stays,
        expunged_answers_are_gone_and_the_rest_stays,
        nothing_is_found_through_another_application,
    );
}

const BOTH: [Order; 2] = [Order::Ascending, Order::Descending];

/// Lets everything written so far grow old enough to be folded, and tidies until nothing is left.
async fn settle_down(bench: &Bench) {
    bench.pass(Duration::from_secs(10));
    while bench
        .store
        .tidy(bench.now())
        .await
        .expect("it is tidied")
        .more
    {}
}

/// All items of a list, gathered in pages of so many.
async fn walk<T, K: Copy + PartialEq + std::fmt::Debug>(
    limit: usize,
    order: Order,
    fetch: impl AsyncFn(Page<K>) -> Result<Listing<T, K>, StoreError>,
) -> Vec<T> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let listing = fetch(Page {
            limit,
            order,
            after,
        })
        .await
        .expect("a page is read");
        assert!(listing.items.len() <= limit);
        items.extend(listing.items);
        if listing.done {
            return items;
        }
        assert_ne!(listing.reached, after, "a page goes on");
        after = listing.reached;
    }
}

fn in_order<K: Copy>(keys: &[K], order: Order) -> Vec<K> {
    match order {
        Order::Ascending => keys.to_vec(),
        Order::Descending => keys.iter().rev().copied().collect(),
    }
}

async fn messages_of(bench: &Bench, app: AppId, filter: &MessageFilter) -> Vec<MessageId> {
    let found = walk(50, Order::Ascending, async |page| {
        bench.store.messages(app, filter.clone(), page).await
    });
    found.await.iter().map(|message| message.id).collect()
}

async fn owed(bench: &Bench, endpoint: EndpointId, filter: &MessageFilter) -> Vec<MessageId> {
    let found = walk(50, Order::Ascending, async |page| {
        bench
            .store
            .endpoint_messages(endpoint, filter.clone(), page)
            .await
    });
    found.await.iter().map(|(message, _)| message.id).collect()
}

async fn attempts_at(
    bench: &Bench,
    endpoint: EndpointId,
    filter: &AttemptFilter,
) -> Vec<AttemptId> {
    let found = walk(50, Order::Ascending, async |page| {
        bench
            .store
            .endpoint_attempts(endpoint, filter.clone(), page)
            .await
    });
    found.await.iter().map(|attempt| attempt.id).collect()
}
