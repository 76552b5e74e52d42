//! What is fresh, what is stale, what a change in the middle of a reading does, and what is held.

use ringbolt_model::{Metadata, Subscription, Timestamp, Uid};

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
    Endpoint::new(EndpointId::from(id), AppId::from(1), "https://example.com/")
}

fn by_id() -> AppRef {
    AppRef::Id(1.into())
}

/// A cache in which the application has been read, with endpoints 2, 4 and 6.
fn cache() -> Cache {
    let mut cache = Cache::new(usize::MAX);
    assert!(cache.begin(1.into()).all);
    let mut routes = Routes::new(app(Some("a")), 7);
    for id in [2, 4, 6] {
        routes.put(id.into(), Some(&endpoint(id)));
    }
    cache.keep(1.into(), |before| Read::All(routes).over(before));
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

#[test]
fn routes_of_a_version_that_the_store_refused_are_read_again_once() {
    let mut cache = cache();
    cache.outdated(1.into(), 6);
    assert!(cache.fresh(&by_id()).is_some(), "others were refused");
    cache.outdated(1.into(), 7);
    assert!(cache.fresh(&by_id()).is_none());
    assert!(cache.application(&by_id()).is_none(), "it may have changed");
    assert!(cache.begin(1.into()).all);
    let newer = Arc::new(Routes::new(app(None), 8));
    cache.keep(1.into(), |_| newer);
    cache.outdated(1.into(), 7);
    assert!(cache.fresh(&by_id()).is_some(), "that was before");
}

#[test]
fn routes_that_are_refused_while_changes_of_them_are_read_are_read_whole() {
    let mut cache = cache();
    cache.endpoint_changed(1.into(), 2.into());
    assert!(!cache.begin(1.into()).all);
    cache.outdated(1.into(), 7);
    let read = Read::Changes(None, vec![(2.into(), None)]);
    cache.keep(1.into(), |before| read.over(before));
    assert!(cache.fresh(&by_id()).is_none());
    assert!(cache.begin(1.into()).all);
}

#[test]
fn when_anything_may_have_changed_nothing_is_fresh_any_more() {
    let mut cache = cache();
    let reader = cache.reader(1.into());
    cache.begin(1.into());
    cache.forget_all();
    let read = Read::Changes(None, Vec::new());
    cache.keep(1.into(), |before| read.over(before));
    assert!(cache.fresh(&by_id()).is_none(), "it was being read");
    drop(reader);
    cache.forget_all();
    assert_eq!(cache.bytes(), 0);
}

/// An endpoint with as many event types as there may be, each with as long a name, and none of them shared.
fn wordy(id: u64) -> Endpoint {
    let name = |n| format!("{id:0>100}.{n:0>100}").parse().unwrap();
    Endpoint {
        subscription: Subscription {
            event_types: (0..500).map(name).collect(),
            ..Subscription::default()
        },
        ..endpoint(id)
    }
}

#[test]
fn long_names_take_no_room() {
    let mut routes = Routes::new(app(None), 7);
    for id in 0..20 {
        routes.put(id.into(), Some(&wordy(id)));
    }
    assert!(routes.bytes > 20 * 500 * 16, "{}", routes.bytes);
    assert!(routes.bytes < 20 * 9_000, "{}", routes.bytes);
    let wanted = |event_type: &str| {
        let targets = routes.matching(&event_type.parse().unwrap(), &[]);
        targets.iter().map(|t| t.endpoint.raw()).collect::<Vec<_>>()
    };
    assert_eq!(wanted(&format!("{:0>100}.{:0>100}", 7, 499)), [7]);
    assert_eq!(wanted(&format!("{:0>100}.{:0>100}", 7, 500)), [0; 0]);
}

#[test]
fn what_is_replaced_or_gone_takes_nothing() {
    let mut routes = Routes::new(app(Some("a")), 7);
    let empty = routes.bytes;
    routes.put(1.into(), Some(&endpoint(1)));
    let small = routes.bytes;
    routes.put(1.into(), Some(&wordy(1)));
    assert!(routes.bytes > small);
    routes.put(1.into(), Some(&endpoint(1)));
    assert_eq!(routes.bytes, small);
    routes.put(1.into(), None);
    routes.put(2.into(), None);
    assert_eq!(routes.bytes, empty);
    let mut larger = app(Some("a"));
    larger.name = "x".repeat(100);
    routes.replace(larger);
    routes.replace(app(Some("a")));
    assert_eq!(routes.bytes, empty);
}

/// Reads an application of one wordy endpoint into a cache.
fn read(cache: &mut Cache, id: u64) {
    let of_it = Application {
        id: id.into(),
        ..app(None)
    };
    let mut routes = Routes::new(of_it, 7);
    routes.put(id.into(), Some(&wordy(id)));
    drop(cache.reader(id.into()));
    cache.begin(id.into());
    cache.keep(id.into(), |_| Arc::new(routes));
}

fn held(cache: &Cache, id: u64) -> bool {
    cache.fresh(&AppRef::Id(id.into())).is_some()
}

#[test]
fn what_is_held_is_bounded_by_what_it_takes() {
    const MOST: usize = 100_000;
    let mut cache = Cache::new(MOST);
    for id in 1..100 {
        read(&mut cache, id);
        assert!(held(&cache, id), "what is needed now is held");
        assert!(cache.bytes() <= MOST);
    }
    assert!(cache.bytes() > MOST / 2);
    for id in 1..100 {
        cache.application_deleted(id.into());
    }
    assert_eq!(cache.bytes(), 0);
}

#[test]
fn who_is_asked_for_stays_and_others_make_room() {
    let mut cache = Cache::new(100_000);
    for id in 1..100 {
        read(&mut cache, id);
        assert!(held(&cache, 1));
    }
    assert!(!held(&cache, 50));
}

#[test]
fn one_that_takes_more_than_all_may_is_held_alone() {
    let mut cache = Cache::new(1);
    for id in [1, 2] {
        read(&mut cache, id);
        assert!(held(&cache, id));
    }
    assert!(!held(&cache, 1));
}
