//! `/node/`

use serde_json::json;

use crate::harness::App;

#[tokio::test]
async fn the_node_that_answers_is_among_the_nodes() {
    let app = App::start().await;
    let answer = app.provider().get("/api/v1/node/").await.expect(200);
    let nodes = answer.data();
    let own = nodes.iter().find(|node| node["self"] == json!(true)).unwrap();
    assert!(own["id"].as_str().unwrap().starts_with("node_"));
    assert_eq!((&own["status"], &own["taken_by"]), (&json!("live"), &json!(null)));
    assert_eq!(own["version"], env!("CARGO_PKG_VERSION"));
    for time in ["started_at", "renewed_at", "lease_until"] {
        assert!(own[time].as_str().unwrap().ends_with('Z'), "{time}");
    }
    assert_eq!(answer.json()["next_cursor"], json!(null));
}

#[tokio::test]
async fn nodes_are_the_providers_alone() {
    let app = App::start().await;
    app.anonymous().get("/api/v1/node/").await.expect(401);
    app.provider().get("/api/v1/node/?limit=1").await.expect(422);
}
