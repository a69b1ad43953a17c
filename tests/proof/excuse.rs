//! When an answer may be unknown: where something may be missing that could decide. And when
//! nothing is promised: where a copy came of an event that had been pushed out.

use schemas::behaviour::{Aggregate, Behaviour, Compared, Operand, Watched};
use schemas::cohort::Condition;
use schemas::comparison::Comparison;
use schemas::decimal::{Decimal, ONE};
use schemas::matcher::Matcher;
use schemas::window::Keep;

use super::state::State;

/// Whether a condition's answer may be unknown of what `state` keeps.
pub fn may_be_unknown(condition: &Condition, matchers: &[Matcher], state: &State) -> bool {
    any(condition, &|behaviour| {
        let more = !needs_no_more(behaviour);
        matchers_of(behaviour, matchers)
            .any(|matcher| state.has_gap(matcher) || more && state.pushed_out(matcher))
    }) || has_lost_copies(condition, matchers, state)
}

/// Whether a copy may have told that an event of a full window happened earlier: what that had
/// pushed out is missing.
pub fn has_lost_copies(condition: &Condition, matchers: &[Matcher], state: &State) -> bool {
    any(condition, &|behaviour| {
        matchers_of(behaviour, matchers)
            .any(|matcher| state.has_copies(matcher) && state.pushed_out(matcher))
    })
}

/// Whether a condition asks a matcher for whose events the rule of copies promises nothing.
pub fn may_be_mistaken(condition: &Condition, mistaken: &[bool]) -> bool {
    any(condition, &|behaviour| {
        behaviour.matchers().iter().any(|of| mistaken[of.matcher.0 as usize])
    })
}

fn matchers_of<'m>(
    behaviour: &Behaviour<Watched>,
    matchers: &'m [Matcher],
) -> impl Iterator<Item = &'m Matcher> {
    behaviour.matchers().into_iter().map(|of| &matchers[of.matcher.0 as usize])
}

fn any(condition: &Condition, is_so: &impl Fn(&Behaviour<Watched>) -> bool) -> bool {
    match condition {
        Condition::All(inner) | Condition::Any(inner) => {
            inner.iter().any(|inner| any(inner, is_so))
        }
        Condition::Not(inner) => any(inner, is_so),
        Condition::Behaviour(behaviour) => is_so(behaviour),
        _ => false,
    }
}

/// Whether what is kept decides the behaviour, however many events there were: the rule of K.
fn needs_no_more(behaviour: &Behaviour<Watched>) -> bool {
    match behaviour {
        Behaviour::Number(Compared { left, comparison, right: Operand::Given(given) }) => {
            // Of what newer ones push out it promises nothing where they aren't asked for.
            let ends_now = left.ago.until_ms == 0 || left.of.kept.keep != Keep::Newest;
            let enough = left.of.kept.k >= needed(*comparison, *given);
            left.aggregate == Aggregate::Count && ends_now && enough
        }
        Behaviour::Latest(latest) => latest.of.kept.k >= latest.nth,
        Behaviour::When(_) | Behaviour::Regularly(_) => true,
        Behaviour::Number(_) | Behaviour::Sequence(_) => false,
    }
}

fn needed(comparison: Comparison, given: Decimal) -> u16 {
    comparison.entries_needed(u16::try_from(given.units() / ONE).unwrap_or(0))
}
