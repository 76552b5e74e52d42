use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use ringbolt_model::{AppId, DeliveryKey, EndpointId, Message, MessageId, Timestamp, Trigger};
use smallvec::SmallVec;

use super::*;

const ATTACKER: u64 = 1;
const NEIGHBOUR: u64 = 2;

/// A message of an application that gets this many rows of its own, and has this much payload.
fn accept(app: u64, ticket: u64, targets: usize, payload: usize) -> Accept {
    let message = Message {
        id: MessageId::from(ticket + 1),
        app: AppId::from(app),
        event_type: "a.b".parse().unwrap(),
        event_id: None,
        channels: Arc::default(),
        tags: Arc::default(),
        content_type: Arc::from("application/json"),
        payload: Some(bytes::Bytes::from(vec![b'1'; payload])),
        expires_at: None,
    };
    Accept {
        message: Arc::new(message),
        fresh: SmallVec::new(),
        stored: (0..targets as u64).map(EndpointId::from).collect(),
        due: Timestamp::from_micros(0),
        routes: 0,
        idempotency: None,
        ticket,
    }
}

fn queue() -> Queue {
    Queue::new(20_000, 64 << 20)
}

fn fill(queue: &Queue, app: u64, tickets: std::ops::Range<u64>, targets: usize) {
    for ticket in tickets {
        let accept = accept(app, ticket, targets, 2);
        assert!(queue.submit(Write::Accept(accept)).is_ok(), "there is room");
    }
}

fn next(queue: &Queue) -> Vec<(u64, u64)> {
    let mut batch = Batch::default();
    queue.take_now(&mut batch);
    taken(&batch)
}

/// Applications and tickets of a batch's messages, in order.
fn taken(batch: &Batch) -> Vec<(u64, u64)> {
    let app = |accept: &Accept| accept.message.app.raw();
    let accepts = batch.accepts.iter();
    accepts.map(|accept| (app(accept), accept.ticket)).collect()
}

fn of(app: u64, batch: &[(u64, u64)]) -> Vec<u64> {
    let own = batch.iter().filter(|(of, _)| *of == app);
    own.map(|(_, ticket)| *ticket).collect()
}

#[test]
fn what_fits_into_one_transaction_goes_as_it_came() {
    let queue = queue();
    fill(&queue, ATTACKER, 0..100, 9);
    fill(&queue, NEIGHBOUR, 100..110, 0);
    fill(&queue, ATTACKER, 110..200, 9);
    let tickets: Vec<_> = next(&queue).into_iter().map(|(_, ticket)| ticket).collect();
    assert_eq!(tickets, Vec::from_iter(0..200));
}

#[test]
fn a_neighbour_is_in_the_next_transaction_however_many_wide_messages_wait() {
    let queue = queue();
    fill(&queue, ATTACKER, 0..50, 3_000);
    for round in 1..=40 {
        let mine = round * 1_000..round * 1_000 + 60;
        fill(&queue, NEIGHBOUR, mine.clone(), 1);
        let batch = next(&queue);
        assert_eq!(of(NEIGHBOUR, &batch), Vec::from_iter(mine));
        assert_eq!(of(ATTACKER, &batch), [round - 1], "nobody stands still");
    }
}

#[test]
fn a_neighbour_is_in_the_next_transaction_however_many_applications_flood() {
    let queue = queue();
    for attacker in 10..30 {
        fill(&queue, attacker, 0..40, 900);
    }
    let mut all = 0;
    for round in 1..=100 {
        fill(&queue, NEIGHBOUR, round..round + 1, 1);
        let batch = next(&queue);
        assert_eq!(of(NEIGHBOUR, &batch), [round]);
        all += batch.len() - 1;
    }
    assert!(all >= 200, "transactions are filled");
}

#[test]
fn bytes_count_as_rows_do() {
    let queue = queue();
    for ticket in 0..20 {
        let wide = accept(ATTACKER, ticket, 0, 1 << 20);
        assert!(queue.submit(Write::Accept(wide)).is_ok());
    }
    fill(&queue, NEIGHBOUR, 100..160, 1);
    let batch = next(&queue);
    assert_eq!(of(NEIGHBOUR, &batch).len(), 60);
    assert_eq!(of(ATTACKER, &batch), [0, 1, 2, 3]);
}

