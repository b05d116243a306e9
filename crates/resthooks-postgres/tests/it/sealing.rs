//! Secrets in the database: in clear from the version before, sealed from this one on, and whose keys are the right ones.

use std::sync::Arc;

use resthooks::model::{KeyHash, NodeNo, NodeStatus};
use resthooks::store::transfer::{Cursor, Item, Transfer as _};
use resthooks::store::{Change, Control as _, Error, NewNode, Nodes as _, Store};
use resthooks_postgres::{Options, PostgresStore};
use resthooks_store_test::lab::{secret_key, vault};
use tokio_postgres::Client;

use crate::place::{Schema, url};

const INITIAL: &str = include_str!("../../migrations/0001_initial.sql");
const EMIT: &str = include_str!("../../migrations/0002_emit.sql");

/// More than are sealed in one step.
const MANY: i64 = 1_200;

/// A document as the version before writes them, of the nth subscription.
fn clear(n: i64, token: &str) -> String {
    format!(
        r#"{{"id":"sub_01h{n:023}","account":"a","events":["a.b"],"target_url":"https://example.com/{n}",
        "status":"active","headers":{{"x-token":"{token}"}},"secret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"}}"#
    )
}

/// The tables as the version before made them, with subscriptions in clear.
async fn former(client: &Client, schema: &Schema) {
    let checksum = |sql: &str| -> String {
        KeyHash::of(sql).0.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    };
    client
        .batch_execute(&format!(
            "CREATE SCHEMA \"{name}\"; SET search_path = \"{name}\"; {INITIAL}; {EMIT};
             CREATE TABLE migration (version bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
                 applied_at bigint NOT NULL);
             CREATE TABLE functions (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL,
                 checksum text NOT NULL);
             INSERT INTO migration VALUES (1, 'initial', '{}', 0), (2, 'emit', '{}', 0);
             INSERT INTO functions (version, checksum) VALUES (1, 'former');
             INSERT INTO account (id, created_at) VALUES ('a', 0);",
            checksum(INITIAL),
            checksum(EMIT),
            name = schema.name,
        ))
        .await
        .unwrap();
    for n in 1..=MANY {
        insert_former(client, n).await;
    }
    client.batch_execute("INSERT INTO progress (subscription) SELECT no FROM subscription").await.unwrap();
}

async fn insert_former(client: &Client, n: i64) {
    let document = clear(n, &format!("planted-{n}"));
    let insert = "INSERT INTO subscription (uid, account, status, target_url, patterns, document) \
                  VALUES (lpad($1::bigint::text, 32, '0')::uuid, 'a', 1, 'https://example.com/', ' a.b ', $2)";
    client.execute(insert, &[&n, &document]).await.unwrap();
}

/// How many documents can be read by whoever reads the database.
async fn in_clear(client: &Client) -> i64 {
    let ask = "SELECT count(*) FROM subscription WHERE document LIKE '%planted%' OR document LIKE '%C2FVsBQI%' \
               OR sealed_with IS NULL";
    client.query_one(ask, &[]).await.unwrap().get(0)
}

fn token(store: &resthooks::model::Subscription) -> &str {
    store.headers.get("x-token").map_or("", String::as_str)
}

