//! `/account/`

use serde_json::json;

use crate::harness::App;

#[tokio::test]
async fn an_account_is_what_it_holds() {
    let app = App::start().await;
    let provider = app.provider();
    provider.get("/api/v1/account/acme/").await.expect(404);
    provider.subscribe("acme", "a.b", "http://example.com:9/").await;
    provider.emit("acme", "c.d", json!(1)).await;
    provider.post("/api/v1/api-key/", json!({"account": "acme"})).await.expect(201);
    let account = provider.get("/api/v1/account/acme/").await.expect(200).json();
    assert_eq!(account["id"], "acme");
    assert_eq!(
        (&account["subscriptions"], &account["events"], &account["api_keys"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert!(account["created_at"].as_str().unwrap().ends_with('Z'));
    provider.delete("/api/v1/account/acme/").await.expect(204);
    provider.get("/api/v1/account/acme/").await.expect(404);
    provider.delete("/api/v1/account/acme/").await.expect(404);
    assert!(provider.get("/api/v1/subscription/?account=acme").await.expect(200).data().is_empty());
}

#[tokio::test]
async fn accounts_are_listed_in_parts() {
    let app = App::start().await;
    let provider = app.provider();
    for account in ["b", "a", "c@d"] {
        provider.emit(account, "c.d", json!(1)).await;
    }
    let mut path = "/api/v1/account/?limit=1".to_owned();
    let mut found = Vec::new();
    loop {
        let answer = provider.get(&path).await.expect(200);
        found.extend(answer.data().iter().map(|a| a["id"].as_str().unwrap().to_owned()));
        let Some(link) = answer.header("link") else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(found, ["a", "b", "c@d"]);
}
