//! The file that the sealing keys are kept in: one key a line, the first one seals.
//!
//! Read when a store is opened, made at a store's first start, written anew by the rotation. A file is never seen half
//! written, and one that is there is never overwritten by one that is made: what it sealed could not be read any more.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{SecretKey, Vault};
use crate::env::Random;

/// The largest file that is read, in bytes: many more keys than anybody keeps.
const MAX_BYTES: u64 = 64 * 1024;

/// What a file that we write begins with.
const HEAD: &str = "\
# The keys that resthooks seals its secrets with. The first one seals, all of them open.
# Keep a copy of this file in a safe place: without it the secrets in the store can't be read.
";

/// Why a key file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the key file {}: {problem}", path.display())]
pub struct Error {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{doing}: {error}")]
    Io { doing: &'static str, error: io::Error },
    #[error("holds no key")]
    Empty,
    #[error("is larger than {MAX_BYTES} bytes: it holds something else")]
    TooLarge,
    /// The line itself is not told: it may be nearly a key.
    #[error("line {line} is no key: it {message}")]
    Line { line: usize, message: String },
    #[error("others than its owner can read or write it (mode {mode:03o}): chmod 600 it")]
    Open { mode: u32 },
    #[error("is being changed by another process")]
    Locked,
    #[error(
        "is not there, and the secrets of the store are sealed with the secret key {id}: put a copy of it there"
    )]
    Missing { id: String },
}

/// The keys of a file that may have been made just now.
#[derive(Debug)]
pub struct Loaded {
    /// At least one; the first one seals.
    pub keys: Vec<SecretKey>,
    /// Whether this call made the file.
    pub made: bool,
}

/// The keys in a file; none when there is no such file.
///
/// # Errors
/// When it can't be read, holds no key or something else than keys, or can be read or written by everybody, or written by
/// its group.
pub fn load(path: &Path) -> Result<Option<Vec<SecretKey>>, Error> {
    let at = |problem| Error { path: path.to_owned(), problem };
    let io = |doing| move |error| at(Problem::Io { doing, error });
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io("can't be opened"))?,
    };
    judge_mode(&file.metadata().map_err(io("can't be read"))?).map_err(at)?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(io("can't be read"))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(at(Problem::TooLarge));
    }
    parse(&text).map(Some).map_err(at)
}

/// The keys in a file, which is made with a new key when it is not there. Of several processes that do this at once one
/// makes it, and the others read it.
///
/// # Errors
/// As [`load`]; and when it can't be written.
pub fn load_or_make(path: &Path, random: &dyn Random) -> Result<Loaded, Error> {
    if let Some(keys) = load(path)? {
        return Ok(Loaded { keys, made: false });
    }
    let keys = vec![SecretKey::random(random)];
    if make(path, &keys, random)? {
        return Ok(Loaded { keys, made: true });
    }
    let keys = load(path)?.ok_or_else(|| Error { path: path.to_owned(), problem: Problem::Empty })?;
    Ok(Loaded { keys, made: false })
}

/// The keys in the file of a store in which the keys with these ids are in use. The file is made only for a store in which
/// none is: what was sealed with another key could not be read with a new one.
///
/// # Errors
/// As [`load_or_make`]; and when the file is not there and should be.
pub fn of_store(path: &Path, in_use: &[String], random: &dyn Random) -> Result<Loaded, Error> {
    match (load(path)?, in_use.first()) {
        (Some(keys), _) => Ok(Loaded { keys, made: false }),
        (None, None) => load_or_make(path, random),
        (None, Some(id)) => {
            Err(Error { path: path.to_owned(), problem: Problem::Missing { id: id.clone() } })
        }
    }
}