/// What the version before wrote is sealed when the first node of this one comes, and read as it was.
#[tokio::test]
async fn what_the_version_before_wrote_is_sealed() {
    let schema = Schema::new();
    let client = schema.client().await;
    former(&client, &schema).await;
    let store = schema.open().await;
    assert_eq!(in_clear(&client).await, 0);
    let all = store.snapshot().await.unwrap().subscriptions;
    assert_eq!(all.len(), usize::try_from(MANY).unwrap());
    for (n, (one, _)) in (1..).zip(&all) {
        assert_eq!((token(one), one.no.0, one.version), (format!("planted-{n}").as_str(), n, 0));
        assert_eq!(one.secret.expose(), "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    }
}

/// A node of the version before that works on beside a new one: all that it changes is seen, and is sealed by the next one
/// that comes.
#[tokio::test]
async fn a_node_of_the_version_before_may_work_on_beside() {
    let schema = Schema::new();
    let store = schema.open().await;
    let client = schema.client().await;
    let mut seen = store.snapshot().await.unwrap().change;
    let document = clear(1, "planted-1");
    let no: i64 = client
        .query_one(
            "SELECT insert_subscription(0, '00000000-0000-0000-0000-000000000001', 'a', 1::smallint, 'https://x.example/', \
             ' a.b ', $1, 0)",
            &[&document],
        )
        .await
        .unwrap()
        .get(0);
    client
        .batch_execute(
            "SELECT insert_key(0, '00000000-0000-0000-0000-000000000002', '\\x00', 'a', NULL, 5);
             SELECT delete_key(0, '00000000-0000-0000-0000-000000000002');
             SELECT delete_event_type(0, 'a.b');",
        )
        .await
        .unwrap();
    let kind = r#"{"name":"a.b","archived":false,"created_at":"2026-01-01T00:00:00.000Z",
                   "updated_at":"2026-01-01T00:00:00.000Z"}"#;
    client.execute("SELECT put_event_type(0, 'a.b', $1)", &[&kind]).await.unwrap();
    let changes = store.changes(seen, 10).await.unwrap();
    seen = changes.through;
    let told: Vec<&str> = changes
        .changes
        .iter()
        .map(|change| match change {
            Change::Subscription(one) => token(one),
            Change::EventType(_, Some(_)) => "type",
            Change::Key(_, None) => "key",
            other => panic!("nobody made {other:?}"),
        })
        .collect();
    assert_eq!(told, ["planted-1", "key", "type"]);

    let next = schema.open().await;
    assert_eq!(in_clear(&client).await, 0);
    // It goes on from the version that it has read: what was sealed meanwhile is the same subscription.
    let changed = clear(1, "planted-2");
    let update = "SELECT update_subscription(0, $1, 0, 2::smallint, 'https://x.example/', ' a.b ', $2)";
    client.execute(update, &[&no, &changed]).await.unwrap();
    assert_eq!(in_clear(&client).await, 1, "it is known to be in clear");
    for node in [&store, &next] {
        let one = node.subscriptions_by_no(&[resthooks::model::SubscriptionNo(no)]).await.unwrap().remove(0);
        assert_eq!((token(&one), one.version), ("planted-2", 1));
    }
    // What leaves is never in clear, whoever wrote it.
    for (item, _) in
        store.export(&Cursor::ApiKey(resthooks::model::KeyId(resthooks::model::Uid::LAST)), 9).await.unwrap()
    {
        assert!(matches!(item, Item::Subscription(_)));
        let line = serde_json::to_string(&item).unwrap();
        assert!(!line.contains("planted") && !line.contains("C2FVsBQI"), "{line}");
    }
    schema.open().await;
    assert_eq!(in_clear(&client).await, 0);
    let gone = client.query_one("SELECT begin_delete_account(0, 'a')", &[]).await.unwrap();
    assert_eq!(gone.get::<_, Option<i64>>(0), Some(0));
    assert!(matches!(store.changes(seen, 10).await.unwrap().changes[..], [Change::Account { .. }]));
}

/// Nodes that come to an empty database at once, each with a key of its own: one of them is the first, the others are
/// told which key they lack.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_with_different_keys_one_is_let_in() {
    let schema = Schema::new();
    let starting: Vec<_> = (1..=4)
        .map(|key| {
            let options = Options { vault: Some(vault(&[key])), ..schema.options() };
            tokio::spawn(async move { (key, PostgresStore::open(&url(), options).await) })
        })
        .collect();
    let (mut first, mut refused) = (Vec::new(), Vec::new());
    for one in starting {
        match one.await.unwrap() {
            (key, Ok(_)) => first.push(key),
            (_, Err(Error::Unusable(why))) => refused.push(why),
            (_, Err(error)) => panic!("{error:?}"),
        }
    }
    assert_eq!((first.len(), refused.len()), (1, 3));
    let id = secret_key(first[0]).id();
    assert!(
        refused.iter().all(|why| why.contains(&format!("the secret key {id}, which was not given"))),
        "{refused:?}"
    );
}

