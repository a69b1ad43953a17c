//! Sequences: whether steps came one after the other.

use rustc_hash::FxHashMap;
use schemas::behaviour::{Sequence, Step, Watched};
use schemas::unknown::Unknown;
use schemas::window::{Hit, Value};

use super::Seen;

/// When something happened, and with which value, oldest first.
type Moments = Vec<(i64, Value)>;

/// Whether all steps came in order.
pub(super) fn happened(seen: Seen<'_>, asked: &Sequence<Watched>) -> Result<bool, Unknown> {
    let range = seen.range(asked.ago);
    let inside = |of| -> Moments {
        let hits = seen.hits(of).into_iter().rev();
        let hits = hits.filter(|hit| range.contains(hit.entry.time_ms()));
        let value = |hit: &Hit| if asked.same { hit.value } else { Value::NONE };
        hits.map(|hit| (hit.entry.time_ms(), value(&hit))).collect()
    };
    let mut reached: Option<Moments> = None;
    for step in &asked.steps {
        let moments = inside(step.of);
        reached = Some(match reached {
            None => moments,
            Some(before) => {
                let excluded = step.without.map(inside).unwrap_or_default();
                follow(&before, &moments, &excluded, step)
            }
        });
    }
    let found = reached.is_some_and(|last| !last.is_empty());
    // What is missing of a step could only have completed it; what is missing of what must not
    // happen could have broken it.
    let steps = asked.steps.iter();
    let excluded = steps.clone().filter_map(|step| step.without);
    let missing =
        if found { None } else { steps.map(|step| step.of).find_map(|of| seen.gap(of, range)) };
    let missing = missing.or_else(|| excluded.filter(|_| found).find_map(|of| seen.gap(of, range)));
    missing.map_or(Ok(found), |gap| Err(gap.why))
}

/// The moments of a step that follow one of the step before it. Of those before, the latest is
/// always the best: it is the nearest, with the least in between.
fn follow<M>(before: &Moments, moments: &Moments, excluded: &Moments, step: &Step<M>) -> Moments {
    let (mut earlier, mut broken) = (before.iter().peekable(), excluded.iter().peekable());
    let mut latest: FxHashMap<Value, i64> = FxHashMap::default();
    let mut broken_ms = i64::MIN;
    let mut followed = Moments::new();
    for (time_ms, value) in moments {
        let by_ms = time_ms - step.after_ms_min.max(1);
        while let Some((at_ms, value)) = earlier.next_if(|(at_ms, _)| *at_ms <= by_ms) {
            latest.insert(*value, *at_ms);
        }
        while let Some((at_ms, _)) = broken.next_if(|(at_ms, _)| at_ms < time_ms) {
            broken_ms = *at_ms;
        }
        let oldest_ms = broken_ms.max(time_ms.saturating_sub(step.after_ms_max));
        if latest.get(value).is_some_and(|at_ms| *at_ms >= oldest_ms) {
            followed.push((*time_ms, *value));
        }
    }
    followed
}
