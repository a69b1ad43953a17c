//! Explanations: why a flag or a cohort is for somebody what it is, and when that will change.
//!
//! A walk of its own, so that deciding does nothing for it. It asks what decides, node by node,
//! and can't say anything else.

mod change;
mod evidence;
mod tree;
pub mod words;

use schemas::catalog::Project;
use schemas::cohort::Cohort;
use schemas::fault::Fault;
use schemas::flag::{Flag, Rule, Rules, Variant};
use schemas::lookup::Facts;

pub use change::Next;
pub use evidence::{Evidence, HITS_MAX, Role};
pub use tree::{Expanded, Leaf, Node, Said, Source};

use crate::cohort::Asked;
use crate::context::Context;
use crate::decide::Identity;
use crate::decision::Decision;
use crate::evaluate::{deciding, evaluate};
use crate::rollout;
use crate::truth::Truth;
use change::next;
use tree::Tree;

/// Somebody, asked at one instant.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Whose definitions are asked.
    pub project: &'a Project,
    /// Who it is; the flags that it names don't matter.
    pub context: &'a Context,
    /// What is known of them.
    pub facts: &'a Facts,
    /// Epoch milliseconds.
    pub now_ms: i64,
}

/// What came out.
#[derive(Clone, Debug)]
pub enum Verdict<'a> {
    /// Of a flag.
    Flag(Decision<'a>),
    /// Of a cohort: whether the person is in.
    Cohort(Truth<'a>),
}

impl Verdict<'_> {
    /// Whether both give the same: what is open for another reason is as open.
    pub fn is_same(&self, other: &Verdict<'_>) -> bool {
        match (self, other) {
            (Verdict::Flag(one), Verdict::Flag(other)) => {
                one.failed() == other.failed() && one.outcome == other.outcome
            }
            (Verdict::Cohort(Truth::Open(_)), Verdict::Cohort(Truth::Open(_))) => true,
            (Verdict::Cohort(one), Verdict::Cohort(other)) => one == other,
            _ => false,
        }
    }
}

/// Why somebody gets what they get.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// What they get.
    pub verdict: Verdict<'a>,
    /// The definitions that say so.
    pub project: &'a Project,
    /// Whether those are earlier ones, which stand until what an edit needs is filled.
    pub stands: bool,
    /// How a flag is decided, or why it can't be; nothing of a cohort.
    pub flag: Option<Result<Judged<'a>, &'a Fault>>,
    /// The cohorts that are asked, each once: first the one that this is about, if it is one.
    pub cohorts: Vec<Expanded<'a>>,
    /// When it will change by the clock alone.
    pub next: Next<'a>,
}

/// A flag's rules, judged.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// In order; those after the one that decided too.
    pub rules: Vec<JudgedRule<'a>>,
    /// Where the person falls among the variants, from 0 to 1, if anywhere.
    pub variant_hash: Option<f64>,
    /// The variants; none of a boolean flag.
    pub variants: &'a [Variant],
}

/// A rule, judged.
#[derive(Clone, Debug)]
pub struct JudgedRule<'a> {
    /// As it is defined.
    pub rule: &'a Rule,
    /// Its condition.
    pub when: Node<'a>,
    /// Where the person, or their group, falls among everybody, from 0 to 1, if anywhere.
    pub rollout_hash: Option<f64>,
    /// Whether its rollout has them.
    pub is_within: bool,
    /// Where they fall among variants that the rule has of its own.
    pub variant_hash: Option<f64>,
}

/// Why a flag is for somebody what it is; none of a flag that is inactive, which nobody gets.
pub fn flag<'a>(question: Question<'a>, key: &str) -> Option<Explanation<'a>> {
    let Question { project, context, facts, now_ms } = question;
    let index = project.flag_index(key)?;
    let decide = |at_ms| {
        let decided = evaluate(project, context, facts, at_ms).into_iter();
        decided
            .map(Verdict::Flag)
            .find(|verdict| matches!(verdict, Verdict::Flag(decision) if decision.flag.key == key))
    };
    let verdict = decide(now_ms)?;
    let (decided_by, index) = deciding(project, index);
    let flag = &decided_by.flags[index];
    let asked = Asked::new(decided_by, context, facts, now_ms);
    let mut tree = Tree::new(decided_by, &asked);
    let judged = flag.rules.as_ref().map(|rules| judge(flag, rules, &asked, &mut tree));
    let (cohorts, turns) = tree.finish();
    let next = next(&verdict, &turns, decide);
    let stands = !std::ptr::eq(decided_by, project);
    Some(Explanation { verdict, project: decided_by, stands, flag: Some(judged), cohorts, next })
}

/// Why somebody is in a cohort, or not.
pub fn cohort<'a>(question: Question<'a>, key: &str) -> Option<Explanation<'a>> {
    let Question { project, context, facts, now_ms } = question;
    let of = |cohorts: &[Cohort]| cohorts.iter().position(|cohort| cohort.key == key);
    let own = of(&project.cohorts)?;
    let earlier = project.standing.cohorts.get(key);
    let earlier = earlier.and_then(|earlier| Some((earlier.as_ref(), of(&earlier.cohorts)?)));
    let (decided_by, index) = earlier.unwrap_or((project, own));
    let decide =
        |at_ms| Some(Verdict::Cohort(Asked::new(decided_by, context, facts, at_ms).is_in(index)));
    let asked = Asked::new(decided_by, context, facts, now_ms);
    let verdict = Verdict::Cohort(asked.is_in(index));
    let mut tree = Tree::new(decided_by, &asked);
    tree.expand(index);
    let (cohorts, turns) = tree.finish();
    let next = next(&verdict, &turns, decide);
    let stands = !std::ptr::eq(decided_by, project);
    Some(Explanation { verdict, project: decided_by, stands, flag: None, cohorts, next })
}

fn judge<'a>(
    flag: &Flag,
    rules: &'a Rules,
    asked: &Asked<'a>,
    tree: &mut Tree<'a, '_>,
) -> Judged<'a> {
    let hash = |seed, aggregation, salt| match Identity::of(flag, aggregation, asked) {
        Identity::Known(identifier) => Some(rollout::hash(seed, &identifier, salt)),
        _ => None,
    };
    let judged = rules.rules.iter().map(|rule| {
        let release = &rule.release;
        let seed = rules.seed(&flag.key, release);
        let rollout_hash = hash(seed, &rule.aggregation, "");
        let everybody = release.rollout_percent >= 100.0;
        let is_within = |at: f64| everybody || at <= release.rollout_percent / 100.0;
        let has_own = !release.variants.is_empty();
        JudgedRule {
            rule,
            when: tree.node(&rule.when),
            rollout_hash,
            is_within: rollout_hash.map_or(everybody, is_within),
            variant_hash: has_own.then(|| hash(seed, &rule.aggregation, "variant")).flatten(),
        }
    });
    let seed = rules.seed.as_deref().unwrap_or(&flag.key);
    Judged {
        rules: judged.collect(),
        variant_hash: hash(seed, &rules.aggregation, "variant"),
        variants: &rules.variants,
    }
}