/// A database is no place for its own keys: without any it is refused, with what to do, before anything is made in it.
#[tokio::test]
async fn without_a_key_a_store_is_refused() {
    let schema = Schema::new();
    let refused = schema.try_open(Options { vault: None, ..schema.options() }).await;
    let Err(Error::Unusable(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("needs the secret key") && why.contains("openssl rand -hex 32"), "{why}");
    let client = schema.client().await;
    let made = client
        .query_one("SELECT to_regnamespace($1)::text", &[&format!("\"{}\"", schema.name)])
        .await
        .unwrap();
    assert_eq!(made.get::<_, Option<&str>>(0), None);
}

/// A trail that has grown long is read along its indexes, whatever is asked for.
#[tokio::test]
async fn a_long_trail_is_read_along_its_indexes() {
    let schema = Schema::new();
    let store: Arc<dyn Store> = Arc::new(schema.open().await);
    let client = schema.client().await;
    client
        .batch_execute(
            "INSERT INTO audit (id, at, actor, action, object, account, changed)
             SELECT lpad(to_hex(n), 32, '0')::uuid, n, 'system', 'subscription.gone', 'sub_' || n % 40, 'a' || n % 20, '[]'
             FROM generate_series(1, 60000) n; ANALYZE audit",
        )
        .await
        .unwrap();
    let bounds =
        "id >= '00000000-0000-0000-0000-000000000000' AND id < 'ffffffff-ffff-ffff-ffff-ffffffffffff'";
    for (condition, index) in [
        ("", "audit_pkey"),
        ("AND actor = 'system'", "audit_pkey"),
        ("AND account = 'a7'", "audit_by_account"),
        ("AND object = 'sub_7'", "audit_by_object"),
    ] {
        let explain =
            format!("EXPLAIN SELECT * FROM audit WHERE {bounds} {condition} ORDER BY id DESC LIMIT 50");
        let rows = client.query(&explain, &[]).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Sort") && !plan.contains("Seq Scan"), "{plan}");
    }
    let filter = resthooks::store::AuditFilter { account: "a7".parse().ok(), ..Default::default() };
    let page = resthooks::store::Page { after: None, limit: 100 };
    assert_eq!(store.list_audit(&filter, page).await.unwrap().len(), 100);
}

/// Which nodes have a key, and which may seal with it, can be told by their numbers: of those that came before it was known, of
/// those that came with it as their first, and of one that it was kept from.
#[tokio::test]
async fn who_has_and_who_seals_with_a_key_is_known() {
    let schema = Schema::new();
    let open = async |keys: &[u64]| {
        let options = Options { vault: Some(vault(keys)), ..schema.options() };
        PostgresStore::open(&url(), options).await.unwrap()
    };
    let join = async |store: &PostgresStore| {
        let new = NewNode {
            name: String::new(),
            version: String::new(),
            started_at: resthooks::model::Timestamp::from_millis(0),
            lease: std::time::Duration::from_secs(60),
            registers_types: true,
        };
        store.join(&new).await.map(|joined| joined.node)
    };
    let known = async |store: &PostgresStore, key: u64| {
        let all = store.sealing_keys().await.unwrap();
        let one = all.into_iter().find(|one| one.id == secret_key(key).id()).unwrap();
        (one.known_at, one.brought_at)
    };
    let store = open(&[1]).await;
    let first = join(&store).await.unwrap();
    assert_eq!(known(&store, 1).await, (NodeNo(0), first));
    // It was opened before the second key came into use, and must not become a node after.
    let late = open(&[1]).await;
    let ready = open(&[1, 2]).await;
    let opened = open(&[2, 1]).await;
    assert_eq!(store.sealing_keys().await.unwrap().len(), 1, "who opens it alone has sealed nothing");
    opened.bring_key().await.unwrap();
    assert_eq!(known(&store, 2).await, (first, NodeNo(0)));
    let second = join(&opened).await.unwrap();
    assert_eq!(known(&store, 2).await, (first, second));
    let Err(Error::Unusable(why)) = join(&late).await else { panic!("it lacks a key") };
    assert!(why.contains(&secret_key(2).id()), "{why}");
    assert_eq!(store.nodes().await.unwrap().iter().filter(|node| node.status == NodeStatus::Live).count(), 2);
    let third = join(&ready).await.unwrap();
    assert_eq!(
        known(&store, 1).await,
        (NodeNo(0), third),
        "the one with the keys the other way round seals with the former"
    );
    // What is no node says nothing of nodes.
    open(&[1, 2]).await.bring_key().await.unwrap();
    open(&[2, 1]).await.bring_key().await.unwrap();
    assert_eq!((known(&store, 1).await.1, known(&store, 2).await), (third, (first, second)));
}
