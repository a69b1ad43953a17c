//! Kill -9 under load, start again, and compare every answer with the oracle's, round after round.
//!
//! `CRASH_ROUNDS` sets the rounds for both logs, `TEST_SEED` repeats a run's choices.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::client::{Client, Flags, Said};
use crate::dice::Dice;
use crate::harness::{READY_WITHIN, Server, Setup, eventually, seed};
use crate::oracle::{Oracle, Verdict};
use crate::rule::Rule;
use crate::shop::TOKEN;
use crate::traffic::{Batch, PEOPLE, define, load, person, rules};

const LOADERS: u64 = 3;
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn killed_under_load_with_a_log_of_its_own() {
    let rules = rules();
    let server = define(Setup::embedded(), &rules).start();
    // What a capture call was answered for has been folded.
    Crashes::new(server, rules, Duration::ZERO).run(rounds(5));
}

#[test]
fn killed_under_load_with_kafka() {
    let broker = Broker::shared();
    let topic = broker.topic(4);
    let rules = rules();
    let server = define(Setup::kafka(&broker.address(), &topic.name), &rules).start();
    // What a capture call was answered for is in the topic, and in the state soon after.
    Crashes::new(server, rules, Duration::from_secs(20)).run(rounds(3));
}

/// The process ends between each two steps of a checkpoint, in the midst of replay and of a
/// change of definitions, for the first time or after some. `script/test` builds it so that it can.
#[test]
fn killed_between_each_two_steps() {
    let rules = rules();
    let server = define(Setup::embedded(), &rules).start();
    let mut crashes = Crashes::new(server, rules, Duration::ZERO);
    for round in 1..=rounds(1) {
        for step in STEPS {
            crashes.end_at(round, step);
        }
    }
}

/// Where `processor` can be made to end, by name.
const STEPS: [&str; 8] = [
    "checkpoint.begun",
    "checkpoint.filled",
    "checkpoint.synced",
    "checkpoint.taken_in",
    "worker.folded",
    "fill.read",
    "definitions.numbered",
    "definitions.taken_up",
];

/// A node that keeps being killed, and what it should know.
struct Crashes {
    server: Server,
    rules: Vec<(&'static str, Rule)>,
    /// How long an acknowledged event may take to be seen.
    seen_within: Duration,
    oracle: Oracle,
    dice: Dice,
    seed: u64,
}

/// An answer that isn't the oracle's.
#[derive(Debug)]
#[expect(dead_code, reason = "its fields are read where a failure is printed")]
struct Difference {
    person: String,
    flag: &'static str,
    said: Said,
    verdict: Verdict,
    evaluated_at_ms: i64,
}

impl Crashes {
    fn new(server: Server, rules: Vec<(&'static str, Rule)>, seen_within: Duration) -> Self {
        let seed = seed();
        println!("TEST_SEED={seed}");
        let (oracle, dice) = (Oracle::default(), Dice::new(seed));
        Crashes { server, rules, seen_within, oracle, dice, seed }
    }

    fn run(mut self, rounds: u64) {
        for round in 1..=rounds {
            let batches = self.load_and_kill();
            let unanswered = self.tell_oracle(batches);
            self.start_again();
            self.compare(round, "once ready", Duration::ZERO);
            self.send_again(unanswered);
            self.compare(round, "once everything was acknowledged", self.seen_within);
        }
    }

    /// Starts the node so that it ends at this step, loads it until it has, and compares.
    fn end_at(&mut self, round: u64, step: &str) {
        self.server.stop();
        let passes = self.dice.below(if step == "worker.folded" { 40 } else { 2 });
        // What is numbered at the start is passed by.
        let passes = if step == "definitions.numbered" { passes + 1 } else { passes };
        self.server.set("FAILPOINTS", &format!("{step}={passes}*off->return"));
        self.server.launch();
        let batches = self.load_until(|crashes, _| {
            let mut edits = 0;
            eventually(
                &format!("it ends at {step}: build it by script/test"),
                READY_WITHIN,
                || {
                    // Each a definition that has to be numbered, taken up and filled.
                    edits += 1;
                    let yaml = format!("rules: [{{ when: {{ did: seen {edits}, within: 1h }} }}]");
                    crashes.server.define("flags/edited.yaml", &yaml);
                    thread::sleep(Duration::from_millis(350));
                    crashes.server.has_ended().then_some(())
                },
            );
        });
        self.server.set("FAILPOINTS", "");
        let unanswered = self.tell_oracle(batches);
        self.server.launch();
        self.server.wait_ready();
        self.compare(round, step, Duration::ZERO);
        self.send_again(unanswered);
        self.compare(round, "once everything was acknowledged", self.seen_within);
    }

    /// Loads the node for a random while, then kills it in the midst. Returns all that was sent.
    fn load_and_kill(&mut self) -> Vec<Batch> {
        let loading_ms = 100 + self.dice.below(1_200);
        self.load_until(|crashes, sent| {
            thread::sleep(Duration::from_millis(loading_ms));
            // A producer that has just started needs a moment for its first batch.
            eventually("something is taken", TAKEN_WITHIN, || {
                let sent = sent.lock().expect("no loader panicked");
                sent.iter().any(|batch| batch.acknowledged).then_some(())
            });
            crashes.server.kill();
        })
    }

    /// Loads the node until `end` has ended it. Returns all that was sent.
    fn load_until(&mut self, end: impl FnOnce(&mut Self, &Mutex<Vec<Batch>>)) -> Vec<Batch> {
        let stop = AtomicBool::new(false);
        let sent: Mutex<Vec<Batch>> = Mutex::default();
        let seeds: Vec<u64> = (0..LOADERS).map(|_| self.dice.throw()).collect();
        thread::scope(|scope| {
            for seed in seeds {
                let client = Client::new(self.server.port(), TOKEN);
                let (stop, sent) = (&stop, &sent);
                scope.spawn(move || load(&client, Dice::new(seed), stop, sent));
            }
            end(self, &sent);
            stop.store(true, Ordering::Relaxed);
        });
        sent.into_inner().expect("no loader panicked")
    }

    /// Returns the batches of which nobody knows whether the log has them.
    fn tell_oracle(&mut self, batches: Vec<Batch>) -> Vec<Batch> {
        let (acknowledged, unanswered): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|batch| batch.acknowledged);
        for batch in &acknowledged {
            batch.events.iter().for_each(|event| self.oracle.see(event.clone(), batch.sent_ms));
        }
        for batch in &unanswered {
            batch.events.iter().for_each(|event| self.oracle.perhaps(event.clone(), batch.sent_ms));
        }
        println!("acknowledged {} batches, not {}", acknowledged.len(), unanswered.len());
        unanswered
    }

