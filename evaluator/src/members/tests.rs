//! How far a count and a list go, and that they go on where they ended.

use schemas::definitions::{Source, compile};
use schemas::scan::Unheld;

use super::*;

/// People at the edges of each of the parts that a count is made in.
struct Crowd(Vec<Place>);

impl Crowd {
    fn new() -> Crowd {
        let part = 1 << (u64::BITS - PARTS.trailing_zeros());
        let edges = (0..PARTS).flat_map(|at| [at * part, at * part + (part - 1)]);
        let place = |hash: u64| Place([&hash.to_be_bytes()[..], b"person"].concat());
        Crowd(edges.map(place).collect())
    }
}

impl Scan for Crowd {
    fn position(&self) -> Position {
        Position::new()
    }

    fn hold(&self, _: i64, _: i64) -> Result<(), Unheld> {
        Ok(())
    }

    fn scan(
        &self,
        stretch: &Stretch<'_>,
        each: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Place>, Unknown> {
        let within = |place: &&Place| {
            *place > stretch.after && stretch.before.is_none_or(|before| *place < before)
        };
        let facts = Facts::default();
        for place in self.0.iter().filter(within) {
            if each(Met::Person { distinct_id: "person", facts: &facts }).is_break() {
                return Ok(Some(place.clone()));
            }
        }
        Ok(None)
    }
}

/// What everybody being in comes to: how many are counted and listed, and where to go on.
fn asked(after: &Place, passed_max: u64, took_s: u64) -> [(u64, Option<Place>); 2] {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let sources = [source("shop/project.yaml", "token: phc_shop")];
    let compiled = compile(&sources, &|_| None, &mut Default::default()).expect("it's good");
    let project = compiled.catalog.only_project().expect("a shop");
    let everybody = Condition::All(Vec::new());
    let question = Question { project, members: &everybody, now_ms: 0 };
    let monotonic = move || Duration::from_secs(took_s);
    let at_least = Position::new();
    let limits = Limits {
        after,
        at_least: &at_least,
        asked_ms: 0,
        passed_max,
        monotonic: &monotonic,
        ends: Duration::from_secs(5),
    };
    let crowd = Crowd::new();
    let counted = count(&crowd, question, limits).expect("readable");
    let listed = list(&crowd, question, limits, 1_000).expect("readable");
    for found in [&counted, &listed] {
        assert_eq!(found.tally.scanned, found.tally.count);
    }
    assert_eq!(listed.members.len() as u64, listed.tally.count);
    [counted, listed].map(|found| (found.tally.count, found.next))
}

const ALL: u64 = 2 * PARTS;

#[test]
fn everybody_is_counted_once_from_wherever_a_count_goes_on() {
    assert_eq!(asked(&Place::default(), u64::MAX, 0), [(ALL, None), (ALL, None)]);
    for (at, place) in (1..).zip(Crowd::new().0) {
        assert_eq!(asked(&place, u64::MAX, 0), [(ALL - at, None), (ALL - at, None)]);
    }
}

/// Else whoever goes on would never get any further.
#[test]
fn a_count_that_has_no_time_left_has_one_part_all_the_same() {
    for took_s in [5, 6] {
        let (first, second) = (Place::default(), Place::part(1, PARTS));
        assert_eq!(asked(&first, u64::MAX, took_s)[0], (2, Some(second.clone())));
        assert_eq!(asked(&second, u64::MAX, took_s)[0], (2, Some(Place::part(2, PARTS))));
        let listed = &asked(&first, u64::MAX, took_s)[1];
        assert_eq!(*listed, (LOOK_EVERY, Some(Crowd::new().0[LOOK_EVERY as usize - 1].clone())));
    }
}

#[test]
fn a_list_passes_so_many_records_and_no_more() {
    let tenth = Crowd::new().0[9].clone();
    assert_eq!(asked(&Place::default(), 10, 0)[1], (10, Some(tenth.clone())));
    assert_eq!(asked(&tenth, 10, 0)[1], (10, Some(Crowd::new().0[19].clone())));
}
