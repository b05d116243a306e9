//! From SQLite to PostgreSQL and back: all that was there, nothing twice, and what was not delivered yet is.

use std::time::Duration;

use resthooks::model::{EventSeq, NodeStatus, SubscriptionNo};
use resthooks::seal::SecretKey;
use resthooks::store::transfer::Transfer as _;
use resthooks::store::{Control as _, Log as _, NewNode, Nodes as _, SubscriptionFilter};
use resthooks_store_test::lab::{at, first, run};

use crate::contents::fill;
use crate::place::{File, OF_POSTGRES, OF_SQLITE, Place, done, failed, open_sqlite, things};

/// A SQLite store with some of everything, and its export in a file beside it.
pub(crate) fn filled() -> (Place, String, std::path::PathBuf) {
    let from = Place::sqlite();
    run(File(from.file()), fill);
    let export = from.export();
    let file = from.file().with_extension("ndjson");
    std::fs::write(&file, &export).unwrap();
    (from, export, file)
}

#[test]
fn everything_comes_back_as_it_was() {
    let (_from, export, file) = filled();
    let (postgres, back) = (Place::postgres(), Place::sqlite());
    let said = done(postgres.import(&file));
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains(
            "imported 4 accounts, 2 event types, 2 API keys, 6 subscriptions, 3 audit entries, 7 events with \
             6 deliveries"
        ),
        "{said}"
    );
    let moved = postgres.export();
    assert_eq!(things(&moved), things(&export));
    std::fs::write(&file, &moved).unwrap();
    done(back.import(&file));
    assert_eq!(things(&back.export()), things(&export));
    // Again, everything is there already.
    for place in [&postgres, &back] {
        let said = done(place.import(&file));
        assert!(
            String::from_utf8_lossy(&said.stderr).contains("; 24 of them were there already"),
            "{said:?}"
        );
        assert_eq!(things(&place.export()), things(&export));
    }
}

/// What is moved of what keys may do, what accounts have settled and what was done, beside what the comparison of exports
/// shows already.
#[test]
fn trust_moves_with_the_rest() {
    let (_from, export, file) = filled();
    assert!(
        !export.contains("whsec_") && !export.contains("planted"),
        "nothing is exported in clear: {export}"
    );
    for needle in [
        r#""settings":{"intent":"echo"}"#,
        r#""access":6"#,
        r#""expires_at":"2026"#,
        r#""last_used_at":"2026"#,
        r#"{"audit":{"id":"aud_"#,
        r#""changed":["target_url","headers"]"#,
    ] {
        assert!(export.contains(needle), "{needle} in {export}");
    }
    let place = Place::sqlite();
    done(place.import(&file));
    let moved = std::fs::read(place.file()).unwrap();
    for secret in [&b"planted"[..], b"whsec_"] {
        assert!(!moved.windows(secret.len()).any(|part| part == secret), "{}", secret.escape_ascii());
    }
}

/// Whoever takes an export in needs the key that it was sealed with: without it nothing of a subscription is added, and it
/// is told which key that is; the key file of the store that it comes from is one way to give it.
#[test]
fn an_import_needs_the_key_of_where_it_comes_from() {
    let (_from, export, file) = filled();
    let id = OF_SQLITE.parse::<SecretKey>().unwrap().id();
    for (place, own) in [(Place::postgres(), OF_POSTGRES), (Place::sqlite(), OF_POSTGRES)] {
        let import = |keys: &str| {
            let mut import = place.keyless("import");
            import.arg("--input").arg(&file).arg(format!("--secret-key={keys}")).output().unwrap()
        };
        let said = failed(&import(own));
        assert!(said.contains(&format!("the secret key {id}, which was not given")), "{said}");
        assert!(said.contains("--secret-key"), "{said}");
        assert!(!said.contains(OF_SQLITE) && !said.contains(own), "{said}");
        done(import(&format!("{own},{OF_SQLITE}")));
        // Sealed with the store's own, so that it is enough from now on.
        let mut again = place.keyless("export");
        let again = done(again.arg(format!("--secret-key={own}")).output().unwrap());
        assert_eq!(things(&String::from_utf8(again.stdout).unwrap()), things(&export));
    }
}

