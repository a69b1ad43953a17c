//! The state path alone: hits go into the store, which is made durable all the while; no log, no
//! JSON. Beside it, if there is one, Flink's.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use processor::hits::{Candidate, Given, hits};
use processor::store::{Due, Partition, PersonKey, Store, TOGETHER_MAX};
use schemas::catalog::Catalog;
use schemas::ids::{MatcherId, ProjectId};
use schemas::lookup::Position;
use schemas::window::{Entry, Hit, Kept, Value};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::cohort::report::spread;
use crate::cohort::{java, timed};
use crate::conditions::{self, Set};
use crate::workload::{Shape, Workload, distinct_id};
use crate::{Outcome, process};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    shape: Shape,
    /// A folder for the store, on the disk that is to be measured.
    #[arg(long)]
    work: PathBuf,
    /// Threads that fold, each a partition of its own.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Milliseconds from one checkpoint to the next.
    #[arg(long, default_value_t = 1_000)]
    checkpoint_ms: u64,
    /// How often it is timed.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// What `bench/peers/build` printed: then Flink does the same in turns, on heap, over events
    /// that are in its memory, parsed.
    #[arg(long)]
    peers: Option<PathBuf>,
}

/// An event as folding it leaves it: who, when, and what it hits.
struct Ready {
    person: u32,
    entry: Entry,
    hits: [Option<(MatcherId, Kept, Value)>; 2],
}

const CACHE_BYTES: usize = 64 << 20;
/// Where W1 ends; what the clock says doesn't matter here.
const ENDING_MS: i64 = 1_790_000_000_000;

pub fn run(arguments: &Arguments) -> Outcome {
    let catalog = conditions::catalog(Set::W1)?;
    let partitions = ready(arguments, &catalog);
    let names: Vec<String> = (0..arguments.shape.persons).map(distinct_id).collect();
    let told = arguments.peers.as_ref().map(|_| write_down(arguments)).transpose()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        ours.push(fold_all(arguments, &catalog, &partitions, &names)?);
        if let Some((peers, told)) = arguments.peers.as_ref().zip(told.as_ref()) {
            theirs.push(flink(arguments, peers, told.path())?);
        }
    }
    let median = |rates: &[f64]| spread(rates, |rate| *rate).map(|[_, median, _]| median);
    let ours = median(&ours).ok_or("no round")?;
    println!("median: {ours:.0} a second");
    if let Some(theirs) = median(&theirs) {
        println!("Flink on heap: {theirs:.0}; {:.2} times as many here", ours / theirs);
    }
    Ok(())
}

/// Folds everything into a new store, and says what it took. Returns events a second.
fn fold_all(
    arguments: &Arguments,
    catalog: &Catalog,
    partitions: &[Vec<Ready>],
    names: &[String],
) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir_in(&arguments.work)?;
    let store = Store::open(folder.path(), CACHE_BYTES, "bench")?;
    store.take_up(catalog, &Position::new());
    let events: usize = partitions.iter().map(Vec::len).sum();
    let project = catalog.projects().first().ok_or("no project")?.id;
    let (done, log_time_ms) = (AtomicBool::new(false), AtomicI64::new(0));
    let before = process::cpu_seconds(std::process::id())?;
    let (took, checkpoints) = thread::scope(|scope| {
        let checkpoints = scope.spawn(|| {
            let mut made = 0;
            while !done.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(arguments.checkpoint_ms));
                let made_one = store.checkpoint(log_time_ms.load(Ordering::Relaxed));
                made += usize::from(made_one.is_ok_and(|made| made.bytes > 0));
            }
            made
        });
        let began = Instant::now();
        let folding: Vec<_> = (0..)
            .zip(partitions)
            .map(|(id, events)| {
                let partition = store.partition(id, 0, i64::MIN);
                let log_time_ms = &log_time_ms;
                scope.spawn(move || fold_part(&partition, (project, names), events, log_time_ms))
            })
            .collect();
        let folded = folding.into_iter().try_for_each(|thread| thread.join());
        let took = began.elapsed();
        done.store(true, Ordering::Release);
        folded.map_err(|_| "a thread panicked")?;
        Ok::<_, &str>((took, checkpoints.join().map_err(|_| "the checkpointer panicked")?))
    })?;
    let cpu_seconds = process::cpu_seconds(std::process::id())? - before;
    let memory = store.memory();
    let per_second = events as f64 / took.as_secs_f64();
    println!(
        "{events} watched events of {} people in {:.2} s by {} threads: {per_second:.0} a second, \
         {:.2} CPU seconds per million, {checkpoints} durable checkpoints, {} bytes a person in \
         memory",
        memory.people,
        took.as_secs_f64(),
        arguments.threads,
        cpu_seconds / (events as f64 / 1e6),
        memory.bytes / memory.people.max(1),
    );
    Ok(per_second)
}

