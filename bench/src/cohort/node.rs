//! Sluice at work: a node as its users start it, asked all the while.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;

use super::Ground;
use super::run::{Ended, Run, free_port};
use crate::conditions::{self, Set, TOKEN};
use crate::dice::Dice;
use crate::flags::Schedule;
use crate::process;
use crate::wire::{Connection, metric};
use crate::workload::distinct_id;

/// Checks each second beside ingestion.
const CHECKS_PER_SECOND: u64 = 1_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(600);

type Failure = Box<dyn std::error::Error>;

/// A node that reads a topic from its beginning, in an empty folder.
pub struct Node {
    process: Ended,
    /// Where it listens.
    pub url: String,
    _folder: tempfile::TempDir,
}

impl Node {
    /// Starts one with these conditions.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(ground: &Ground, topic: &str, set: Set) -> Result<Self, Failure> {
        let folder = tempfile::tempdir_in(&ground.work)?;
        let definitions = folder.path().join("definitions");
        conditions::write(&definitions, set)?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(&ground.sluice);
        command.arg("serve").env("SLUICE_LOG", "kafka").env("SLUICE_LISTEN", &listen);
        command.env("SLUICE_KAFKA_BROKERS", &ground.brokers).env("SLUICE_KAFKA_TOPIC", topic);
        command.env("SLUICE_DATA_DIR", folder.path().join("data"));
        command.env("SLUICE_DEFINITIONS", definitions);
        let process = Ended(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        Ok(Node { process, url: format!("http://{listen}"), _folder: folder })
    }

    /// A connection, once it listens.
    ///
    /// # Errors
    /// When it never does.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let began = Instant::now();
        loop {
            match Connection::open(&self.url) {
                Err(error) if began.elapsed() > LIMIT => return Err(error.into()),
                Err(_) => thread::sleep(Duration::from_millis(1)),
                Ok(connection) => return Ok(connection),
            }
        }
    }

    /// Waits until so many records are applied and durable, asking all the while.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn take_in(&self, records: u64, persons: u32) -> Result<Run, Failure> {
        let mut connection = self.connect()?;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let asker = scope.spawn(|| self.ask(persons, &done).map_err(|error| error.to_string()));
            let watched = self.watch(&mut connection, records);
            done.store(true, Ordering::Release);
            let asked = asker.join().map_err(|_| "the asker panicked")??;
            let check_p99_us = Some(asked.value_at_quantile(0.99));
            Ok(Run { check_p99_us, ..watched? })
        })
    }

    fn watch(&self, connection: &mut Connection, records: u64) -> Result<Run, Failure> {
        let began = Instant::now();
        let (mut first, mut last) = (None, None);
        loop {
            if began.elapsed() > LIMIT {
                return Err("Sluice takes too long".into());
            }
            thread::sleep(LOOK_EVERY);
            let text = connection.get("/metrics")?.text();
            let now = Instant::now();
            let events = metric(&text, "sluice_events_total");
            let checkpoints = metric(&text, "sluice_checkpoints_total");
            if events == 0.0 {
                // The last look without an event is the best guess at when the first one came.
                first = Some(now);
            }
            if events < records as f64 {
                continue;
            }
            // It is through once a checkpoint has all of it.
            let (at, before) = *last.get_or_insert((now, checkpoints));
            if checkpoints > before {
                let pid = self.process.0.id();
                let took = at - first.unwrap_or(began);
                return Ok(Run {
                    per_second: events / took.as_secs_f64(),
                    cpu_seconds_per_million: process::cpu_seconds(pid)? / (events / 1e6),
                    memory_peak_mib: process::memory_peak_mib(pid)?,
                    checkpoints: before,
                    check_p99_us: None,
                });
            }
        }
    }

    /// Checks people at a steady rate until it is `done`: each is due at its time, whether or not
    /// those before it were answered, and takes as long as it is answered after that.
    fn ask(&self, persons: u32, done: &AtomicBool) -> Result<Histogram<u64>, Failure> {
        let mut connection = self.connect()?;
        let mut took = Histogram::new(3)?;
        let mut dice = Dice::new(7);
        let start = Instant::now();
        let (per_second, next, step, end) = (CHECKS_PER_SECOND, 0, 1, u64::MAX);
        for due in (Schedule { start, per_second, next, step, end }) {
            if done.load(Ordering::Acquire) {
                break;
            }
            let person = distinct_id(dice.below(u64::from(persons)) as u32);
            let body = json!({ "token": TOKEN, "distinct_id": person }).to_string();
            connection.post("/flags/?v=2", body.as_bytes())?;
            took.saturating_record(due.elapsed().as_micros() as u64);
        }
        Ok(took)
    }
}