    /// Starts the node with other checkpoints and another hot tier, sometimes killing it once
    /// more while it catches up. What it says before it is ready must be right or unknown.
    fn start_again(&mut self) {
        let interval_ms = *self.dice.pick(&["50", "300", "2000"]);
        self.server.set("SLUICE_CHECKPOINT_INTERVAL_MS", interval_ms);
        let hot_bytes = *self.dice.pick(&["1048576", "2097152", "268435456"]);
        self.server.set("SLUICE_HOT_BYTES", hot_bytes);
        if self.dice.per_mille(300) {
            self.server.launch();
            thread::sleep(Duration::from_millis(self.dice.below(200)));
            self.server.kill();
        }
        self.server.launch();
        let anybody = person(self.dice.below(PEOPLE));
        eventually("the node is ready", READY_WITHIN, || {
            let mut wrong = self.differences(&anybody);
            wrong.retain(|difference| !matches!(difference.said, Said::Failed(_)));
            assert!(wrong.is_empty(), "before ready: {wrong:?}, {}", self.seed());
            self.server.is_ready().then_some(())
        });
    }

    /// As an SDK does: what wasn't acknowledged is sent again, with the same ids.
    fn send_again(&mut self, unanswered: Vec<Batch>) {
        for batch in unanswered {
            self.server.client.capture(&batch.events);
            batch.events.into_iter().for_each(|event| self.oracle.see(event, batch.sent_ms));
        }
    }

    /// Asks for everybody's flags, again for those that may not have been seen yet.
    fn compare(&self, round: u64, moment: &str, seen_within: Duration) {
        let began = Instant::now();
        for person in (0..PEOPLE).map(person) {
            loop {
                let wrong = self.differences(&person);
                if wrong.is_empty() {
                    break;
                }
                let waiting = began.elapsed() < seen_within;
                assert!(waiting, "round {round}, {moment}: {wrong:#?}, {}", self.seed());
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// The person's flags that aren't what the oracle says.
    fn differences(&self, person: &str) -> Vec<Difference> {
        let flags: Flags = self.server.client.flags(person);
        let evaluated_at_ms = flags.evaluated_at_ms;
        let answers = self.rules.iter().map(|(flag, rule)| Difference {
            person: person.to_owned(),
            flag,
            said: flags.said(flag),
            verdict: self.oracle.verdict(person, rule, evaluated_at_ms),
            evaluated_at_ms,
        });
        answers.filter(|answer| !agree(&answer.said, answer.verdict)).collect()
    }

    fn seed(&self) -> String {
        format!("TEST_SEED={}", self.seed)
    }
}

/// Yes and no are right if the oracle agrees; unknown never is, once a node is ready.
fn agree(said: &Said, verdict: Verdict) -> bool {
    match said {
        Said::Yes => verdict != Verdict::False,
        Said::No => verdict != Verdict::True,
        Said::Failed(_) | Said::Nothing => false,
    }
}

fn rounds(otherwise: u64) -> u64 {
    let set = std::env::var("CRASH_ROUNDS");
    set.map_or(otherwise, |rounds| rounds.parse().expect("CRASH_ROUNDS is a number"))
}
