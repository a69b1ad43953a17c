//! Drafts become a project: cohorts in order, matchers shared and numbered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use rustc_hash::FxHashSet;

use super::dependencies;
use super::draft::{Draft, FlagDraft, GroupType, MatcherDraft, ProjectDraft};
use super::problem::{Problem, Problems};
use super::references::{cycles, missing_cohorts, missing_group_types, order, rules_of};
use crate::behaviour::Watched;
use crate::catalog::{Project, Registered, Registry};
use crate::cohort::{Cohort, CohortIndex, Condition};
use crate::fault::Fault;
use crate::flag::{Aggregation, ConfigVersion, Flag, FlagIndex, Rule, Rules, enrollment_key};
use crate::gate::Gate;
use crate::ids::ProjectId;
use crate::matcher::Matcher;
use crate::standing::Standing;
use crate::window::Kept;

/// The code of a flag that needs a cohort which isn't there, as at PostHog.
const NOT_FOUND: &str = "dependency_not_found_cohort";
/// The code of a flag whose cohorts refer to each other in a circle, as at PostHog.
const CYCLE: &str = "dependency_cycle_cohort";
/// The code of a flag of rules that depends on one that isn't there, as at PostHog.
const LACKS_DEPENDENCY: &str = "dependency_error";

/// The project and warnings of what will fail in it, unless YAML names cohorts that don't exist
/// or go round in a circle. In what came from PostHog, that makes flags fail instead.
pub(super) fn project(
    mut draft: ProjectDraft,
    registry: &mut Registry,
) -> Result<(Project, Vec<Problem>), Vec<Problem>> {
    let mut problems = missing_cohorts(&draft);
    problems.extend(missing_group_types(&draft));
    let (order, cyclic) = order(&draft);
    problems.extend(cycles(&draft, &cyclic));
    if !problems.is_empty() {
        return Err(problems);
    }
    for key in &cyclic {
        if let Some(cohort) = draft.cohorts.get_mut(key) {
            let message = format!("cohort `{key}` refers to itself, directly or through others");
            cohort.members = Draft::fault(CYCLE, message);
        }
    }
    let order: Vec<String> = order.into_iter().chain(cyclic).collect();
    dependencies::mark_lacking(&mut draft.flags);
    let id = registry.project(&draft.name);
    let sharing = Sharing::of(&draft, id);
    let (matchers, numbers) = matchers(&draft, &sharing, registry);
    let places = order.iter().enumerate().map(|(at, key)| (key.clone(), at)).collect();
    let resolver = Resolver {
        sharing,
        numbers,
        places,
        flags: dependencies::places(&draft.flags),
        group_types: draft.group_types.clone(),
    };
    let files = files(&draft);
    let project = assemble(draft, id, matchers, &order, &resolver);
    let odd = faults(&project, &files);
    Ok((project, odd))
}

/// Which conditions share a matcher.
pub(super) struct Sharing {
    project: ProjectId,
    /// The time zone, which dates depend on.
    zone: jiff::tz::TimeZone,
    /// Canonical texts of which one matcher for all that they need would keep too much: there,
    /// conditions share it only if they need the same.
    apart: BTreeSet<String>,
}

impl Sharing {
    /// As widely as there is.
    pub fn all(project: ProjectId, zone: &jiff::tz::TimeZone) -> Sharing {
        Sharing { project, zone: zone.clone(), apart: BTreeSet::new() }
    }

    fn of(draft: &ProjectDraft, project: ProjectId) -> Sharing {
        let all = Sharing::all(project, &draft.time_zone);
        let too_much = needed(draft, &all).into_iter().filter(|(_, (_, kept))| kept.is_too_much());
        let apart = too_much.map(|(text, _)| text).collect();
        Sharing { apart, ..all }
    }

    /// Text that is the same for conditions that share a matcher, and for no others.
    pub fn text(&self, matcher: &MatcherDraft) -> String {
        let canonical = matcher.canonical(self.project, &self.zone);
        if !self.apart.contains(&canonical) {
            return canonical;
        }
        format!("{canonical} {} {}", matcher.needs.k, matcher.needs.horizon_ms)
    }
}

/// Every matcher by its text, with all that its conditions need.
fn needed<'d>(
    draft: &'d ProjectDraft,
    sharing: &Sharing,
) -> BTreeMap<String, (&'d MatcherDraft, Kept)> {
    let mut needed: BTreeMap<String, (&MatcherDraft, Kept)> = BTreeMap::new();
    for condition in conditions(draft) {
        condition.walk(&mut |inner| {
            let Draft::Behaviour(behaviour) = inner else { return };
            for matcher in behaviour.matchers() {
                let text = sharing.text(matcher);
                let (_, kept) = needed.entry(text).or_insert((matcher, matcher.needs));
                kept.k = kept.k.max(matcher.needs.k);
                kept.horizon_ms = kept.horizon_ms.max(matcher.needs.horizon_ms);
            }
        });
    }
    needed
}

