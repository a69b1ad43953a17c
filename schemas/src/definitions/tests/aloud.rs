//! A compiled condition read aloud, so that a test's vector is one line.

use crate::behaviour::{
    Aggregate, Ago, Behaviour, Compared, Number, Operand, Period, Sequence, Then, Watched,
};
use crate::catalog::Project;
use crate::cohort::Condition;
use crate::decimal::{self, Decimal};
use crate::filter::Date;
use crate::matcher::Take;
use crate::time::length;
use crate::window::{FOREVER_MS, Keep, Range};

/// The condition in words: of each matcher its event, how many filters, what it takes, and in
/// braces how it keeps how many hits for how long.
pub(super) fn aloud(project: &Project, condition: &Condition) -> String {
    let each = |inner: &[Condition], word: &str| -> String {
        let inner: Vec<String> = inner.iter().map(|one| aloud(project, one)).collect();
        format!("({})", inner.join(word))
    };
    match condition {
        Condition::All(inner) => each(inner, " and "),
        Condition::Any(inner) => each(inner, " or "),
        Condition::Not(inner) => format!("not {}", aloud(project, inner)),
        Condition::Behaviour(behaviour) => asked(project, behaviour),
        Condition::Fault(fault) => format!("{}: {}", fault.code, fault.message),
        other => format!("{other:?}"),
    }
}

fn asked(project: &Project, behaviour: &Behaviour<Watched>) -> String {
    let of = |watched: &Watched| matcher(project, watched);
    match behaviour {
        Behaviour::Number(Compared { left, comparison, right }) => {
            let right = match right {
                Operand::Given(number) => digits(*number),
                Operand::Of(other, thousandths) => {
                    format!("{thousandths}‰ of {}", number(project, other))
                }
            };
            format!("{} {} {right}", number(project, left), comparison.sign())
        }
        Behaviour::When(asked) => {
            let then = match asked.then {
                Then::Ago(ago) => format!("in {}", range(ago)),
                Then::Before(date) => format!("before {}", date.words()),
                Then::At(date) => format!("at {}", date.words()),
                Then::After(date) => format!("after {}", date.words()),
            };
            format!("when {} {then}", of(&asked.of))
        }
        Behaviour::Latest(asked) => {
            format!("latest {} of {} in {}", asked.nth, of(&asked.of), range(asked.ago))
        }
        Behaviour::Regularly(asked) => {
            let period = match asked.period {
                Period::Hour => "hours".to_owned(),
                Period::Day => "days".to_owned(),
                Period::Week => "weeks".to_owned(),
                Period::Back(length_ms) => format!("times {}", length(length_ms)),
            };
            format!("{} in {} of {} {period}", of(&asked.of), asked.at_least, asked.of_last)
        }
        Behaviour::Sequence(asked) => sequence(project, asked),
    }
}

fn sequence(project: &Project, asked: &Sequence<Watched>) -> String {
    let steps = asked.steps.iter().map(|step| {
        let mut text = matcher(project, &step.of);
        if (step.after_ms_min, step.after_ms_max) != (0, i64::MAX) {
            text += &format!(" after {}..{}", ms(step.after_ms_min), ms(step.after_ms_max));
        }
        if let Some(without) = &step.without {
            text += &format!(" without {}", matcher(project, without));
        }
        text
    });
    let steps: Vec<String> = steps.collect();
    let same = if asked.same { " same" } else { "" };
    format!("{} in {}{same}", steps.join(" → "), range(asked.ago))
}

fn number(project: &Project, number: &Number<Watched>) -> String {
    let word = match number.aggregate {
        Aggregate::Count => "count",
        Aggregate::Distinct => "distinct",
        Aggregate::Sum => "sum",
        Aggregate::Average => "average",
        Aggregate::Smallest => "smallest",
        Aggregate::Largest => "largest",
    };
    format!("{word} {} in {}", matcher(project, &number.of), range(number.ago))
}

fn matcher(project: &Project, watched: &Watched) -> String {
    let found = project.matchers.iter().find(|matcher| matcher.id == watched.matcher);
    let found = found.expect("what is watched is there");
    assert_eq!(found.kept, watched.kept, "it is kept as it is asked");
    let name = if found.event.is_empty() { "<any>" } else { &found.event };
    let filters = found.filters.iter().map(|filter| format!("[{}]", filter.key));
    let take = match &found.take {
        Take::Nothing => String::new(),
        Take::Value(key) => format!(".{key}"),
        Take::Number(key) => format!("#{key}"),
        Take::Passes(filter) => format!("?{}", filter.canonical()),
    };
    let keep = match found.kept.keep {
        Keep::Newest => "newest".to_owned(),
        Keep::Earliest => "earliest".to_owned(),
        Keep::Stretches(length_ms) => format!("each {}", length(length_ms)),
        Keep::Values => "values".to_owned(),
        Keep::Numbers => "numbers".to_owned(),
    };
    let kept = found.kept;
    let Range { after_ms, until_ms } = watched.during;
    assert_eq!(found.until_ms, until_ms, "what comes later is no hit");
    let said =
        [("after", after_ms, Range::EVER.after_ms), ("until", until_ms, Range::EVER.until_ms)];
    let said = said.iter().filter(|(_, edge_ms, ever_ms)| edge_ms != ever_ms);
    let dates =
        said.map(|(word, edge_ms, _)| format!(", {word} {}", Date::of_ms(*edge_ms).words()));
    let dates: String = dates.collect();
    let filters: String = filters.collect();
    format!("{name}{filters}{take}{{{keep} {} for {}{dates}}}", kept.k, ms(kept.horizon_ms))
}

fn range(ago: Ago) -> String {
    format!("{}..{}", ms(ago.from_ms), ms(ago.until_ms))
}

fn ms(length_ms: i64) -> String {
    match length_ms {
        0 => "0".to_owned(),
        FOREVER_MS => "ever".to_owned(),
        length_ms => length(length_ms),
    }
}

fn digits(number: Decimal) -> String {
    decimal::written(number.units())
}
