//! A world: a log, a disk, definitions, and a node that crashes, all turned by one seed.

mod sending;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use evaluator::context::Context;
use evaluator::evaluate::evaluate;
use fastrand::Rng;
use schemas::forgetting::EVENT;
use schemas::lookup::Lookup;
use tempfile::TempDir;

use super::disk::{Break, SimulatedDisk};
use super::everybody;
use super::log::SimulatedLog;
use super::node::{Node, turn};
use super::truth::{Rule, Sent};

const BEGAN_MS: i64 = 1_790_000_000_000;
const PEOPLE: usize = 12;
const FLAGS: usize = 4;

/// Everything there is.
pub struct World {
    rng: Rng,
    now_ms: Arc<AtomicI64>,
    log: SimulatedLog,
    disk: SimulatedDisk,
    folder: TempDir,
    rules: Vec<Rule>,
    /// The rules before the last edit: they may stand until the new ones are filled.
    rules_before: Vec<Rule>,
    sent: Vec<Sent>,
    /// Once the log has lost records, not every answer can be certain.
    truncated: bool,
    /// What it lost before the node had it: partition and offsets.
    lost: Vec<(i32, Range<i64>)>,
    node: Option<Node>,
    pub compared: u64,
    pub unknown: u64,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut rng = Rng::with_seed(seed);
        let log = SimulatedLog::new(rng.fork());
        (0..rng.usize(1..4)).for_each(|_| log.add_partition());
        let shared = Path::new("/dev/shm");
        let root = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let mut world = World {
            rng,
            now_ms: Arc::new(AtomicI64::new(BEGAN_MS)),
            log,
            disk: SimulatedDisk::default(),
            folder: TempDir::new_in(root).expect("a folder"),
            rules: Vec::new(),
            rules_before: Vec::new(),
            sent: Vec::new(),
            truncated: false,
            lost: Vec::new(),
            node: None,
            compared: 0,
            unknown: 0,
        };
        std::fs::create_dir_all(world.folder.path().join("shop/flags")).expect("a folder");
        std::fs::write(world.folder.path().join("shop/project.yaml"), "token: shop\n")
            .expect("a file");
        world.edit(FLAGS);
        world.rules_before = world.rules.clone();
        world
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    pub fn start(&mut self) {
        let node = Node::start(&self.log, &self.disk, self.folder.path(), &self.now_ms);
        let durable = node.store.position();
        for (partition, first) in (0..).zip(self.log.firsts()) {
            let next = durable.get(&partition).copied().unwrap_or(0);
            self.lost.push((partition, next..first));
        }
        self.node = Some(node);
    }

    /// Whatever was not durable is gone.
    pub fn crash(&mut self) {
        self.node = None;
        // An old log may have lost what the node had not read.
        if self.rng.u8(..) < 20 {
            let ends = self.log.ends();
            let partition = self.rng.usize(..ends.len());
            self.log.truncate(partition, self.rng.i64(0..=ends[partition]));
            self.truncated = true;
        }
    }

    /// One thing happens.
    pub fn step(&mut self) {
        match self.rng.u8(..100) {
            0..29 => self.send(),
            29..30 => self.forget(),
            30..40 => {
                let later_ms = [1, 500, 5_000, 60_000][self.rng.usize(..4)];
                self.now_ms.fetch_add(self.rng.i64(0..=later_ms), Ordering::Relaxed);
            }
            40..70 => self.fold(),
            70..78 => self.checkpoint(),
            78..84 => {
                let patience = self.rng.usize(..60);
                self.fill(patience);
            }
            84..85 if self.rng.u8(..) < 60 => self.log.add_partition(),
            85..88 => self.walk(),
            _ => self.compare(false),
        }
    }

    fn fold(&mut self) {
        let Some(node) = &mut self.node else { return };
        node.follower.look(&mut node.assigned, &mut node.prepared).expect("it answers");
        turn(&mut node.workers, &mut self.rng);
    }

    fn checkpoint(&mut self) {
        let Some(node) = &mut self.node else { return };
        let breaks = match self.rng.u8(..10) {
            0 => Some(Break::After(self.rng.usize(1..8))),
            1 => Some(Break::Unsynced),
            2 => Some(Break::Untold),
            _ => None,
        };
        breaks.into_iter().for_each(|at| self.disk.break_next(at));
        if node.checkpointer.checkpoint() {
            node.store.sweep(self.rng.usize(..16), self.rng.usize(..40_000));
        } else if self.rng.bool() {
            self.crash();
            self.start();
        }
    }

