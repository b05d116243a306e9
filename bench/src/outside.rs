//! What a process costs, as the kernel counts it: alone, or with all of its children.

use anyhow::Context as _;

/// Ticks of processor time in a second: fixed in what Linux shows to programs.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used, all of its threads.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    Ok(Stat::of(pid)?.own_ticks as f64 / TICKS)
}

/// The same together with its children, those included that have ended.
pub(crate) fn family_cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let parent = Stat::of(pid)?;
    let children: u64 = children(pid)?.iter().map(|(_, child)| child.own_ticks + child.ended_ticks).sum();
    Ok((parent.own_ticks + parent.ended_ticks + children) as f64 / TICKS)
}

/// Seconds of processor time that anything has used on the whole machine, the kernel with it.
pub(crate) fn machine_cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    busy_ticks(&stat).map(|ticks| ticks as f64 / TICKS).context("/proc/stat has no line of all processors")
}

/// All but the idle ticks of the first line: those of guests are among the users' already.
fn busy_ticks(stat: &str) -> Option<u64> {
    let words = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<u64> = words.take(8).map(|word| word.parse().ok()).collect::<Option<_>>()?;
    // The fourth is idle, the fifth waits for the disk.
    Some(ticks.iter().enumerate().filter(|(place, _)| !matches!(place, 3 | 4)).map(|(_, ticks)| ticks).sum())
}

/// A line of `/proc/PID/status` in MiB: `VmRSS` is what a process holds in memory, `VmHWM` the most it has held.
pub(crate) fn memory_mib(pid: u32, line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    let kib = value.and_then(|v| v.split_whitespace().next()).with_context(|| format!("no {line}"))?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

/// Bytes that a process, and those of its children that have ended, have caused to be written to the disk.
pub(crate) fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let value = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    value.context("/proc/PID/io has no write_bytes")?.trim().parse().context("no number")
}

/// The same together with the children that still run.
pub(crate) fn family_written_bytes(pid: u32) -> anyhow::Result<u64> {
    // One that ends meanwhile is the parent's to account for.
    let children: u64 = children(pid)?.iter().filter_map(|(child, _)| written_bytes(*child).ok()).sum();
    Ok(written_bytes(pid)? + children)
}

/// Processes whose parent it is.
fn children(pid: u32) -> anyhow::Result<Vec<(u32, Stat)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match Stat::of(child) {
            Ok(stat) if stat.parent == pid => found.push((child, stat)),
            // Another's, or one that has just ended.
            _ => {}
        }
    }
    Ok(found)
}

/// As much of `/proc/PID/stat` as matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own_ticks: u64,
    /// Of children that have ended.
    ended_ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> anyhow::Result<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        // The name, which may hold anything, ends with the last parenthesis. The second word after it is the parent, the
        // 12th and 13th are its user and system time, and those of its children follow.
        let (_, rest) = text.rsplit_once(')').context("/proc/PID/stat without a name")?;
        let mut words = rest.split_whitespace().skip(1);
        let mut next =
            || words.next().context("/proc/PID/stat is short")?.parse::<i64>().context("no number");
        let parent = u32::try_from(next()?)?;
        for _ in 0..9 {
            next()?;
        }
        let mut ticks = || anyhow::Ok(u64::try_from(next()?)? + u64::try_from(next()?)?);
        Ok(Self { parent, own_ticks: ticks()?, ended_ticks: ticks()? })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        let (now, most) = (memory_mib(pid, "VmRSS").unwrap(), memory_mib(pid, "VmHWM").unwrap());
        assert!(now > 0.0 && most >= 1.0);
        assert!(memory_mib(pid, "VmNone").is_err());
        written_bytes(pid).unwrap();
    }

    #[test]
    fn the_times_are_found_behind_any_name() {
        let text = "7 (a ) b) S 3 7 7 0 -1 4194560 9 8 7 6 11 22 33 44 20 0 1 0 5 6 7";
        assert_eq!(Stat::parse(text).unwrap(), Stat { parent: 3, own_ticks: 33, ended_ticks: 77 });
        assert!(Stat::parse("7 (a) S 3 7").is_err());
    }

    #[test]
    fn what_is_idle_is_not_used() {
        let stat = "cpu  10 2 30 4000 500 6 7 8 10 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy_ticks(stat), Some(63));
        assert_eq!(busy_ticks("cpu0 1 1\n"), None);
        assert!(machine_cpu_seconds().unwrap() > 0.0);
    }

    #[test]
    fn children_belong_to_the_family() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let found = children(std::process::id()).unwrap();
        assert!(found.iter().any(|(pid, _)| *pid == child.id()));
        assert!(family_cpu_seconds(std::process::id()).unwrap() >= 0.0);
        family_written_bytes(std::process::id()).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
