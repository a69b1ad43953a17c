//! Events that are kept together leave what they would leave one by one.

use std::collections::BTreeMap;

use serde_json::json;

use super::ways::{Node, RECORD_MS, events};
use super::*;
use crate::store::SHARDS;

fn partition(id: i32) -> Arc<Partition> {
    let mut partition = Partition::default();
    partition.id = id;
    Arc::new(partition)
}

/// Hits are kept several at a time, those of one partition, before whatever else comes.
#[test]
fn events_leave_the_same_whether_they_are_kept_together_or_each_alone() {
    let (mut alone, mut together) = (Node::new(Format::Sluice), Node::new(Format::Sluice));
    let of = [[partition(0), partition(1)], [partition(0), partition(1)]];
    let (mut told_alone, mut told_together) = (Vec::new(), Vec::new());
    for number in 0..2_000 {
        let (mut event, _) = events().swap_remove(number % 37 % 30);
        event["uuid"] = json!(format!("uuid {}", number % 900));
        event["distinct_id"] = json!(["ann", "ben", "cho"][number % 3]);
        let mut quick = json!({ "token": "phc_shop" });
        quick.as_object_mut().expect("an object").extend(event.as_object().expect("one").clone());
        let value = quick.to_string();
        let (at, value) = (number / 50 % 2, Some(value.as_bytes()));
        let (offset, timestamp_ms) = (number as i64, RECORD_MS);
        let record = LogRecord { partition: at as i32, offset, timestamp_ms, value };
        told_alone.push(alone.fold.fold(&alone.catalog, &of[0][at], record));
        let mut tell = |effect| told_together.push(effect);
        together.fold.take(&together.catalog, &of[1][at], record, &mut tell);
    }
    together.fold.settle(&mut |effect| told_together.push(effect));
    let counted = |told: &[Effect]| {
        let labels = told.iter().map(|effect| effect.outcome.label());
        labels.fold(BTreeMap::new(), |mut counted: BTreeMap<_, u32>, label| {
            *counted.entry(label).or_default() += 1;
            counted
        })
    };
    assert_eq!(counted(&told_alone), counted(&told_together));
    for at in 0..2 {
        let kept = of.each_ref().map(|partitions| {
            let taken = (0..SHARDS).flat_map(|shard| partitions[at].hot.take(shard));
            taken.map(|taken| (taken.key, taken.record)).collect::<BTreeMap<_, _>>()
        });
        assert!(kept[0].len() > 3, "{} people and things", kept[0].len());
        assert_eq!(kept[0], kept[1]);
    }
}

#[test]
fn hits_that_wait_are_kept_where_they_came_from() {
    let (mut node, partitions) = (Node::new(Format::Sluice), [0, 1].map(partition));
    for number in 0..40 {
        let at = number / 4 % 2;
        let event = json!({
            "token": "phc_shop", "uuid": format!("uuid {number}"), "event": "added",
            "distinct_id": format!("of partition {at}"),
        });
        let (value, offset) = (event.to_string(), number as i64);
        let value = Some(value.as_bytes());
        let record = LogRecord { partition: at as i32, offset, timestamp_ms: RECORD_MS, value };
        node.fold.take(&node.catalog, &partitions[at], record, &mut |_| {});
    }
    node.fold.settle(&mut |_| {});
    let project = node.catalog.only_project().expect("a shop").id;
    for (at, partition) in partitions.iter().enumerate() {
        for of in [0, 1] {
            let mut key = PersonKey::default();
            key.set(project, &format!("of partition {of}"));
            assert_eq!(partition.hot.glance(&key).is_some(), at == of, "{of} in {at}");
        }
    }
}
