//! Forgetting: what was up to an instant leaves a record, as though it had never come.

use crate::ids::MatcherId;
use crate::links::{Link, Role};
use crate::record::Record;
use crate::window::{Entry, Kept};

/// The event that asks for it. Only whoever has the project's secret, or may write to its
/// topic, can send it.
pub const EVENT: &str = "$sluice_forget";

impl Record {
    /// Drops every entry, link and property register of `until_ms` and before. `kept` tells what
    /// a matcher keeps; of one that is out of use nothing stays. Returns whether that changed
    /// anything.
    ///
    /// Of what is left nothing tells of what went. What is earliest of its kind is missing if
    /// something that is gone now was earlier: so whoever knows the instant keeps nothing of
    /// before it in the first place.
    pub fn forget(&mut self, until_ms: i64, kept: impl Fn(MatcherId) -> Option<Kept>) -> bool {
        let stays = |stamp: Entry| stamp.time_ms() > until_ms;
        let mut left = Record::default();
        for (matcher, stored) in self.windows() {
            let after = kept(matcher).map(|kept| kept.after(stored, until_ms));
            if let Some(after) = after.filter(|after| !after.is_empty()) {
                left.replace(matcher, &after);
            }
        }
        left.keep_links(self.links().filter(|link| stays(link.stamp)));
        for register in self.registers().filter(|register| stays(register.stamp)) {
            left.write(&register);
        }
        let changed = left != *self;
        *self = left;
        changed
    }

    /// Drops the links between distinct ids that `goes` tells.
    pub fn unlink(&mut self, goes: impl Fn(&Link<'_>) -> bool) {
        let between_ids = |link: &Link<'_>| !matches!(link.role, Role::Carried | Role::Carries);
        let goes = |link: &Link<'_>| between_ids(link) && goes(link);
        if self.links().any(|link| goes(&link)) {
            let stays = self.links().filter(|link| !goes(link)).flat_map(|link| link.to_bytes());
            let stays: Vec<u8> = stays.collect();
            self.replace_links(&stays);
        }
    }

    /// The time of the newest thing that is kept, in epoch milliseconds.
    pub fn newest_ms(&self, kept: impl Fn(MatcherId) -> Option<Kept>) -> Option<i64> {
        let windows =
            self.windows().filter_map(|(matcher, stored)| kept(matcher)?.newest_of(stored));
        let links = self.links().map(|link| link.stamp);
        let registers = self.registers().map(|register| register.stamp);
        windows.chain(links).chain(registers).map(Entry::time_ms).max()
    }

    fn keep_links<'a>(&mut self, links: impl Iterator<Item = Link<'a>>) {
        let section: Vec<u8> = links.flat_map(|link| link.to_bytes()).collect();
        if !section.is_empty() {
            self.replace_links(&section);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::{Kind, Register};
    use crate::window::Keep;

    const KEPT: Kept = Kept { keep: Keep::Newest, k: 3, horizon_ms: 60_000 };

    fn at(ms: i64) -> Entry {
        Entry::new(1_790_000_000_000 + ms, 7)
    }

    #[test]
    fn the_very_instant_is_forgotten_and_the_next_millisecond_is_not() {
        let left = |until_ms| {
            let mut record = Record::default();
            record.fold(MatcherId(1), KEPT, at(1).into());
            record.link(&Link { stamp: at(2), role: Role::Owns, other: "phone".into() });
            let (key, kind, value) = ("plan".into(), Kind::Set, "7".into());
            record.write(&Register { key, kind, stamp: at(3), value });
            let changed = record.forget(at(until_ms).time_ms(), |_| Some(KEPT));
            let left = [record.windows().count(), record.links().count()];
            (left, record.registers().count(), changed)
        };
        assert_eq!(left(0), ([1, 1], 1, false));
        assert_eq!(left(1), ([0, 1], 1, true));
        assert_eq!(left(2), ([0, 0], 1, true));
        assert_eq!(left(3), ([0, 0], 0, true));
    }

    /// So that whoever is forgotten now takes along what they did with a fast clock.
    #[test]
    fn the_newest_thing_that_is_kept_is_known_whatever_it_is() {
        let link = |ms| Link { stamp: at(ms), role: Role::Owns, other: "phone".into() };
        for (hit_ms, link_ms) in [(1, 2), (2, 1)] {
            let mut record = Record::default();
            record.fold(MatcherId(1), KEPT, at(hit_ms).into());
            record.link(&link(link_ms));
            assert_eq!(record.newest_ms(|_| Some(KEPT)), Some(at(2).time_ms()));
        }
        assert_eq!(Record::default().newest_ms(|_| Some(KEPT)), None);
    }

    #[test]
    fn of_several_links_those_go_whose_other_end_is_forgotten() {
        let mut record = Record::default();
        for (ms, other) in [(1, "phone"), (2, "tablet")] {
            record.link(&Link { stamp: at(ms), role: Role::Owns, other: other.into() });
        }
        record.unlink(|link| link.other == "phone");
        let left: Vec<_> = record.links().map(|link| link.other.into_owned()).collect();
        assert_eq!(left, ["tablet"]);
    }
}
