//! Keeps a second process, and a second opening by this one, out of a store.
//!
//! The lock is the operating system's, on a file beside the store, and ends with the process however that ends. The
//! file itself is never removed: whoever waits for it would lock a file that is no longer there.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use resthooks::store::Error;

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(store: &Path) -> Result<Self, Error> {
        let path = beside(store);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| Error::Unusable(format!("can't open {}: {e}", path.display())))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(store, &mut file)),
            Err(TryLockError::Error(e)) => {
                return Err(Error::Unusable(format!("can't lock {}: {e}", path.display())));
            }
        }
        // The number is for whoever is refused; the lock holds without it, also on a full disk.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn beside(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(".lock");
    name.into()
}

fn in_use(store: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let store = store.display();
    match holder.trim().parse::<u32>() {
        Ok(pid) => Error::Unusable(format!("the store {store} is in use by process {pid}")),
        Err(_) => Error::Unusable(format!("the store {store} is in use by another process")),
    }
}
