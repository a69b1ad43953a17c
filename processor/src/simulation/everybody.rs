//! Everybody at once: what a walk tells of people is what a lookup tells of each.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use evaluator::context::Context;
use evaluator::evaluate::evaluate;
use schemas::ids::ProjectId;
use schemas::lookup::{Facts, Lookup, Position, Sought};
use schemas::scan::{Met, Place, Scan, Stretch};

use super::node::Node;

/// A walk over everybody tells of each person once, and the same as a lookup does.
pub fn agree(node: &Node, people: usize, now_ms: i64) {
    let catalog = node.definitions.catalog().load_full();
    let project = catalog.only_project().expect("one project");
    let at_least = Position::new();
    let stretch = Stretch {
        project: project.id,
        after: &Place::default(),
        before: None,
        at_least: &at_least,
        now_ms,
        asked_ms: now_ms,
    };
    let mut met = BTreeMap::new();
    let walked = node.here.scan(&stretch, &mut |one| {
        if let Met::Person { distinct_id, facts } = one {
            let before = met.insert(distinct_id.to_owned(), facts.clone());
            assert!(before.is_none(), "{distinct_id} came twice");
        }
        ControlFlow::Continue(())
    });
    assert_eq!(walked, Ok(None));
    for number in 0..people {
        let whom = format!("p{number}");
        let facts = lookup(node, project.id, &whom, now_ms);
        let walked = met.remove(&whom);
        let known = facts.record.is_known(node.store.kept(), now_ms);
        assert_eq!(walked.is_some(), known, "{whom}");
        // Records may differ by what no condition can see: on disk that is gone sooner, or
        // later, than in memory.
        let context = Context { distinct_id: whom.clone(), ..Context::default() };
        let decided = |facts: &Facts| -> Vec<(bool, bool)> {
            let decisions = evaluate(project, &context, facts, now_ms);
            decisions.iter().map(|flag| (flag.outcome.enabled(), flag.failed())).collect()
        };
        if let Some(walked) = walked {
            assert_eq!(walked.unknown, facts.unknown, "{whom}");
            assert_eq!(decided(&walked), decided(&facts), "{whom}");
        }
    }
    assert!(met.is_empty(), "{:?}", met.keys());
}

/// What a node knows of somebody.
pub fn lookup(node: &Node, project: ProjectId, whom: &str, now_ms: i64) -> Facts {
    let at_least = &Position::new();
    let (distinct_ids, groups) = (&[whom], &[]);
    answer_of(node.here.lookup(Sought { project, distinct_ids, groups, at_least, now_ms }))
}

/// The answer of a future that is ready.
fn answer_of<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("a lookup of this node's own state never waits"),
    }
}
