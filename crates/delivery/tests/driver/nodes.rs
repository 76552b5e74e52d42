//! Promises of the driver where several nodes share the store.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_delivery::{KeyNews, Refused};
use ringbolt_model::{AppId, DisableReason, EndpointId};
use ringbolt_store::{AppRef, EndpointRef, LaneWork, News, StoreError};

use crate::machine::{Machine, Script, draft};

/// Waits until it is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(120), waited).await;
    assert!(waited.is_ok(), "{what}");
}

/// Routes are in memory; then another node adds an endpoint of which nothing is heard.
async fn added_unheard(machine: &Machine, app: AppId) -> EndpointId {
    let endpoint = machine.add_endpoint(app).await.id;
    machine.others.version.fetch_add(1, SeqCst);
    endpoint
}

#[tokio::test]
async fn a_message_obeys_a_change_of_another_node_that_was_not_heard_of() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let first = machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    let second = machine.add_endpoint(app.id).await.id;
    machine.others.moves.store(1, SeqCst);
    let message = machine.send(&app).await;
    let mut arrived = machine.arrived(3).await.split_off(1);
    arrived.sort_unstable();
    assert_eq!(arrived, [(first, message), (second, message)]);
    assert_eq!(machine.others.stale.load(SeqCst), 1);
    machine.send(&app).await;
    assert_eq!(machine.others.stale.load(SeqCst), 1, "it is known now");
    machine.arrived(5).await;
    machine.held_nothing().await;
    machine.stop().await;
}

#[tokio::test]
async fn a_local_change_does_not_hide_one_of_another_node() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    let unheard = added_unheard(&machine, app.id).await;
    machine.endpoint(app.id).await;
    machine.send(&app).await;
    let arrived = machine.arrived(4).await;
    assert!(arrived.iter().any(|(endpoint, _)| *endpoint == unheard));
    machine.stop().await;
}

#[tokio::test]
async fn a_message_that_cannot_follow_the_changes_is_refused_and_takes_no_room() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    machine.others.moves.store(u32::MAX, SeqCst);
    let refused = machine.handle.accept(&app, draft(None)).await;
    assert_eq!(refused, Err(Refused::Stale));
    assert_eq!(machine.others.stale.load(SeqCst), 5);
    machine.others.moves.store(2, SeqCst);
    let endpoint = machine.stored(app.id, endpoint).await;
    let taken = machine
        .handle
        .accept_for(&app, &endpoint, draft(None))
        .await;
    let taken = taken.expect("the third time it is up to date");
    assert_eq!(machine.arrived(2).await[1], (endpoint.id, taken.id));
    machine.held_nothing().await;
    machine.stop().await;
}

#[tokio::test]
async fn a_node_that_may_not_accept_says_so() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.others.refuses.store(true, SeqCst);
    let refused = machine.handle.accept(&app, draft(None)).await;
    assert!(matches!(
        refused,
        Err(Refused::Store(StoreError::Unavailable(_)))
    ));
    machine.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_while_the_lease_does_not_hold() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.endpoint(app.id).await;
    machine.others.lapsed.store(true, SeqCst);
    assert!(!machine.handle.status().lease_held);
    let message = machine.send(&app).await;
    let held = || machine.handle.status().lanes.in_flight == 1;
    until("the engine wants it sent", held).await;
    let asked = machine.others.asked_of_lease.load(SeqCst);
    let again = || machine.others.asked_of_lease.load(SeqCst) >= asked + 3;
    until("several looks at the lease come and go", again).await;
    assert_eq!(machine.script.begun.load(Relaxed), 0);
    machine.others.lapsed.store(false, SeqCst);
    assert_eq!(machine.arrived(1).await[0].1, message);
    machine.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_another_node_disables_gets_nothing_more() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    let (store, now) = (machine.handle.store(), machine.handle.now());
    let disabled = store.disable_endpoint(endpoint, DisableReason::Manual, now);
    assert!(disabled.await.expect("it is written"));
    machine.others.tell(News::Endpoint(app.id, endpoint));
    let lane = || machine.handle.lane(endpoint);
    let is_disabled = || lane().is_some_and(|l| l.state == ringbolt_delivery::LaneState::Disabled);
    until("the lane is disabled", is_disabled).await;
    machine.stop().await;
}

#[tokio::test]
async fn the_lane_of_an_endpoint_that_another_node_deletes_goes() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    let deleted = machine
        .handle
        .store()
        .delete_endpoint(app.id, EndpointRef::Id(endpoint));
    deleted.await.expect("deleted");
    machine.others.tell(News::Endpoint(app.id, endpoint));
    until("the lane goes", || machine.handle.lane(endpoint).is_none()).await;
    machine.stop().await;
}

