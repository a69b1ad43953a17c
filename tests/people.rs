//! The laws of identity, checked against a replay of all links by one node that saw everything.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::collection::vec;
use proptest::prelude::*;
use schemas::links::{Carrying, Link, Role, carries};
use schemas::person::{Bearer, IDS_MAX, Person, is_never_first};
use schemas::properties::{Kind, Register, resolve};
use schemas::record::Record;
use schemas::window::Entry;

use crate::dice::Dice;
use crate::windows::{START_MS, check};

const PARTITIONS: usize = 3;

/// An event that links.
#[derive(Clone, Debug)]
struct Linked {
    id: u64,
    time_ms: i64,
    dangerously: bool,
    own: String,
    other: String,
}

/// A partition's records, by distinct id.
type Records = BTreeMap<String, Record>;

/// Links in any order, in any partitions, some of them twice: everybody agrees with the replay
/// on who is one person, whichever id is asked for.
#[test]
fn every_order_and_partition_gives_the_replayed_people() {
    check(&(linked(), any::<u64>()), |(linked, seed)| {
        let mut dice = Dice::new(seed);
        // A copy may be later than what it is a copy of: a retry.
        let retried =
            linked.iter().map(|link| Linked { time_ms: link.time_ms + 3, ..link.clone() });
        let mut arriving = [linked.clone(), linked.clone(), retried.collect()].concat();
        dice.shuffle(&mut arriving);
        arriving.truncate(linked.len() + dice.below(linked.len() as u64 + 1) as usize);
        // What the shuffle left out comes last, so that everything came once.
        arriving.extend(linked.iter().cloned());
        let mut partitions = vec![Records::new(); PARTITIONS];
        for link in &arriving {
            fold(&mut partitions[dice.below(PARTITIONS as u64) as usize], link);
        }
        dice.shuffle(&mut partitions);
        let people = replayed(&linked);
        for id in linked.iter().flat_map(|link| [&link.own, &link.other]) {
            let found = behind(&partitions, id);
            prop_assert!(!found.is_cut);
            let found: BTreeSet<String> = found.names().into_iter().collect();
            let person = people.iter().find(|person| person.contains(id));
            prop_assert_eq!(Some(&found), person, "asked for {}", id);
            // Everybody agrees on who is the first of them too, and no other id may be it.
            let person = behind(&partitions, id);
            let (first, _) = &person.ids[0];
            let behind_first = behind(&partitions, first);
            prop_assert_eq!(first, &behind_first.ids[0].0, "asked for {}", id);
            prop_assert!(!is_never_first(&behind_first.ids[0].1), "{} is the first", first);
        }
        Ok(())
    });
}

/// Everybody's order of ids is the same too, whichever of a person's ids is asked for.
#[test]
fn a_person_has_one_identified_id() {
    check(&linked(), |linked| {
        let mut records = Records::new();
        linked.iter().for_each(|link| fold(&mut records, link));
        let records = [records];
        for id in linked.iter().flat_map(|link| [&link.own, &link.other]) {
            let names = behind(&records, id).names();
            for same in &names {
                prop_assert_eq!(&behind(&records, same).names(), &names);
            }
            let owns = |id: &String| linked.iter().any(|link| link.own == *id);
            prop_assert!(owns(&names[0]), "{:?} was never identified with", names);
        }
        Ok(())
    });
}

#[test]
fn a_device_that_is_shared_joins_nobody() {
    let links: Vec<Linked> =
        (0..3_000).map(|number| identify(&format!("user {number}"), "kiosk", number)).collect();
    let partitions = folded_backwards(&links);
    assert_eq!(behind(&partitions, "kiosk").names(), ["user 0", "kiosk"], "the first has it");
    let other = behind(&partitions, "user 2999");
    assert_eq!((other.names(), other.is_cut), (vec!["user 2999".to_owned()], false));
    assert_eq!(partitions[0]["kiosk"].links().count(), 1, "the others change nothing of it");
}

