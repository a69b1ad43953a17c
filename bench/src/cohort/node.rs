//! Sluice at work: a node as its users start it, asked all the while.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use processor::priority;
use serde_json::json;

use super::run::{Ended, Run, free_port};
use super::{Failure, Ground};
use crate::conditions::{self, Set, TOKEN};
use crate::dice::Dice;
use crate::flags::Schedule;
use crate::wait::{self, connect, taken_in};
use crate::workload::distinct_id;

/// Checks each second beside ingestion.
const CHECKS_PER_SECOND: u64 = 1_000;
const LIMIT: Duration = Duration::from_secs(600);

/// A node that reads a topic from its beginning, in a folder of its own.
pub struct Node {
    process: Ended,
    /// Where it listens.
    pub url: String,
    command: Command,
    folder: tempfile::TempDir,
}

impl Node {
    /// Starts one with these conditions.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(ground: &Ground, topic: &str, set: Set) -> Result<Self, Failure> {
        Node::start_with(ground, topic, set, &[])
    }

    /// Starts one that is set up otherwise than it is installed.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_with(
        ground: &Ground,
        topic: &str,
        set: Set,
        settings: &[(&str, String)],
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir_in(&ground.work)?;
        let definitions = folder.path().join("definitions");
        conditions::write(&definitions, set)?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(&ground.sluice);
        command.arg("serve").env("SLUICE_LOG", "kafka").env("SLUICE_LISTEN", &listen);
        command.env("SLUICE_KAFKA_BROKERS", &ground.brokers).env("SLUICE_KAFKA_TOPIC", topic);
        command.env("SLUICE_DATA_DIR", folder.path().join("data"));
        command.env("SLUICE_DEFINITIONS", definitions);
        command.envs(settings.iter().cloned());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Ended(command.spawn()?);
        Ok(Node { process, url: format!("http://{listen}"), command, folder })
    }

    /// Ends it as kill -9 does, if wanted takes its disk, and starts it again: how long it takes
    /// from then until it is ready.
    ///
    /// # Errors
    /// When it can't be started, or isn't ready in time.
    pub fn restart(&mut self, with_its_disk: bool) -> Result<Duration, Failure> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        if !with_its_disk {
            std::fs::remove_dir_all(self.folder.path().join("data"))?;
        }
        let began = Instant::now();
        self.process = Ended(self.command.spawn()?);
        wait::ready(&self.url, began + LIMIT)?;
        Ok(began.elapsed())
    }

    /// Waits until so many records are applied and durable, asking all the while.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn take_in(&self, records: u64, persons: u32) -> Result<Run, Failure> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let asker = scope.spawn(|| self.ask(persons, &done).map_err(|error| error.to_string()));
            let bystander = scope.spawn(|| stand_by(&done));
            let taken = taken_in(&self.url, self.process.0.id(), records, LIMIT);
            done.store(true, Ordering::Release);
            let asked = asker.join().map_err(|_| "the asker panicked")??;
            let late = bystander.join().map_err(|_| "the bystander panicked")?;
            let taken = taken?;
            Ok(Run {
                per_second: taken.per_second(),
                cpu_seconds_per_million: taken.cpu_seconds_per_million(),
                memory_peak_mib: taken.memory_peak_mib,
                checkpoints: taken.last.checkpoints,
                check_p99_us: Some(asked.value_at_quantile(0.99)),
                check_max_us: Some(asked.max()),
                bystander_max_us: Some(late.as_micros() as u64),
                pages_awaited: Some(taken.pages_awaited()),
            })
        })
    }

    /// Checks people at a steady rate until it is `done`: each is due at its time, whether or not
    /// those before it were answered, and takes as long as it is answered after that.
    fn ask(&self, persons: u32, done: &AtomicBool) -> Result<Histogram<u64>, Failure> {
        // Whoever asks stands elsewhere, and waits for no processor of the node's.
        priority::cut_in();
        let mut connection = connect(&self.url, Instant::now() + LIMIT)?;
        let mut took = Histogram::new(3)?;
        let mut dice = Dice::new(7);
        for due in schedule().take_while(|_| !done.load(Ordering::Acquire)) {
            let person = distinct_id(dice.below(u64::from(persons)) as u32);
            let body = json!({ "token": TOKEN, "distinct_id": person }).to_string();
            connection.post("/flags/?v=2", body.as_bytes())?.fine()?;
            took.record(due.elapsed().as_micros() as u64)?;
        }
        Ok(took)
    }
}

/// How late a thread is at most that only wakes up as often as [`Node::ask`] asks, until it is
/// `done`. Whatever holds that one up, it isn't the node's answer.
fn stand_by(done: &AtomicBool) -> Duration {
    priority::cut_in();
    let awake = schedule().take_while(|_| !done.load(Ordering::Acquire));
    awake.map(|due| due.elapsed()).max().unwrap_or_default()
}

fn schedule() -> Schedule {
    let start = Instant::now();
    Schedule { start, per_second: CHECKS_PER_SECOND, next: 0, step: 1, end: u64::MAX }
}
