//! What keeping applications, endpoints and event types means.

mod applications;
mod endpoints;
mod event_types;

use ringbolt_model::{EventTypeName, Uid};

use self::applications::{
    a_deleted_application_takes_its_endpoints_along,
    a_uid_names_one_application_and_is_free_after_its_deletion,
    an_application_is_found_as_it_was_stored, an_edit_that_fails_changes_nothing,
    edits_at_once_lose_nothing, lists_run_both_ways_in_pages,
};
use self::endpoints::{
    a_page_of_endpoints_is_bounded_in_bytes, a_uid_names_one_endpoint_of_its_application,
    an_endpoint_is_disabled_once, an_endpoint_is_found_as_it_was_stored,
    endpoints_of_an_application_are_bounded, endpoints_that_fail_are_listed_across_applications,
    how_long_an_endpoint_fails_is_kept, secrets_and_headers_are_edited,
    what_waits_for_endpoints_that_fail_and_how_they_failed_is_told,
};
use self::event_types::{
    a_page_of_event_types_is_bounded_in_bytes, event_types_are_archived_and_come_back,
    event_types_are_listed_by_name,
};
use super::{Ground, run};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        an_application_is_found_as_it_was_stored,
        a_uid_names_one_application_and_is_free_after_its_deletion,
        an_edit_that_fails_changes_nothing,
        lists_run_both_ways_in_pages,
        a_deleted_application_takes_its_endpoints_along,
        an_endpoint_is_found_as_it_was_stored,
        a_uid_names_one_endpoint_of_its_application,
        endpoints_of_an_application_are_bounded,
        a_page_of_endpoints_is_bounded_in_bytes,
        secrets_and_headers_are_edited,
        an_endpoint_is_disabled_once,
        how_long_an_endpoint_fails_is_kept,
        endpoints_that_fail_are_listed_across_applications,
        what_waits_for_endpoints_that_fail_and_how_they_failed_is_told,
        event_types_are_archived_and_come_back,
        event_types_are_listed_by_name,
        a_page_of_event_types_is_bounded_in_bytes,
        edits_at_once_lose_nothing,
    );
}

fn uid(text: &str) -> Uid {
    text.parse().expect("a uid")
}

fn name(text: &str) -> EventTypeName {
    text.parse().expect("a name")
}
