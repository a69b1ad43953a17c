//! Which events are known for one when a copy of another time comes: those that were among the
//! newest K ever since they came, as the rule has it.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use schemas::window::stretches::SKEW_MS_MAX;
use schemas::window::{Keep, Kept};

/// What came to one record for one matcher.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    seen: BTreeMap<u64, Seen>,
    /// A copy came of an event that nothing was known of any more.
    mistaken: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The earliest of its times.
    time_ms: i64,
    known: bool,
}

impl Copies {
    pub fn add(&mut self, id: u64, time_ms: i64, kept: Kept) {
        let seen = self.seen.entry(id).or_insert(Seen { time_ms, known: true });
        let differs = time_ms > seen.time_ms || leaves_some(kept) && time_ms < seen.time_ms;
        self.mistaken |= !seen.known && differs;
        seen.time_ms = seen.time_ms.min(time_ms);
        self.forget(kept);
    }

    /// Both, as one record knows them once they have met.
    pub fn merge(&mut self, other: &Copies, kept: Kept) {
        self.mistaken |= other.mistaken;
        for (id, theirs) in &other.seen {
            let mine = self.seen.entry(*id).or_insert(*theirs);
            match mine.time_ms.cmp(&theirs.time_ms) {
                Ordering::Equal => mine.known |= theirs.known,
                ordering => {
                    let (first, later) = match ordering {
                        Ordering::Less => (*mine, *theirs),
                        _ => (*theirs, *mine),
                    };
                    *mine = first;
                    self.mistaken |= !first.known || leaves_some(kept) && !later.known;
                }
            }
        }
        self.forget(kept);
    }

    /// Whether some event may stand at another time than its first.
    pub fn are_mistaken(&self, kept: Kept) -> bool {
        // Only the first time of all is kept then, and no copy is earlier.
        self.mistaken && kept.keep != Keep::Earliest
    }

    fn forget(&mut self, kept: Kept) {
        let mut newest: Vec<(Reverse<i64>, Reverse<u64>)> =
            self.seen.iter().map(|(id, seen)| (Reverse(seen.time_ms), Reverse(*id))).collect();
        newest.sort();
        let newest: Vec<(i64, u64)> = newest.into_iter().map(|(time, id)| (time.0, id.0)).collect();
        let k = usize::from(kept.k);
        match kept.keep {
            Keep::Earliest => {}
            Keep::Newest => newest.iter().skip(k).for_each(|(_, id)| self.drop(*id)),
            Keep::Values | Keep::Numbers => {
                // Of what is older than something that was pushed out, only some is kept.
                let whole = newest.iter().take(k).take_while(|(_, id)| self.seen[id].known).count();
                newest.iter().skip(whole).for_each(|(_, id)| self.drop(*id));
            }
            Keep::Stretches(length_ms) => {
                let newest_ms = newest.first().map_or(i64::MIN, |(time_ms, _)| *time_ms);
                let gone_ms = newest_ms.saturating_sub(kept.horizon_ms).saturating_sub(SKEW_MS_MAX);
                let index = |time_ms: i64| time_ms.div_euclid(length_ms);
                for stretch in newest.chunk_by(|a, b| index(a.0) == index(b.0)) {
                    let left = (index(stretch[0].0) + 1).saturating_mul(length_ms) <= gone_ms;
                    let between = stretch.get(k..stretch.len().saturating_sub(k));
                    let dropped = if left { Some(stretch) } else { between };
                    dropped.unwrap_or_default().iter().for_each(|(_, id)| self.drop(*id));
                }
            }
        }
    }

    fn drop(&mut self, id: u64) {
        self.seen.get_mut(&id).expect("it was seen").known = false;
    }
}

/// Whether something is kept of what was pushed out, at the time at which it stood.
fn leaves_some(kept: Kept) -> bool {
    matches!(kept.keep, Keep::Values | Keep::Numbers)
}