#[test]
fn an_application_cannot_fill_the_room() {
    let queue = Queue::new(400, 1 << 20);
    let flood = |app, payload| {
        let fits = |ticket| {
            let write = Write::Accept(accept(app, ticket, 0, payload));
            queue.submit(write).is_ok()
        };
        (0..1_000).take_while(|ticket| fits(*ticket)).count()
    };
    assert_eq!(flood(ATTACKER, 2), 300);
    assert_eq!(flood(NEIGHBOUR, 2), 75);
    assert!(flood(3, 2) > 0);
    assert_eq!(flood(ATTACKER, 2), 0);
    let waiting = std::iter::from_fn(|| Some(next(&queue)).filter(|batch| !batch.is_empty()));
    assert!(waiting.map(|batch| batch.len()).sum::<usize>() > 375);
    assert_eq!(flood(ATTACKER, 1 << 18), 3, "nor with bytes");
    assert_eq!(flood(NEIGHBOUR, 2), 297);
}

#[test]
fn a_message_that_is_too_large_for_the_room_waits_alone() {
    let queue = Queue::new(1, 10);
    let submit = |ticket| queue.submit(Write::Accept(accept(ATTACKER, ticket, 0, 100)));
    assert!(submit(0).is_ok());
    let Err(back) = submit(1) else {
        panic!("there is no room")
    };
    assert!(matches!(*back, Write::Accept(accept) if accept.ticket == 1));
    assert_eq!(next(&queue), [(ATTACKER, 0)]);
    assert!(submit(2).is_ok());
}

#[test]
fn outcomes_leave_room_for_messages_and_calls() {
    let queue = queue();
    let key = DeliveryKey {
        message: MessageId::from(1),
        endpoint: EndpointId::from(1),
    };
    let spill = || Spill {
        deliveries: vec![key; 100],
        due: Timestamp::from_micros(0),
        trigger: Trigger::Scheduled,
    };
    for _ in 0..1_000 {
        assert!(queue.submit(Write::Spill(spill())).is_ok());
    }
    fill(&queue, NEIGHBOUR, 0..400, 0);
    let (answer, _answered) = oneshot::channel();
    queue.call(Box::new(Call::new(|_: &Connection| Ok(()), answer)));
    let mut batch = Batch::default();
    queue.take_now(&mut batch);
    assert_eq!((batch.accepts.len(), batch.calls.len()), (400, 1));
    assert!(
        batch.settles.len() >= 15,
        "and outcomes are written as well"
    );
}

proptest! {
    #[test]
    fn nothing_is_lost_and_each_application_keeps_its_order(
        steps in prop::collection::vec((0_u64..6, 0_usize..3, 0_usize..900), 1..400)
    ) {
        let queue = Queue::new(300, 1 << 20);
        let mut waits = HashMap::<u64, Vec<u64>>::new();
        let mut came = HashMap::<u64, Vec<u64>>::new();
        let mut take = || {
            let batch = next(&queue);
            for (app, ticket) in &batch {
                came.entry(*app).or_default().push(*ticket);
            }
            !batch.is_empty()
        };
        for (ticket, (app, kind, targets)) in steps.into_iter().enumerate() {
            let payload = if kind == 1 { 100_000 } else { 2 };
            let ticket = ticket as u64;
            if queue.submit(Write::Accept(accept(app, ticket, targets, payload))).is_ok() {
                waits.entry(app).or_default().push(ticket);
            }
            if kind == 2 && targets % 16 == 0 {
                take();
            }
        }
        while take() {}
        prop_assert_eq!(came, waits);
    }

    #[test]
    fn a_message_that_asks_for_little_is_in_one_of_the_next_two_transactions(
        floods in prop::collection::vec((1_usize..3_000, 1_u64..40), 1..8),
        taken_before in 0_usize..20,
    ) {
        let queue = queue();
        for (app, (targets, messages)) in (10..).zip(&floods) {
            fill(&queue, app, 0..*messages, *targets);
        }
        for _ in 0..taken_before {
            next(&queue);
        }
        fill(&queue, NEIGHBOUR, 0..1, 1);
        let soon = [next(&queue), next(&queue)].concat();
        prop_assert_eq!(of(NEIGHBOUR, &soon), [0]);
    }
}
