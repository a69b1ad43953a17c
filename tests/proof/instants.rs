//! When to ask: around every instant at which the answer may change.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::dice::Dice;
use crate::naive::history::{History, Which};
use crate::naive::question::{Against, Ago, Period, Question};

/// Where there is no log.
pub const EARLIEST_MS: i64 = 1_767_225_600_000;
/// So many instants are chosen at most for one question.
const INSTANTS_MAX: usize = 48;

/// Instants from `from_ms` on: each edge, and a millisecond before and after.
pub fn of(
    question: &Question,
    history: &History,
    zone: &TimeZone,
    from_ms: i64,
    dice: &mut Dice,
) -> Vec<i64> {
    let times: BTreeSet<i64> = history.of(&Which::ANY).iter().map(|event| event.time_ms).collect();
    let mut lengths = Lengths::default();
    lengths.add(question);
    let mut edges = BTreeSet::from([from_ms, from_ms + dice.below(1_000_000_000) as i64]);
    for length_ms in lengths.ms {
        edges.extend(times.iter().map(|time_ms| time_ms + length_ms));
    }
    for period in lengths.periods {
        edges.extend(starts(from_ms, zone, period));
    }
    let around = edges.into_iter().flat_map(|edge_ms| [edge_ms - 1, edge_ms, edge_ms + 1]);
    let instants: BTreeSet<i64> = around.filter(|now_ms| *now_ms >= from_ms).collect();
    let mut instants: Vec<i64> = instants.into_iter().collect();
    dice.shuffle(&mut instants);
    instants.truncate(INSTANTS_MAX);
    instants
}

/// When the next periods begin.
fn starts(from_ms: i64, zone: &TimeZone, period: Period) -> Vec<i64> {
    let from = Timestamp::from_millisecond(from_ms).expect("an instant").to_zoned(zone.clone());
    let start = |zoned: Zoned| Some(zoned.start_of_day().ok()?.timestamp().as_millisecond());
    let hour = |zoned: Zoned| {
        let round = zoned.with().minute(0).second(0).subsec_nanosecond(0).build().ok()?;
        Some(round.timestamp().as_millisecond())
    };
    let at = |n: i64| match period {
        Period::Hour => hour(from.checked_add(n.hours()).ok()?),
        Period::Day | Period::Week => start(from.checked_add(n.days()).ok()?),
        Period::Back(_) => None,
    };
    (0..20).filter_map(at).collect()
}

#[derive(Default)]
struct Lengths {
    ms: BTreeSet<i64>,
    periods: Vec<Period>,
}

impl Lengths {
    fn add(&mut self, question: &Question) {
        match question {
            Question::Number(left, _, against) => {
                self.ago(left.ago);
                if let Against::Number(right, _) = against {
                    self.ago(right.ago);
                }
            }
            Question::First(_, ago) | Question::Last(_, ago) => self.ago(*ago),
            Question::Stopped { within_ms, quiet_ms, .. } => self.ms.extend([within_ms, quiet_ms]),
            Question::Restarted { after_ms, within_ms, .. } => {
                self.ms.extend([after_ms, within_ms]);
            }
            Question::Latest { within_ms, .. } => self.ms.extend(*within_ms),
            Question::Regularly { of_last, period, .. } => match period {
                Period::Back(length_ms) => {
                    self.ms.extend((1..=i64::from(*of_last)).map(|n| n * length_ms));
                }
                _ => self.periods.push(*period),
            },
            Question::Sequence(sequence) | Question::Unfinished(sequence) => {
                self.ms.extend(sequence.within_ms);
            }
            Question::FirstBy(..) | Question::LastBy(..) => {}
            Question::Person(..) | Question::Listed(_) => {}
            Question::All(inner) | Question::Any(inner) => {
                inner.iter().for_each(|question| self.add(question));
            }
            Question::Not(inner) => self.add(inner),
        }
    }

    fn ago(&mut self, ago: Ago) {
        self.ms.extend(ago.from_ms);
        self.ms.extend([ago.until_ms]);
    }
}
