//! What of secrets can be found in the files, also in those that an earlier version made.

use std::path::PathBuf;
use std::sync::Arc;

use resthooks::model::Subscription;
use resthooks::seal::Vault;
use resthooks::store::transfer::{Cursor, Item, Transfer as _};
use resthooks::store::{Control as _, Error, Store};
use resthooks_sqlite::{Options, SqliteStore};
use resthooks_store_test::{Lab, Place, run};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::Folder;

/// What tests plant, and look for.
const PLANTED: &[u8] = b"planted";

/// More than are sealed in one step.
const MANY: usize = 700;

/// The names of the files beside which secrets may lie in clear: of those whose bytes hold the word.
fn found_in(folder: &Folder) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.0.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if bytes.windows(PLANTED.len()).any(|part| part == PLANTED) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

/// A document as the version before wrote them, with so much in a header.
fn clear(n: usize, bytes: usize) -> String {
    format!(
        r#"{{"id":"sub_01h{n:023}","account":"a","events":["a.b"],"target_url":"https://example.com/{n}",
        "status":"active","headers":{{"x-token":"planted-{n}-{}"}},"metadata":{{"sealed":"v1.x.y"}},
        "secret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD","created_at":"2026-01-01T00:00:00.000Z",
        "updated_at":"2026-01-01T00:00:00.000Z"}}"#,
        "x".repeat(bytes)
    )
}

/// Writes a store as the version before did: with changes and deletions behind it, and one of its processes gone without
/// closing it.
fn former(folder: &Folder) {
    let raw = Connection::open(folder.file()).unwrap();
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    raw.pragma_update(None, "page_size", 4096).unwrap();
    raw.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    raw.execute_batch(include_str!("../../migrations/0001_initial.sql")).unwrap();
    raw.execute_batch(include_str!("../../migrations/0002_subscription_version.sql")).unwrap();
    raw.execute_batch(
        "CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT;
         INSERT INTO migration VALUES (1, 1), (2, 2);
         PRAGMA application_id = 0x52486b73; PRAGMA user_version = 2;
         INSERT INTO account (no, id, created_at) VALUES (1, 'a', 0);",
    )
    .unwrap();
    let begin = || raw.execute_batch("BEGIN").unwrap();
    let commit = || raw.execute_batch("COMMIT").unwrap();
    begin();
    for n in 1..=MANY + 100 {
        raw.execute(
            "INSERT INTO subscription (no, uid, account, status, target_url, patterns, document) \
             VALUES (?1, CAST(printf('%016d', ?1) AS BLOB), 1, 1, 'https://example.com/', ' a.b ', ?2)",
            (n, clear(n, n % 3 * 3_000)),
        )
        .unwrap();
        raw.execute(
            "INSERT INTO progress (subscription, sequence, consecutive_failures) VALUES (?1, 0, 0)",
            [n],
        )
        .unwrap();
    }
    commit();
    raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    begin();
    for n in (1..=MANY).step_by(2) {
        raw.execute("UPDATE subscription SET document = ?2, version = 1 WHERE no = ?1", (n, clear(n, 10)))
            .unwrap();
    }
    raw.execute("DELETE FROM progress WHERE subscription > ?1", [MANY]).unwrap();
    raw.execute("DELETE FROM subscription WHERE no > ?1", [MANY]).unwrap();
    commit();
    assert_eq!(found_in(folder), ["store.db", "store.db-wal"]);
}

async fn all(store: &SqliteStore) -> Vec<Subscription> {
    store.snapshot().await.unwrap().subscriptions.into_iter().map(|(one, _)| one).collect()
}

fn left_to_do(folder: &Folder) -> i64 {
    let raw = Connection::open(folder.file()).unwrap();
    raw.query_row("SELECT count(*) FROM clear_text", [], |row| row.get(0)).unwrap()
}

