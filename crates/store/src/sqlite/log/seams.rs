//! Holds the lists by endpoint and the counters against a plain model, whatever is written, written
//! late, folded in part, rolled back and folded again.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use ringbolt_model::{EndpointId, IdMaker, Timestamp};
use rusqlite::{Connection, params};

use super::rows::{targets_column, to_column};
use super::{attempts, messages};
use crate::sqlite::fold::{self, Watermarks};
use crate::sqlite::{counts, migrations};
use crate::{AttemptFilter, Counts, Listing, MessageFilter, Order, Page};

const START: Timestamp = Timestamp::from_seconds(1_795_000_000);
const APP: i64 = 1;
const ENDPOINTS: [u64; 3] = [11, 12, 13];

#[derive(Debug, Clone)]
enum Act {
    /// Accepts a message for those endpoints whose bits are set; late ones have an old id.
    Accept {
        bits: u8,
        late: bool,
    },
    /// Tries one of the messages; what it settles is as the column holds it.
    Try {
        message: prop::sample::Index,
        endpoint: usize,
        settled: i64,
        late: bool,
    },
    /// Makes an endpoint a target.
    Owe {
        message: prop::sample::Index,
        endpoint: usize,
    },
    Pass(u16),
    Fold,
    /// Folds in a transaction that is not committed.
    FoldInVain,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let endpoint = 0..ENDPOINTS.len();
    let index = any::<prop::sample::Index>;
    let act = prop_oneof![
        6 => (0u8..8, prop::bool::weighted(0.2)).prop_map(|(bits, late)| Act::Accept { bits, late }),
        8 => (index(), endpoint.clone(), 0i64..5, prop::bool::weighted(0.2)).prop_map(
            |(message, endpoint, settled, late)| Act::Try { message, endpoint, settled, late }
        ),
        1 => (index(), endpoint).prop_map(|(message, endpoint)| Act::Owe { message, endpoint }),
        2 => (0u16..3_000).prop_map(Act::Pass),
        4 => Just(Act::Fold),
        1 => Just(Act::FoldInVain),
    ];
    prop::collection::vec(act, 1..120)
}

/// The tables, and what they should say.
struct World {
    conn: Connection,
    watermarks: Watermarks,
    ids: IdMaker,
    /// Ids that were drawn long before they are used.
    drawn: Vec<u64>,
    now: Timestamp,
    messages: Vec<(u64, BTreeSet<u64>)>,
    attempts: BTreeSet<(u64, u64)>,
    tallies: [counts::Tally; ENDPOINTS.len()],
}

impl World {
    fn new() -> Self {
        let mut conn = Connection::open_in_memory().unwrap();
        migrations::migrate(&mut conn, 0).unwrap();
        let sql = "INSERT INTO endpoint (id, app_id, url, description, event_types, channels, \
            metadata, secrets, headers, updated_at) VALUES (?1, ?2, '', '', '', '', '', x'', x'', 0)";
        for endpoint in ENDPOINTS {
            conn.execute(sql, [to_column(endpoint), APP]).unwrap();
        }
        let ids = IdMaker::new(0, 0);
        let drawn = (0..200).map(|_| ids.next(START)).collect();
        Self {
            conn,
            watermarks: Watermarks::default(),
            ids,
            drawn,
            now: START + Duration::from_secs(1),
            messages: Vec::new(),
            attempts: BTreeSet::new(),
            tallies: Default::default(),
        }
    }

