//! Behaviour asked of what is kept: true, false, or open where what isn't known could decide.

mod number;
mod periods;
mod sequence;
mod turns;
mod when;

use jiff::tz::TimeZone;
pub use number::Span;
use schemas::behaviour::{Ago, Behaviour, Number, Regularly, Then, Watched};
use schemas::filter::Moment;
use schemas::lookup::{Coverage, Facts};
use schemas::unknown::Unknown;
use schemas::window::values::Values;
use schemas::window::{FOREVER_MS, Hit, Keep, Range, Window};
pub use turns::{TURNS_MAX, Turns};

use crate::truth::{Truth, Why};

/// One person's events, asked at one instant.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// What is known.
    pub facts: &'a Facts,
    /// What days are.
    pub zone: &'a TimeZone,
    /// Epoch milliseconds.
    pub now_ms: i64,
}

/// What may be missing of a matcher's hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    /// Hits of this instant and before may be missing; after it, all are there.
    until_ms: i64,
    /// Why they are.
    why: Unknown,
}

impl<'a> Seen<'a> {
    /// Whether the person's events answer the question with yes.
    pub fn holds<'t>(self, behaviour: &Behaviour<Watched>) -> Truth<'t> {
        if let Some(unknown) = self.facts.unknown {
            return Truth::Open(Why::Unknown(unknown));
        }
        let answer = match behaviour {
            Behaviour::Number(asked) => number::holds(self, asked),
            Behaviour::When(asked) => when::was(self, asked),
            Behaviour::Latest(asked) => when::latest_passes(self, asked),
            Behaviour::Regularly(asked) => periods::holds(self, asked),
            Behaviour::Sequence(asked) => sequence::happened(self, asked),
        };
        answer.map_or_else(|unknown| Truth::Open(Why::Unknown(unknown)), Truth::from)
    }

    /// What a number of the person is, or may be.
    pub fn number(self, asked: &Number<Watched>) -> Span {
        number::span(self, asked)
    }

    /// In how many of the last periods there was an event, as far as is known.
    pub fn periods_with(self, asked: &Regularly<Watched>) -> u16 {
        periods::counted(self, asked).with
    }

    /// The stretch of time that all those periods make.
    pub fn periods_range(self, asked: &Regularly<Watched>) -> Range {
        let oldest = periods::periods(self.now_ms, self.zone, asked.period, asked.of_last).pop();
        let after_ms = oldest.map_or(self.now_ms, |oldest| oldest.after_ms);
        Range { after_ms, until_ms: i64::MAX }
    }

    /// The hits that count one by one, newest first: of those with values, not what is left of
    /// what newer ones pushed out.
    pub fn counted(self, of: Watched) -> Vec<Hit> {
        self.hits(of)
    }

    /// Every hit that is kept, newest first.
    pub fn kept(self, of: Watched) -> Vec<Hit> {
        match of.kept.keep {
            Keep::Values | Keep::Numbers => self.values(of).all().collect(),
            _ => self.hits(of),
        }
    }

    /// When the first event was, of a matcher that keeps the earliest; else the last.
    pub fn moment_ms(self, of: Watched) -> Option<i64> {
        of.kept.newest_of(self.facts.record.stored(of.matcher)).map(|entry| entry.time_ms())
    }

    /// Which instants lie in a stretch of time back from now.
    pub fn range(self, ago: Ago) -> Range {
        let until_ms = match ago.until_ms {
            // What is stamped a little ahead of now happens now.
            0 => i64::MAX,
            until_ms => self.now_ms.saturating_sub(until_ms),
        };
        let after_ms = match ago.from_ms {
            FOREVER_MS => i64::MIN,
            from_ms => self.now_ms.saturating_sub(from_ms),
        };
        Range { after_ms, until_ms }
    }

    /// Which instants those hits happened at that count.
    pub fn range_of(self, of: Watched, ago: Ago) -> Range {
        self.range(ago).and(of.during)
    }

    /// Which instants a first or last time is asked to be one of.
    pub fn then(self, then: Then) -> Range {
        when::range(self, then)
    }

    /// When and where dates are asked.
    fn moment(self) -> Moment<'a> {
        Moment { now_ms: self.now_ms, zone: self.zone }
    }

    fn window(self, of: Watched) -> Window<'a> {
        debug_assert!(!matches!(of.kept.keep, Keep::Values | Keep::Numbers));
        self.facts.record.window(of.matcher)
    }

    fn values(self, of: Watched) -> Values<'a> {
        debug_assert!(matches!(of.kept.keep, Keep::Values | Keep::Numbers));
        Values::new(self.facts.record.stored(of.matcher))
    }

    /// The newest hits that are kept, newest first.
    fn hits(self, of: Watched) -> Vec<Hit> {
        match of.kept.keep {
            Keep::Values | Keep::Numbers => self.values(of).newest().collect(),
            _ => self.window(of).entries().map(Hit::from).collect(),
        }
    }

    /// What may be missing because the log didn't have it, hasn't been read for it, or belongs to
    /// an id that isn't known of.
    fn uncovered(self, of: Watched) -> Option<Gap> {
        let (until_ms, why) = match (self.facts.incomplete, self.facts.coverage.get(&of.matcher)) {
            (Some(why), _) => (i64::MAX, why),
            (None, Some(Coverage::Since(i64::MIN))) => return None,
            (None, Some(Coverage::Since(since_ms))) => (*since_ms, Unknown::Coverage),
            (None, Some(Coverage::Filling { .. }) | None) => (i64::MAX, Unknown::Filling),
        };
        // Of what is no hit nothing is missing.
        Some(Gap { until_ms: until_ms.min(of.during.until_ms), why })
    }

    /// The same, and what is missing since a copy told that the hits which had pushed it out
    /// happened earlier.
    fn uncovered_or_lost(self, of: Watched) -> Option<Gap> {
        let lost_ms = self.window(of).lost_ms();
        let lost = lost_ms.map(|until_ms| Gap { until_ms, why: Unknown::Overflow });
        [self.uncovered(of), lost].into_iter().flatten().max_by_key(|gap| gap.until_ms)
    }

    /// What may be missing because newer hits pushed it out.
    fn pushed_out(self, of: Watched) -> Option<Gap> {
        let until_ms = match of.kept.keep {
            Keep::Values | Keep::Numbers => {
                self.values(of).older().next().map(|hit| hit.entry.time_ms())
            }
            _ => {
                let window = self.window(of);
                let oldest = window.entries().nth(usize::from(of.kept.k) - 1);
                oldest.map(|oldest| oldest.time_ms()).max(window.lost_ms())
            }
        };
        until_ms.map(|until_ms| Gap { until_ms, why: Unknown::Overflow })
    }

    /// What may be missing of a range, for whichever reason.
    fn gap(self, of: Watched, range: Range) -> Option<Gap> {
        let gaps = [self.uncovered(of), self.pushed_out(of)].into_iter().flatten();
        gaps.filter(|gap| gap.reaches(range)).max_by_key(|gap| gap.until_ms)
    }
}

impl Gap {
    fn reaches(self, range: Range) -> bool {
        self.until_ms > range.after_ms
    }
}
