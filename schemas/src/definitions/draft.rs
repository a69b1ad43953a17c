//! Definitions as they were read, before cohorts are found and matchers are numbered.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use super::dates::Dates;
use super::problem::Place;
use crate::behaviour::Behaviour;
use crate::example::Example;
use crate::fault::Fault;
use crate::filter::{Filter, PropertyMatching};
use crate::flag::{Flag, FlagAnswer, Holdout, Release, Variant};
use crate::flag_value::FlagValue;
use crate::ids::ProjectId;
use crate::matcher::Take;
use crate::window::{Keep, Kept, Range};

/// A project as its files describe it.
#[derive(Debug)]
pub(super) struct ProjectDraft {
    pub name: String,
    pub token: String,
    /// Where the token stands: file and place.
    pub token_at: (String, Place),
    /// The number at PostHog, and where it stands in the same file.
    pub team_id: Option<(i64, Place)>,
    pub secrets: Vec<String>,
    pub time_zone: jiff::tz::TimeZone,
    pub matching: PropertyMatching,
    pub cohorts: BTreeMap<String, CohortDraft>,
    pub flags: BTreeMap<String, FlagDraft>,
    pub group_types: BTreeMap<String, String>,
}

/// A cohort whose conditions aren't resolved.
#[derive(Debug)]
pub(super) struct CohortDraft {
    pub description: String,
    pub id: Option<i64>,
    pub members: Draft,
    /// As PostHog has it.
    pub raw: Option<Arc<Value>>,
    pub examples: Vec<Example>,
    /// Its file, where a problem can be shown.
    pub file: String,
    /// Whether a mistake in it is a problem of the file, rather than a fault of a flag.
    pub strict: bool,
    /// Whether PostHog knows who is in and doesn't tell: a file of YAML may.
    pub is_static: bool,
}

/// A flag whose conditions aren't resolved.
#[derive(Debug)]
pub(super) struct FlagDraft {
    /// All but its rules.
    pub flag: Flag,
    pub rules: Result<RulesDraft, Fault>,
    pub file: String,
}

/// [`crate::flag::Rules`], not resolved.
#[derive(Debug, Default)]
pub(super) struct RulesDraft {
    pub rules: Vec<RuleDraft>,
    pub default: FlagValue,
    pub seed: Option<String>,
    pub variants: Vec<Variant>,
    pub payloads: BTreeMap<String, String>,
    pub enrollment: bool,
    pub holdout: Option<Holdout>,
    /// Index of the group type, as PostHog has it; people where there is none.
    pub aggregation: Option<String>,
}

/// [`crate::flag::Rule`], not resolved.
#[derive(Debug)]
pub(super) struct RuleDraft {
    pub when: Draft,
    /// As in [`RulesDraft`].
    pub aggregation: Option<String>,
    pub release: Release,
}

/// [`crate::cohort::Condition`], not resolved.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    All(Vec<Draft>),
    Any(Vec<Draft>),
    Not(Box<Draft>),
    Behaviour(Box<Behaviour<MatcherDraft>>),
    /// One of these distinct ids.
    Listed(FxHashSet<String>),
    Person(Filter),
    /// A property of a group.
    Group(GroupType, Filter),
    /// What a flag has to be, by its key, or by its id as text; without an answer to compare with
    /// it never is.
    Flag(String, Option<FlagAnswer>),
    Cohort {
        key: String,
        /// Where it is named, if a missing one is a problem of the file.
        at: Option<Place>,
    },
    Fault(Fault),
}

/// Of what type a group is.
#[derive(Clone, Debug)]
pub(super) enum GroupType {
    /// As PostHog has it: an index as text.
    Index(String),
    /// As YAML has it, and where it is named.
    Named(String, Place),
}

/// A matcher before it has a number, and what one condition needs of it.
#[derive(Clone, Debug)]
pub(super) struct MatcherDraft {
    /// Empty for any event.
    pub event: String,
    pub filters: Vec<Filter>,
    pub dates: Dates,
    pub take: Take,
    pub needs: Kept,
}

impl CohortDraft {
    /// Stands for a cohort whose file can't be read.
    pub fn broken(file: &str) -> CohortDraft {
        CohortDraft {
            description: String::new(),
            id: None,
            members: Draft::nobody(),
            raw: None,
            examples: Vec::new(),
            file: file.to_owned(),
            strict: true,
            is_static: false,
        }
    }
}

impl Draft {
    /// Everybody.
    pub fn everybody() -> Draft {
        Draft::All(Vec::new())
    }

    /// Nobody.
    pub fn nobody() -> Draft {
        Draft::Any(Vec::new())
    }

    /// A condition that can't be evaluated.
    pub fn fault(code: &'static str, message: impl Into<String>) -> Draft {
        Draft::Fault(Fault { code, message: message.into() })
    }

    /// A question about the person's events.
    pub fn asking(behaviour: Behaviour<MatcherDraft>) -> Draft {
        Draft::Behaviour(Box::new(behaviour))
    }

    /// What is asked of each, together.
    pub fn each<T>(of: Vec<T>, asked: impl Fn(T) -> Draft) -> Draft {
        let mut all: Vec<Draft> = of.into_iter().map(asked).collect();
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => only,
            (last, _) => Draft::All(all.into_iter().chain(last).collect()),
        }
    }

    /// This condition, or its opposite.
    pub fn negated_if(self, negated: bool) -> Draft {
        match self {
            draft if !negated => draft,
            // A filter that can't be evaluated is no match either way, which only it knows.
            Draft::Person(filter) => Draft::Person(filter.opposite()),
            Draft::Group(of, filter) => Draft::Group(of, filter.opposite()),
            draft => Draft::Not(Box::new(draft)),
        }
    }

    /// Calls `visit` on this condition and on all inside it.
    pub fn walk<'d>(&'d self, visit: &mut impl FnMut(&'d Draft)) {
        visit(self);
        match self {
            Draft::All(inner) | Draft::Any(inner) => {
                inner.iter().for_each(|draft| draft.walk(visit));
            }
            Draft::Not(inner) => inner.walk(visit),
            _ => {}
        }
    }
}

impl MatcherDraft {
    /// Text that is the same for everything that can share a matcher, and for nothing else.
    /// `zone` is the project's time zone, which dates depend on.
    pub fn canonical(&self, project: ProjectId, zone: &jiff::tz::TimeZone) -> String {
        let mut filters: Vec<String> = self.filters.iter().map(Filter::canonical).collect();
        filters.sort();
        filters.dedup();
        let mut parts = vec![json!(project.0), json!(self.event), json!(filters)];
        // Nothing is said of the newest K, so that matchers keep the numbers they had before
        // there were other ways.
        if self.needs.keep != Keep::Newest {
            parts.push(json!(self.needs.keep));
        }
        match &self.take {
            Take::Nothing => {}
            Take::Value(key) => parts.push(json!(["value", key])),
            Take::Number(key) => parts.push(json!(["number", key])),
            Take::Passes(filter) => parts.push(json!(["passes", filter.canonical()])),
        }
        let passes = match &self.take {
            Take::Passes(filter) => Some(filter),
            _ => None,
        };
        if self.filters.iter().chain(passes).any(Filter::is_of_dates) {
            parts.push(json!(["zone", zone.iana_name()]));
        }
        // What happened before a date can be told apart when it is asked for, and what pushes it
        // out can't.
        let until_ms = self.dates.range(zone).until_ms;
        if until_ms < Range::EVER.until_ms {
            parts.push(json!(["until", until_ms]));
        }
        Value::Array(parts).to_string()
    }
}
