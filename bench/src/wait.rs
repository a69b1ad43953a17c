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
struct Sample {
    at: Instant,
    events: f64,
    checkpoints: f64,
    cpu_seconds: f64,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(arguments.limit);
    let mut connection = connect(&arguments.url, deadline)?;
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
            cpu_seconds: process::cpu_seconds(arguments.pid)?,
        })
    };
    // The last sample without an event is the best guess at when the first one came.
    let mut first = ask()?;
    let mut last = first;
    while last.events < arguments.events as f64 {
        last = ask()?;
        if last.events == 0.0 {
            first = last;
        }
    }
    let mut durable = ask()?;
    while durable.checkpoints <= last.checkpoints {
        durable = ask()?;
    }
    report(&first, &last, &durable);
    println!("peak memory {:.0} MiB", process::memory_peak_mib(arguments.pid)?);
    Ok(())
}

fn report(first: &Sample, last: &Sample, durable: &Sample) {
    let seconds = (last.at - first.at).as_secs_f64();
    let events = last.events - first.events;
    println!("{events} events in {seconds:.2} s: {:.0} events/s", events / seconds);
    let per_million = |cpu_seconds: f64| cpu_seconds / (last.events / 1e6);
    println!(
        "CPU seconds per million: {:.2} in the run, {:.2} from the process's start to the \
         checkpoint after the last event",
        per_million(last.cpu_seconds - first.cpu_seconds),
        per_million(durable.cpu_seconds)
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

/// The node may not listen yet.
fn connect(url: &str, deadline: Instant) -> std::io::Result<Connection> {
    loop {
        match Connection::open(url) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(1)),
            connected => return connected,
        }
    }
}
