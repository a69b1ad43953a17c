//! Questions about events in words.

use schemas::behaviour::{
    Aggregate, Ago, Behaviour, Compared, Number, Operand, Period, Sequence, Step, Then, Watched,
};
use schemas::catalog::Project;
use schemas::decimal::written;
use schemas::filter::{Date, Filter};
use schemas::matcher::{Matcher, Take};
use schemas::time::length;
use schemas::window::{FOREVER_MS, Keep, Range};

use crate::behaviour::Span;

/// Words for what a project's conditions ask.
#[derive(Clone, Copy)]
pub struct Words<'a>(pub &'a Project);

impl<'a> Words<'a> {
    /// The question as a sentence.
    pub fn behaviour(self, asked: &Behaviour<Watched>) -> String {
        match asked {
            Behaviour::Number(asked) => self.compared(asked),
            Behaviour::When(asked) => {
                let which = if asked.of.kept.keep == Keep::Earliest { "first" } else { "last" };
                format!("the {which} {} was {}", self.event(asked.of), then(asked.then))
            }
            Behaviour::Latest(asked) => {
                let test = self.matcher(asked.of).and_then(|matcher| match &matcher.take {
                    Take::Passes(filter) => Some(filter.words()),
                    _ => None,
                });
                let test = test.unwrap_or_else(|| "passes".to_owned());
                let (nth, event) = (nth(asked.nth), self.event(asked.of));
                format!("of the {nth} {event} {}: {test}", when(asked.of, asked.ago))
            }
            Behaviour::Regularly(asked) => {
                let (event, periods) = (self.event(asked.of), periods(asked.period));
                format!(
                    "{event} in at least {} of the last {} {periods}",
                    asked.at_least, asked.of_last
                )
            }
            Behaviour::Sequence(asked) => self.sequence(asked),
        }
    }

    /// A number that events make.
    pub fn number(self, number: &Number<Watched>) -> String {
        let word = match number.aggregate {
            Aggregate::Count => "the count",
            Aggregate::Distinct => "the number of different values",
            Aggregate::Sum => "the sum",
            Aggregate::Average => "the average",
            Aggregate::Smallest => "the smallest",
            Aggregate::Largest => "the largest",
        };
        format!("{word} of {} {}", self.name(number.of), when(number.of, number.ago))
    }

    /// The other side of a comparison.
    pub fn operand(self, operand: &Operand<Watched>) -> String {
        match operand {
            Operand::Given(number) => written(number.units()),
            Operand::Of(number, thousandths) => {
                let factor = f64::from(*thousandths) / 1_000.0;
                format!("{factor}x of: {}", self.number(number))
            }
        }
    }

    /// The event, and what is taken of it.
    pub fn name(self, of: Watched) -> String {
        let event = self.event(of);
        match self.matcher(of).and_then(|matcher| matcher.take.property()) {
            Some(property) => format!("`{property}` of {event}"),
            None => event,
        }
    }

    /// The event.
    pub fn event(self, of: Watched) -> String {
        self.matcher(of).map_or_else(|| "an event".to_owned(), event)
    }

    fn matcher(self, of: Watched) -> Option<&'a Matcher> {
        self.0.matchers.iter().find(|matcher| matcher.id == of.matcher)
    }

    fn compared(self, asked: &Compared<Watched>) -> String {
        let (sign, right) = (asked.comparison.sign(), self.operand(&asked.right));
        format!("{} {sign} {right}", self.number(&asked.left))
    }

    fn sequence(self, asked: &Sequence<Watched>) -> String {
        let steps: Vec<String> = asked.steps.iter().map(|step| self.step(step)).collect();
        let same = asked.steps.first().filter(|_| asked.same);
        let property = same.and_then(|step| self.matcher(step.of)?.take.property());
        let same = property.map(|key| format!(", with one `{key}`")).unwrap_or_default();
        let when = asked.steps.first().map(|step| when(step.of, asked.ago)).unwrap_or_default();
        format!("{} {when}{same}", steps.join(", then "))
    }

    fn step(self, step: &Step<Watched>) -> String {
        let mut said = self.event(step.of);
        if step.after_ms_min > 1 {
            said += &format!(" at least {} later", length(step.after_ms_min));
        }
        if step.after_ms_max < FOREVER_MS {
            said += &format!(" at most {} later", length(step.after_ms_max));
        }
        if let Some(without) = step.without {
            said += &format!(" without {} in between", self.event(without));
        }
        said
    }
}

