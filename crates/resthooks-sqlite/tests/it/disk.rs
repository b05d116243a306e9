//! A full disk: nothing is claimed that is not written, nothing is half done, and with room again all goes on.

use std::sync::Arc;

use resthooks::model::{EventSeq, NodeNo};
use resthooks::store::{Batch, Control as _, Error, EventFilter, History as _, Log as _, Page};
use resthooks_sqlite::{Options, SqliteStore};

use crate::{Folder, batch};

/// Commits until it is refused; how many events were accepted.
async fn fill(store: &SqliteStore, from: usize) -> usize {
    for n in (from..).step_by(10) {
        match store.commit(batch("a", n, 10, 2_000)).await {
            Ok(committed) => assert_eq!(committed.numbers.first().unwrap().0, i64::try_from(n).unwrap() + 1),
            Err(Error::Unavailable(_)) => return n,
            Err(other) => panic!("a full disk is not {other:?}"),
        }
    }
    unreachable!("it is never full")
}

async fn count(store: &SqliteStore) -> usize {
    let page = Page { after: None, limit: 100_000 };
    store.list_events(&EventFilter::default(), page).await.unwrap().len()
}

#[tokio::test]
async fn a_full_file_refuses_and_goes_on_once_there_is_room() {
    let folder = Folder::new();
    let options = Options { max_pages: Some(500), ..Options::default() };
    let store = folder.open(options.clone());
    let accepted = fill(&store, 0).await;
    assert!(accepted > 100);
    for _ in 0..20 {
        assert!(matches!(store.commit(batch("a", accepted, 10, 2_000)).await, Err(Error::Unavailable(_))));
        assert_eq!(store.position(NodeNo(1)).await.unwrap().last.0, i64::try_from(accepted).unwrap());
    }
    assert_eq!(count(&store).await, accepted);
    // What needs no room is still done.
    store.commit(Arc::new(Batch { watermark: Some(EventSeq(1)), ..Batch::default() })).await.unwrap();
    let gone =
        store.begin_delete_account(&"a".parse().unwrap(), resthooks::model::Timestamp::EPOCH, None).await;
    let gone = gone.unwrap().unwrap();
    while !store.delete_account_step(&gone, 50).await.unwrap() {}
    let again = fill(&store, accepted).await;
    assert!(again > accepted + 100);
    assert_eq!(count(&store).await, again - accepted);
    drop(store);
    let larger = folder.open(Options::default());
    assert_eq!(larger.position(NodeNo(1)).await.unwrap().last.0, i64::try_from(again).unwrap());
    larger.commit(batch("b", again, 10, 2_000)).await.unwrap();
}

/// What the test below runs under a limit on the size of files.
const CHILD: &str = "disk::under_a_limit_on_files";
const FILE: &str = "RESTHOOKS_TEST_STORE";

/// A limit on the size of files makes writes fail in the middle, in the log and in the file, as a failing disk does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_failing_disk_is_survived() {
    let folder = Folder::new();
    let test = std::env::current_exe().unwrap();
    let limited = "trap '' XFSZ; ulimit -S -f 4000; exec \"$0\" \"$@\"";
    let child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(test)
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .env(FILE, folder.file())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{said}");
    let accepted: usize = said
        .lines()
        .find_map(|line| line.strip_prefix("accepted "))
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{said}"));
    let store = folder.open(Options::default());
    assert_eq!(count(&store).await, accepted);
    let raw = rusqlite::Connection::open(folder.file()).unwrap();
    let sound: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by the test above, in a process with a limit on the size of files"]
async fn under_a_limit_on_files() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let store = SqliteStore::open(path, Options { wal_limit_kib: 1_024, ..Options::default() }).unwrap();
    let mut accepted = fill(&store, 0).await;
    for _ in 0..20 {
        assert!(matches!(store.commit(batch("a", accepted, 10, 2_000)).await, Err(Error::Unavailable(_))));
        assert_eq!(count(&store).await, accepted);
    }
    let me = std::process::id().to_string();
    let lifted =
        std::process::Command::new("prlimit").args(["--pid", &me, "--fsize=unlimited"]).status().unwrap();
    assert!(lifted.success());
    for _ in 0..20 {
        let committed = store.commit(batch("a", accepted, 10, 2_000)).await.unwrap();
        assert_eq!(committed.numbers[0].0, i64::try_from(accepted).unwrap() + 1);
        accepted += 10;
    }
    assert_eq!(count(&store).await, accepted);
    store.close().unwrap();
    println!("\naccepted {accepted}");
}
