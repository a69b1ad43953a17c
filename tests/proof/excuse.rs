//! When an answer may be unknown: where something may be missing that could decide.

use schemas::behaviour::{Aggregate, Behaviour, Compared, Operand, Watched};
use schemas::catalog::Matcher;
use schemas::cohort::Condition;
use schemas::comparison::Comparison;
use schemas::decimal::{Decimal, ONE};

use super::state::State;

/// Whether a condition's answer may be unknown of what `state` keeps.
pub fn may_be_unknown(condition: &Condition, matchers: &[Matcher], state: &State) -> bool {
    match condition {
        Condition::All(inner) | Condition::Any(inner) => {
            inner.iter().any(|inner| may_be_unknown(inner, matchers, state))
        }
        Condition::Not(inner) => may_be_unknown(inner, matchers, state),
        Condition::Behaviour(behaviour) => {
            let of = |watched: &Watched| &matchers[watched.matcher.0 as usize];
            let watched = behaviour.matchers();
            watched.iter().any(|watched| state.has_gap(of(watched)))
                || !needs_no_more(behaviour)
                    && watched.iter().any(|watched| state.pushed_out(of(watched)))
        }
        _ => false,
    }
}

/// Whether what is kept decides the behaviour, however many events there were: the rule of K.
fn needs_no_more(behaviour: &Behaviour<Watched>) -> bool {
    match behaviour {
        Behaviour::Number(Compared { left, comparison, right: Operand::Given(given) }) => {
            left.aggregate == Aggregate::Count && left.of.kept.k >= needed(*comparison, *given)
        }
        Behaviour::Latest(latest) => latest.of.kept.k >= latest.nth,
        Behaviour::When(_) | Behaviour::Regularly(_) => true,
        Behaviour::Number(_) | Behaviour::Sequence(_) => false,
    }
}

fn needed(comparison: Comparison, given: Decimal) -> u16 {
    comparison.entries_needed(u16::try_from(given.units() / ONE).unwrap_or(0))
}