/// The event that a matcher accepts, with what it asks of it.
pub fn event(matcher: &Matcher) -> String {
    let event = match matcher.event.as_str() {
        "" => "event of any kind".to_owned(),
        event => format!("`{event}`"),
    };
    if matcher.filters.is_empty() {
        return event;
    }
    let filters: Vec<String> = matcher.filters.iter().map(Filter::words).collect();
    format!("{event} ({})", filters.join(" and "))
}

/// When those events happened that count.
fn when(of: Watched, ago: Ago) -> String {
    if of.during == Range::EVER {
        return range(ago);
    }
    let Range { after_ms, until_ms } = of.during;
    let after = Some(after_ms).filter(|after_ms| *after_ms > Range::EVER.after_ms);
    let before = Some(until_ms).filter(|until_ms| *until_ms < Range::EVER.until_ms);
    let after = after.map(|after_ms| format!("after {}", Date::of_ms(after_ms).words()));
    let before = before.map(|until_ms| format!("before {}", Date::of_ms(until_ms + 1).words()));
    let ago = Some(ago).filter(|ago| *ago != Ago::EVER).map(range);
    let said: Vec<String> = [after, before, ago].into_iter().flatten().collect();
    said.join(" and ")
}

/// A stretch of time back from now.
pub fn range(ago: Ago) -> String {
    let Ago { from_ms, until_ms } = ago;
    match (from_ms, until_ms) {
        (FOREVER_MS, 0) => "ever".to_owned(),
        (FOREVER_MS, until_ms) => format!("at least {} ago", length(until_ms)),
        (from_ms, 0) => format!("in the last {}", length(from_ms)),
        (from_ms, until_ms) => {
            format!("between {} and {} ago", length(from_ms), length(until_ms))
        }
    }
}

/// A time that a first or last event is asked about.
pub fn then(then: Then) -> String {
    match then {
        Then::Ago(ago) => range(ago),
        Then::Before(date) => format!("before {}", date.words()),
        Then::At(date) => format!("at {}", date.words()),
        Then::After(date) => format!("after {}", date.words()),
    }
}

/// Several periods.
pub fn periods(period: Period) -> String {
    match period {
        Period::Hour => "hours".to_owned(),
        Period::Day => "days".to_owned(),
        Period::Week => "weeks".to_owned(),
        Period::Back(length_ms) => format!("times {}", length(length_ms)),
    }
}

/// What a number is, or may be.
pub fn span(span: Span) -> String {
    let (low, high) = (low(span), high(span));
    let known = match (low, high) {
        _ if span.is_nothing() => return "nothing".to_owned(),
        (Some(low), Some(high)) if low == high => low,
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("{low} or more"),
        (None, Some(high)) => format!("{high} or less"),
        (None, None) => return "unknown".to_owned(),
    };
    if span.maybe_nothing { format!("{known}, or nothing") } else { known }
}

/// What a number is at least, as text; none where there is no bound. What is finer than the last
/// place is cut.
pub fn low(span: Span) -> Option<String> {
    bound(span, span.low)
}

/// What it is at most.
pub fn high(span: Span) -> Option<String> {
    bound(span, span.high)
}

fn bound(span: Span, bound: i128) -> Option<String> {
    let known = !matches!(bound, i128::MIN | i128::MAX);
    known.then(|| written(bound / span.of))
}

fn nth(nth: u16) -> String {
    match nth {
        1 => "newest".to_owned(),
        2 => "2nd newest".to_owned(),
        3 => "3rd newest".to_owned(),
        _ => format!("{nth}th newest"),
    }
}
