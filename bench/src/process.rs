//! What the system knows of a process: its processor time and its memory.

use std::fs;
use std::io;

/// Linux counts processor time in hundredths of a second, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all its threads since it began, in seconds.
///
/// # Errors
/// There is no such process.
pub fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in brackets and may contain anything.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok());
    let both = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    both.map(|ticks| ticks / TICKS_PER_SECOND).ok_or(io::ErrorKind::InvalidData.into())
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
