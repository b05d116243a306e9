//! What the operating system knows about this process and its files.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// User and system time of the store's own threads, from ticks of 10 ms.
pub(crate) fn cpu_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ticks: u64 = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("stat")).ok())
        .filter(|stat| stat.contains("(store-"))
        .filter_map(|stat| Some(stat.rsplit_once(") ")?.1.to_owned()))
        .flat_map(|rest| {
            rest.split(' ').skip(11).take(2).filter_map(|t| t.parse().ok()).collect::<Vec<u64>>()
        })
        .sum();
    Duration::from_millis(ticks * 10)
}

/// The length of the write-ahead log, in bytes.
pub(crate) fn wal_len(path: &Path) -> u64 {
    fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len())
}

/// Removes a store.
pub(crate) fn remove(path: &Path) {
    for extension in ["db", "db-wal", "db-shm", "db.lock"] {
        let _ = fs::remove_file(path.with_extension(extension));
    }
}

/// The process's resident memory, in MiB.
pub(crate) fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}