/// Every matcher once, and its number by its text.
fn matchers(
    draft: &ProjectDraft,
    sharing: &Sharing,
    registry: &mut Registry,
) -> (Vec<Matcher>, BTreeMap<String, Registered>) {
    let mut numbers = BTreeMap::new();
    let mut matchers = Vec::new();
    for (text, (draft, kept)) in needed(draft, sharing) {
        let registered = registry.matcher(&text, kept);
        matchers.push(Matcher {
            id: registered.id,
            event: draft.event.clone(),
            filters: draft.filters.clone(),
            until_ms: draft.dates.range(&sharing.zone).until_ms,
            take: draft.take.clone(),
            kept: registered.kept,
        });
        numbers.insert(text, registered);
    }
    (matchers, numbers)
}

/// The conditions of all cohorts and rules.
fn conditions(draft: &ProjectDraft) -> impl Iterator<Item = &Draft> {
    let rules = draft.flags.values().flat_map(rules_of).map(|rule| &rule.when);
    draft.cohorts.values().map(|cohort| &cohort.members).chain(rules)
}

/// Every person property that some condition asks the store for; a request always has its own
/// `distinct_id`.
fn person_keys(draft: &ProjectDraft) -> FxHashSet<String> {
    let mut keys = FxHashSet::default();
    for condition in conditions(draft) {
        condition.walk(&mut |inner| {
            if let Draft::Person(filter) = inner
                && filter.key != "distinct_id"
            {
                keys.insert(filter.key.clone());
            }
        });
    }
    let flags = draft.flags.values();
    let enrolling = flags.filter(|flag| flag.rules.as_ref().is_ok_and(|rules| rules.enrollment));
    keys.extend(enrolling.map(|flag| enrollment_key(&flag.flag.key)));
    keys
}

/// Turns drafts of conditions into conditions.
pub(super) struct Resolver {
    pub sharing: Sharing,
    /// Of every matcher that the drafts name, by its text.
    pub numbers: BTreeMap<String, Registered>,
    pub places: BTreeMap<String, CohortIndex>,
    /// By key, and by id where no key is like it.
    pub flags: BTreeMap<String, FlagIndex>,
    /// Names of group types by index.
    pub group_types: BTreeMap<String, String>,
}

impl Resolver {
    pub fn condition(&self, draft: &Draft) -> Condition {
        match draft {
            Draft::All(inner) => Condition::All(self.conditions(inner)),
            Draft::Any(inner) => Condition::Any(self.conditions(inner)),
            Draft::Not(inner) => Condition::Not(Box::new(self.condition(inner))),
            // Every draft's matcher was numbered before.
            Draft::Behaviour(behaviour) => Condition::Behaviour(behaviour.map(&mut |matcher| {
                let Registered { id, kept } = self.numbers[&self.sharing.text(matcher)];
                Watched { matcher: id, kept, during: matcher.dates.range(&self.sharing.zone) }
            })),
            Draft::Listed(ids) => Condition::Listed(ids.clone()),
            Draft::Person(filter) => Condition::Person(filter.clone()),
            Draft::Group(GroupType::Named(of, _), filter) => {
                Condition::Group(of.clone(), filter.clone())
            }
            Draft::Group(GroupType::Index(index), filter) => match self.group_type(index) {
                Some(group_type) => Condition::Group(group_type, filter.clone()),
                // Nobody has a group of a type that isn't there.
                None => Condition::Any(Vec::new()),
            },
            Draft::Flag(key, answer) => match (self.flags.get(key), answer) {
                (Some(place), Some(answer)) => Condition::Flag(*place, answer.clone()),
                // A flag without what it depends on is off before this is asked.
                _ => Condition::Any(Vec::new()),
            },
            Draft::Cohort { key, .. } => match self.places.get(key) {
                Some(place) => Condition::Cohort(*place),
                None => {
                    let message = format!("there is no cohort `{key}` in the project");
                    Condition::Fault(Fault { code: NOT_FOUND, message })
                }
            },
            Draft::Fault(fault) => Condition::Fault(fault.clone()),
        }
    }

    fn conditions(&self, drafts: &[Draft]) -> Vec<Condition> {
        drafts.iter().map(|draft| self.condition(draft)).collect()
    }

