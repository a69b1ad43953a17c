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

/// Whose links they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bearer {
    /// A distinct id's.
    Id(String),
    /// Those of a person whom the pipeline has a name for.
    Carried(String),
}

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
        read: impl FnMut(&Bearer) -> Result<Record, E>,
    ) -> Result<Person, E> {
        let records = FxHashMap::default();
        let mut search =
            Search { read, records, members: BTreeSet::new(), left: Vec::new(), is_cut: false };
        asked.iter().for_each(|id| search.join(Bearer::Id((*id).to_owned())));
        while let Some(bearer) = search.left.pop() {
            search.follow(&bearer)?;
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
    records: FxHashMap<Bearer, Record>,
    members: BTreeSet<Bearer>,
    /// Members whose links weren't followed yet.
    left: Vec<Bearer>,
    is_cut: bool,
}

impl<R> Search<R> {
    fn join(&mut self, bearer: Bearer) {
        if !self.members.contains(&bearer) {
            self.members.insert(bearer.clone());
            self.left.push(bearer);
        }
    }

    fn follow<E>(&mut self, bearer: &Bearer) -> Result<(), E>
    where
        R: FnMut(&Bearer) -> Result<Record, E>,
    {
        let Some(record) = self.record(bearer)? else {
            return Ok(());
        };
        let links = record.links().map(|link| (link.role, link.other.into_owned()));
        let links: Vec<(Role, String)> = links.collect();
        let kept = links.iter().filter(|(role, _)| *role != Role::Carried).count();
        self.is_cut |= kept >= LINKS_MAX;
        for (role, other) in links {
            let joined = match role {
                Role::Carried => Bearer::Carried(other),
                _ => Bearer::Id(other),
            };
            let joins = match (role, bearer, &joined) {
                (Role::Belongs, _, Bearer::Id(owner)) => {
                    self.record(bearer)?.is_some_and(|record| belongs(record, owner))
                }
                (Role::Owns, Bearer::Id(id), _) => {
                    self.record(&joined)?.is_some_and(|record| belongs(record, id))
                }
                (Role::Carries, Bearer::Carried(person), _) => {
                    self.record(&joined)?.is_some_and(|record| is_carried(record, person))
                }
                (Role::Absorbed | Role::Absorbs | Role::Carried, _, _) => true,
                _ => false,
            };
            if joins {
                self.join(joined);
            }
        }
        Ok(())
    }

    fn record<E>(&mut self, bearer: &Bearer) -> Result<Option<&Record>, E>
    where
        R: FnMut(&Bearer) -> Result<Record, E>,
    {
        if !self.records.contains_key(bearer) {
            if self.records.len() >= IDS_MAX {
                self.is_cut = true;
                return Ok(None);
            }
            let record = (self.read)(bearer)?;
            self.records.insert(bearer.clone(), record);
        }
        Ok(self.records.get(bearer))
    }

    fn found(mut self) -> Person {
        let identified = self.identified().cloned();
        let others = self.members.iter().filter(|bearer| Some(*bearer) != identified.as_ref());
        let order: Vec<Bearer> = identified.iter().chain(others).cloned().collect();
        let ids =
            order.into_iter().filter_map(|bearer| match self.records.remove_entry(&bearer)? {
                (Bearer::Id(id), record) => Some((id, record)),
                (Bearer::Carried(_), _) => None,
            });
        Person { ids: ids.collect(), is_cut: self.is_cut }
    }

    /// The member that was the first with whom another id was identified.
    fn identified(&self) -> Option<&Bearer> {
        let members = self.members.iter();
        let dated = members.filter_map(|bearer| {
            let mut links = self.records.get(bearer)?.links();
            let link = links.find(|link| matches!(link.role, Role::Owns | Role::Absorbs))?;
            Some((link.stamp, bearer))
        });
        dated.min().map(|(_, bearer)| bearer)
    }
}

/// Whether the links of an id alone tell that it isn't the first of its person's: whom its first
/// link joins it with was linked no later.
pub fn is_never_first(record: &Record) -> bool {
    let first = record.links().find(|link| link.role != Role::Carried);
    first.is_some_and(|link| matches!(link.role, Role::Belongs | Role::Absorbed))
}

/// Whether an id's first link makes it the owner's.
fn belongs(record: &Record, owner: &str) -> bool {
    let first = record.links().find(|link| link.role != Role::Carried);
    first.is_some_and(|link| link.role == Role::Belongs && link.other == owner)
}

/// Whether the pipeline takes an id for this person, still.
fn is_carried(record: &Record, person_id: &str) -> bool {
    let newest = record.links().next();
    newest.is_some_and(|link| link.role == Role::Carried && link.other == person_id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;
    use crate::links::{Link, carries};
    use crate::window::Entry;

    /// Ann, who logged in on a phone; she and a tablet are the same person to the pipeline.
    fn ann() -> BTreeMap<Bearer, Record> {
        let stamp = Entry::new(1_790_000_000_000, 1);
        let mut records: BTreeMap<Bearer, Record> = BTreeMap::new();
        let mut of = |bearer: Bearer, link: &Link<'_>| {
            records.entry(bearer).or_default().link(link);
        };
        let id = |id: &str| Bearer::Id(id.to_owned());
        of(id("ann"), &Link { stamp, role: Role::Owns, other: "phone".into() });
        of(id("phone"), &Link { stamp, role: Role::Belongs, other: "ann".into() });
        for one in ["ann", "tablet"] {
            of(id(one), &Link { stamp, role: Role::Carried, other: "P1".into() });
            of(Bearer::Carried("P1".to_owned()), &carries(one));
        }
        records
    }

    fn names(records: &BTreeMap<Bearer, Record>) -> Vec<String> {
        let read =
            |bearer: &Bearer| Ok::<_, Infallible>(records.get(bearer).cloned().unwrap_or_default());
        let Ok(person) = Person::behind(&["ann"], read);
        person.names()
    }

    /// What comes of a link is told by both of its ends: one may be forgotten, or not read yet.
    #[test]
    fn one_end_of_a_link_joins_nobody() {
        let mut records = ann();
        assert_eq!(names(&records), ["ann", "phone", "tablet"]);
        records.remove(&Bearer::Id("phone".to_owned()));
        assert_eq!(names(&records), ["ann", "tablet"]);
        records.remove(&Bearer::Id("tablet".to_owned()));
        assert_eq!(names(&records), ["ann"]);
    }

    /// By which a list of members passes most of a person's ids without asking about the others.
    #[test]
    fn an_id_that_belongs_to_another_is_never_the_first() {
        let mut records = ann();
        let phone = records.get_mut(&Bearer::Id("phone".to_owned())).expect("a phone");
        phone.carry(Entry::new(1_790_000_000_001, 2), "P2");
        for (id, never) in [("ann", false), ("phone", true), ("tablet", false)] {
            assert_eq!(is_never_first(&records[&Bearer::Id(id.to_owned())]), never, "{id}");
        }
    }
}
