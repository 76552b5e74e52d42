use std::collections::HashMap;

use super::*;
use crate::sqlite::migrations;

/// Numbers that look random (a linear congruential generator); the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn file() -> Connection {
    let mut conn = Connection::open_in_memory().unwrap();
    migrations::migrate(&mut conn, 0).unwrap();
    conn
}

fn key(number: u64) -> [u8; 16] {
    // Multiplied, so that order of arrival is not order of keys.
    u128::from(number + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        .to_be_bytes()
}

/// What the store answers: the newest first, then all others.
fn last_use(conn: &Connection, keys: &RecentKeys, key: &[u8; 16]) -> Option<Use> {
    let entered = || {
        let sql = "SELECT body, message_id FROM idempotency WHERE key = ?1";
        let found = conn.query_row(sql, [&key[..]], |row| {
            let message = MessageId::from(row.get::<_, i64>(1)?.cast_unsigned());
            let body = row.get(0)?;
            Ok(Use { body, message })
        });
        found.optional().unwrap()
    };
    keys.find(conn, key).unwrap().or_else(entered)
}

#[test]
fn a_key_is_found_wherever_it_lies_and_whatever_was_undone() {
    let (conn, keys, mut numbers) = (file(), RecentKeys::default(), Numbers(7));
    let mut model: HashMap<u64, Use> = HashMap::new();
    let (mut moved, mut undone) = (0, 0);
    for turn in 1..2_000_u64 {
        let before = model.clone();
        conn.execute_batch("BEGIN").unwrap();
        for _ in 0..numbers.below(4) {
            let number = numbers.below(60);
            let (key, body) = (key(number), key(turn));
            let message = MessageId::from(turn << 24 | number);
            let used = IdempotencyKey { key, body };
            keys.add(&conn, &used, message).unwrap();
            model.insert(number, Use { body, message });
        }
        if keys.due() || numbers.below(9) == 0 {
            moved += step(&conn, &keys).unwrap();
        }
        if numbers.below(5) == 0 {
            conn.execute_batch("ROLLBACK").unwrap();
            keys.forget();
            model = before;
            undone += 1;
        } else {
            conn.execute_batch("COMMIT").unwrap();
        }
        if numbers.below(20) == 0 {
            // As after a start.
            keys.forget();
        }
        let number = numbers.below(60);
        assert_eq!(
            last_use(&conn, &keys, &key(number)),
            model.get(&number).copied()
        );
    }
    assert!(moved > 500 && undone > 100, "{moved} {undone}");
    for number in 0..60 {
        assert_eq!(
            last_use(&conn, &keys, &key(number)),
            model.get(&number).copied()
        );
    }
}

#[test]
fn few_keys_are_moved_once_the_oldest_is_old() {
    let (conn, keys) = (file(), RecentKeys::default());
    let made = Timestamp::from_micros(1_700_000_000_000_000);
    let message = MessageId::from(ringbolt_model::id::at_millisecond(made));
    let (key, body) = (key(1), key(2));
    keys.add(&conn, &IdempotencyKey { key, body }, message)
        .unwrap();
    assert_eq!(step_if_old(&conn, &keys, message.time()).unwrap(), 0);
    assert_eq!(step_if_old(&conn, &keys, message.time() + OLD).unwrap(), 1);
    assert_eq!(keys.find(&conn, &key).unwrap(), None);
    assert_eq!(last_use(&conn, &keys, &key), Some(Use { body, message }));
}

#[test]
fn what_a_failed_commit_left_behind_is_removed() {
    let (conn, keys) = (file(), RecentKeys::default());
    for number in 1..=10 {
        let used = IdempotencyKey {
            key: key(number),
            body: key(0),
        };
        keys.add(&conn, &used, MessageId::from(number)).unwrap();
    }
    remove(
        &conn,
        &[MessageId::from(3), MessageId::from(7), MessageId::from(99)],
    )
    .unwrap();
    keys.forget();
    let left: Vec<u64> = (1..=10)
        .filter(|n| keys.find(&conn, &key(*n)).unwrap().is_some())
        .collect();
    assert_eq!(left, [1, 2, 4, 5, 6, 8, 9, 10]);
}
