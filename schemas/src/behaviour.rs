//! Behaviour: what a person's events can be asked, over matchers `M`.
//!
//! Definitions are read with matchers as drafts, and compiled to [`Watched`] ones.

use crate::comparison::Comparison;
use crate::decimal::Decimal;
use crate::filter::Date;
use crate::ids::MatcherId;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::window::{FOREVER_MS, Kept, Range};

/// One question about a person's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour<M> {
    /// A number of the person's events, compared.
    Number(Compared<M>),
    /// When the first, or the last, event was.
    When(When<M>),
    /// Whether the n-th newest value of a property passed a filter.
    Latest(Latest<M>),
    /// Whether there were events in enough periods.
    Regularly(Regularly<M>),
    /// Whether events came in an order.
    Sequence(Sequence<M>),
}

/// A matcher, and what is kept of its hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whose hits are asked for.
    pub matcher: MatcherId,
    /// How much of them there is.
    pub kept: Kept,
    /// When those happened that count: between two instants that don't move with the clock.
    pub during: Range,
}

/// A stretch of time back from now: `(now - from, now - until]`. Where `until_ms` is 0, what is
/// stamped a little ahead of now happens now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ago {
    /// How long ago it began, in milliseconds; an event of exactly then is out.
    pub from_ms: i64,
    /// How long ago it ended, in milliseconds; an event of exactly then is in.
    pub until_ms: i64,
}

/// "`left comparison right`."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared<M> {
    /// A number of the person.
    pub left: Number<M>,
    /// How it is compared.
    pub comparison: Comparison,
    /// What it is compared with.
    pub right: Operand<M>,
}

/// What a number is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand<M> {
    /// A number that is given.
    Given(Decimal),
    /// Another number of the person, so many thousandths of it.
    Of(Number<M>, u32),
}

/// A number that a person's events make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<M> {
    /// Which events.
    pub of: M,
    /// What is made of them.
    pub aggregate: Aggregate,
    /// When they happened.
    pub ago: Ago,
}

/// How events make a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// How many different values they have.
    Distinct,
    /// The sum of their numbers; 0 where there is none.
    Sum,
    /// The mean of their numbers; where there is none, no comparison holds.
    Average,
    /// The smallest of their numbers; where there is none, no comparison holds.
    Smallest,
    /// The largest of their numbers; where there is none, no comparison holds.
    Largest,
}

/// "The first (or last) time was then": a matcher that keeps the earliest hit is asked for the
/// first, any other for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When<M> {
    /// Which events.
    pub of: M,
    /// When it was.
    pub then: Then,
}

/// A time that an instant lies in, or doesn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// So long ago; `from_ms` may be [`crate::window::FOREVER_MS`].
    Ago(Ago),
    /// Before this date.
    Before(Date),
    /// At this date, to the nanosecond.
    At(Date),
    /// After this date.
    After(Date),
}

impl Then {
    /// How long back from now it may reach, in milliseconds.
    pub fn reach_ms(self) -> i64 {
        match self {
            Then::Ago(ago) => ago.from_ms,
            Then::Before(_) | Then::At(_) | Then::After(_) => FOREVER_MS,
        }
    }
}

/// "The n-th newest value passes": of a matcher that takes whether it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest<M> {
    /// Which events.
    pub of: M,
    /// 1 for the newest.
    pub nth: u16,
    /// When they happened.
    pub ago: Ago,
}

/// "In at least so many of the last periods."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regularly<M> {
    /// Which events.
    pub of: M,
    /// In how many periods there have to be some.
    pub at_least: u16,
    /// Of how many periods, the current one included.
    pub of_last: u16,
    /// What a period is.
    pub period: Period,
}

/// A period of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// An hour of the clock in the project's time zone.
    Hour,
    /// A day of the calendar there, from midnight to midnight.
    Day,
    /// A week of the calendar there, from Monday on.
    Week,
    /// So many milliseconds, counted back from now: PostHog's periods.
    Back(i64),
}

/// "First this, then that": each step strictly later than the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence<M> {
    /// Two to five, in order.
    pub steps: Vec<Step<M>>,
    /// When all of them happened.
    pub ago: Ago,
    /// Whether all steps have to have taken the same value.
    pub same: bool,
}