    fn group_type(&self, index: &str) -> Option<String> {
        self.group_types.get(index).cloned()
    }

    fn aggregation(&self, index: Option<&str>) -> Aggregation {
        index.map_or(Aggregation::Person, |index| Aggregation::Group(self.group_type(index)))
    }

    fn flag(&self, mut draft: FlagDraft) -> Flag {
        let by_two = draft.flag.config_version == ConfigVersion::Two;
        if by_two && draft.flag.lacks_dependency {
            // Of release conditions such a flag is off; by rules nobody knows what it is.
            let message = "a flag that it depends on isn't there, or leads back to it".to_owned();
            draft.rules = draft.rules.and(Err(Fault { code: LACKS_DEPENDENCY, message }));
        }
        let rules = draft.rules.map(|rules| Rules {
            rules: rules
                .rules
                .into_iter()
                .map(|rule| Rule {
                    when: self.condition(&rule.when),
                    aggregation: self.aggregation(rule.aggregation.as_deref()),
                    release: rule.release,
                })
                .collect(),
            default: rules.default,
            seed: rules.seed,
            variants: rules.variants,
            payloads: rules.payloads,
            enrollment: rules.enrollment,
            holdout: rules.holdout,
            aggregation: self.aggregation(rules.aggregation.as_deref()),
        });
        Flag { rules, ..draft.flag }
    }
}

fn assemble(
    draft: ProjectDraft,
    id: ProjectId,
    matchers: Vec<Matcher>,
    order: &[String],
    resolver: &Resolver,
) -> Project {
    let gate = Gate::of(&matchers);
    let person_keys = person_keys(&draft);
    let cohorts = order.iter().map(|key| {
        let cohort = &draft.cohorts[key];
        Cohort {
            key: key.clone(),
            description: cohort.description.clone(),
            id: cohort.id,
            members: resolver.condition(&cohort.members),
            raw: cohort.raw.clone(),
            examples: cohort.examples.clone(),
        }
    });
    Project {
        id,
        name: draft.name,
        token: draft.token,
        team_id: draft.team_id.map(|(team_id, _)| team_id),
        secrets: draft.secrets,
        time_zone: draft.time_zone,
        property_matching: draft.matching,
        cohorts: cohorts.collect(),
        flags: draft.flags.into_values().map(|flag| resolver.flag(flag)).collect(),
        matchers,
        gate,
        person_keys,
        group_types: draft.group_types,
        standing: Standing::default(),
        feed: OnceLock::new(),
    }
}

/// The file of each flag and each cohort.
struct Files {
    flags: BTreeMap<String, String>,
    cohorts: BTreeMap<String, String>,
}

fn files(draft: &ProjectDraft) -> Files {
    let flags = draft.flags.iter().map(|(key, flag)| (key.clone(), flag.file.clone()));
    let cohorts = draft.cohorts.iter().map(|(key, cohort)| (key.clone(), cohort.file.clone()));
    Files { flags: flags.collect(), cohorts: cohorts.collect() }
}

/// One warning for each flag and cohort that can't be evaluated, or not in full.
fn faults(project: &Project, files: &Files) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut warn = |file: &str, what: String, fault: &Fault| {
        let mut problems = Problems::of(file);
        let message = format!("{what} fails where it needs this: {}", fault.message);
        problems.add(Default::default(), message, "change it at PostHog, or write it in YAML");
        found.extend(problems.into_found());
    };
    for cohort in &project.cohorts {
        if let Some(fault) = first_fault(&cohort.members) {
            warn(&files.cohorts[&cohort.key], format!("cohort `{}`", cohort.key), fault);
        }
    }
    for flag in project.flags.iter().filter(|flag| flag.active) {
        let fault = match &flag.rules {
            Ok(rules) => rules.rules.iter().find_map(|rule| first_fault(&rule.when)),
            Err(fault) => Some(fault),
        };
        if let Some(fault) = fault {
            warn(&files.flags[&flag.key], format!("flag `{}`", flag.key), fault);
        }
    }
    found
}

fn first_fault(condition: &Condition) -> Option<&Fault> {
    match condition {
        Condition::Fault(fault) => Some(fault),
        Condition::All(inner) | Condition::Any(inner) => inner.iter().find_map(first_fault),
        Condition::Not(inner) => first_fault(inner),
        Condition::Behaviour(_)
        | Condition::Listed(_)
        | Condition::Person(_)
        | Condition::Group(..)
        | Condition::Flag(..)
        | Condition::Cohort(_) => None,
    }
}
