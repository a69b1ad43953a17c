//! Stories of conditions that are filled while the log loses records.

use std::cell::Cell;

use schemas::definitions::{Source, compile};
use schemas::event::Format;
use schemas::ids::ProjectId;
use schemas::lookup::{Coverage, Position};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::fold::Bounds;
use crate::log::scripted::{Scripted, Told};

const NOW_MS: i64 = 1_750_000_000_000;
const RECORD_MS: i64 = NOW_MS - 60_000;
const SKEW_MS: i64 = 5_000;

/// A node that has read ten records of partition 0, and a cohort that somebody saves then.
struct Story {
    log: Scripted,
    filler: Filler<Scripted>,
    store: Arc<Store>,
    saved: Arc<Catalog>,
    _folder: TempDir,
}

impl Story {
    fn begin() -> Story {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(&folder.path().join("store"), 8 << 20, "scripted");
        let store = Arc::new(store.expect("a store"));
        let saved = Arc::new(searching());
        store.keep_for(&[&saved]);
        store.partition(0, 10, i64::MIN);
        let log = Scripted::holding(0, 10);
        let (position, _) = watch::channel(Position::new());
        let reading = Reading {
            bounds: Bounds { skew_ms: SKEW_MS, lateness_ms: 0 },
            token: None,
            format: Format::Sluice,
        };
        let filler = Filler {
            log: Arc::new(log.clone()),
            store: Arc::clone(&store),
            following: Arc::new(Following::new(position, NOW_MS)),
            clock: Arc::new(|| NOW_MS),
            reading,
        };
        Story { log, filler, store, saved, _folder: folder }
    }

    /// How many matchers are left to be filled after an attempt.
    fn fill(&self) -> usize {
        self.filler.fill(&self.saved, &|| false).expect("the log answers")
    }

    /// What is claimed of the saved cohort's matcher.
    fn coverage(&self) -> Coverage {
        let matcher = self.saved.projects()[0].matchers[0].id;
        self.store.coverages()[&matcher]
    }

    /// How many searches of somebody are known.
    fn searches(&self, person: &str) -> usize {
        let record = self.store.read(ProjectId(0), person).expect("readable");
        record.window(self.saved.projects()[0].matchers[0].id).entries().count()
    }
}

/// A project with one cohort: two searches in ten minutes.
fn searching() -> Catalog {
    let cohort = "members:\n  all:\n    - { did: searched, count: \">= 2\", within: 10m }\n";
    let files = [("project.yaml", "token: phc_test\n"), ("cohorts/searching.yaml", cohort)];
    let source =
        |(path, text): (&str, &str)| Source { path: format!("shop/{path}"), text: text.to_owned() };
    let compiled = compile(&files.map(source), &|_| None, &mut Default::default());
    compiled.unwrap_or_else(|problems| panic!("{problems:?}")).catalog
}

fn searched(offset: i64, person: &str) -> Told {
    let value = format!(r#"{{"event":"searched","distinct_id":"{person}"}}"#);
    Told::Record(0, offset, RECORD_MS, value)
}

/// That the rest was read to its end doesn't make up for what was lost before it.
#[test]
fn a_fill_that_lost_records_begins_again() {
    let story = Story::begin();
    story.store.take_up(&story.saved, &story.store.position());
    story.log.tell(&[searched(0, "ann")]);
    story.log.tell(&[Told::Truncated(0, 8), searched(8, "ann"), Told::End(0)]);
    assert_eq!(story.fill(), 1, "it isn't done");
    assert!(matches!(story.coverage(), Coverage::Filling { .. }), "{:?}", story.coverage());

    story.log.hold(0, 8, 10);
    story.log.tell(&[searched(8, "ann")]);
    story.log.tell(&[searched(8, "ann"), searched(9, "ben"), Told::End(0)]);
    assert_eq!(story.fill(), 0);
    assert_eq!(story.coverage(), Coverage::Since(RECORD_MS + SKEW_MS), "and not since ever");
    assert_eq!((story.searches("ann"), story.searches("ben")), (2, 1));
}

/// Live reading met the loss, and the filler, which asks the log later, did not.
#[test]
fn a_loss_while_a_condition_is_filled_bounds_what_it_covers() {
    let story = Story::begin();
    story.store.take_up(&story.saved, &story.store.position());
    story.store.with_progress(&story.saved, |progress| {
        let partition = progress.partitions.get_mut(&0).expect("it was assigned");
        partition.restart(12, NOW_MS);
    });
    story.log.tell(&[Told::End(0)]);
    assert_eq!(story.fill(), 0);
    assert_eq!(story.coverage(), Coverage::Since(NOW_MS), "what live reading lost is lost");
}

/// Folding more than there is memory for would not end well.
#[test]
fn filling_waits_while_memory_is_crowded() {
    let story = Story::begin();
    story.store.take_up(&story.saved, &story.store.position());
    story.log.tell(&[searched(0, "ann"), Told::End(0)]);
    story.filler.following.crowded.store(true, Ordering::Release);
    let looked = Cell::new(0);
    let interrupted = || looked.replace(looked.get() + 1) == 3;
    let left = story.filler.fill(&story.saved, &interrupted).expect("the log answers");
    assert_eq!((left, story.log.untold()), (1, 1), "nothing was read, and nothing is claimed");
    story.filler.following.crowded.store(false, Ordering::Release);
    assert_eq!(story.fill(), 0);
    assert_eq!(story.searches("ann"), 1);
}
