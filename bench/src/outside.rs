//! What a process costs, as the kernel counts it.

use anyhow::Context as _;

/// Ticks of processor time in a second: fixed in what Linux shows to programs.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used, all of its threads.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, which may hold anything, ends with the last parenthesis; user and system time are 12th and 13th after it.
    let (_, rest) = stat.rsplit_once(')').context("/proc/PID/stat without a name")?;
    let mut words = rest.split_whitespace().skip(11);
    let mut tick = || words.next().context("/proc/PID/stat is short")?.parse::<f64>().context("no number");
    Ok((tick()? + tick()?) / TICKS)
}

/// A line of `/proc/PID/status` in MiB: `VmRSS` is what a process holds in memory, `VmHWM` the most it has held.
pub(crate) fn memory_mib(pid: u32, line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    let kib = value.and_then(|v| v.split_whitespace().next()).with_context(|| format!("no {line}"))?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

/// Bytes that a process has caused to be written to the disk.
pub(crate) fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let value = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    value.context("/proc/PID/io has no write_bytes")?.trim().parse().context("no number")
}

#[cfg(test)]
mod tests {
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
}