fn fold_part(
    partition: &Partition,
    (project, names): (ProjectId, &[String]),
    events: &[Ready],
    log_time_ms: &AtomicI64,
) {
    let mut due: Vec<Due<&Ready>> = Vec::new();
    for (together, next_offset) in events.chunks(TOGETHER_MAX).zip(1..) {
        due.truncate(together.len());
        for (at, event) in together.iter().enumerate() {
            if at == due.len() {
                due.push(Due { key: PersonKey::default(), time_ms: 0, what: event });
            }
            let due = &mut due[at];
            due.key.set(project, &names[event.person as usize]);
            (due.time_ms, due.what) = (event.entry.time_ms(), event);
        }
        partition.hot.update_all(&mut due, |event, record| fold(record, event));
        partition.advance(next_offset);
        let last_ms = due.last().map_or(0, |due| due.time_ms);
        log_time_ms.fetch_max(last_ms, Ordering::Relaxed);
    }
}

fn fold(record: &mut schemas::record::Record, event: &Ready) -> bool {
    let hits = event.hits.iter().flatten();
    hits.fold(false, |changed, (matcher, kept, value)| {
        let hit = Hit { entry: event.entry, value: *value };
        record.fold(*matcher, *kept, hit) == schemas::window::Folded::Kept || changed
    })
}

/// The watched events of a workload, a line of JSON each.
fn write_down(arguments: &Arguments) -> Result<NamedTempFile, Box<dyn Error>> {
    let mut lines = BufWriter::new(NamedTempFile::new_in(&arguments.work)?);
    for sketch in Workload::new(arguments.shape, ENDING_MS).filter(|sketch| sketch.is_watched()) {
        writeln!(lines, "{}", sketch.event().captured())?;
    }
    Ok(lines.into_inner()?)
}

/// Has Flink keep the same. Returns events a second, from the first that its function is given.
fn flink(arguments: &Arguments, peers: &Path, events: &Path) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir_in(&arguments.work)?;
    let mut java = java(Some(peers), "flink.flags");
    java.args(["flink-state", "--backend", "heap", "--events"]).arg(events);
    java.arg("--state-dir").arg(folder.path());
    java.args(["--checkpoint-ms", &arguments.checkpoint_ms.to_string()]);
    java.args(["--parallelism", &arguments.threads.to_string()]);
    let run = timed("flink-state", java, None)?;
    println!("Flink on heap: {:.0} a second, {} checkpoints", run.per_second, run.checkpoints);
    Ok(run.per_second)
}

/// The watched events of a workload, by partition.
fn ready(arguments: &Arguments, catalog: &Catalog) -> Vec<Vec<Ready>> {
    let mut partitions: Vec<Vec<Ready>> = (0..arguments.threads).map(|_| Vec::new()).collect();
    let Some(project) = catalog.projects().first() else { return partitions };
    for sketch in Workload::new(arguments.shape, ENDING_MS).filter(|sketch| sketch.is_watched()) {
        let event = sketch.event();
        let properties = json!(event.properties).to_string();
        let properties = Given::Written(Some(&properties));
        let watching = project.gate.at(&event.name);
        let candidate = Candidate { watching, time_ms: sketch.time_ms, properties };
        let mut found = Vec::new();
        hits(project, candidate, |matcher, value| found.push((matcher.id, matcher.kept, value)));
        debug_assert!(found.len() <= 2, "no event of W1 hits more than two matchers");
        let mut found = found.into_iter();
        let tag = xxhash_rust::xxh3::xxh3_64(event.uuid.as_bytes());
        let entry = Entry::new(sketch.time_ms, tag);
        let ready = Ready { person: sketch.person, entry, hits: [found.next(), found.next()] };
        partitions[sketch.person as usize % arguments.threads].push(ready);
    }
    partitions
}
