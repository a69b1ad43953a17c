//! What both YAML and PostHog's JSON can ask of a person's events, and how much that needs kept.

use super::dates::Dates;
use super::draft::{Draft, MatcherDraft};
use crate::behaviour::{
    Aggregate, Ago, Behaviour, Compared, Number, Operand, Period, Regularly, Sequence, Step, Then,
    When,
};
use crate::comparison::Comparison;
use crate::decimal::Decimal;
use crate::filter::Filter;
use crate::matcher::Take;
use crate::time::{DAY_MS, WINDOW_MS_MAX, length};
use crate::window::stretches::{STRETCHED_ENTRIES_MAX, entries_most};
use crate::window::{ENTRIES_SUMMED, FOREVER_MS, Keep, Kept};

/// Which events a condition is about.
#[derive(Clone, Debug)]
pub(super) struct Events {
    /// The events' name; empty for any.
    pub name: String,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// When they happened.
    pub dates: Dates,
}

/// Why something isn't kept: more of a person than is allowed for one matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TooMuch(pub String);

impl Events {
    /// All events of a name.
    pub fn named(name: String) -> Events {
        Events { name, filters: Vec::new(), dates: Dates::ANY }
    }

    /// Any event at all.
    pub fn any() -> Events {
        Events::named(String::new())
    }

    /// Those of them between two dates.
    pub fn between(self, dates: Dates) -> Events {
        Events { dates, ..self }
    }

    /// How often they happened then, compared with a given number.
    pub fn count(self, (comparison, n): (Comparison, u16), ago: Ago) -> Result<Draft, TooMuch> {
        let k = comparison.entries_needed(n);
        let needs = match ago.until_ms {
            0 => Kept::newest(k, ago.from_ms),
            // Of so long a time, what newer events push out may be asked for.
            _ if ago.from_ms == FOREVER_MS => Kept::newest(k.max(ENTRIES_SUMMED), FOREVER_MS),
            // Newer events push nothing out of a stretch as long as the range.
            until_ms => stretches(k, ago.from_ms - until_ms, ago.from_ms)?,
        };
        let left =
            Number { of: self.taking(Take::Nothing, needs), aggregate: Aggregate::Count, ago };
        let right = Operand::Given(Decimal::whole(n.into()));
        Ok(Draft::asking(Behaviour::Number(Compared { left, comparison, right })))
    }

    /// A number of them that no given number bounds. `property` is what is summed, or told
    /// apart; a count takes none.
    pub fn number(self, aggregate: Aggregate, property: &str, ago: Ago) -> Number<MatcherDraft> {
        let (keep, take) = match aggregate {
            Aggregate::Count => (Keep::Newest, Take::Nothing),
            Aggregate::Distinct => (Keep::Values, Take::Value(property.to_owned())),
            _ => (Keep::Numbers, Take::Number(property.to_owned())),
        };
        let needs = Kept { keep, k: ENTRIES_SUMMED, horizon_ms: ago.from_ms };
        Number { of: self.taking(take, needs), aggregate, ago }
    }

    /// The first time ever was then.
    pub fn first(self, then: Then) -> Draft {
        let needs = Kept { keep: Keep::Earliest, k: 1, horizon_ms: FOREVER_MS };
        Draft::asking(Behaviour::When(When { of: self.taking(Take::Nothing, needs), then }))
    }

    /// The last time was then.
    pub fn last(self, then: Then) -> Draft {
        let needs = Kept::newest(1, then.reach_ms());
        Draft::asking(Behaviour::When(When { of: self.taking(Take::Nothing, needs), then }))
    }

    /// Before the quiet time, not in it, and since.
    pub fn restarted(self, quiet: Ago) -> Result<Draft, TooMuch> {
        let before = Ago { from_ms: FOREVER_MS, until_ms: quiet.from_ms };
        let since = Ago::within(quiet.until_ms);
        let none = self.clone().count((Comparison::Equal, 0), quiet)?;
        let some = self.clone().count((Comparison::AtLeast, 1), since)?;
        Ok(Draft::All(vec![self.first(Then::Ago(before)), none, some]))
    }

    /// In at least so many of the last periods.
    pub fn regularly(self, at_least: u16, of_last: u16, period: Period) -> Result<Draft, TooMuch> {
        let horizon_ms = period.reach_ms(of_last);
        if horizon_ms > WINDOW_MS_MAX + 7 * DAY_MS {
            let message = format!("{of_last} periods reach back further than 400 days");
            return Err(TooMuch(message));
        }
        let needs = stretches(1, period.stretch_ms(), horizon_ms)?;
        let of = self.taking(Take::Nothing, needs);
        Ok(Draft::asking(Behaviour::Regularly(Regularly { of, at_least, of_last, period })))
    }

    /// A step of a sequence, or what must not happen before it. `same` is the property whose
    /// value all steps share.
    pub fn step(self, same: Option<&str>, within_ms: i64) -> MatcherDraft {
        let (keep, take) = match same {
            Some(key) => (Keep::Values, Take::Value(key.to_owned())),
            None => (Keep::Newest, Take::Nothing),
        };
        self.taking(take, Kept { keep, k: ENTRIES_SUMMED, horizon_ms: within_ms })
    }

    /// These events, with what is taken of each and how much is kept.
    pub fn taking(self, take: Take, needs: Kept) -> MatcherDraft {
        let Events { name, filters, dates } = self;
        MatcherDraft { event: name, filters, dates, take, needs }
    }
}

/// The steps came in order, all of them then.
pub(super) fn sequence(steps: Vec<Step<MatcherDraft>>, ago: Ago, same: bool) -> Draft {
    Draft::asking(Behaviour::Sequence(Sequence { steps, ago, same }))
}

fn stretches(k: u16, length_ms: i64, horizon_ms: i64) -> Result<Kept, TooMuch> {
    let most = entries_most(k, length_ms, horizon_ms);
    if most > STRETCHED_ENTRIES_MAX {
        return Err(TooMuch(format!(
            "this may take {most} entries of one person, and {STRETCHED_ENTRIES_MAX} are kept: up \
             to {} of each {} since {} ago",
            2 * u32::from(k),
            length(length_ms),
            length(horizon_ms)
        )));
    }
    Ok(Kept { keep: Keep::Stretches(length_ms), k, horizon_ms })
}
