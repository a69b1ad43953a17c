//! A contestant at work: started, watched until it is through, and what that took.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Ground;
use super::contestant::Contestant;
use crate::process;

/// How often a process is looked at: what it does after the last look is missed.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long anybody may take.
const LIMIT: Duration = Duration::from_secs(600);

/// What a run took.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Run {
    /// Records applied each second, from the first seen to the last applied.
    pub per_second: f64,
    /// Processor time of the whole process, user and system, per million records.
    pub cpu_seconds_per_million: f64,
    /// Peak resident memory, in mebibytes.
    pub memory_peak_mib: f64,
    /// Checkpoints or commits that were made durable, where it says.
    pub checkpoints: f64,
    /// Ninety-nine of a hundred checks beside were answered within so many microseconds.
    pub check_p99_us: Option<u64>,
    /// The longest that one took.
    pub check_max_us: Option<u64>,
    /// How late a thread was at most that does nothing but wake up as often as was checked: what
    /// the machine does to anybody.
    pub bystander_max_us: Option<u64>,
    /// How often the node waited meanwhile for a page that the system had to read from disk.
    pub pages_awaited: Option<u64>,
}

impl Run {
    /// Ninety-nine of a hundred checks beside were answered within so many milliseconds.
    pub fn check_p99_ms(&self) -> f64 {
        ms(self.check_p99_us)
    }

    /// The longest that one took, in milliseconds.
    pub fn check_max_ms(&self) -> f64 {
        ms(self.check_max_us)
    }

    /// How late a bystander was at most, in milliseconds.
    pub fn bystander_max_ms(&self) -> f64 {
        ms(self.bystander_max_us)
    }
}

/// Not a number where nobody checked.
fn ms(us: Option<u64>) -> f64 {
    us.map_or(f64::NAN, |us| us as f64 / 1e3)
}

/// A process that is ended when it isn't waited for.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a contestant other than Sluice over a topic; with `answers`, has it write what it knows
/// at an instant there.
///
/// # Errors
/// When it fails, or takes too long.
pub fn run(
    contestant: &Contestant,
    ground: &Ground,
    (topic, records): (&str, u64),
    answers: Option<(&Path, i64)>,
) -> Result<Run, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(&ground.work)?;
    let redis = if contestant.wants_redis() { Some(redis(ground, folder.path())?) } else { None };
    let mut command = contestant.command(ground, topic, records, folder.path())?;
    if let Some((_, port)) = &redis {
        command.arg("--redis").arg(format!("127.0.0.1:{port}"));
    }
    if let Some((path, now_ms)) = answers {
        command.arg("--answers").arg(path).arg("--now").arg(now_ms.to_string());
    }
    timed(contestant.name, command, redis.as_ref().map(|(server, _)| server.0.id()))
}

/// Runs what tells at its end how much it has applied, and since when; a process `beside` it is
/// watched too.
///
/// # Errors
/// When it fails, or takes too long.
pub fn timed(
    name: &str,
    mut command: Command,
    beside: Option<u32>,
) -> Result<Run, Box<dyn std::error::Error>> {
    let mut child = Ended(command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?);
    let pids: Vec<u32> = std::iter::once(child.0.id()).chain(beside).collect();
    let (mut cpu_seconds, mut memory) = (vec![0.0; pids.len()], vec![0.0; pids.len()]);
    let began = Instant::now();
    let status = loop {
        for (at, pid) in pids.iter().enumerate() {
            // A process that has ended keeps what it had at the look before.
            cpu_seconds[at] = process::cpu_seconds(*pid).unwrap_or(cpu_seconds[at]);
            memory[at] = process::memory_peak_mib(*pid).unwrap_or(memory[at]);
        }
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        if began.elapsed() > LIMIT {
            return Err(format!("{name} takes longer than {LIMIT:?}").into());
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let said = child.0.stdout.take().ok_or("no output")?;
    let lines: Vec<String> = BufReader::new(said).lines().collect::<Result<_, _>>()?;
    if !status.success() {
        return Err(format!("{name} failed: {}", lines.join(" ")).into());
    }
    let said: Value = serde_json::from_str(lines.last().ok_or("it says nothing")?)?;
    let number = |key: &str| said[key].as_f64().ok_or_else(|| format!("no {key} in {said}"));
    let (applied, took_ms) = (number("applied")?, number("last_ms")? - number("first_ms")?);
    Ok(Run {
        per_second: applied / (took_ms / 1e3),
        cpu_seconds_per_million: cpu_seconds.iter().sum::<f64>() / (applied / 1e6),
        memory_peak_mib: memory.iter().sum(),
        checkpoints: number("checkpoints")?,
        check_p99_us: None,
        check_max_us: None,
        bystander_max_us: None,
        pages_awaited: None,
    })
}

/// An empty Redis that appends to its file every second, on a port that was free.
fn redis(ground: &Ground, folder: &Path) -> Result<(Ended, u16), Box<dyn std::error::Error>> {
    let server = ground.redis_server.as_ref().ok_or("no Redis server")?;
    let port = free_port()?;
    let mut command = Command::new(server);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(folder);
    command.args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]);
    let server = Ended(command.stdout(Stdio::null()).spawn()?);
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(10) {
            return Err("Redis doesn't listen".into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok((server, port))
}

/// A port that nobody has now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