#[test]
fn dangerously_means_always() {
    let mut links = vec![identify("ann", "phone", 1), identify("bob", "laptop", 2)];
    links.push(identify("ann", "bob", 3));
    assert_eq!(behind(&folded_backwards(&links), "ann").names(), ["ann", "phone"]);
    links.push(Linked { dangerously: true, ..identify("ann", "bob", 4) });
    for id in ["ann", "bob", "phone", "laptop"] {
        let names = behind(&folded_backwards(&links), id).names();
        assert_eq!(names, ["ann", "bob", "laptop", "phone"], "asked for {id}");
    }
}

/// `a` to `b` to `c`: one person if each was anonymous until then, in a circle too.
#[test]
fn chains_and_cycles_end() {
    let newest_first = [identify("c", "b", 1), identify("b", "a", 2), identify("a", "c", 3)];
    for links in [&newest_first[..2], &newest_first[..]] {
        for id in ["a", "b", "c"] {
            assert_eq!(behind(&folded_backwards(links), id).names(), ["c", "a", "b"]);
        }
    }
    let oldest_first = [identify("b", "a", 1), identify("c", "b", 2)];
    assert_eq!(behind(&folded_backwards(&oldest_first), "a").names(), ["b", "a"]);
    assert_eq!(behind(&folded_backwards(&oldest_first), "c").names(), ["c"], "b was identified");
}

#[test]
fn thousands_of_ids_are_cut_and_that_is_said() {
    let links: Vec<Linked> =
        (0..3_000).map(|number| identify("ann", &format!("visit {number}"), number)).collect();
    let some = behind(&folded_backwards(&links[..IDS_MAX - 1]), "ann");
    assert_eq!((some.ids.len(), some.is_cut), (IDS_MAX, false));
    let partitions = folded_backwards(&links);
    for id in ["ann", "visit 0", "visit 2999"] {
        let all = behind(&partitions, id);
        assert!(all.is_cut, "asked for {id}");
        assert_eq!(all.ids.len(), IDS_MAX);
    }
    // Two links to each are more than are kept, though the ids wouldn't be too many.
    let twice = (0..600).flat_map(|number| {
        let link = identify("ann", &format!("visit {number}"), number * 2);
        [Linked { dangerously: true, ..identify("ann", &link.other, number * 2 + 1) }, link]
    });
    let twice = behind(&folded_backwards(&twice.collect::<Vec<_>>()), "ann");
    assert!(twice.is_cut && twice.ids.len() < 600, "{}", twice.ids.len());
    // Nor does a second such id take back what the first has told.
    let both = (0..500).flat_map(|number: i64| {
        let visit = |own, at| identify(own, &format!("visit {number}"), number * 4 + at);
        let always = |own, at| Linked { dangerously: true, ..visit(own, at) };
        [visit("ann", 0), always("ann", 1), visit("ben", 2), always("ben", 3)]
    });
    let both = behind(&folded_backwards(&both.collect::<Vec<_>>()), "ann");
    assert!(both.is_cut && both.ids.len() == 502, "{}", both.ids.len());
    let chain: Vec<Linked> = (0..2_000)
        .map(|number| identify(&format!("{number}"), &format!("{}", number + 1), number))
        .collect();
    let end = behind(&folded_backwards(&chain), "2000");
    assert!(end.is_cut && end.ids.len() == IDS_MAX);
}