/// Writes these keys in the place of those that are there: whole or not at all. Owner and mode stay, comments don't.
/// Whoever reads the keys first and writes them changed afterwards holds a [`Lock`] meanwhile.
///
/// # Errors
/// When it can't be written; then the file is as it was.
///
/// # Panics
/// Without a key.
pub fn replace(path: &Path, keys: &[SecretKey]) -> Result<(), Error> {
    assert!(!keys.is_empty(), "a file without a key opens nothing");
    let at = |doing| move |error| Error { path: path.to_owned(), problem: Problem::Io { doing, error } };
    // The file itself, where a link leads to it: the link stays.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fresh = beside(&real, ".new");
    // One that a crash has left.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at("can't be written")(error)),
        _ => {}
    }
    let written = write_new(&fresh, &text_of(keys)).and_then(|()| keep_owner(&real, &fresh));
    let renamed = written.and_then(|()| fs::rename(&fresh, &real));
    if renamed.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    renamed.and_then(|()| sync_directory(&real)).map_err(at("can't be written"))
}

/// Keeps other processes from changing a key file, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, on a file beside the key file, which stays. Fails at once when another process has it.
    ///
    /// # Errors
    /// When another process has it, or it can't be made.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let at = |problem| Error { path: path.to_owned(), problem };
        let io = |error| at(Problem::Io { doing: "can't be locked", error });
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(false).open(beside(&real, ".lock")).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(at(Problem::Locked)),
            Err(fs::TryLockError::Error(error)) => Err(io(error)),
        }
    }
}

impl Loaded {
    /// A vault with these keys.
    ///
    /// # Panics
    /// Without a key: none is loaded so.
    #[must_use]
    pub fn vault(&self) -> Vault {
        let (first, others) = self.keys.split_first().expect("a file without a key is refused");
        Vault::new(first, others)
    }
}

fn parse(text: &str) -> Result<Vec<SecretKey>, Problem> {
    let mut keys: Vec<SecretKey> = Vec::new();
    // A byte order mark is what some editors put there.
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = line
            .parse()
            .map_err(|invalid: crate::model::Invalid| Problem::Line { line: at + 1, message: invalid.0 })?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() { Err(Problem::Empty) } else { Ok(keys) }
}

fn text_of(keys: &[SecretKey]) -> String {
    let mut text = HEAD.to_owned();
    for key in keys {
        writeln!(text, "# {}\n{}", key.id(), key.expose()).expect("memory takes all");
    }
    text
}

/// Makes the file, unless it is there by then: whether it did.
fn make(path: &Path, keys: &[SecretKey], random: &dyn Random) -> Result<bool, Error> {
    let at = |error| Error { path: path.to_owned(), problem: Problem::Io { doing: "can't be made", error } };
    let fresh = beside(path, &format!(".{:032x}", random.u128()));
    write_new(&fresh, &text_of(keys)).map_err(|error| {
        let _ = fs::remove_file(&fresh);
        at(error)
    })?;
    // Unlike a rename, a link never takes the place of a file that is there.
    let linked = fs::hard_link(&fresh, path);
    let _ = fs::remove_file(&fresh);
    let made = match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Ok(()) => Ok(()),
        // A file system without links: nobody's file is overwritten here either, though it may be seen half written.
        Err(_) => match write_new(path, &text_of(keys)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            written => written,
        },
    };
    made.and_then(|()| sync_directory(path)).map_err(at)?;
    Ok(true)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Writes a file that was not there, for its owner's eyes alone, down to the disk.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the names in a file's directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    let _ = path;
    Ok(())
}

/// Gives `fresh` the owner and mode of the file that it is about to replace: whoever reads that one must go on being able
/// to, also when somebody else (root, say) writes it.
fn keep_owner(former: &Path, fresh: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let was = match fs::metadata(former) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            was => was?,
        };
        let is = fs::metadata(fresh)?;
        if (was.uid(), was.gid()) != (is.uid(), is.gid()) {
            chown(fresh, Some(was.uid()), Some(was.gid()))?;
        }
        fs::set_permissions(fresh, was.permissions())?;
    }
    let _ = (former, fresh);
    Ok(())
}

#[cfg(unix)]
fn judge_mode(of: &fs::Metadata) -> Result<(), Problem> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = of.mode() & 0o777;
    // Its group may read it: that is how a service is given a file that it does not own.
    if of.is_file() && mode & 0o027 != 0 { Err(Problem::Open { mode }) } else { Ok(()) }
}

#[cfg(not(unix))]
fn judge_mode(_: &fs::Metadata) -> Result<(), Problem> {
    Ok(())
}

#[cfg(test)]
mod tests;
