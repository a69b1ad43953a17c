//! The laws of a record's links: what is kept of them, and how they are stored.

use schemas::ids::MatcherId;
use schemas::links::{Carrying, LINKS_MAX, Link, Role, carries};
use schemas::properties::{Kind, Register};
use schemas::record::{Record, RecordError};
use schemas::window::{Entry, Kept};

use crate::dice::Dice;
use crate::windows::START_MS;

/// The earliest links are kept, in whatever order and parts they came.
#[test]
fn more_links_than_are_kept_are_cut_alike() {
    let mut dice = Dice::new(5);
    let link = |number: i64| Link {
        stamp: Entry::new(START_MS + number, 0),
        role: Role::Owns,
        other: format!("visit {number}").into(),
    };
    let mut links: Vec<Link<'_>> = (0..1_500).map(link).collect();
    let record = |links: &[Link<'_>]| {
        let mut record = Record::default();
        for link in links {
            record.link(link);
        }
        record
    };
    let whole = record(&links);
    assert_eq!(whole.links().count(), LINKS_MAX);
    assert_eq!(whole.links().last().map(|link| link.other.into_owned()), Some("visit 999".into()));
    for _ in 0..3 {
        dice.shuffle(&mut links);
        assert_eq!(record(&links), whole);
        let (one, other) = links.split_at(dice.below(1_500) as usize);
        let mut merged = record(one);
        merged.merge(&record(other), |_| None);
        merged.merge(&whole, |_| None);
        assert_eq!(merged, whole);
    }
}

/// They are kept beside the others, however many those are.
#[test]
fn whoever_has_as_many_links_as_are_kept_is_still_told_apart_by_the_pipeline() {
    let mut record = Record::default();
    for number in 0..LINKS_MAX as i64 {
        let (role, other) = (Role::Owns, format!("visit {number}").into());
        record.link(&Link { stamp: Entry::new(START_MS + number, 0), role, other });
    }
    let late = Entry::new(START_MS + 5_000, 0);
    assert_eq!(record.carry(late, "P1"), Carrying::Other);
    assert_eq!(record.links().next().map(|link| link.other.into_owned()), Some("P1".into()));
    assert_eq!(record.links().count(), LINKS_MAX + 1);
}

/// Of two that come together, one may be earlier than all that are kept.
#[test]
fn whatever_comes_with_it_a_link_that_is_early_enough_is_kept() {
    let owning = |numbers: &[i64]| {
        let mut record = Record::default();
        for number in numbers {
            let (role, other) = (Role::Owns, format!("visit {number}").into());
            record.link(&Link { stamp: Entry::new(START_MS + number, 0), role, other });
        }
        record
    };
    let numbers: Vec<i64> = (1..=LINKS_MAX as i64).collect();
    let mut record = owning(&numbers);
    record.merge(&owning(&[0, 5_000]), |_| None);
    assert_eq!(record, owning(&[&[0], &numbers[..LINKS_MAX - 1]].concat()));
}

/// A link is for good: it doesn't go when the windows beside it do.
#[test]
fn links_outlive_windows() {
    let kept = Kept::newest(3, 1_000);
    let mut record = Record::default();
    record.fold(MatcherId(1), kept, Entry::new(START_MS, 1).into());
    let link = Link { stamp: Entry::new(START_MS, 2), role: Role::Owns, other: "phone".into() };
    assert!(record.link(&link) && !record.link(&link));
    assert!(record.expire(|_| Some(kept), START_MS + 1_000), "there is something left");
    assert!(record.window(MatcherId(1)).is_empty());
    assert_eq!(record.links().collect::<Vec<_>>(), [link]);
    record.fold(MatcherId(2), kept, Entry::new(START_MS, 4).into());
    for end in 1..record.as_bytes().len() {
        let torn = Record::from_bytes(&record.as_bytes()[..end]);
        assert_eq!(torn, Err(RecordError::Torn), "cut at {end}");
    }
    record.write(&Register {
        key: "plan".into(),
        kind: Kind::Set,
        stamp: Entry::new(START_MS, 3),
        value: "1".into(),
    });
    let read = Record::from_bytes(record.as_bytes());
    assert_eq!(read.as_ref(), Ok(&record));
    assert_eq!((record.links().count(), record.registers().count()), (1, 1));
}

#[test]
fn the_same_person_id_again_changes_a_stamp_at_most() {
    let mut linked = Record::default();
    let other = "phone".into();
    linked.link(&Link { stamp: Entry::new(START_MS, 2), role: Role::Owns, other });
    for mut record in [Record::default(), linked] {
        let mut told = |ms, person| record.carry(Entry::new(START_MS + ms, 0), person);
        assert_eq!(told(5, "P1"), Carrying::Other);
        assert_eq!((told(5, "P1"), told(4, "P1"), told(4, "P2")), {
            use Carrying::Older;
            (Older, Older, Older)
        });
        assert_eq!((told(6, "P1"), told(7, "P2")), (Carrying::Same, Carrying::Other));
    }
}

/// It is the same whenever it was made, so that it is stored once.
#[test]
fn that_a_person_has_an_id_is_stored_without_a_date() {
    let stored = carries("ann").to_bytes();
    assert_eq!(stored, [&[0; 12][..], &[5, 3, 0], b"ann"].concat());
}

/// Records that were stored before there were links, and before there were values.
#[test]
fn earlier_versions_are_read() {
    let entry = Entry::new(START_MS, 7);
    let window = |told: u16| {
        let window = [&3u32.to_le_bytes()[..], &told.to_le_bytes(), &entry.to_bytes()].concat();
        [&(window.len() as u32).to_le_bytes()[..], &window].concat()
    };
    for (version, told) in [(1, 1), (2, 12)] {
        let stored = [&[version][..], &window(told)].concat();
        let mut record = Record::from_bytes(&stored).expect("a record");
        assert_eq!(record.window(MatcherId(3)).newest(), Some(entry), "version {version}");
        assert!(!record.has_links());
        let other = "phone".into();
        record.link(&Link { stamp: entry, role: Role::Belongs, other });
        assert_eq!(record.window(MatcherId(3)).newest(), Some(entry), "version {version}");
        assert_eq!(record.links().count(), 1);
    }
    assert!(Record::from_bytes(&[4, 0, 0, 0, 0]).is_err(), "a later version");
}
