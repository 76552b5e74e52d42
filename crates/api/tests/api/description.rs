//! The description of the API is held by a file: whoever changes the API sees it change.

use serde_json::Value;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_description_is_the_one_in_the_file() {
    let now = ringbolt_api::Api::openapi();
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    if now != golden {
        let beside = format!("{GOLDEN}.new");
        std::fs::write(&beside, &now).unwrap();
        panic!("the API's description changed; if that is meant, mv {beside} {GOLDEN}");
    }
}

#[test]
fn everything_referred_to_is_there() {
    let api = ringbolt_api::Api::openapi();
    let parsed: Value = serde_json::from_str(&api).unwrap();
    let shapes = parsed["components"]["schemas"].as_object().unwrap();
    let mut referred = 0;
    for line in api.lines().filter(|line| line.contains("\"$ref\"")) {
        let name = line.rsplit_once('/').unwrap().1.split('"').next().unwrap();
        assert!(shapes.contains_key(name), "{name}");
        referred += 1;
    }
    assert!(referred > 100, "{referred}");
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_how_it_ends() {
    let api: Value = serde_json::from_str(&ringbolt_api::Api::openapi()).unwrap();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} twice");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{method} {path}"
            );
        }
    }
    assert!(names.len() >= 40, "{}", names.len());
}

#[test]
fn every_response_says_what_it_is() {
    // OpenAPI 3.1 asks for it; generators of clients refuse a document without.
    let api: Value = serde_json::from_str(&ringbolt_api::Api::openapi()).unwrap();
    let operations = api["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|item| item.as_object().unwrap().values());
    for operation in operations {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let said = response["description"].as_str().unwrap_or_default();
            let elsewhere = response["$ref"].is_string();
            let name = &operation["operationId"];
            assert!(elsewhere || !said.is_empty(), "{name} {status}");
        }
    }
}
