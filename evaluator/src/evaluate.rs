//! Evaluation: every flag of a request, from one set of facts at one instant. Total and pure.

use schemas::catalog::Project;
use schemas::flag::{Flag, FlagIndex};
use schemas::lookup::Facts;

use crate::cohort::Asked;
use crate::context::Context;
use crate::decision::Decision;

/// The flags that the request asks for: active ones, and only those named if any are.
pub fn requested<'a>(
    project: &'a Project,
    context: &'a Context,
) -> impl Iterator<Item = &'a Flag> + 'a {
    let asked = |flag: &&Flag| flag.active && context.asks_for(flag) && context.may_have(flag);
    project.flags.iter().filter(asked)
}

/// Decides every flag that the request asks for, at `now_ms`.
pub fn evaluate<'a>(
    project: &'a Project,
    context: &'a Context,
    facts: &'a Facts,
    now_ms: i64,
) -> Vec<Decision<'a>> {
    let asked = Asked::new(project, context, facts, now_ms);
    let decide_one = |flag: &'a Flag| match deciding(project, flag) {
        (deciding, index) if std::ptr::eq(deciding, project) => asked.flag(index),
        (deciding, index) => Asked::new(deciding, context, facts, now_ms).flag(index),
    };
    requested(project, context).map(decide_one).collect()
}

/// The definitions that decide a flag, and where it stands there: the project's own, or earlier
/// ones as long as those stand.
pub(crate) fn deciding<'a>(project: &'a Project, flag: &Flag) -> (&'a Project, FlagIndex) {
    let find = |project: &'a Project| {
        let at = project.flags.binary_search_by(|other| other.key.as_str().cmp(&flag.key));
        at.ok().map(|at| (project, at))
    };
    let earlier = project.standing.flags.get(&flag.key).and_then(|earlier| find(earlier));
    earlier.or_else(|| find(project)).unwrap_or((project, 0))
}
