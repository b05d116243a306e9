//! What is opened, and what is refused.

use resthooks::model::{EventSeq, NodeNo};
use resthooks::store::{Error, Log as _};
use resthooks_sqlite::{Options, SqliteStore};
use rusqlite::Connection;

use crate::{Folder, batch};

fn refusal(folder: &Folder) -> String {
    match SqliteStore::open(folder.file(), Options::default()) {
        Err(Error::Unusable(why)) => why,
        other => panic!("it should be unusable: {other:?}"),
    }
}

#[test]
fn a_store_in_use_is_refused_and_says_by_whom() {
    let folder = Folder::new();
    let store = folder.open(Options::default());
    let why = refusal(&folder);
    assert!(why.contains(&format!("is in use by process {}", std::process::id())), "{why}");
    drop(store);
    let store = folder.open(Options::default());
    store.close().unwrap();
    let again = folder.open(Options::default());
    store.close().unwrap();
    assert!(refusal(&folder).contains("is in use"), "closing twice takes nothing from the next owner");
    drop(again);
}

#[cfg(unix)]
#[test]
fn another_path_to_a_store_in_use_is_refused() {
    let folder = Folder::new();
    let _store = folder.open(Options::default());
    let link = folder.file().with_file_name("link.db");
    std::os::unix::fs::symlink(folder.file(), &link).unwrap();
    let other = SqliteStore::open(&link, Options::default());
    assert!(matches!(other, Err(Error::Unusable(_))), "{other:?}");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let folder = Folder::new();
    folder.open(Options::default()).close().unwrap();
    Connection::open(folder.file()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(folder.file()).unwrap();
    let why = refusal(&folder);
    assert!(why.contains("newer version") && why.contains("99"), "{why}");
    assert_eq!(std::fs::read(folder.file()).unwrap(), before);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let folder = Folder::new();
    let text = "not a database, but long enough to be one ".repeat(200);
    std::fs::write(folder.file(), &text).unwrap();
    let why = refusal(&folder);
    assert!(why.contains("is not a SQLite file"), "{why}");
    assert_eq!(std::fs::read_to_string(folder.file()).unwrap(), text);

    let folder = Folder::new();
    Connection::open(folder.file()).unwrap().execute_batch("CREATE TABLE account (x)").unwrap();
    let why = refusal(&folder);
    assert!(why.contains("another application"), "{why}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = Folder::new();
    let path = folder.file().join("missing").join("store.db");
    for path in [path, folder.0.path().to_owned(), folder.0.path().join("..")] {
        let refused = SqliteStore::open(&path, Options::default());
        assert!(matches!(refused, Err(Error::Unusable(_) | Error::Unavailable(_))), "{path:?}: {refused:?}");
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "").unwrap();
    let store = folder.open(Options::default());
    store.commit(batch("a", 0, 3, 10)).await.unwrap();
    assert_eq!(store.position(NodeNo(1)).await.unwrap().last, EventSeq(3));
}

#[tokio::test]
async fn migrations_are_written_down() {
    let folder = Folder::new();
    folder.open(Options::default()).close().unwrap();
    let raw = Connection::open(folder.file()).unwrap();
    let applied = |raw: &Connection| -> Vec<(u32, i64)> {
        let mut ask = raw.prepare("SELECT version, applied_at FROM migration").unwrap();
        ask.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let first = applied(&raw);
    assert_eq!(first.len(), 4);
    assert!(first[0].1 > 1_700_000_000_000);
    folder.open(Options::default()).close().unwrap();
    assert_eq!(applied(&raw), first);
}
