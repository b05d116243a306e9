use std::sync::Barrier;

use super::*;
use crate::env::{SeededRandom, SystemRandom};

fn key(n: u64) -> SecretKey {
    SecretKey::random(&SeededRandom::new(n))
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn is_made_once_and_read_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.key");
    assert!(load(&path).unwrap().is_none());
    let made = load_or_make(&path, &SystemRandom).unwrap();
    assert!(made.made);
    let read = load_or_make(&path, &SystemRandom).unwrap();
    assert!(!read.made);
    assert_eq!(read.keys, made.keys);
    assert_eq!(load(&path).unwrap().unwrap(), made.keys);
    assert_eq!(names(directory.path()), ["hooks.key"]);
    assert_eq!(made.vault().sealing_id(), made.keys[0].id());
}

#[test]
fn is_never_made_for_a_store_that_needs_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.key");
    let in_use = [key(1).id()];
    let error = of_store(&path, &in_use, &SystemRandom).unwrap_err().to_string();
    assert!(error.contains(&key(1).id()) && error.contains("hooks.key"), "{error}");
    assert!(names(directory.path()).is_empty());
    assert!(of_store(&path, &[], &SystemRandom).unwrap().made);
    // Whether they are the right ones is for whoever opens the store to judge.
    assert!(!of_store(&path, &in_use, &SystemRandom).unwrap().made);
}

#[test]
fn many_at_once_agree_on_one_key() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooks.key");
        let together = Barrier::new(8);
        let loaded: Vec<Loaded> = std::thread::scope(|scope| {
            let one = || {
                together.wait();
                load_or_make(&path, &SystemRandom).unwrap()
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(loaded.iter().filter(|one| one.made).count(), 1);
        assert!(loaded.iter().all(|one| one.keys == loaded[0].keys));
        assert_eq!(names(directory.path()), ["hooks.key"]);
    }
}

#[test]
fn is_replaced_whole_and_by_one_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.key");
    replace(&path, &[key(1)]).unwrap();
    // What a crash has left does not stand in the way.
    fs::write(directory.path().join("hooks.key.new"), "half").unwrap();
    replace(&path, &[key(2), key(1)]).unwrap();
    assert_eq!(load(&path).unwrap().unwrap(), [key(2), key(1)]);
    assert_eq!(names(directory.path()), ["hooks.key"]);
    let lock = Lock::take(&path).unwrap();
    assert!(Lock::take(&path).unwrap_err().to_string().contains("another process"));
    drop(lock);
    Lock::take(&path).unwrap();
}

#[test]
fn comments_empty_lines_and_repetitions_count_for_nothing() {
    let text = format!(
        "\u{feff}# first\r\n\r\n  {}  \r\n#x\n{}\n{}",
        key(1).expose(),
        key(2).expose(),
        key(1).expose()
    );
    assert_eq!(parse(&text).unwrap(), [key(1), key(2)]);
}

#[test]
fn says_what_is_wrong_without_telling_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.key");
    let nearly = &key(1).expose()[..40];
    let many = "x".repeat(70_000);
    for (text, words) in [
        ("", "holds no key"),
        ("# only this\n", "holds no key"),
        (nearly, "line 1 is no key"),
        (&format!("#\n\n{}x", key(1).expose()), "line 3 is no key"),
        (&many, "larger than 65536 bytes"),
    ] {
        replace(&path, &[key(1)]).unwrap();
        fs::write(&path, text).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(error.contains("hooks.key:"), "{error}");
        assert!(text.is_empty() || !error.contains(nearly), "{error}");
        assert!(load_or_make(&path, &SystemRandom).is_err(), "what is there is never overwritten");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let nowhere = directory.path().join("none").join("hooks.key");
    let error = load_or_make(&nowhere, &SystemRandom).unwrap_err().to_string();
    assert!(error.contains("none/hooks.key") && error.contains("can't be made"), "{error}");
    let error = load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("can't be read"), "{error}");
}

#[cfg(unix)]
#[test]
fn is_for_its_owner_and_stays_as_it_was() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.key");
    load_or_make(&path, &SystemRandom).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    for open in [0o604, 0o644, 0o660, 0o602, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("mode {open:o}")) && error.contains("chmod 600"), "{error}");
    }
    for closed in [0o400, 0o440, 0o600, 0o640] {
        fs::set_permissions(&path, fs::Permissions::from_mode(closed)).unwrap();
        load(&path).unwrap();
        replace(&path, &[key(1)]).unwrap();
        assert_eq!(mode(&path), closed);
    }
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    replace(&link, &[key(3)]).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(load(&path).unwrap().unwrap(), [key(3)]);
}
