//! Holds the table of crate edges: which of our crates may use which others.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Each crate with what it may use, of ours. A room may use everything below it, never another room.
const FLOORS: &[(&str, &[&str])] = &[
    ("signatures", &[]),
    ("net", &[]),
    ("sandbox", &[]),
    ("model", &["signatures"]),
    ("engine", &["model"]),
    ("store", &["model"]),
    (
        "delivery",
        &["engine", "store", "net", "sandbox", "signatures", "model"],
    ),
    ("gate", &["store", "model"]),
    ("api", ROOM),
    ("inbox", ROOM),
    ("hub", ROOM),
    ("push", ROOM),
    ("tunnel", ROOM),
    ("bridges", ROOM),
    ("scripts", ROOM),
    ("jobs", ROOM),
    ("dashboard", ROOM),
];

const ROOM: &[&str] = &[
    "gate",
    "delivery",
    "store",
    "sandbox",
    "signatures",
    "model",
    "net",
];

/// Libraries that are for some crates alone: whoever cannot see a database driver knows no SQL, and
/// whoever can neither resolve a name nor speak as a client leads nobody's request anywhere.
const KEPT: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("hickory-resolver", &["net"]),
    ("httparse", &["net"]),
    ("h2", &["net"]),
    ("tokio-rustls", &["net", "ringbolt"]),
    ("hyper", &["ringbolt"]),
    (
        "tokio",
        &["net", "store", "delivery", "gate", "api", "ringbolt"],
    ),
];

/// Crates that any crate may use in its tests, and that may use any crate.
const TEST_CRATE: &str = "testkit";
/// The roof uses everything but the test crate.
const ROOF: &str = "ringbolt";

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: String,
    to: String,
    dev: bool,
}

#[test]
fn crates_depend_downwards_only() {
    let (crates, edges) = workspace();
    let forbidden: Vec<_> = edges.iter().filter(|edge| !allowed(edge)).collect();
    assert!(
        forbidden.is_empty(),
        "edges that the floors do not have: {forbidden:#?}"
    );
    let strangers: Vec<_> = crates.iter().filter(|name| !on_a_floor(name)).collect();
    assert!(
        strangers.is_empty(),
        "crates that stand on no floor: {strangers:?}"
    );
}

#[test]
fn the_table_refuses_what_it_should() {
    let edge = |from: &str, to: &str, dev| Edge {
        from: from.into(),
        to: to.into(),
        dev,
    };
    assert!(allowed(&edge("api", "gate", false)));
    assert!(allowed(&edge("engine", "testkit", true)));
    assert!(allowed(&edge("testkit", "ringbolt", false)));
    assert!(!allowed(&edge("engine", "testkit", false)));
    assert!(!allowed(&edge("ringbolt", "testkit", false)));
    assert!(!allowed(&edge("engine", "store", false)));
    assert!(!allowed(&edge("engine", "store", true)));
    assert!(!allowed(&edge("inbox", "api", false)));
    assert!(!allowed(&edge("signatures", "model", false)));
}

#[test]
fn libraries_stay_with_their_keepers() {
    for package in metadata() {
        let user = short(package["name"].as_str().expect("packages have names"));
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
        for library in shipped.filter_map(|dependency| dependency["name"].as_str()) {
            let kept = KEPT.iter().find(|(name, _)| *name == library);
            let keeps = kept.is_none_or(|(_, keepers)| keepers.contains(&user.as_str()));
            assert!(keeps || user == TEST_CRATE, "{user} must not use {library}");
        }
    }
}

fn allowed(edge: &Edge) -> bool {
    if edge.from == TEST_CRATE || (edge.dev && edge.to == TEST_CRATE) {
        return true;
    }
    if edge.from == ROOF {
        return edge.to != TEST_CRATE;
    }
    let uses = BTreeMap::from_iter(FLOORS.iter().copied());
    uses.get(edge.from.as_str())
        .is_some_and(|uses| uses.contains(&edge.to.as_str()))
}

fn on_a_floor(name: &str) -> bool {
    name == ROOF || name == TEST_CRATE || FLOORS.iter().any(|(known, _)| *known == name)
}

/// The workspace's crates by short name, and every edge between two of them.
fn workspace() -> (BTreeSet<String>, BTreeSet<Edge>) {
    let packages = metadata();
    let crates: BTreeMap<&str, String> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .map(|name| (name, short(name)))
        .collect();
    let mut edges = BTreeSet::new();
    for package in &packages {
        let from = package["name"].as_str().and_then(|name| crates.get(name));
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"]
                .as_str()
                .and_then(|name| crates.get(name));
            if let (Some(from), Some(to)) = (from, to) {
                let dev = dependency["kind"] == "dev";
                edges.insert(Edge {
                    from: from.clone(),
                    to: to.clone(),
                    dev,
                });
            }
        }
    }
    (crates.into_values().collect(), edges)
}

/// The packages of this workspace as cargo describes them, without their dependencies' own.
fn metadata() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"]
        .as_array()
        .expect("metadata has packages");
    assert!(packages.len() >= 10, "only {} packages", packages.len());
    packages.clone()
}

fn short(name: &str) -> String {
    name.strip_prefix("ringbolt-").unwrap_or(name).to_owned()
}
