//! Sequences: whether steps came one after the other.
//!
//! Asked twice where something may be missing: with as little as there may be, and with as much.
//! A step that may be missing could only complete a sequence, and what must not happen break it.

use rustc_hash::FxHashMap;
use schemas::behaviour::{Sequence, Step, Watched};
use schemas::unknown::Unknown;
use schemas::window::{Hit, Range, Value};

use super::{Gap, Seen};

/// Whether all steps came in order.
pub(super) fn happened(seen: Seen<'_>, asked: &Sequence<Watched>) -> Result<bool, Unknown> {
    let value = |hit: &Hit| if asked.same { hit.value } else { Value::NONE };
    let track = |of: Watched| {
        let range = seen.range_of(of, asked.ago);
        let hits = seen.hits(of).into_iter().rev();
        let hits = hits.filter(|hit| range.contains(hit.entry.time_ms()));
        let moments = hits.map(|hit| (hit.entry.time_ms(), value(&hit))).collect();
        Track { moments, range, gap: seen.gap(of, range) }
    };
    let tracks: Vec<(&Step<Watched>, Track, Option<Track>)> =
        asked.steps.iter().map(|step| (step, track(step.of), step.without.map(track))).collect();
    let reaches = |assumed| {
        let mut steps = tracks.iter();
        let first = steps.next().map(|(_, track, _)| Reached::first(track, assumed));
        let last = steps.fold(first, |before, (step, track, without)| {
            before.map(|before| before.follow(step, track, without.as_ref(), assumed))
        });
        last.is_some_and(|last| !last.moments.is_empty() || last.open.is_some())
    };
    if reaches(Assumed::Least) {
        return Ok(true);
    }
    let gaps = tracks.iter().filter_map(|(_, track, _)| track.gap);
    let broken = tracks.iter().filter_map(|(_, _, without)| without.as_ref()?.gap);
    match gaps.chain(broken).next() {
        Some(gap) if reaches(Assumed::Most) => Err(gap.why),
        _ => Ok(false),
    }
}

/// When something happened, and with which value, oldest first.
type Moments = Vec<(i64, Value)>;

/// What is known of a step, or of what must not happen.
struct Track {
    moments: Moments,
    /// When it counts.
    range: Range,
    gap: Option<Gap>,
}

/// What is assumed of what may be missing.
#[derive(Clone, Copy, PartialEq)]
enum Assumed {
    /// Steps that may be missing are, and what must not happen did wherever it may have.
    Least,
    /// The opposite.
    Most,
}

/// Where the steps so far may have ended.
struct Reached {
    moments: Moments,
    /// From one instant to another, with any value.
    open: Option<(i64, i64)>,
}

impl Reached {
    fn first(track: &Track, assumed: Assumed) -> Reached {
        let gap = track.gap.filter(|_| assumed == Assumed::Most);
        let open = gap.map(|gap| (track.range.after_ms.saturating_add(1), gap.until_ms));
        Reached { moments: track.moments.clone(), open }
    }

    /// Where the next step may have ended. Of known moments before, the latest is always the
    /// best: it is the nearest, with the least in between.
    fn follow<M>(
        &self,
        step: &Step<M>,
        track: &Track,
        without: Option<&Track>,
        assumed: Assumed,
    ) -> Reached {
        let after_ms_min = step.after_ms_min.max(1);
        let excluded = without.map_or(&[][..], |without| &without.moments);
        let broken_until_ms = match without.and_then(|without| without.gap) {
            Some(gap) if assumed == Assumed::Least => gap.until_ms,
            _ => i64::MIN,
        };
        let (mut earlier, mut broken) =
            (self.moments.iter().peekable(), excluded.iter().peekable());
        let mut latest: FxHashMap<Value, i64> = FxHashMap::default();
        let mut broken_ms = i64::MIN;
        let mut moments = Moments::new();
        for (time_ms, value) in &track.moments {
            let by_ms = time_ms - after_ms_min;
            while let Some((at_ms, value)) = earlier.next_if(|(at_ms, _)| *at_ms <= by_ms) {
                latest.insert(*value, *at_ms);
            }
            while let Some((at_ms, _)) = broken.next_if(|(at_ms, _)| at_ms < time_ms) {
                broken_ms = *at_ms;
            }
            let unbroken_ms = broken_ms.max(broken_until_ms.min(time_ms - 1));
            let oldest_ms = unbroken_ms.max(time_ms.saturating_sub(step.after_ms_max));
            let known = latest.get(value).is_some_and(|at_ms| *at_ms >= oldest_ms);
            let open = self
                .open
                .is_some_and(|(from_ms, until_ms)| from_ms.max(oldest_ms) <= until_ms.min(by_ms));
            if known || open {
                moments.push((*time_ms, *value));
            }
        }
        let known_ms = self.moments.first().map(|(time_ms, _)| *time_ms);
        let before_ms = known_ms.into_iter().chain(self.open.map(|(from_ms, _)| from_ms)).min();
        let gap = track.gap.filter(|_| assumed == Assumed::Most);
        let open = before_ms
            .zip(gap)
            .map(|(before_ms, gap)| (before_ms.saturating_add(after_ms_min), gap.until_ms));
        Reached { moments, open: open.filter(|(from_ms, until_ms)| from_ms <= until_ms) }
    }
}