#[test]
fn when_people_merge_the_newest_set_stands_and_ties_go_to_the_identified_id() {
    let mut partitions = folded_backwards(&[identify("ann", "a phone", 1)]);
    let mut write = |who: &str, key: &str, kind: Kind, after_ms: i64, id: u64| {
        let value = if kind == Kind::Unset { String::new() } else { format!("{who:?}") };
        let stamp = Entry::new(START_MS + after_ms, id);
        let record = partitions[0].entry(who.to_owned()).or_default();
        record.write(&Register { key: key.to_owned().into(), kind, stamp, value: value.into() });
    };
    // Of two events at one time the anonymous one has the greater id, then the lesser one.
    for (tie, anonymous, identified) in [("tie 1", 9, 8), ("tie 2", 8, 9)] {
        write("a phone", tie, Kind::Set, 5, anonymous);
        write("ann", tie, Kind::Set, 5, identified);
        let once = format!("once {tie}");
        write("a phone", &once, Kind::SetOnce, 5, anonymous);
        write("ann", &once, Kind::SetOnce, 5, identified);
    }
    write("ann", "newest", Kind::Set, 5, 1);
    write("a phone", "newest", Kind::Set, 6, 2);
    write("ann", "earliest", Kind::SetOnce, 6, 3);
    write("a phone", "earliest", Kind::SetOnce, 5, 4);
    write("ann", "unset", Kind::Unset, 6, 5);
    write("a phone", "unset", Kind::Set, 5, 6);
    write("ann", "set again", Kind::Unset, 5, 7);
    write("a phone", "set again", Kind::Set, 6, 8);
    for asked in ["ann", "a phone"] {
        let joined = behind(&partitions, asked).joined(|_| None);
        let resolved: Vec<String> =
            resolve(joined.registers()).map(|(key, value)| format!("{key}: {value}")).collect();
        let wanted = [
            r#"earliest: "a phone""#,
            r#"newest: "a phone""#,
            r#"once tie 1: "ann""#,
            r#"once tie 2: "ann""#,
            r#"set again: "a phone""#,
            r#"tie 1: "ann""#,
            r#"tie 2: "ann""#,
        ];
        assert_eq!(resolved, wanted, "asked for {asked}");
    }
}

/// Of each id the newest event tells whose it is, in whatever order and partitions they came.
#[test]
fn the_newest_person_id_counts() {
    let told = (0u8..5, 0u8..4, 0i64..20, any::<u64>());
    check(&(vec(told, 1..20), any::<u64>()), |(told, seed)| {
        let mut dice = Dice::new(seed);
        let mut arriving = [told.clone(), told.clone()].concat();
        dice.shuffle(&mut arriving);
        let mut partitions = vec![Records::new(); PARTITIONS];
        for (id, person, ms, event) in arriving {
            let records = &mut partitions[dice.below(PARTITIONS as u64) as usize];
            carry(records, &format!("id {id}"), &format!("person {person}"), (ms, event));
        }
        let newest = |id: u8| {
            let mine = told.iter().filter(|told| told.0 == id);
            let newest = mine.max_by_key(|told| (Entry::new(START_MS + told.2, told.3), told.1));
            newest.map(|told| told.1)
        };
        for id in told.iter().map(|told| told.0) {
            let same = (0..5).filter(|other| newest(*other) == newest(id));
            let wanted: Vec<String> = same.map(|id| format!("id {id}")).collect();
            prop_assert_eq!(behind(&partitions, &format!("id {id}")).names(), wanted);
        }
        Ok(())
    });
}

#[test]
fn person_ids_and_links_join_together() {
    let mut partitions = folded_backwards(&[identify("ann", "phone", 5), identify("ben", "pc", 6)]);
    for (id, person, ms) in [("phone", "P1", 1), ("tablet", "P1", 9), ("ann", "P2", 2)] {
        carry(&mut partitions[0], id, person, (ms, 1));
    }
    for id in ["ann", "phone", "tablet"] {
        assert_eq!(behind(&partitions, id).names(), ["ann", "phone", "tablet"], "{id}");
    }
    carry(&mut partitions[0], "pc", "P2", (3, 1));
    assert_eq!(behind(&partitions, "ben").ids.len(), 5);
    carry(&mut partitions[0], "pc", "P3", (4, 1));
    assert_eq!(behind(&partitions, "ben").names(), ["ben", "pc"], "it went to another");
}

