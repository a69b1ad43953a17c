//! What the system knows of a process: its processor time, its memory, and its waits for the disk.

use std::fs;
use std::io;

/// Linux counts processor time in hundredths of a second, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all its threads since it began, in seconds.
///
/// # Errors
/// There is no such process.
pub fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let stat = stat(pid)?;
    Ok((count(&stat, 11)? + count(&stat, 12)?) as f64 / TICKS_PER_SECOND)
}

/// How often one of its threads has waited for a page to be read from disk since it began.
///
/// # Errors
/// There is no such process.
pub fn pages_awaited(pid: u32) -> io::Result<u64> {
    count(&stat(pid)?, 9)
}

/// Its line of counts, from the one that tells its state on: `proc_pid_stat(5)`.
fn stat(pid: u32) -> io::Result<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in brackets and may contain anything.
    Ok(stat.rsplit_once(") ").map_or("", |(_, counts)| counts).to_owned())
}

fn count(stat: &str, at: usize) -> io::Result<u64> {
    let count = stat.split(' ').nth(at).and_then(|count| count.parse().ok());
    count.ok_or(io::ErrorKind::InvalidData.into())
}

/// Its peak resident memory, in mebibytes.
///
/// # Errors
/// There is no such process.
pub fn memory_peak_mib(pid: u32) -> io::Result<f64> {
    status_mib(pid, "VmHWM:")
}

/// Its resident memory now, in mebibytes.
///
/// # Errors
/// There is no such process.
pub fn memory_mib(pid: u32) -> io::Result<f64> {
    status_mib(pid, "VmRSS:")
}

fn status_mib(pid: u32, field: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or(io::ErrorKind::InvalidData.into())
}

/// Keeps every thread that a process has now on the first processor.
///
/// # Errors
/// There is no such process, or it may not be told.
#[cfg(target_os = "linux")]
pub fn keep_on_one(pid: u32) -> io::Result<()> {
    use rustix::process::Pid;
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut first = CpuSet::new();
    first.set(0);
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let name = thread?.file_name();
        let id = name.to_str().and_then(|id| Pid::from_raw(id.parse().ok()?));
        sched_setaffinity(Some(id.ok_or(io::ErrorKind::InvalidData)?), &first)?;
    }
    Ok(())
}

/// Keeps every thread that a process has now on the first processor: Linux alone can.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn keep_on_one(_: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
