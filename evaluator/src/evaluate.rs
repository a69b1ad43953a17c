//! Evaluation: every flag of a request, from one set of facts at one instant. Total and pure.

use schemas::catalog::Project;
use schemas::flag::FlagIndex;
use schemas::lookup::Facts;

use crate::cohort::Asked;
use crate::context::Context;
use crate::decision::Decision;

/// The flags that the request asks for: active ones, and only those named if any are.
pub fn requested<'a>(
    project: &'a Project,
    context: &'a Context,
) -> impl Iterator<Item = FlagIndex> + 'a {
    let all = if context.flag_keys.is_some() { 0 } else { project.flags.len() };
    let named = context.flag_keys.iter().flatten();
    let named = named.filter_map(|key| project.flag_index(key));
    (0..all).chain(named).filter(|index| {
        let flag = &project.flags[*index];
        flag.active && context.asks_for(flag) && context.may_have(flag)
    })
}

/// Decides every flag that the request asks for, at `now_ms`.
pub fn evaluate<'a>(
    project: &'a Project,
    context: &'a Context,
    facts: &'a Facts,
    now_ms: i64,
) -> Vec<Decision<'a>> {
    let asked = Asked::new(project, context, facts, now_ms);
    let decide_one = |index| match deciding(project, index) {
        (deciding, index) if std::ptr::eq(deciding, project) => asked.flag(index),
        (deciding, index) => Asked::new(deciding, context, facts, now_ms).flag(index),
    };
    requested(project, context).map(decide_one).collect()
}

/// The definitions that decide a flag, and where it stands there: the project's own, or earlier
/// ones as long as those stand.
pub(crate) fn deciding(project: &Project, index: FlagIndex) -> (&Project, FlagIndex) {
    let standing = &project.standing.flags;
    if standing.is_empty() {
        return (project, index);
    }
    let key = &project.flags[index].key;
    let earlier =
        standing.get(key).and_then(|earlier| Some((&**earlier, earlier.flag_index(key)?)));
    earlier.unwrap_or((project, index))
}
