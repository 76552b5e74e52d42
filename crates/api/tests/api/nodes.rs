//! What is told of the nodes that share the store.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use crate::house::House;

#[tokio::test]
async fn the_only_node_of_a_file_is_listed_with_a_lease_that_never_ends() {
    let house = House::new().await;
    let listed = house.admin("GET /nodes", Value::Null).await.expect(200);
    assert_eq!(listed["done"], true);
    let [node] = listed["data"].as_array().unwrap().as_slice() else {
        panic!("one node: {listed}");
    };
    assert_eq!((&node["isThis"], &node["slot"]), (&json!(true), &json!(0)));
    assert_eq!(node.get("leaseLeftMs"), Some(&Value::Null));
    assert!(node["startedAt"].as_str() <= node["lastSeen"].as_str());
    for count in ["incarnation", "lanes", "inFlight", "pending"] {
        assert!(node[count].is_u64(), "{count}: {node}");
    }
    let sender = json!({"name": "s", "role": "sender"});
    let sender = house.key(sender).await;
    house
        .ask(&sender, "GET /nodes", Value::Null)
        .await
        .expect(403);
}

#[tokio::test]
async fn a_node_whose_lease_has_run_out_is_not_well() {
    let house = House::new().await;
    let health = async || house.ask("", "GET /health", Value::Null).await;
    assert_eq!(health().await.expect(200)["lease"], json!({"held": true}));
    house.others.lapsed.store(true, Relaxed);
    let told = health().await.expect(503);
    assert_eq!(told["lease"], json!({"held": false}));
    assert_eq!(told["status"], "error");
    house.others.lapsed.store(false, Relaxed);
    health().await.expect(200);
}
