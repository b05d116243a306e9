//! Bringing a schema to this version: by many at once, not by older programs, not when told not to.

use resthooks::store::Error;
use resthooks_postgres::{Options, PostgresStore};

use crate::place::{Schema, url};

fn words(opened: Result<PostgresStore, Error>) -> String {
    match opened {
        Err(Error::Unusable(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Nodes that start together on an empty database all come up, and each migration is made once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_start_at_once() {
    let schema = Schema::new();
    let starting: Vec<_> = (0..4)
        .map(|_| {
            let options = schema.options();
            tokio::spawn(async move { PostgresStore::open(&url(), options).await })
        })
        .collect();
    for one in starting {
        one.await.unwrap().unwrap();
    }
    let client = schema.client().await;
    let rows = client.query("SELECT version, name FROM migration ORDER BY version", &[]).await.unwrap();
    let made: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(made[..2], [(1, "initial".to_owned()), (2, "emit".to_owned())]);
    assert_eq!(PostgresStore::migrate(&url(), &schema.options()).await.unwrap(), 0, "nothing is left to do");
}

/// A program that may not migrate says what to do; once that was done it works.
#[tokio::test]
async fn without_leave_to_migrate_another_version_is_refused() {
    let schema = Schema::new();
    let may_not = Options { migrate: false, ..schema.options() };
    let why = words(schema.try_open(may_not.clone()).await);
    assert!(why.contains("run `resthooks migrate`") && why.contains(&schema.name), "{why}");
    assert!(PostgresStore::migrate(&url(), &schema.options()).await.unwrap() >= 2);
    schema.try_open(may_not.clone()).await.unwrap();
    let client = schema.client().await;
    client.batch_execute("UPDATE functions SET checksum = 'older', version = 0").await.unwrap();
    assert!(words(schema.try_open(may_not.clone()).await).contains("migrate"));
    schema.try_open(schema.options()).await.unwrap();
    schema.try_open(may_not).await.unwrap();
}

/// A schema that a newer program has migrated, or another one has made, is refused in words and left as it is. The
/// functions of a newer program serve this one too.
#[tokio::test]
async fn a_newer_schema_is_refused() {
    let schema = Schema::new();
    schema.open().await;
    let client = schema.client().await;
    client.batch_execute("UPDATE functions SET version = 1000, checksum = 'newer'").await.unwrap();
    schema.open().await;
    let newer = "INSERT INTO migration (version, name, checksum, applied_at) VALUES (1000, 'later', 'x', 0)";
    client.batch_execute(newer).await.unwrap();
    let why = words(schema.try_open(schema.options()).await);
    assert!(why.contains("newer version"), "{why}");
    client.batch_execute("DELETE FROM migration WHERE version = 1000").await.unwrap();
    client.batch_execute("UPDATE migration SET checksum = 'other' WHERE version = 1").await.unwrap();
    let why = words(schema.try_open(schema.options()).await);
    assert!(why.contains("another build"), "{why}");
    let kept = client.query_one("SELECT checksum FROM functions", &[]).await.unwrap();
    assert_eq!(kept.get::<_, &str>(0), "newer");
}

/// A database that is not there is no reason to give up; a user or database that is wrong is, in words without the
/// password.
#[tokio::test]
async fn what_can_not_be_reached_is_told() {
    let options = Schema::new().options();
    let nobody = PostgresStore::open("postgres://u:secret@127.0.0.1:1/d", options.clone()).await;
    assert!(matches!(nobody, Err(Error::Unavailable(_))), "{nobody:?}");
    let (before, _) =
        url().rsplit_once('/').map(|(before, after)| (before.to_owned(), after.to_owned())).unwrap();
    let why = words(PostgresStore::open(&format!("{before}/no-such-database"), options.clone()).await);
    assert!(why.contains("create the database"), "{why}");
    for name in ["", "pg_resthooks", &"x".repeat(64)] {
        words(PostgresStore::open(&url(), Options { schema: name.to_owned(), ..options.clone() }).await);
    }
}
