//! Unkept: the flags that have to remember whom they took a person for, and don't yet.

use rustc_hash::FxHashSet;
use schemas::catalog::Project;
use schemas::flag::Bucketing;
use schemas::keeping;
use schemas::lookup::Facts;

use crate::context::Context;

/// Who the person was before logging in, where some flag has to remember that.
pub fn before_login<'a>(project: &Project, context: &'a Context) -> Option<&'a str> {
    let before = context.anon_distinct_id.as_deref()?;
    let keeps = before != context.distinct_id && keeping_flags(project).next().is_some();
    keeps.then_some(before)
}

/// The flags that don't remember whom they took the person for. Where that can't be known it is all
/// of them: what they remember already stays.
pub fn unkept(project: &Project, facts: &Facts) -> Vec<String> {
    let registers = facts.record.registers();
    let kept: FxHashSet<_> = registers.map(|register| register.key).collect();
    let flags = keeping_flags(project).filter(|key| !kept.contains(keeping::key(key).as_str()));
    flags.map(str::to_owned).collect()
}

/// Every active flag that keeps its value for a person, whichever of them a request asks for: the
/// next one no longer says who the person was.
fn keeping_flags(project: &Project) -> impl Iterator<Item = &str> {
    let flags = project.flags.iter();
    let keeping = flags
        .filter(|flag| flag.active && flag.keeps_value && flag.bucketing == Bucketing::DistinctId);
    keeping.map(|flag| flag.key.as_str())
}
