//! How much the writer costs: messages and their outcomes through the journal, and nothing else.
//!
//! `cargo run --release -p ringbolt-store --example commit_rate -- [MESSAGES] [IN_FLIGHT] [ENDPOINTS] [keys]`

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use ringbolt_model::Secret;
use ringbolt_model::{
    AppId, Application, Attempt, Clock, CustomHeaders, DeliveryKey, Endpoint, EndpointId,
    EndpointSecrets, IdMaker, Message, Metadata, Timestamp, Timings, Trigger,
};
use ringbolt_store::{
    Accept, Catalogue, IdempotencyKey, Journal, NewEndpoint, Outcome, Receipt, Settled,
    SqliteSettings, SqliteStore, Upkeep, Write,
};

const PAYLOAD: usize = 512;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that is passed in"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::default() + since
    }

    fn steady(&self) -> Timestamp {
        self.now()
    }
}

struct Load {
    store: Arc<SqliteStore>,
    ids: IdMaker,
    app: AppId,
    endpoints: Vec<EndpointId>,
    url: Arc<str>,
    payload: Bytes,
    keys: bool,
}

impl Load {
    fn accept(&self, number: u64) {
        let message = Message {
            id: self.ids.next(SystemClock.now()),
            app: self.app,
            event_type: "invoice.paid".parse().expect("a name"),
            event_id: None,
            channels: Arc::from([]),
            tags: Arc::from([]),
            content_type: "application/json".into(),
            payload: Some(self.payload.clone()),
            expires_at: None,
        };
        let digest = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_0c2d_5ce4_e5b9);
        let key = IdempotencyKey {
            key: digest.to_be_bytes(),
            body: digest.to_le_bytes(),
        };
        let accept = Accept {
            message: Arc::new(message),
            fresh: self.endpoints.iter().copied().collect(),
            stored: [][..].into(),
            due: SystemClock.steady(),
            routes: 0,
            idempotency: self.keys.then_some(key),
            ticket: number,
        };
        self.store
            .submit(Write::Accept(accept))
            .expect("the queue has room");
    }

    fn deliver(&self, delivery: DeliveryKey) {
        let attempt = Attempt {
            id: self.ids.next(SystemClock.now()),
            app: self.app,
            delivery,
            trigger: Trigger::Scheduled,
            at: SystemClock.now(),
            url: Arc::clone(&self.url),
            address: Some(([127, 0, 0, 1], 8080).into()),
            status: 200,
            failure: None,
            detail: None,
            headers: Bytes::from_static(b"content-type: text/plain\ncontent-length: 2\n"),
            body: Bytes::from_static(b"ok"),
            timings: Timings {
                total: Duration::from_millis(1),
                ..Timings::default()
            },
        };
        let outcome = Outcome {
            attempt,
            fresh: true,
            settled: Settled::Delivered,
        };
        self.store
            .submit(Write::Outcome(outcome))
            .expect("outcomes are always taken");
    }

    fn run(&self, messages: u64, in_flight: u64, receipts: &Receiver<Vec<Receipt>>) {
        let mut open = HashMap::new();
        let (mut sent, mut done) = (0, 0);
        while sent < in_flight.min(messages) {
            self.accept(sent);
            sent += 1;
        }
        while done < messages {
            for receipt in receipts.recv().expect("the store lives") {
                match receipt {
                    Receipt::Accept(accept, answer) => {
                        answer.expect("it is accepted");
                        let message = accept.message.id;
                        open.insert(message, accept.fresh.len());
                        for endpoint in accept.fresh {
                            self.deliver(DeliveryKey { message, endpoint });
                        }
                    }
                    Receipt::Outcome { delivery, .. } => {
                        let left = open.get_mut(&delivery.message).expect("it was accepted");
                        *left -= 1;
                        if *left == 0 {
                            open.remove(&delivery.message);
                            done += 1;
                            if sent < messages {
                                self.accept(sent);
                                sent += 1;
                            }
                        }
                    }
                    Receipt::Spill(_) | Receipt::Disowned { .. } => {}
                }
            }
        }
    }
}

/// What the writer's thread has used of a processor so far.
fn writer_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    for thread in threads {
        let read = |name| std::fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        if read("comm").trim() == "store-write" {
            let used = read("schedstat");
            let nanos = used
                .split_whitespace()
                .next()
                .and_then(|nanos| nanos.parse().ok());
            return Duration::from_nanos(nanos.unwrap_or(0));
        }
    }
    Duration::ZERO
}

async fn stage(store: &Arc<SqliteStore>, endpoints: u64, keys: bool) -> Load {
    let ids = IdMaker::new(0, 0);
    let now = SystemClock.now();
    let app = Application {
        id: ids.next(now),
        uid: None,
        name: "load".into(),
        throttle_rate: None,
        metadata: Metadata::default(),
        updated_at: now,
    };
    let app_id = app.id;
    store.create_application(app).await.expect("it is stored");
    let mut load = Load {
        store: Arc::clone(store),
        ids,
        app: app_id,
        endpoints: Vec::new(),
        url: "http://127.0.0.1:8080/hook".into(),
        payload: vec![b'1'; PAYLOAD].into(),
        keys,
    };
    for _ in 0..endpoints {
        let endpoint = Endpoint::new(load.ids.next(now), app_id, load.url.to_string());
        load.endpoints.push(endpoint.id);
        let secrets = EndpointSecrets {
            current: Secret::symmetric_from([7; 24]),
            old: vec![],
        };
        let new = NewEndpoint {
            endpoint,
            secrets,
            headers: CustomHeaders::default(),
        };
        store.create_endpoint(new).await.expect("it is stored");
    }
    load
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default| -> u64 {
        arguments
            .get(place)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (messages, in_flight, endpoints) = (number(0, 100_000), number(1, 64), number(2, 1));
    let keys = arguments.iter().any(|argument| argument == "keys");
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let path = folder.path().join("store.db");
    let settings = SqliteSettings::new(path, vec![[1; 32]], Arc::new(SystemClock));
    let store = Arc::new(SqliteStore::open(settings).expect("it opens"));
    let (sender, receipts) = channel();
    store.listen(Box::new(move |batch| {
        sender.send(batch).expect("somebody receives")
    }));
    let load = stage(&store, endpoints, keys).await;

    let (started, before, sizes) = (Instant::now(), writer_time(), store.sizes());
    load.run(messages, in_flight, &receipts);
    let (took, used, after) = (started.elapsed(), writer_time() - before, store.sizes());
    let commits = after.commit_writes.count() - sizes.commit_writes.count();
    let writes = after.commit_writes.sum - sizes.commit_writes.sum;
    println!(
        "{messages} messages to {endpoints} endpoints, {in_flight} in flight, keys: {keys}\n\
         {:.0} messages/s, {:.1} writes a commit, {:.2} ms a commit\n\
         {:.1} µs of the writer's processor time a message, {:.1} µs a write",
        messages as f64 / took.as_secs_f64(),
        writes as f64 / commits as f64,
        (after.commit_micros.sum - sizes.commit_micros.sum) as f64 / commits as f64 / 1000.0,
        used.as_secs_f64() * 1e6 / messages as f64,
        used.as_secs_f64() * 1e6 / writes as f64,
    );
}
