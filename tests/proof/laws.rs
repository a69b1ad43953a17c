//! The laws of every way to keep hits, by name: what changes nothing must change nothing.
//!
//! States are compared byte by byte: that the same log gives the same state, in any batching and
//! after any crash, rests on these.

use schemas::ids::MatcherId;
use schemas::record::Record;
use schemas::window::{Entry, FOREVER_MS, Hit, Keep, Kept, Value};

use crate::dice::Dice;
use crate::harness::seed;

const ROUNDS: u64 = 3_000;
const HOUR_MS: i64 = 3_600_000;
const START_MS: i64 = 1_790_000_000_000;

/// Hits of one person, each for one of several matchers that keep in different ways.
struct Round {
    dice: Dice,
    kept: Vec<Kept>,
    hits: Vec<(MatcherId, Hit)>,
}

/// Calls `law` with many rounds, and tells which one broke it.
fn check(law: impl Fn(&mut Round) -> Result<(), String>) {
    let seed = seed();
    for at in 0..ROUNDS {
        let mut round = Round::new(seed.wrapping_add(at));
        if let Err(broken) = law(&mut round) {
            panic!("TEST_SEED={seed}, round {at}: {broken}\n{:?}\n{:?}", round.kept, round.hits);
        }
    }
}

impl Round {
    fn new(seed: u64) -> Round {
        let mut dice = Dice::new(seed);
        let kept = (0..4).map(|_| kept(&mut dice)).collect::<Vec<_>>();
        let hits = (0..dice.below(60)).map(|_| hit(&mut dice, &kept)).collect();
        Round { dice, kept, hits }
    }

    fn fold(&self, hits: &[(MatcherId, Hit)]) -> Record {
        let mut record = Record::default();
        for (matcher, hit) in hits {
            record.fold(*matcher, self.kept[matcher.0 as usize], *hit);
        }
        record
    }

    fn merged(&self, parts: &[&Record]) -> Record {
        let mut merged = Record::default();
        let kept = |id: MatcherId| self.kept.get(id.0 as usize).copied();
        parts.iter().for_each(|part| merged.merge(part, kept));
        merged
    }
}

fn kept(dice: &mut Dice) -> Kept {
    let k = 1 + dice.below(5) as u16;
    let horizon_ms = *dice.pick(&[HOUR_MS, 10 * HOUR_MS, FOREVER_MS]);
    match dice.below(5) {
        0 => Kept { keep: Keep::Newest, k, horizon_ms },
        1 => Kept { keep: Keep::Earliest, k: 1, horizon_ms: FOREVER_MS },
        2 => Kept { keep: Keep::Stretches(HOUR_MS / 2), k, horizon_ms },
        3 => Kept { keep: Keep::Values, k, horizon_ms },
        _ => Kept { keep: Keep::Numbers, k, horizon_ms },
    }
}

/// Times and ids meet each other: events of one millisecond.
fn hit(dice: &mut Dice, kept: &[Kept]) -> (MatcherId, Hit) {
    let matcher = MatcherId(dice.below(kept.len() as u64) as u32);
    let id = dice.throw() >> 10;
    let time_ms = START_MS + dice.below(30) as i64 * HOUR_MS / 4;
    let value = match kept[matcher.0 as usize].keep {
        Keep::Values => Value::hashed(u128::from(id % 4)),
        Keep::Numbers => Value::number(i128::from(id % 7) - 3),
        _ => Value::NONE,
    };
    (matcher, Hit { entry: Entry::new(time_ms, id), value })
}

fn same(what: &str, one: &Record, other: &Record) -> Result<(), String> {
    match one.as_bytes() == other.as_bytes() {
        true => Ok(()),
        false => Err(format!("{what}: {one:?} is not {other:?}")),
    }
}

#[test]
fn order_changes_nothing() {
    check(|round| {
        let mut shuffled = round.hits.clone();
        round.dice.shuffle(&mut shuffled);
        same("shuffled", &round.fold(&round.hits), &round.fold(&shuffled))
    });
}

#[test]
fn duplicates_change_nothing() {
    check(|round| {
        let mut twice = [round.hits.clone(), round.hits.clone()].concat();
        round.dice.shuffle(&mut twice);
        same("twice", &round.fold(&round.hits), &round.fold(&twice))
    });
}

/// Three parts that overlap, as partitions, tiers and checkpoints make them.
#[test]
fn merging_parts_is_folding_all() {
    check(|round| {
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for hit in &round.hits {
            parts[round.dice.below(3) as usize].push(*hit);
            if round.dice.per_mille(200) {
                parts[round.dice.below(3) as usize].push(*hit);
            }
        }
        let whole = round.fold(&round.hits);
        let [a, b, c] = parts.each_ref().map(|part| round.fold(part));
        same("in order", &round.merged(&[&a, &b, &c]), &whole)?;
        same("otherwise", &round.merged(&[&c, &a, &b, &a]), &whole)?;
        same("grouped", &round.merged(&[&round.merged(&[&b, &c]), &a]), &whole)
    });
}

#[test]
fn splitting_and_restoring_changes_nothing() {
    check(|round| {
        let whole = round.fold(&round.hits);
        let at = round.dice.below(round.hits.len() as u64 + 1) as usize;
        let stored = round.fold(&round.hits[..at]).as_bytes().to_vec();
        let mut restored = Record::from_bytes(&stored).expect("a record");
        for (matcher, hit) in &round.hits[at..] {
            restored.fold(*matcher, round.kept[matcher.0 as usize], *hit);
        }
        same("restored", &restored, &whole)
    });
}

/// Each matcher's window is what it would be if nobody else folded anything.
#[test]
fn conditions_do_not_feel_each_other() {
    check(|round| {
        let whole = round.fold(&round.hits);
        for matcher in (0..).map(MatcherId).take(round.kept.len()) {
            let of = round.hits.iter().filter(|(id, _)| *id == matcher);
            let alone = round.fold(&of.copied().collect::<Vec<_>>());
            if alone.stored(matcher) != whole.stored(matcher) {
                return Err(format!("{matcher:?} alone: {alone:?} is not {whole:?}"));
            }
        }
        Ok(())
    });
}
