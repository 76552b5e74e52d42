//! What is fresh, what is stale, and what a change in the middle of a reading does.

use ringbolt_model::{Metadata, Timestamp, Uid};

use super::*;

fn app(uid: Option<&str>) -> Application {
    Application {
        id: AppId::from(1),
        uid: uid.map(|uid| uid.parse::<Uid>().unwrap()),
        name: "test".into(),
        throttle_rate: None,
        metadata: Metadata::default(),
        updated_at: Timestamp::default(),
    }
}

fn endpoint(id: u64) -> Endpoint {
    Endpoint {
        id: EndpointId::from(id),
        app: AppId::from(1),
        uid: None,
        url: "https://example.com/".into(),
        description: String::new(),
        subscription: Subscription::default(),
        disabled: None,
        throttle_rate: None,
        concurrency: None,
        schedule: None,
        signature_headers: None,
        metadata: Metadata::default(),
        failing: None,
        updated_at: Timestamp::default(),
    }
}

fn by_id() -> AppRef {
    AppRef::Id(1.into())
}

/// A cache in which the application has been read, with endpoints 2, 4 and 6.
fn cache() -> Cache {
    let mut cache = Cache::default();
    assert!(cache.begin(1.into()).all);
    let endpoints = [2, 4, 6].map(|id| Route::new(endpoint(id))).to_vec();
    let read = Read::All(app(Some("a")), endpoints);
    cache.keep(1.into(), |before| read.over(before));
    cache
}

fn ids(routes: &Routes) -> Vec<u64> {
    let targets = routes.matching(&"test".parse().unwrap(), &[]);
    targets.iter().map(|target| target.endpoint.raw()).collect()
}

#[test]
fn only_what_changed_is_read_again_and_order_is_kept() {
    let mut cache = cache();
    for id in [4, 5, 6] {
        cache.endpoint_changed(1.into(), id.into());
    }
    assert!(cache.fresh(&by_id()).is_none());
    assert!(cache.application(&by_id()).is_some(), "it did not change");
    let stale = cache.begin(1.into());
    assert_eq!((stale.all, stale.application), (false, false));
    let found = |id: &EndpointId| (id.raw() != 6).then(|| endpoint(id.raw()));
    let changes = stale.endpoints.iter().map(|id| (*id, found(id))).collect();
    let read = Read::Changes(None, changes);
    cache.keep(1.into(), |before| read.over(before));
    assert_eq!(ids(&cache.fresh(&by_id()).unwrap()), [2, 4, 5]);
}

#[test]
fn whoever_holds_routes_keeps_them_as_they_are() {
    let mut cache = cache();
    let held = cache.fresh(&by_id()).unwrap();
    cache.endpoint_changed(1.into(), 2.into());
    cache.begin(1.into());
    let read = Read::Changes(None, vec![(2.into(), None)]);
    let new = cache.keep(1.into(), |before| read.over(before));
    assert_eq!((ids(&held), ids(&new)), (vec![2, 4, 6], vec![4, 6]));
}

#[test]
fn what_changes_during_a_reading_is_stale_after_it() {
    let mut cache = cache();
    cache.endpoint_changed(1.into(), 2.into());
    cache.begin(1.into());
    cache.endpoint_changed(1.into(), 2.into());
    cache.endpoint_changed(1.into(), 4.into());
    let read = Read::Changes(None, vec![(2.into(), Some(endpoint(2)))]);
    cache.keep(1.into(), |before| read.over(before));
    assert!(cache.fresh(&by_id()).is_none());
    let again = cache.begin(1.into()).endpoints;
    assert_eq!(again, [2, 4].map(EndpointId::from).into());
}

#[test]
fn a_reading_that_is_given_up_leaves_everything_stale() {
    let mut cache = cache();
    cache.application_changed(1.into());
    cache.endpoint_changed(1.into(), 2.into());
    cache.begin(1.into());
    assert!(cache.application(&by_id()).is_none(), "the old one is out");
    cache.endpoint_changed(1.into(), 4.into());
    cache.give_up(1.into());
    let stale = cache.begin(1.into());
    assert!(stale.application && !stale.all);
    assert_eq!(stale.endpoints, [2, 4].map(EndpointId::from).into());
}

#[test]
fn an_application_is_not_found_by_a_uid_that_it_may_have_lost() {
    let mut cache = cache();
    let by_uid = AppRef::Uid("a".parse().unwrap());
    assert!(cache.fresh(&by_uid).is_some());
    cache.application_changed(1.into());
    assert!(cache.fresh(&by_uid).is_none() && cache.application(&by_uid).is_none());
    cache.begin(1.into());
    let read = Read::Changes(Some(app(Some("b"))), Vec::new());
    cache.keep(1.into(), |before| read.over(before));
    let by_new = AppRef::Uid("b".parse().unwrap());
    assert!(cache.fresh(&by_uid).is_none() && cache.fresh(&by_new).is_some());
}

#[test]
fn very_many_changes_make_all_stale() {
    let mut cache = cache();
    for id in 0..300 {
        cache.endpoint_changed(1.into(), id.into());
    }
    assert!(cache.begin(1.into()).all);
}

#[test]
fn an_application_that_is_deleted_while_it_is_read_is_read_again() {
    let mut cache = cache();
    let reader = cache.reader(1.into());
    cache.begin(1.into());
    cache.application_deleted(1.into());
    let read = Read::Changes(None, Vec::new());
    cache.keep(1.into(), |before| read.over(before));
    assert!(cache.fresh(&by_id()).is_none());
    drop(reader);
    cache.application_deleted(1.into());
    assert!(cache.begin(1.into()).all);
}
