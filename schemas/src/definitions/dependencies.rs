//! Which flag depends on which, and which ones lack what they depend on.

use std::collections::BTreeMap;

use super::draft::{Draft, FlagDraft};
use super::references::rules_of;
use crate::flag::FlagIndex;

/// Where each flag stands, by its key, and by its id where no key is like it.
pub(super) fn places(flags: &BTreeMap<String, FlagDraft>) -> BTreeMap<String, FlagIndex> {
    let ids = flags.values().enumerate().map(|(at, draft)| (draft.flag.id.to_string(), at));
    let keys = flags.keys().enumerate().map(|(at, key)| (key.clone(), at));
    ids.chain(keys).collect()
}

/// Marks the flags that can't be decided for a flag that isn't there, or that leads back to them,
/// directly or through others, as PostHog does. A flag that is inactive is off whatever it names.
pub(super) fn mark_lacking(flags: &mut BTreeMap<String, FlagDraft>) {
    let places = places(flags);
    let drafts: Vec<&FlagDraft> = flags.values().collect();
    let named: Vec<Vec<Option<FlagIndex>>> =
        drafts.iter().map(|draft| named(draft, &places)).collect();
    // Each round finds those whose dependencies have all been found.
    let mut found = vec![false; drafts.len()];
    loop {
        let is_found = |at: &Option<FlagIndex>| at.is_some_and(|at| found[at]);
        let ready = |at: &usize| !found[*at] && named[*at].iter().all(is_found);
        let more: Vec<usize> = (0..drafts.len()).filter(ready).collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|at| found[at] = true);
    }
    for (draft, found) in flags.values_mut().zip(found) {
        draft.flag.lacks_dependency = !found;
    }
}

/// The flags that this one names; none in the place of one that isn't there.
fn named(draft: &FlagDraft, places: &BTreeMap<String, FlagIndex>) -> Vec<Option<FlagIndex>> {
    let mut named = Vec::new();
    if draft.flag.active {
        for rule in rules_of(draft) {
            rule.when.walk(&mut |inner| {
                if let Draft::Flag(key, _) = inner {
                    named.push(places.get(key).copied());
                }
            });
        }
    }
    named
}
