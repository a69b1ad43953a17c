//! Questions of one condition, over seconds, and where what is unknown of them has to be.

use schemas::time::SECOND_MS;

use super::chance::SIGNS;
use crate::naive::history::{Wanted, Which};
use crate::naive::question::{Against, Ago, Number, Period, Question, Sequence, Side, Step, What};

/// When everything begins: 2026-11-21T00:00:00Z.
pub const START_MS: i64 = 1_795_219_200_000;

/// Where what is unknown has to be.
#[derive(Clone, Copy, PartialEq)]
pub enum Exact {
    Always,
    /// But where events were pushed out, more is taken to be possible than is.
    UntilPushedOut,
    /// Of steps that may be missing, what may break them is left aside.
    Never,
}

/// Questions of one condition.
pub fn questions() -> Vec<(Question, Exact)> {
    let mut questions = Vec::new();
    for ago in [seconds(3, 0), seconds(5, 0), seconds(5, 2), seconds(4, 1)] {
        let ends_now = ago.until_ms == 0;
        let distinct = if ends_now { Exact::Always } else { Exact::UntilPushedOut };
        for (what, cents, exact) in [
            (What::Count, 200, Exact::Always),
            (What::Count, 0, Exact::Always),
            // Of an earlier range it isn't told which values were seen since, too.
            (What::Distinct("price"), 200, distinct),
            (What::Distinct("price"), 100, distinct),
            // Any sum is taken to be possible, and any mean between the extremes.
            (What::Sum("price"), 100, Exact::UntilPushedOut),
            (What::Sum("price"), 0, Exact::UntilPushedOut),
            (What::Average("price"), 50, Exact::UntilPushedOut),
            // Where a number that is known is the extreme, it may be it: of those that were
            // pushed out, none of its size was as new.
            (What::Smallest("price"), -75, Exact::Always),
            (What::Smallest("price"), 75, Exact::Always),
            (What::Smallest("price"), -100, Exact::UntilPushedOut),
            (What::Largest("price"), -75, Exact::Always),
            (What::Largest("price"), 75, Exact::Always),
            (What::Largest("price"), 100, Exact::UntilPushedOut),
        ] {
            let number = Number { which: Which::ANY, what, ago };
            // Which events would make a sum or a mean just so isn't searched for.
            let summed = matches!(what, What::Sum(_) | What::Average(_));
            for sign in SIGNS.into_iter().filter(|sign| !summed || !sign.starts_with(['=', '!'])) {
                let compared = Question::Number(number.clone(), sign, Against::Cents(cents));
                questions.push((compared, exact));
            }
        }
    }
    questions.extend(dated());
    let ever = Ago { from_ms: None, until_ms: 3 * SECOND_MS };
    for ago in [seconds(3, 0), seconds(5, 0), seconds(4, 2), ever] {
        questions.push((Question::First(Which::ANY, ago), Exact::Always));
        questions.push((Question::Last(Which::ANY, ago), Exact::Always));
    }
    for side in [Side::Before, Side::At, Side::After] {
        for second in [2, 4] {
            let instant_ms = START_MS + second * SECOND_MS;
            questions.push((Question::FirstBy(Which::ANY, side, instant_ms), Exact::Always));
            questions.push((Question::LastBy(Which::ANY, side, instant_ms), Exact::Always));
        }
    }
    for nth in [1, 2] {
        let wanted = Wanted::Is("shoes");
        let (key, within_ms) = ("category", Some(3 * SECOND_MS));
        questions.push((
            Question::Latest { which: Which::ANY, key, wanted, nth, within_ms },
            Exact::Always,
        ));
    }
    for (at_least, of_last) in [(1, 1), (1, 3), (2, 2), (2, 3)] {
        for period in [1, 2].map(|length| Period::Back(length * SECOND_MS)) {
            questions.push((
                Question::Regularly { which: Which::ANY, at_least, of_last, period },
                Exact::Always,
            ));
        }
    }
    questions.extend(sequences());
    questions
}

/// Questions about what lies between dates.
fn dated() -> Vec<(Question, Exact)> {
    let mut questions = Vec::new();
    let at = |second: Option<i64>| second.map(|second| START_MS + second * SECOND_MS);
    for (after, before) in [(Some(2), None), (None, Some(4)), (Some(2), Some(5))] {
        let dated = |which| Which { after_ms: at(after), before_ms: at(before), ..which };
        let ever = Ago { from_ms: None, until_ms: 0 };
        for (what, cents) in [(What::Count, 200), (What::Count, 0), (What::Distinct("price"), 100)]
        {
            let number = Number { which: dated(Which::ANY), what, ago: ever };
            for sign in SIGNS {
                let against = Against::Cents(cents);
                questions.push((Question::Number(number.clone(), sign, against), Exact::Always));
            }
        }
        let (which, key, wanted) = (dated(Which::ANY), "category", Wanted::Is("shoes"));
        let latest = Question::Latest { which, key, wanted, nth: 1, within_ms: None };
        questions.push((latest, Exact::Always));
        let step = |name| Step {
            which: dated(Which::named(name)),
            after_ms_min: 0,
            after_ms_max: None,
            without: None,
        };
        let steps = vec![step("viewed"), step("added")];
        let sequence = Sequence { steps, within_ms: None, same: None };
        questions.push((Question::Sequence(sequence), Exact::Always));
    }
    questions
}

fn sequences() -> Vec<(Question, Exact)> {
    let named = Which::named;
    let first =
        |name| Step { which: named(name), after_ms_min: 0, after_ms_max: None, without: None };
    let mut sequences = Vec::new();
    for (min, max) in [(0, None), (2, None), (0, Some(1)), (1, Some(2))] {
        let (after_ms_min, after_ms_max) = (min * SECOND_MS, max.map(|max| max * SECOND_MS));
        for within_ms in [3, 5].map(|within| Some(within * SECOND_MS)) {
            for (before, same, without) in [
                ("viewed", None, None),
                ("viewed", None, Some(named("bought"))),
                ("added", None, None),
                ("added", None, Some(named("bought"))),
                ("viewed", Some("category"), None),
                ("viewed", Some("category"), Some(named("bought"))),
            ] {
                let exact = match (&without, same) {
                    (Some(_), _) => Exact::Never,
                    (None, Some(_)) => Exact::UntilPushedOut,
                    (None, None) => Exact::Always,
                };
                let next = Step { which: named("added"), after_ms_min, after_ms_max, without };
                let steps = vec![first(before), next];
                let sequence = Sequence { steps, within_ms, same };
                sequences.push((Question::Sequence(sequence), exact));
            }
        }
    }
    sequences
}

fn seconds(from: i64, until: i64) -> Ago {
    Ago { from_ms: Some(from * SECOND_MS), until_ms: until * SECOND_MS }
}