    fn id(&mut self, late: bool) -> u64 {
        let drawn = if late { self.drawn.pop() } else { None };
        drawn.unwrap_or_else(|| self.ids.next(self.now))
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Accept { bits, late } => self.accept(bits, late),
            Act::Try {
                message,
                endpoint,
                settled,
                late,
            } if !self.messages.is_empty() => {
                let message = self.messages[message.index(self.messages.len())].0;
                self.attempt(message, endpoint, settled, late);
            }
            Act::Owe { message, endpoint } if !self.messages.is_empty() => {
                let at = message.index(self.messages.len());
                let (message, targets) = &mut self.messages[at];
                let anew = targets.insert(ENDPOINTS[endpoint]);
                let target = ENDPOINTS[endpoint];
                let owed = fold::owe(&self.conn, &self.watermarks, *message, target).unwrap();
                assert_eq!(owed, anew);
                self.tallies[endpoint].owed += i64::from(anew);
            }
            Act::Try { .. } | Act::Owe { .. } => {}
            Act::Pass(millis) => self.now = self.now + Duration::from_millis(millis.into()),
            Act::Fold => {
                fold::step(&self.conn, &self.watermarks, self.now).unwrap();
            }
            Act::FoldInVain => {
                self.conn.execute_batch("BEGIN").unwrap();
                fold::step(&self.conn, &self.watermarks, self.now).unwrap();
                self.conn.execute_batch("ROLLBACK").unwrap();
                self.watermarks.forget();
                self.watermarks.refresh(&self.conn).unwrap();
            }
        }
    }

    fn accept(&mut self, bits: u8, late: bool) {
        let id = self.id(late);
        let wanted = |at: &usize| bits & (1 << at) != 0;
        let targets: BTreeSet<u64> = (0..ENDPOINTS.len())
            .filter(wanted)
            .map(|at| ENDPOINTS[at])
            .collect();
        let sql = "INSERT INTO message (id, app_id, event_type, targets) VALUES (?1, ?2, 'a', ?3)";
        let column = targets_column(targets.iter().copied());
        self.conn
            .execute(sql, params![to_column(id), APP, column])
            .unwrap();
        if self.watermarks.pass_message(id, targets.len()) {
            fold::late_message(&self.conn, id, targets.iter().copied()).unwrap();
        }
        for at in (0..ENDPOINTS.len()).filter(wanted) {
            self.tallies[at].owed += 1;
        }
        self.messages.push((id, targets));
    }

    fn attempt(&mut self, message: u64, endpoint: usize, settled: i64, late: bool) {
        let id = self.id(late);
        let sql = "INSERT INTO attempt (id, app_id, message_id, endpoint_id, at, manual, status, \
            settled, url, timings) VALUES (?1, ?2, ?3, ?4, 0, 0, 200, ?5, '', zeroblob(20))";
        let target = ENDPOINTS[endpoint];
        let row = params![
            to_column(id),
            APP,
            to_column(message),
            to_column(target),
            settled
        ];
        self.conn.execute(sql, row).unwrap();
        if self.watermarks.pass_attempt(id) {
            fold::late_attempt(&self.conn, id, message, target, settled).unwrap();
        }
        self.tallies[endpoint].settle(settled);
        self.attempts.insert((id, target));
    }

    fn check(&self, limit: usize) {
        for (at, endpoint) in ENDPOINTS.into_iter().enumerate() {
            let mut owed: Vec<u64> = self
                .messages
                .iter()
                .filter(|(_, targets)| targets.contains(&endpoint))
                .map(|(id, _)| *id)
                .collect();
            owed.sort_unstable();
            let made: Vec<u64> = self
                .attempts
                .iter()
                .filter(|(_, target)| *target == endpoint)
                .map(|(id, _)| *id)
                .collect();
            for order in [Order::Ascending, Order::Descending] {
                assert_eq!(self.owed(endpoint, order, limit), ordered(&owed, order));
                assert_eq!(self.made(endpoint, order, limit), ordered(&made, order));
            }
            let counts::Tally {
                owed,
                success,
                fail,
                cancelled,
            } = self.tallies[at];
            let pending = (owed - success - fail - cancelled).max(0);
            let expected = Counts {
                success,
                pending,
                fail,
                cancelled,
            };
            let until = self.now + Duration::from_secs(60);
            let id = EndpointId::from(endpoint);
            let counts = counts::of_endpoint(&self.conn, id, START, until).unwrap();
            assert_eq!(counts, Some(expected));
        }
    }

    fn owed(&self, endpoint: u64, order: Order, limit: usize) -> Vec<u64> {
        let filter = MessageFilter::default();
        let found = walk(order, limit, |page| {
            messages::of_endpoint(&self.conn, endpoint.into(), &filter, page)
                .unwrap()
                .unwrap()
        });
        found.iter().map(|(message, _)| message.id.raw()).collect()
    }

    fn made(&self, endpoint: u64, order: Order, limit: usize) -> Vec<u64> {
        let filter = AttemptFilter::default();
        let found = walk(order, limit, |page| {
            attempts::of_endpoint(&self.conn, endpoint.into(), &filter, page)
                .unwrap()
                .unwrap()
        });
        found.iter().map(|attempt| attempt.id.raw()).collect()
    }
}

fn walk<T, K>(order: Order, limit: usize, fetch: impl Fn(&Page<K>) -> Listing<T, K>) -> Vec<T> {
    let mut page = Page {
        limit,
        order,
        after: None,
    };
    let mut items = Vec::new();
    loop {
        let listing = fetch(&page);
        items.extend(listing.items);
        if listing.done {
            return items;
        }
        page.after = listing.reached;
    }
}

fn ordered(ids: &[u64], order: Order) -> Vec<u64> {
    match order {
        Order::Ascending => ids.to_vec(),
        Order::Descending => ids.iter().rev().copied().collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn folding_changes_nothing_that_a_reader_sees(acts in acts(), limit in 1usize..9) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        world.check(limit);
        world.now = world.now + Duration::from_secs(60);
        while fold::step(&world.conn, &world.watermarks, world.now).unwrap() > 0 {}
        world.check(limit);
        let tail: i64 = world
            .conn
            .query_row("SELECT count(*) FROM attempt, folded WHERE id > attempt_id", (), |row| row.get(0))
            .unwrap();
        prop_assert_eq!(tail, 0);
    }
}
