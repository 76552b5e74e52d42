//! Retry schedules: what is read can be written and read again; no wait overflows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringbolt_model::RetrySchedule;

fuzz_target!(|input: (&str, u32, u32)| {
    let (text, attempts, random) = input;
    if let Ok(schedule) = text.parse::<RetrySchedule>() {
        assert_eq!(schedule.to_string().parse(), Ok(schedule.clone()));
        let wait = schedule.wait_after(attempts, random);
        assert_eq!(
            wait.is_some(),
            (1..=schedule.waits().len()).contains(&(attempts as usize))
        );
    }
});
