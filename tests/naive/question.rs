//! Every question that can be asked about a person, in the words of its rule.

use super::history::{Wanted, Which};

#[derive(Clone, Debug)]
pub enum Question {
    /// "`number sign against`."
    Number(Number, &'static str, Against),
    /// The first time ever lies there.
    First(Which, Ago),
    /// The last time lies there.
    Last(Which, Ago),
    /// The first time ever is on this side of an instant.
    FirstBy(Which, Side, i64),
    /// The last time is on this side of an instant.
    LastBy(Which, Side, i64),
    /// Did it, but not any more since `quiet_ms` ago.
    Stopped {
        which: Which,
        within_ms: i64,
        quiet_ms: i64,
    },
    /// Did it `after_ms` ago or before, not since, and again within `within_ms`.
    Restarted {
        which: Which,
        after_ms: i64,
        within_ms: i64,
    },
    /// The n-th newest value of a property passes.
    Latest {
        which: Which,
        key: &'static str,
        wanted: Wanted,
        nth: u16,
        within_ms: Option<i64>,
    },
    /// In so many of the last periods.
    Regularly {
        which: Which,
        at_least: u16,
        of_last: u16,
        period: Period,
    },
    /// One after the other.
    Sequence(Sequence),
    /// All steps but the last, and never the whole.
    Unfinished(Sequence),
    /// The person's property is this text.
    Person(&'static str, &'static str),
    /// The person is one of these.
    Listed(Vec<&'static str>),
    All(Vec<Question>),
    Any(Vec<Question>),
    Not(Box<Question>),
}

/// `(now - from, now - until]`; without a beginning, everything before its end. What ends now
/// has what is stamped ahead of now, too.
#[derive(Clone, Copy, Debug)]
pub struct Ago {
    pub from_ms: Option<i64>,
    pub until_ms: i64,
}

#[derive(Clone, Copy, Debug)]
pub enum Side {
    Before,
    At,
    After,
}

#[derive(Clone, Debug)]
pub struct Number {
    pub which: Which,
    pub what: What,
    pub ago: Ago,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    Count,
    Distinct(&'static str),
    Sum(&'static str),
    Average(&'static str),
    Smallest(&'static str),
    Largest(&'static str),
}

#[derive(Clone, Debug)]
pub enum Against {
    /// So many hundredths.
    Cents(i64),
    /// So many thousandths of another number.
    Number(Number, u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Period {
    Hour,
    Day,
    Week,
    /// So many milliseconds, back from now.
    Back(i64),
}

#[derive(Clone, Debug)]
pub struct Sequence {
    pub steps: Vec<Step>,
    pub within_ms: Option<i64>,
    /// The property that all steps have the same value of.
    pub same: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub which: Which,
    pub after_ms_min: i64,
    pub after_ms_max: Option<i64>,
    /// What doesn't happen strictly between the step before and this one.
    pub without: Option<Which>,
}

impl Side {
    pub fn has(self, time_ms: i64, instant_ms: i64) -> bool {
        match self {
            Side::Before => time_ms < instant_ms,
            Side::At => time_ms == instant_ms,
            Side::After => time_ms > instant_ms,
        }
    }
}

impl Ago {
    pub fn within(length_ms: i64) -> Ago {
        Ago { from_ms: Some(length_ms), until_ms: 0 }
    }

    pub fn contains(self, time_ms: i64, now_ms: i64) -> bool {
        let begun = self.from_ms.is_none_or(|from_ms| time_ms > now_ms - from_ms);
        let ended = self.until_ms > 0 && time_ms > now_ms - self.until_ms;
        begun && !ended
    }
}