/// Whatever an earlier version left in its files, of what is there, was changed and was deleted: nothing of it can be found
/// once a store was opened, neither while it is open nor after.
#[tokio::test]
async fn nothing_that_an_earlier_version_wrote_in_clear_stays_in_the_files() {
    let folder = Folder::new();
    former(&folder);
    let store = folder.open(Options::default());
    assert_eq!(found_in(&folder), [""; 0]);
    let read = all(&store).await;
    assert_eq!(read.len(), MANY);
    for (place, one) in read.iter().enumerate() {
        let n = place + 1;
        let token = format!("planted-{n}-{}", "x".repeat(if n % 2 == 1 { 10 } else { n % 3 * 3_000 }));
        assert_eq!(one.headers.get("x-token"), Some(&token));
        assert_eq!(
            (one.secret.expose(), one.version),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", u64::from(n % 2 == 1))
        );
    }
    store.update_subscription(&read[0], None).await.unwrap();
    assert_eq!(found_in(&folder), [""; 0]);
    store.close().unwrap();
    assert_eq!((found_in(&folder), left_to_do(&folder)), (Vec::new(), 0));
    assert_eq!(all(&folder.open(Options::default())).await.len(), MANY);
}

/// A start that was cut in the middle of that is made up for by the next one.
#[tokio::test]
async fn sealing_that_was_cut_is_begun_again() {
    let folder = Folder::new();
    former(&folder);
    folder.open(Options::default()).close().unwrap();
    let raw = Connection::open(folder.file()).unwrap();
    raw.execute(
        "UPDATE subscription SET document = ?1, sealed_with = NULL WHERE no = 600",
        [clear(600, 5_000)],
    )
    .unwrap();
    raw.execute_batch("INSERT INTO clear_text VALUES (1)").unwrap();
    drop(raw);
    assert_eq!(found_in(&folder), ["store.db"]);
    let store = folder.open(Options::default());
    assert_eq!((found_in(&folder), all(&store).await.len()), (Vec::new(), MANY));
    store.close().unwrap();
    assert_eq!(left_to_do(&folder), 0);
}