    /// Fills for so many turns, while live folding goes on.
    fn fill(&mut self, patience: usize) {
        let Some(node) = &mut self.node else { return };
        let catalog = node.definitions.catalog().load_full();
        let turns = std::cell::Cell::new(0);
        let folding = std::cell::RefCell::new((&mut node.workers, &mut self.rng));
        let interrupted = || {
            let (workers, rng) = &mut *folding.borrow_mut();
            turn(workers, rng);
            turns.set(turns.get() + 1);
            turns.get() > patience
        };
        // A partition that doesn't answer is asked again the next time.
        if node.filler.fill(&catalog, &interrupted).is_ok_and(|left| left == 0) {
            node.definitions.advance();
        }
    }

    /// Analysts change `count` of the flags, and the node takes that up.
    pub fn edit(&mut self, count: usize) {
        self.rules_before = self.rules.clone();
        let now_ms = self.now_ms();
        for _ in 0..count {
            let rule = Rule::random(&mut self.rng, now_ms);
            match self.rules.len() {
                FLAGS => {
                    let at = self.rng.usize(..FLAGS);
                    self.rules[at] = rule;
                }
                _ => self.rules.push(rule),
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let path = self.folder.path().join(format!("shop/flags/flag-{at}.yaml"));
            std::fs::write(path, rule.yaml()).expect("a file");
        }
        let Some(node) = &mut self.node else { return };
        node.definitions.reload().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Everybody is asked everything, and no answer may be wrong. At the end, none is unknown.
    fn compare(&mut self, all_known: bool) {
        let Some(node) = &self.node else { return };
        let catalog = node.definitions.catalog().load_full();
        let project = catalog.only_project().expect("one project");
        let now_ms = self.now_ms();
        for number in 0..PEOPLE {
            let whom = format!("p{number}");
            if self.may_be_forgotten(&whom) {
                continue;
            }
            let context = Context { distinct_id: whom.clone(), ..Context::default() };
            let facts = everybody::lookup(node, project.id, &whom, now_ms);
            for decision in evaluate(project, &context, &facts, now_ms) {
                self.compared += 1;
                if decision.failed() {
                    self.unknown += 1;
                    let excused = !all_known || self.truncated;
                    assert!(excused, "{} of {whom}: {:?}", decision.flag.key, decision.reason);
                    continue;
                }
                for (partition, began_at) in (0..).zip(&node.began_at) {
                    assert!(facts.position[&partition] >= *began_at, "answered too early");
                }
                let at: usize = decision.flag.key["flag-".len()..].parse().expect("a number");
                let read = |event: &Sent| {
                    facts.position.get(&event.partition).is_some_and(|next| event.offset < *next)
                };
                let standing = project.standing.flags.contains_key(&decision.flag.key);
                let rules = if standing { &self.rules_before } else { &self.rules };
                let Some(truth) = rules[at].holds(&self.sent, &read, &whom, now_ms) else {
                    continue;
                };
                assert_eq!(
                    decision.outcome.enabled(),
                    truth,
                    "{:?} of {whom} at {now_ms}, standing: {standing}",
                    rules[at]
                );
            }
        }
    }

    /// Whether the log lost that somebody was deleted before the node knew: what it has of them
    /// counts, and shouldn't.
    fn may_be_forgotten(&self, whom: &str) -> bool {
        let mut told = self.sent.iter().filter(|e| e.person == whom && e.name == EVENT);
        told.any(|event| {
            let mut lost = self.lost.iter().filter(|(partition, _)| *partition == event.partition);
            lost.any(|(_, offsets)| offsets.contains(&event.offset))
        })
    }

    fn walk(&self) {
        if let Some(node) = &self.node {
            everybody::agree(node, PEOPLE, self.now_ms());
        }
    }

    /// Nothing happens any more until all is read and filled; then everything has to be known.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            self.fold();
            self.fill(usize::MAX);
            let Some(node) = &self.node else { return };
            let position: Vec<i64> = node.store.position().into_values().collect();
            let catalog = node.definitions.catalog().load_full();
            let filled = node.store.with_progress(&catalog, |p| p.filling()).is_empty();
            let ready = node.here.ready(self.now_ms()).is_ok();
            if position == self.log.ends() && filled && ready {
                self.compare(true);
                self.walk();
                return;
            }
        }
        panic!("it never came to rest");
    }
}
