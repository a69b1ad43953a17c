//! The laws that property registers keep, and how records with both are stored.

use proptest::collection::vec;
use proptest::prelude::*;
use schemas::properties::{Kind, Register, resolve};
use schemas::record::Record;
use schemas::window::Entry;

use crate::dice::Dice;
use crate::windows::{START_MS, check, fold, hits};

#[test]
fn a_record_is_read_as_it_was_stored() {
    check(&(hits(), writes(), 1u16..9), |(hits, writes, k)| {
        let mut record = fold(&hits, k);
        write_all(&mut record, &writes);
        let read = Record::from_bytes(record.as_bytes());
        prop_assert_eq!(read.as_ref(), Ok(&record));
        let torn = &record.as_bytes()[..record.as_bytes().len().saturating_sub(1)];
        prop_assert!(torn.is_empty() || Record::from_bytes(torn).is_err());
        Ok(())
    });
}

/// `$set` and `$unset`: the newest. `$set_once`: the earliest, where nothing newer was unset.
#[test]
fn property_writes_merge_in_any_order() {
    check(&(writes(), any::<u64>()), |(writes, seed)| {
        let mut shuffled = writes.clone();
        Dice::new(seed).shuffle(&mut shuffled);
        let (mut one, mut other) = (Record::default(), Record::default());
        write_all(&mut one, &writes);
        let (first, second) = shuffled.split_at(shuffled.len() / 2);
        write_all(&mut other, second);
        let mut part = Record::default();
        write_all(&mut part, first);
        other.merge(&part, |_| None);
        prop_assert_eq!(&one, &other);
        let resolved: Vec<(String, String)> = resolve(one.registers())
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        prop_assert_eq!(resolved, resolved_slowly(&writes));
        Ok(())
    });
}

/// A write of a property: key, kind, time, event, value.
type Write = (u8, Kind, i64, u64, u8);

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let kind = prop_oneof![Just(Kind::Set), Just(Kind::Unset), Just(Kind::SetOnce)];
    // Two events never have one id and one time, so that ties are between different events.
    let write = (0u8..4, kind, 0i64..6, any::<u64>(), any::<u8>());
    vec(write, 0..30)
}

fn write_all(record: &mut Record, writes: &[Write]) {
    for (key, kind, ms, id, value) in writes {
        let value = if *kind == Kind::Unset { String::new() } else { value.to_string() };
        record.write(&Register {
            key: format!("key {key}").into(),
            kind: *kind,
            stamp: Entry::new(START_MS + ms, *id),
            value: value.into(),
        });
    }
}

fn resolved_slowly(writes: &[Write]) -> Vec<(String, String)> {
    let stamp = |write: &&Write| Entry::new(START_MS + write.2, write.3);
    let value = |write: &Write| write.4.to_string();
    let of = |key: u8| {
        let mine = writes.iter().filter(move |write| write.0 == key);
        let newest = mine.clone().filter(|write| write.1 != Kind::SetOnce).max_by_key(stamp);
        let once = mine.filter(|write| write.1 == Kind::SetOnce).min_by_key(stamp);
        match (newest, once) {
            (Some(set), _) if set.1 == Kind::Set => Some(value(set)),
            (Some(unset), Some(once)) if stamp(&once) > stamp(&unset) => Some(value(once)),
            (None, Some(once)) => Some(value(once)),
            _ => None,
        }
    };
    (0u8..4).filter_map(|key| Some((format!("key {key}"), of(key)?))).collect()
}