/// A step of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<M> {
    /// Which events.
    pub of: M,
    /// How long after the step before it at least, in milliseconds.
    pub after_ms_min: i64,
    /// How long after the step before it at most, in milliseconds.
    pub after_ms_max: i64,
    /// What must not happen strictly between the step before it and this one.
    pub without: Option<M>,
}

impl<M> Behaviour<M> {
    /// The same question over other matchers.
    pub fn map<N>(&self, to: &mut impl FnMut(&M) -> N) -> Behaviour<N> {
        match self {
            Behaviour::Number(asked) => Behaviour::Number(Compared {
                left: asked.left.map(to),
                comparison: asked.comparison,
                right: match &asked.right {
                    Operand::Given(number) => Operand::Given(*number),
                    Operand::Of(number, thousandths) => Operand::Of(number.map(to), *thousandths),
                },
            }),
            Behaviour::When(asked) => Behaviour::When(When { of: to(&asked.of), then: asked.then }),
            Behaviour::Latest(asked) => {
                Behaviour::Latest(Latest { of: to(&asked.of), nth: asked.nth, ago: asked.ago })
            }
            Behaviour::Regularly(asked) => Behaviour::Regularly(Regularly {
                of: to(&asked.of),
                at_least: asked.at_least,
                of_last: asked.of_last,
                period: asked.period,
            }),
            Behaviour::Sequence(asked) => Behaviour::Sequence(Sequence {
                steps: asked.steps.iter().map(|step| step.map(to)).collect(),
                ago: asked.ago,
                same: asked.same,
            }),
        }
    }

    /// Every matcher that is asked.
    pub fn matchers(&self) -> Vec<&M> {
        match self {
            Behaviour::Number(asked) => match &asked.right {
                Operand::Given(_) => vec![&asked.left.of],
                Operand::Of(right, _) => vec![&asked.left.of, &right.of],
            },
            Behaviour::When(asked) => vec![&asked.of],
            Behaviour::Latest(asked) => vec![&asked.of],
            Behaviour::Regularly(asked) => vec![&asked.of],
            Behaviour::Sequence(asked) => {
                let steps = asked.steps.iter();
                steps.flat_map(|step| [Some(&step.of), step.without.as_ref()]).flatten().collect()
            }
        }
    }
}

impl<M> Number<M> {
    fn map<N>(&self, to: &mut impl FnMut(&M) -> N) -> Number<N> {
        Number { of: to(&self.of), aggregate: self.aggregate, ago: self.ago }
    }
}

impl<M> Step<M> {
    fn map<N>(&self, to: &mut impl FnMut(&M) -> N) -> Step<N> {
        Step {
            of: to(&self.of),
            after_ms_min: self.after_ms_min,
            after_ms_max: self.after_ms_max,
            without: self.without.as_ref().map(to),
        }
    }
}

impl Period {
    /// How long the stretches are that tell in which of them there were events, in milliseconds:
    /// so short that none of them meets three, whatever clocks do.
    pub fn stretch_ms(self) -> i64 {
        match self {
            Period::Hour => 30 * MINUTE_MS,
            Period::Day => 20 * HOUR_MS,
            Period::Week => 6 * DAY_MS,
            Period::Back(length_ms) => length_ms,
        }
    }

    /// How far back so many of them may reach, in milliseconds, with room for the one that is under
    /// way and for a day of 25 hours.
    pub fn reach_ms(self, periods: u16) -> i64 {
        let periods = i64::from(periods);
        match self {
            Period::Hour => (periods + 1) * HOUR_MS,
            Period::Day => (periods + 1) * DAY_MS,
            Period::Week => periods * 7 * DAY_MS + DAY_MS,
            Period::Back(length_ms) => periods.saturating_mul(length_ms),
        }
    }
}

impl Ago {
    /// Any time until now.
    pub const EVER: Ago = Ago { from_ms: FOREVER_MS, until_ms: 0 };

    /// The window of so many milliseconds that ends now.
    pub fn within(length_ms: i64) -> Ago {
        Ago { from_ms: length_ms, until_ms: 0 }
    }
}