/// Somebody else's program that reads the file keeps it from being written anew: the store opens all the same, what is in it
/// is sealed, and the next start does the rest.
#[tokio::test]
async fn a_file_that_cannot_be_written_anew_is_left_to_the_next_start() {
    let folder = Folder::new();
    former(&folder);
    let reader = Connection::open(folder.file()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM subscription").unwrap();
    let store = folder.open(Options::default());
    assert_eq!(all(&store).await.len(), MANY);
    assert!(!found_in(&folder).is_empty());
    store.close().unwrap();
    drop(reader);
    assert_eq!(left_to_do(&folder), 1);
    folder.open(Options::default()).close().unwrap();
    assert_eq!((found_in(&folder), left_to_do(&folder)), (Vec::new(), 0));
}

/// A store that has nothing in clear is not written anew.
#[test]
fn a_fresh_store_has_nothing_to_clear_up() {
    let folder = Folder::new();
    folder.open(Options::default()).close().unwrap();
    assert_eq!(left_to_do(&folder), 0);
}

/// A store whose keys are in the file beside it, as they are by themselves.
struct ByItself(Arc<Folder>);

#[async_trait::async_trait]
impl Place for ByItself {
    async fn open(&self, _: &Arc<Vault>) -> Result<Arc<dyn Store>, Error> {
        Ok(Arc::new(self.0.open(Options::default())))
    }
}

/// Nothing secret is in the files of a store at work, whatever was done to it, nor in what is exported from it.
#[test]
fn no_secret_of_a_store_at_work_is_in_its_files() {
    let folder = Arc::new(Folder::new());
    run(ByItself(Arc::clone(&folder)), async |lab: Lab| {
        let with = |n: usize| Subscription {
            headers: [("x-token".to_owned(), format!("planted-{n}-{}", "x".repeat(n * 500)))].into(),
            ..lab.subscription("a")
        };
        let mut last = lab.insert(with(1)).await;
        for n in 2..20 {
            last = lab.update(Subscription { headers: with(n).headers, ..last }).await;
            lab.insert(with(n)).await;
        }
        assert_eq!(found_in(&folder), [""; 0]);
        lab.store().begin_delete_account(&last.account, last.created_at, None).await.unwrap();
        lab.insert(with(5)).await;
        assert_eq!(found_in(&folder), [""; 0]);
    });
    assert_eq!(found_in(&folder), [""; 0]);
}

/// An export holds documents as they are sealed in the store, and never one in clear.
#[tokio::test]
async fn nothing_is_exported_in_clear() {
    let folder = Folder::new();
    former(&folder);
    let store = folder.open(Options::default());
    // As though a part of the store had escaped the sealing.
    let raw = Connection::open(folder.file()).unwrap();
    raw.execute("UPDATE subscription SET document = ?1, sealed_with = NULL WHERE no = 7", [clear(7, 5)])
        .unwrap();
    drop(raw);
    let (mut cursor, mut moved) = (Cursor::Start, 0);
    loop {
        let page = store.export(&cursor, 300).await.unwrap();
        let Some((_, last)) = page.last() else { break };
        cursor = last.clone();
        for (item, _) in page {
            let line = serde_json::to_string(&item).unwrap();
            assert!(!line.contains("planted") && !line.contains("C2FVsBQI"), "{line}");
            moved += usize::from(matches!(item, Item::Subscription(_)));
        }
    }
    assert_eq!(moved, MANY);
}

/// What was exported is taken in by a store with other keys that has the former one as well, and is sealed with its own; one
/// without it is refused in words that name it, and says nothing of what it could not read.
#[tokio::test]
async fn an_export_is_taken_in_with_its_key_alone() {
    let vault = |keys: &[u64]| Some(resthooks_store_test::lab::vault(keys));
    let (from, into) = (Folder::new(), Folder::new());
    former(&from);
    let source = from.open(Options { vault: vault(&[1]), ..Options::default() });
    let items: Vec<Item> =
        source.export(&Cursor::Start, 500).await.unwrap().into_iter().map(|(item, _)| item).collect();
    let more = source.export(&Cursor::Subscription(0), 500).await.unwrap();
    let items: Vec<Item> = items.into_iter().chain(more.into_iter().map(|(item, _)| item)).collect();

    let store = into.open(Options { vault: vault(&[2]), ..Options::default() });
    let Err(Error::Unusable(why)) = store.import(items.clone()).await else { panic!("it lacks the key") };
    let id = resthooks_store_test::lab::secret_key(1).id();
    assert!(why.contains(&format!("the secret key {id}, which was not given")), "{why}");
    store.close().unwrap();
    let store = into.open(Options { vault: vault(&[2, 1]), ..Options::default() });
    assert_eq!(store.import(items.clone()).await.unwrap(), 501);
    store.close().unwrap();
    // Sealed with the store's own: that one is enough.
    let store = into.open(Options { vault: vault(&[2]), ..Options::default() });
    assert_eq!(all(&store).await.len(), 500);
    assert_eq!(store.import(items).await.unwrap(), 0, "what is there already need not be opened");
    assert_eq!(found_in(&into), [""; 0]);
}

fn key_file(folder: &Folder) -> PathBuf {
    folder.0.path().join("store.db.key")
}

fn refusal(folder: &Folder) -> String {
    match SqliteStore::open(folder.file(), Options::default()) {
        Err(Error::Unusable(why)) => why,
        other => panic!("it should be unusable: {other:?}"),
    }
}

/// The key file is its owner's alone. A store without its key file, or with another's, is refused, and no key is made in its
/// place.
#[test]
fn a_store_without_its_key_file_is_refused() {
    let folder = Folder::new();
    folder.open(Options::default()).close().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(key_file(&folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let kept = std::fs::read(key_file(&folder)).unwrap();
    std::fs::remove_file(key_file(&folder)).unwrap();
    let why = refusal(&folder);
    assert!(why.contains("sealed with the secret key") && why.contains("store.db.key"), "{why}");
    assert!(!key_file(&folder).exists());
    let other = Folder::new();
    other.open(Options::default()).close().unwrap();
    std::fs::copy(key_file(&other), key_file(&folder)).unwrap();
    assert!(refusal(&folder).contains("which was not given"));
    std::fs::write(key_file(&folder), kept).unwrap();
    folder.open(Options::default()).close().unwrap();
}