/// What a node does with the event: both ids get the link, in the partition where it lies.
fn fold(records: &mut Records, link: &Linked) {
    let stamp = Entry::new(link.time_ms, link.id);
    let role = if link.dangerously { Role::Absorbs } else { Role::Owns };
    let sides = [(&link.own, &link.other, role), (&link.other, &link.own, role.reverse())];
    for (id, other, role) in sides {
        let record = records.entry(id.clone()).or_default();
        record.link(&Link { stamp, role, other: other.into() });
    }
}

/// What a node does with an event that carries a person id: the person's record learns of the id
/// only when that is new.
fn carry(records: &mut Records, id: &str, person: &str, (ms, event): (i64, u64)) {
    let stamp = Entry::new(START_MS + ms, event);
    if records.entry(id.to_owned()).or_default().carry(stamp, person) == Carrying::Other {
        records.entry(carried(person)).or_default().link(&carries(id));
    }
}

fn carried(person_id: &str) -> String {
    format!("carried: {person_id}")
}

/// The worst order: everything arrives after what came later.
fn folded_backwards(links: &[Linked]) -> Vec<Records> {
    let mut records = Records::new();
    links.iter().rev().for_each(|link| fold(&mut records, link));
    vec![records]
}

fn behind(partitions: &[Records], id: &str) -> Person {
    let read = |bearer: &Bearer| {
        let key = match bearer {
            Bearer::Id(id) => id.clone(),
            Bearer::Carried(person_id) => carried(person_id),
        };
        let mut whole = Record::default();
        for record in partitions.iter().filter_map(|records| records.get(&key)) {
            whole.merge(record, |_| None);
        }
        Ok::<_, Infallible>(whole)
    };
    match Person::behind(&[id], read) {
        Ok(person) => person,
    }
}

fn identify(own: &str, other: &str, after_ms: i64) -> Linked {
    Linked {
        id: after_ms as u64,
        time_ms: START_MS + after_ms,
        dangerously: false,
        own: own.to_owned(),
        other: other.to_owned(),
    }
}

/// Links among a few ids, at few instants, so that everything collides. Two events never have
/// one id.
fn linked() -> impl Strategy<Value = Vec<Linked>> {
    let link = (0i64..12, any::<u64>(), 0u8..5, 0u8..7, 1u8..7);
    vec(link, 1..16).prop_map(|links| {
        let unique: BTreeMap<u64, _> =
            links.into_iter().map(|link| (link.1 % (1 << 54), link)).collect();
        let linked = unique.into_iter().map(|(id, (ms, _, kind, own, apart))| Linked {
            id,
            time_ms: START_MS + ms,
            dangerously: kind == 0,
            own: format!("id {own}"),
            other: format!("id {}", (own + apart) % 7),
        });
        linked.collect()
    })
}

/// The people that there are, told by PostHog's rule: one link after the other, in order of time,
/// each joining the two people that it finds, or refused.
fn replayed(linked: &[Linked]) -> Vec<BTreeSet<String>> {
    let mut order: Vec<&Linked> = linked.iter().collect();
    order.sort_by_key(|link| (link.time_ms, link.id));
    // Each with whether they are identified.
    let mut people: Vec<(BTreeSet<String>, bool)> = linked
        .iter()
        .flat_map(|link| [&link.own, &link.other])
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|id| (BTreeSet::from([id.clone()]), false))
        .collect();
    for link in order {
        let place = |people: &[(BTreeSet<String>, bool)], id: &String| {
            people.iter().position(|(ids, _)| ids.contains(id)).expect("everybody is there")
        };
        let (into, from) = (place(&people, &link.own), place(&people, &link.other));
        people[into].1 = true;
        if into != from && (link.dangerously || !people[from].1) {
            let joined = people[from].0.clone();
            people[into].0.extend(joined);
            people.remove(from);
        }
    }
    people.into_iter().map(|(ids, _)| ids).collect()
}
