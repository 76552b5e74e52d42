//! What accepting messages and recording outcomes means.

mod accepting;
mod crashing;
mod repeating;
mod settling;

use self::accepting::{
    a_full_queue_gives_messages_back_and_takes_outcomes, a_message_is_there_once_its_receipt_came,
    nothing_is_accepted_for_a_deleted_application, one_bad_write_does_not_fail_its_batch,
};
use self::crashing::{
    what_became_of_deliveries_survives_a_crash, what_is_accepted_before_reopening_stays_in_memory,
    what_was_accepted_survives_a_crash,
};
use self::repeating::{
    a_key_is_forgotten_after_a_day, a_key_with_another_body_is_refused,
    a_refused_message_leaves_its_key_unused, a_repeated_key_gives_the_first_message,
    an_event_id_is_taken_for_a_day, two_requests_with_one_key_in_one_batch_make_one_message,
};
use self::settling::{
    a_fresh_delivery_goes_through_its_states, a_probe_changes_nothing,
    a_stored_delivery_goes_through_its_states, outcomes_of_what_is_gone_do_no_harm,
    spilled_deliveries_wait_in_the_store,
};
use super::{Ground, run};
use crate::IdempotencyKey;

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        a_message_is_there_once_its_receipt_came,
        a_repeated_key_gives_the_first_message,
        a_key_with_another_body_is_refused,
        two_requests_with_one_key_in_one_batch_make_one_message,
        a_key_is_forgotten_after_a_day,
        an_event_id_is_taken_for_a_day,
        a_refused_message_leaves_its_key_unused,
        nothing_is_accepted_for_a_deleted_application,
        one_bad_write_does_not_fail_its_batch,
        a_fresh_delivery_goes_through_its_states,
        a_stored_delivery_goes_through_its_states,
        a_probe_changes_nothing,
        spilled_deliveries_wait_in_the_store,
        what_was_accepted_survives_a_crash,
        what_is_accepted_before_reopening_stays_in_memory,
        what_became_of_deliveries_survives_a_crash,
        outcomes_of_what_is_gone_do_no_harm,
        a_full_queue_gives_messages_back_and_takes_outcomes,
    );
}

fn key(number: u8, body: u8) -> Option<IdempotencyKey> {
    Some(IdempotencyKey {
        key: [number; 16],
        body: [body; 16],
    })
}
