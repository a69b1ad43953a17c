//! Dates that events lie between: a stretch of time that doesn't move with the clock.

use std::mem::discriminant;

use jiff::tz::TimeZone;

use crate::behaviour::{Ago, Then};
use crate::filter::{Date, Moment};
use crate::window::Range;

/// When events happened: between dates, and so long ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub dates: Dates,
    pub ago: Ago,
}

impl Stretch {
    /// The same, said of one instant.
    pub fn thens(self) -> Vec<Then> {
        let mut thens = self.dates.thens();
        if self.ago != Ago::EVER {
            thens.push(Then::Ago(self.ago));
        }
        thens
    }
}

/// After the one date, before the other; either may be missing, and neither moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dates {
    pub after: Option<Date>,
    pub before: Option<Date>,
}

impl Dates {
    /// Any time.
    pub const ANY: Dates = Dates { after: None, before: None };

    /// What lies before this instant, or at it, in epoch milliseconds.
    pub fn until(until_ms: i64) -> Dates {
        let before = until_ms.checked_add(1).map(Date::of_ms);
        Dates { after: None, before }
    }

    /// The instants that are meant, where the clock shows this time zone.
    pub fn range(self, zone: &TimeZone) -> Range {
        let around_ms = |date: Date| date.around_ms(Moment { now_ms: 0, zone });
        let after_ms = self.after.and_then(around_ms).map(|(last_ms, _)| last_ms);
        let until_ms = self.before.and_then(around_ms).map(|(_, next_ms)| next_ms - 1);
        Range {
            after_ms: after_ms.unwrap_or(Range::EVER.after_ms),
            until_ms: until_ms.unwrap_or(Range::EVER.until_ms),
        }
    }

    /// What lies between them, said of one instant.
    pub fn thens(self) -> Vec<Then> {
        self.after.map(Then::After).into_iter().chain(self.before.map(Then::Before)).collect()
    }

    /// Whether nothing can lie there, wherever the clock is.
    pub fn are_nothing(self) -> bool {
        let is_alike = match (self.after, self.before) {
            (Some(after), Some(before)) => discriminant(&after) == discriminant(&before),
            _ => false,
        };
        let Range { after_ms, until_ms } = self.range(&TimeZone::UTC);
        is_alike && after_ms >= until_ms
    }
}

impl From<Ago> for Stretch {
    fn from(ago: Ago) -> Stretch {
        Stretch { dates: Dates::ANY, ago }
    }
}

impl From<Dates> for Stretch {
    fn from(dates: Dates) -> Stretch {
        Stretch { dates, ago: Ago::EVER }
    }
}