#[tokio::test]
async fn an_application_that_another_node_deletes_goes_with_its_lanes() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    let deleted = machine
        .handle
        .store()
        .delete_application(AppRef::Id(app.id));
    deleted.await.expect("deleted");
    machine.others.tell(News::Application(app.id));
    until("the lane goes", || machine.handle.lane(endpoint).is_none()).await;
    let by_id = AppRef::Id(app.id);
    assert!(machine.handle.application_in_memory(&by_id).is_none());
    machine.stop().await;
}

#[tokio::test]
async fn when_news_may_be_missed_everything_is_looked_at() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    machine
        .handle
        .hear_of_keys(move |news| hears.lock().push(news));
    machine.others.tell(News::Key(7.into()));
    assert_eq!(*heard.lock(), [KeyNews::Key(7.into())]);
    let deleted = machine
        .handle
        .store()
        .delete_endpoint(app.id, EndpointRef::Id(endpoint));
    deleted.await.expect("deleted");
    let other = added_unheard(&machine, app.id).await;
    machine.others.tell(News::Everything);
    until("the lane goes", || machine.handle.lane(endpoint).is_none()).await;
    assert_eq!(heard.lock().last(), Some(&KeyNews::All));
    let message = machine.send(&app).await;
    assert_eq!(machine.arrived(2).await[1], (other, message));
    assert_eq!(
        machine.others.stale.load(SeqCst),
        0,
        "routes were read again"
    );
    machine.stop().await;
}

#[tokio::test]
async fn rows_that_were_taken_over_are_sent() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    let message = machine.send(&app).await;
    machine.arrived(1).await;
    until("it is written", || machine.handle.status().unwritten == 0).await;
    // Due again, as if it had been another node's.
    let (store, now) = (machine.handle.store(), machine.handle.now());
    let due = store
        .resend(app.id, message, endpoint, now)
        .await
        .expect("due");
    machine
        .others
        .tell(News::Lanes(vec![LaneWork { endpoint, due }]));
    assert_eq!(machine.arrived(2).await, [(endpoint, message); 2]);
    machine.stop().await;
}

#[tokio::test]
async fn a_node_that_was_disowned_drops_what_it_has_and_begins_anew() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.send(&app).await;
    machine.arrived(1).await;
    until("it is written", || machine.handle.status().unwritten == 0).await;
    machine.script.close_gate();
    machine.send(&app).await;
    let begun = |script: &Script| script.begun.load(Relaxed) == 2;
    machine.script.until(begun).await;
    machine.others.lapsed.store(true, SeqCst);
    machine.others.fenced.store(true, SeqCst);
    let held_back = machine.send(&app).await;
    until("one is held back", || {
        machine.handle.status().lanes.in_flight == 2
    })
    .await;
    let looked = machine.others.looked_for_lanes.load(SeqCst);
    machine.others.tell(News::Disowned);
    assert!(machine.handle.lane(endpoint).is_none());
    assert_eq!(machine.handle.status().lanes.deliveries, 0);
    machine.script.gate.add_permits(1000);
    machine.arrived(2).await;
    machine.others.slot.store(9, SeqCst);
    machine.others.fenced.store(false, SeqCst);
    machine.others.lapsed.store(false, SeqCst);
    let looks = || machine.others.looked_for_lanes.load(SeqCst) > looked;
    until("it looks for what is its own", looks).await;
    let message = machine.send(&app).await;
    assert!(message > held_back);
    assert_eq!(message.raw() & 1023, 9, "its ids are of its new number");
    let arrived = machine.arrived(3).await;
    assert_eq!(
        arrived[2],
        (endpoint, message),
        "what was held back is others'"
    );
    assert_eq!(
        machine.others.disowned.load(SeqCst),
        0,
        "it told nothing of the old"
    );
    machine.stop().await;
}

#[tokio::test]
async fn an_outcome_that_was_not_recorded_is_waited_for_no_longer() {
    let machine = Machine::new().await;
    machine.others.fenced.store(true, SeqCst);
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.script.fail(endpoint, 1);
    machine.send(&app).await;
    let disowned = || machine.others.disowned.load(SeqCst) > 0;
    until("its outcome is refused", disowned).await;
    until("nothing waits", || machine.handle.status().unwritten == 0).await;
    machine.held_nothing().await;
    machine.stop().await;
}

#[tokio::test]
async fn what_a_node_is_doing_is_reported_and_at_the_end_it_leaves() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.endpoint(app.id).await;
    machine.script.close_gate();
    machine.send(&app).await;
    let busy = |machine: &Machine| {
        let loads = machine.others.loads.lock();
        loads
            .last()
            .is_some_and(|load| (load.lanes, load.in_flight, load.pending) == (1, 1, 1))
    };
    until("it says so", || busy(&machine)).await;
    machine.script.gate.add_permits(1000);
    until("it says that all is done", || {
        machine.others.loads.lock().last() == Some(&Default::default())
    })
    .await;
    let others = machine.others.clone();
    assert!(!others.left.load(SeqCst));
    machine.stop().await;
    assert!(others.left.load(SeqCst));
}
