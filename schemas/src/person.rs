//! A person: the distinct ids that links join, found from any one of them.
//!
//! The rule is PostHog's, by event time: `$identify` and `$create_alias` join two people unless
//! the anonymous id's person is identified already, that is, has been part of a link before;
//! `$merge_dangerously` joins them always. Nothing has to be replayed for that. An id's first
//! link finds it alone and not identified, and leaves it identified for good, so it is joined
//! with the id that it belongs to exactly if that is its first link. Who is one person follows
//! from each id's own links, in whatever order and partition they arrived.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::ids::MatcherId;
use crate::links::{LINKS_MAX, Role};
use crate::record::Record;
use crate::window::Kept;

/// The most distinct ids that are read to find one person.
pub const IDS_MAX: usize = 1_000;

/// A person's distinct ids, and what is kept of each.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// First the one that was identified first, then by id.
    pub ids: Vec<(String, Record)>,
    /// Whether there may be more: more ids than are read, or more links than are kept of one.
    pub is_cut: bool,
}

impl Person {
    /// The person behind these ids, whose records `read` returns.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn behind<E>(
        asked: &[&str],
        read: impl FnMut(&str) -> Result<Record, E>,
    ) -> Result<Person, E> {
        let records = FxHashMap::default();
        let mut search =
            Search { read, records, members: BTreeSet::new(), left: Vec::new(), is_cut: false };
        asked.iter().for_each(|id| search.join(id));
        while let Some(id) = search.left.pop() {
            search.follow(&id)?;
        }
        Ok(search.found())
    }

    /// Their distinct ids.
    pub fn names(&self) -> Vec<String> {
        self.ids.iter().map(|(id, _)| id.clone()).collect()
    }

    /// Everything kept of them as of one: where two ids set a property at one time, the first's
    /// value stands. `kept` tells what a matcher keeps.
    pub fn joined(self, kept: impl Fn(MatcherId) -> Option<Kept>) -> Record {
        let mut records = self.ids.into_iter().map(|(_, record)| record);
        let first = records.next().unwrap_or_default();
        records.fold(first, |mut joined, record| {
            joined.join(&record, &kept);
            joined
        })
    }
}

struct Search<R> {
    read: R,
    /// Of the members, and of whom they were linked with in vain.
    records: FxHashMap<String, Record>,
    members: BTreeSet<String>,
    /// Members whose links weren't followed yet.
    left: Vec<String>,
    is_cut: bool,
}

impl<R> Search<R> {
    fn join(&mut self, id: &str) {
        if !self.members.contains(id) {
            self.members.insert(id.to_owned());
            self.left.push(id.to_owned());
        }
    }

    fn follow<E>(&mut self, id: &str) -> Result<(), E>
    where
        R: FnMut(&str) -> Result<Record, E>,
    {
        let Some(record) = self.record(id)? else {
            return Ok(());
        };
        let links = record.links().map(|link| (link.role, link.other.into_owned()));
        let links: Vec<(Role, String)> = links.collect();
        self.is_cut |= links.len() >= LINKS_MAX;
        for (at, (role, other)) in links.iter().enumerate() {
            let joins = match role {
                Role::Belongs => at == 0,
                Role::Owns => self.record(other)?.is_some_and(|record| belongs(record, id)),
                Role::Absorbed | Role::Absorbs => true,
            };
            if joins {
                self.join(other);
            }
        }
        Ok(())
    }

    fn record<E>(&mut self, id: &str) -> Result<Option<&Record>, E>
    where
        R: FnMut(&str) -> Result<Record, E>,
    {
        if !self.records.contains_key(id) {
            if self.records.len() >= IDS_MAX {
                self.is_cut = true;
                return Ok(None);
            }
            let record = (self.read)(id)?;
            self.records.insert(id.to_owned(), record);
        }
        Ok(self.records.get(id))
    }

    fn found(mut self) -> Person {
        let identified = self.identified().cloned();
        let others = self.members.iter().filter(|id| Some(*id) != identified.as_ref());
        let order: Vec<String> = identified.iter().chain(others).cloned().collect();
        let ids = order.into_iter().filter_map(|id| self.records.remove_entry(&id)).collect();
        Person { ids, is_cut: self.is_cut }
    }

    /// The member that was the first with whom another id was identified.
    fn identified(&self) -> Option<&String> {
        let members = self.members.iter();
        let dated = members.filter_map(|id| {
            let mut links = self.records.get(id)?.links();
            let link = links.find(|link| matches!(link.role, Role::Owns | Role::Absorbs))?;
            Some((link.stamp, id))
        });
        dated.min().map(|(_, id)| id)
    }
}

fn belongs(record: &Record, owner: &str) -> bool {
    let first = record.links().next();
    first.is_some_and(|link| link.role == Role::Belongs && link.other == owner)
}
