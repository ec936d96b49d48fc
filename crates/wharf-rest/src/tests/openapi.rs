//! The OpenAPI document against the routes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Api, FakeHerder};
use crate::OPENAPI;

/// All operations, those between workers too: `OPTIONS` names them, so clients see them anyway.
const OPERATIONS: [(&str, &str); 36] = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/openapi.json"),
    ("GET", "/connectors"),
    ("POST", "/connectors"),
    ("GET", "/connectors/{connector}"),
    ("DELETE", "/connectors/{connector}"),
    ("GET", "/connectors/{connector}/config"),
    ("PUT", "/connectors/{connector}/config"),
    ("PATCH", "/connectors/{connector}/config"),
    ("GET", "/connectors/{connector}/status"),
    ("POST", "/connectors/{connector}/restart"),
    ("PUT", "/connectors/{connector}/pause"),
    ("PUT", "/connectors/{connector}/resume"),
    ("PUT", "/connectors/{connector}/stop"),
    ("GET", "/connectors/{connector}/tasks"),
    ("POST", "/connectors/{connector}/tasks"),
    ("PUT", "/connectors/{connector}/fence"),
    ("GET", "/connectors/{connector}/tasks/{task}/status"),
    ("POST", "/connectors/{connector}/tasks/{task}/restart"),
    ("GET", "/connectors/{connector}/topics"),
    ("PUT", "/connectors/{connector}/topics/reset"),
    ("GET", "/connectors/{connector}/offsets"),
    ("PATCH", "/connectors/{connector}/offsets"),
    ("DELETE", "/connectors/{connector}/offsets"),
    ("GET", "/connector-plugins"),
    ("GET", "/connector-plugins/{plugin}/config"),
    ("PUT", "/connector-plugins/{plugin}/config/validate"),
    ("GET", "/metrics"),
    ("POST", "/connector-plugins/{plugin}/preview"),
    ("GET", "/admin/cluster"),
    ("GET", "/admin/loggers"),
    ("GET", "/admin/loggers/{logger}"),
    ("PUT", "/admin/loggers/{logger}"),
    ("HEAD", "/connectors"),
    ("HEAD", "/"),
];

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

#[test]
fn every_operation_is_described_and_no_other() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| *key != "parameters");
            methods.map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let expected = OPERATIONS
        .iter()
        .filter(|(method, _)| *method != "HEAD")
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(described, expected);
}

#[tokio::test]
async fn every_described_operation_has_a_route_and_its_status_is_described() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let document = document();
    for (method, template) in OPERATIONS {
        let path = template
            .replace("{connector}", "c")
            .replace("{task}", "0")
            .replace("{plugin}", "FileStreamSource")
            .replace("{logger}", "a.b");
        let answer = api
            .send_with(method, &path, &[("content-type", "application/json")], "")
            .await;
        assert_ne!(answer.status, 405, "{method} {path}");
        assert!(!answer.body.contains("HTTP 404"), "{method} {path}");
        if method != "HEAD" {
            let responses = &document["paths"][template][method.to_lowercase()]["responses"];
            assert!(
                responses[answer.status.to_string()].is_object(),
                "{method} {path} {}",
                answer.status
            );
        }
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if let ("$ref", Value::String(target)) = (key.as_str(), value) {
                        found.push(target);
                    }
                    walk(value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut references = Vec::new();
    walk(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        assert!(
            document.pointer(reference.trim_start_matches('#')).is_some(),
            "{reference}"
        );
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let answer = Api::new(FakeHerder::default())
        .send("GET", "/openapi.json", "")
        .await;
    assert_eq!(answer.json(), (200, OPENAPI));
}
