//! How far state has read, and since when it is complete: what a checkpoint says of itself.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::MatcherId;
use schemas::lookup::{Coverage, Coverages, Position};
use serde::{Deserialize, Serialize};

/// Progress by partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Every partition that has been assigned.
    pub partitions: BTreeMap<i32, PartitionProgress>,
    /// The matchers that are folded, or being filled; any other has to be filled first.
    pub matchers: BTreeSet<MatcherId>,
}

/// Progress in one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionProgress {
    /// The offset after the last record folded.
    pub next_offset: i64,
    /// Since when the matchers not listed below are complete: every event after this instant
    /// is in. `i64::MIN` where reading began with the log's first record.
    pub since_ms: i64,
    /// The matchers that came later.
    pub matchers: BTreeMap<MatcherId, MatcherProgress>,
}

/// Progress of a matcher that came after reading had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatcherProgress {
    /// Filled; complete since this instant.
    Since(i64),
    /// Being filled from the log.
    Filling(Fill),
}

/// What of the log a matcher still has to be filled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Read from here; nothing until the log has been asked.
    pub from: Option<i64>,
    /// Up to here: from there on live folding has it. Nothing until that has begun.
    pub until: Option<i64>,
    /// Complete since this instant once that is done.
    pub since_ms: i64,
    /// How much of it is done, in whole percents.
    pub percent: u8,
}

impl Progress {
    /// Partition to next offset.
    pub fn position(&self) -> Position {
        self.partitions.iter().map(|(id, partition)| (*id, partition.next_offset)).collect()
    }

    /// Since when each of these matchers is complete in every partition.
    pub fn coverages(&self, matchers: impl Iterator<Item = MatcherId>) -> Coverages {
        matchers.map(|matcher| (matcher, self.coverage(matcher))).collect()
    }

    /// Since when a matcher is complete in every partition.
    pub fn coverage(&self, matcher: MatcherId) -> Coverage {
        if !self.matchers.contains(&matcher) {
            return Coverage::Filling { percent: 0 };
        }
        let mut worst = Coverage::Since(i64::MIN);
        for partition in self.partitions.values() {
            let here = match partition.matchers.get(&matcher) {
                None => Coverage::Since(partition.since_ms),
                Some(MatcherProgress::Since(since_ms)) => Coverage::Since(*since_ms),
                Some(MatcherProgress::Filling(fill)) => Coverage::Filling { percent: fill.percent },
            };
            worst = match (worst, here) {
                (Coverage::Since(a), Coverage::Since(b)) => Coverage::Since(a.max(b)),
                (Coverage::Filling { percent: a }, Coverage::Filling { percent: b }) => {
                    Coverage::Filling { percent: a.min(b) }
                }
                (filling @ Coverage::Filling { .. }, _) | (_, filling) => filling,
            };
        }
        worst
    }

    /// The matchers that are being filled somewhere.
    pub fn filling(&self) -> Vec<MatcherId> {
        let partitions = self.partitions.values();
        let all = partitions.flat_map(|partition| &partition.matchers);
        let filling = all.filter(|(_, state)| matches!(state, MatcherProgress::Filling(_)));
        let mut matchers: Vec<MatcherId> = filling.map(|(matcher, _)| *matcher).collect();
        matchers.sort_unstable();
        matchers.dedup();
        matchers
    }

    /// Takes up the matchers of a catalog. Those that weren't folded before have to be filled,
    /// unless nothing has been read yet; they are returned. Where live folding begins with them
    /// isn't known yet: [`Progress::fold_live`] tells. Matchers out of use are forgotten.
    pub fn take_up(&mut self, used: &BTreeSet<MatcherId>) -> Vec<MatcherId> {
        let new: Vec<MatcherId> = used.difference(&self.matchers).copied().collect();
        self.matchers.clone_from(used);
        for partition in self.partitions.values_mut() {
            partition.matchers.retain(|matcher, _| used.contains(matcher));
            for matcher in &new {
                let fill = Fill { from: None, until: None, since_ms: i64::MIN, percent: 0 };
                partition.matchers.insert(*matcher, MatcherProgress::Filling(fill));
            }
        }
        if self.partitions.is_empty() { Vec::new() } else { new }
    }

    /// Live folding has every matcher from `live` on: what is being filled ends there.
    pub fn fold_live(&mut self, live: &Position) {
        for (id, partition) in &mut self.partitions {
            let live = live.get(id).copied().unwrap_or(partition.next_offset);
            for state in partition.matchers.values_mut() {
                if let MatcherProgress::Filling(fill) = state {
                    fill.until.get_or_insert(live);
                }
            }
        }
    }
}

impl PartitionProgress {
    /// The log lost what came before `since_ms`: nothing is known complete from before that.
    pub fn restart(&mut self, next_offset: i64, since_ms: i64) {
        self.next_offset = next_offset;
        self.since_ms = self.since_ms.max(since_ms);
        for state in self.matchers.values_mut() {
            match state {
                MatcherProgress::Since(since) => *since = (*since).max(since_ms),
                MatcherProgress::Filling(fill) => fill.since_ms = fill.since_ms.max(since_ms),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATCHER: MatcherId = MatcherId(3);

    fn of(states: &[MatcherProgress]) -> Progress {
        let partition =
            |state| PartitionProgress { matchers: [(MATCHER, state)].into(), ..Default::default() };
        let partitions = (0..).zip(states.iter().map(|state| partition(*state))).collect();
        Progress { partitions, matchers: [MATCHER].into() }
    }

    fn filling(percent: u8) -> MatcherProgress {
        let (from, until) = (None, None);
        MatcherProgress::Filling(Fill { from, until, since_ms: i64::MIN, percent })
    }

    #[test]
    fn the_partition_that_is_furthest_behind_is_told() {
        let since = MatcherProgress::Since(7);
        for (states, coverage) in [
            (&[filling(40), filling(20), filling(30)][..], Coverage::Filling { percent: 20 }),
            (&[since, filling(20)], Coverage::Filling { percent: 20 }),
            (&[since, MatcherProgress::Since(9), since], Coverage::Since(9)),
        ] {
            assert_eq!(of(states).coverage(MATCHER), coverage, "{states:?}");
        }
    }

    #[test]
    fn of_a_new_matcher_nothing_is_filled() {
        let mut progress = of(&[MatcherProgress::Since(7)]);
        let new = MatcherId(4);
        assert_eq!(progress.coverage(new), Coverage::Filling { percent: 0 });
        assert_eq!(progress.take_up(&[MATCHER, new].into()), [new]);
        assert_eq!(progress.coverage(new), Coverage::Filling { percent: 0 });
        assert_eq!(progress.coverage(MATCHER), Coverage::Since(7));
    }

    #[test]
    fn what_the_log_lost_is_known_of_no_matcher_and_no_less_than_before() {
        for (lost_ms, since_ms) in [(5, 7), (9, 9)] {
            let mut progress = of(&[MatcherProgress::Since(7)]);
            let partition = progress.partitions.get_mut(&0).expect("it is there");
            partition.restart(1, lost_ms);
            assert_eq!(progress.coverage(MATCHER), Coverage::Since(since_ms), "{lost_ms}");
        }
    }
}
