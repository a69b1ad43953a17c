//! Waits until a node has taken a topic in, and says how fast and at what cost.

use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process;
use crate::wire::{Connection, metric};

const ASKED_EVERY: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// The node's process.
    #[arg(long)]
    pid: u32,
    /// How many events it has to take.
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// How long it may take, in seconds.
    #[arg(long, default_value_t = 600)]
    limit: u64,
}

/// What a node has done so far.
#[derive(Clone, Copy)]
pub struct Sample {
    at: Instant,
    pub events: f64,
    pub checkpoints: f64,
    pub cpu_seconds: f64,
    pages_awaited: u64,
}

/// How a node took a topic in.
pub struct TakenIn {
    /// Before the first event, if it was seen then.
    pub first: Sample,
    /// Once all of them were applied.
    pub last: Sample,
    /// Once a checkpoint had all of them.
    pub durable: Sample,
    pub memory_peak_mib: f64,
}

impl TakenIn {
    pub fn per_second(&self) -> f64 {
        (self.last.events - self.first.events) / (self.last.at - self.first.at).as_secs_f64()
    }

    /// Processor time from the process's start until all was durable, per million events.
    pub fn cpu_seconds_per_million(&self) -> f64 {
        self.durable.cpu_seconds / (self.last.events / 1e6)
    }

    /// How often the node waited in the run for a page that the system had to read from disk.
    pub fn pages_awaited(&self) -> u64 {
        self.last.pages_awaited - self.first.pages_awaited
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    let Arguments { url, pid, events, limit } = arguments;
    let taken = taken_in(url, *pid, *events, Duration::from_secs(*limit))?;
    report(&taken);
    println!("peak memory {:.0} MiB", taken.memory_peak_mib);
    Ok(())
}

/// Waits until the node of this process has applied so many events, and has them durable.
///
/// # Errors
/// When it takes too long, or ends.
pub fn taken_in(
    url: &str,
    pid: u32,
    events: u64,
    limit: Duration,
) -> Result<TakenIn, Box<dyn std::error::Error>> {
    let deadline = Instant::now() + limit;
    let mut connection = connect(url, deadline)?;
    let mut ask = || -> Result<Sample, Box<dyn std::error::Error>> {
        if Instant::now() > deadline {
            return Err("it took too long".into());
        }
        thread::sleep(ASKED_EVERY);
        let text = connection.get("/metrics")?.text();
        Ok(Sample {
            at: Instant::now(),
            events: metric(&text, "sluice_events_total"),
            checkpoints: metric(&text, "sluice_checkpoints_total"),
            cpu_seconds: process::cpu_seconds(pid)?,
            pages_awaited: process::pages_awaited(pid)?,
        })
    };
    // The last sample without an event is the best guess at when the first one came.
    let mut first = ask()?;
    let mut last = first;
    while last.events < events as f64 {
        last = ask()?;
        if last.events == 0.0 {
            first = last;
        }
    }
    let mut durable = ask()?;
    while durable.checkpoints <= last.checkpoints {
        durable = ask()?;
    }
    Ok(TakenIn { first, last, durable, memory_peak_mib: process::memory_peak_mib(pid)? })
}

fn report(taken: &TakenIn) {
    let TakenIn { first, last, durable, .. } = taken;
    let seconds = (last.at - first.at).as_secs_f64();
    let events = last.events - first.events;
    println!("{events} events in {seconds:.2} s: {:.0} events/s", taken.per_second());
    println!(
        "CPU seconds per million: {:.2} in the run, {:.2} from the process's start to the \
         checkpoint after the last event",
        (last.cpu_seconds - first.cpu_seconds) / (last.events / 1e6),
        taken.cpu_seconds_per_million()
    );
    println!(
        "checkpoints: {} in the run; the one after the last event {:.2} s later",
        last.checkpoints - first.checkpoints,
        (durable.at - last.at).as_secs_f64()
    );
    if first.events > 0.0 {
        println!("the node had begun before: {} events were missed", first.events);
    }
}

/// A connection to a node that may not listen yet.
///
/// # Errors
/// When it doesn't until then.
pub fn connect(url: &str, deadline: Instant) -> std::io::Result<Connection> {
    loop {
        match Connection::open(url) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(1)),
            connected => return connected,
        }
    }
}

/// A connection to a node once it is ready to answer.
///
/// # Errors
/// When it isn't until then.
pub fn ready(url: &str, deadline: Instant) -> std::io::Result<Connection> {
    loop {
        let mut connection = connect(url, deadline)?;
        match connection.get("/health/ready").map(|reply| reply.status) {
            Ok(200) => return Ok(connection),
            _ if Instant::now() > deadline => return Err(std::io::ErrorKind::TimedOut.into()),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}