/// By themselves, SQLite stores have a key file each: the one's is given to the other, behind its own.
#[test]
fn stores_with_key_files_move_as_well() {
    let (from, into) = (Place::sqlite(), Place::sqlite());
    let (_filled, export, file) = filled();
    let key_of = |place: &Place| {
        let file = std::fs::read_to_string(place.file().with_extension("db.key")).unwrap();
        file.lines().find(|line| line.starts_with("rhsk_")).unwrap().to_owned()
    };
    for place in [&from, &into] {
        // Makes the store and its file.
        failed(&place.keyless("import").arg("--input").arg(&file).output().unwrap());
    }
    let with = |place: &Place, name: &str, file: &std::path::Path, other: &str| {
        let mut command = place.keyless(name);
        let keys = format!("--secret-key={},{other}", key_of(place));
        done(
            command
                .arg(if name == "import" { "--input" } else { "--output" })
                .arg(file)
                .arg(keys)
                .output()
                .unwrap(),
        );
    };
    with(&from, "import", &file, OF_SQLITE);
    let between = file.with_extension("between");
    with(&from, "export", &between, &key_of(&into));
    with(&into, "import", &between, &key_of(&from));
    let end = done(into.keyless("export").output().unwrap());
    let end = String::from_utf8(end.stdout).unwrap();
    assert_eq!(end.lines().last(), export.lines().last());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_what_has_no_row_yet_is_taken_over_from_the_import() {
    let (_from, _, file) = tokio::task::spawn_blocking(filled).await.unwrap();
    let place = Place::postgres();
    done(place.import(&file));
    let store = place.open_postgres().await;
    let nodes = store.nodes().await.unwrap();
    assert_eq!((nodes.len(), nodes[0].status, nodes[0].name.as_str()), (1, NodeStatus::Left, "import"));
    let import = nodes[0].no;

    let new = NewNode {
        name: "n".to_owned(),
        version: "1".to_owned(),
        lease: Duration::from_secs(60),
        started_at: at(0),
        registers_types: false,
    };
    let joined = store.join(&new).await.unwrap();
    assert!(store.renew(joined.node, new.lease).await.unwrap().orphans);
    assert_eq!(store.take_over(joined.node, true).await.unwrap(), [import]);
    let position = store.position(import).await.unwrap();
    assert!(joined.last >= position.last && position.watermark < position.last);
    let left = store.unrecorded(import, position.watermark, position.last, 100).await.unwrap();
    // Those of which all is recorded before the first of which it is not are below the watermark.
    let missing: Vec<usize> = left.iter().map(|one| one.missing.len()).collect();
    assert_eq!(missing, [1, 0, 1, 1], "the fourth lacks one, then none, and those of the others");
    let inherited = store.inherit(joined.node, import, 100).await.unwrap();
    let waiting: u64 = inherited.backlog.iter().map(|one| one.scheduled + one.held).sum();
    assert_eq!((waiting, inherited.done), (2, true));
    store.forget(joined.node, import).await.unwrap();

    // Sequences go on where they were.
    let subscriptions = store.list_subscriptions(&SubscriptionFilter::default(), first(10)).await.unwrap();
    let numbers: Vec<SubscriptionNo> = subscriptions.iter().map(|one| one.no).collect();
    let sequences: Vec<u64> =
        store.standing(&numbers).await.unwrap().iter().map(|one| one.progress.sequence).collect();
    assert!(sequences.contains(&4), "{sequences:?}");
    assert!(left.iter().all(|one| one.event.seq > EventSeq(0)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_beside_a_node_is_told_to_it_and_taken_over_by_it() {
    let (_from, _, file) = tokio::task::spawn_blocking(filled).await.unwrap();
    let place = Place::postgres();
    let store = std::sync::Arc::new(place.open_postgres().await);
    let hooks = resthooks::Hooks::start(store.clone(), resthooks::Options::default()).await.unwrap();
    done(place.import(&file));
    assert!(store.hindrances().await.unwrap()[0].contains("nodes work on this store"));
    let clock = resthooks::env::SystemClock::default();
    let mut left = 2;
    for _ in 0..1_500 {
        left = store.nodes().await.unwrap().len();
        if left == 1 {
            break;
        }
        resthooks::env::Clock::sleep(&clock, Duration::from_millis(20)).await;
    }
    assert_eq!(left, 1, "the import's is forgotten when it has nothing left");
    let types = hooks.event_types(resthooks::store::Page { after: None, limit: 10 });
    assert_eq!(types.items.len(), 2);
    hooks.shutdown(Duration::from_secs(5)).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_use_is_refused() {
    let (from, _, file) = tokio::task::spawn_blocking(filled).await.unwrap();
    let store = open_sqlite(&from.file());
    for output in [from.command("export").output().unwrap(), from.import(&file)] {
        assert!(failed(&output).contains("in use by process"), "{output:?}");
    }
    store.close().unwrap();
}

#[test]
fn the_file_is_its_owners_alone_and_never_overwritten() {
    let (from, export, _) = filled();
    let file = from.file().with_extension("out");
    let write = || from.command("export").arg("--output").arg(&file).output().unwrap();
    done(write());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), export);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(failed(&write()).contains("--output"));
}
