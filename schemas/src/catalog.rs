//! All compiled definitions: immutable, and replaced whole.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::cohort::Cohort;
use crate::feed::Feed;
use crate::filter::PropertyMatching;
use crate::flag::{Flag, FlagIndex};
use crate::gate::Gate;
use crate::ids::{MatcherId, ProjectId};
use crate::links::LINKS_BYTES_MAX;
use crate::matcher::Matcher;
use crate::properties::PROPERTIES_BYTES_MAX;
use crate::sections::{HEADER_BYTES, LINKS_HEADER_BYTES, WINDOW_HEADER_BYTES};
use crate::standing::Standing;
use crate::window::Kept;

/// Every project's definitions.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    projects: Vec<Arc<Project>>,
    by_token: FxHashMap<String, usize>,
    by_team: FxHashMap<i64, usize>,
}

impl Catalog {
    /// A catalog of these projects, whose tokens and teams differ.
    pub fn new(projects: Vec<Project>) -> Self {
        let mut catalog = Catalog::default();
        for (at, project) in projects.into_iter().enumerate() {
            catalog.by_token.insert(project.token.clone(), at);
            catalog.by_team.extend(project.team_id.map(|team_id| (team_id, at)));
            catalog.projects.push(Arc::new(project));
        }
        catalog
    }

    /// The project that this token opens.
    pub fn project(&self, token: &str) -> Option<&Arc<Project>> {
        if let Some(only) = self.only_project() {
            return Some(only).filter(|project| project.token == token);
        }
        self.by_token.get(token).map(|at| &self.projects[*at])
    }

    /// The project that has this number at PostHog.
    pub fn project_of_team(&self, team_id: i64) -> Option<&Arc<Project>> {
        self.by_team.get(&team_id).map(|at| &self.projects[*at])
    }

    /// The project that a record without a token belongs to: the only one.
    pub fn only_project(&self) -> Option<&Arc<Project>> {
        match self.projects.as_slice() {
            [project] => Some(project),
            _ => None,
        }
    }

    /// All of them, by name.
    pub fn projects(&self) -> &[Arc<Project>] {
        &self.projects
    }

    /// How far back the longest window reaches, in milliseconds.
    pub fn horizon_ms(&self) -> i64 {
        let matchers = self.projects.iter().flat_map(|project| &project.matchers);
        matchers.map(|matcher| matcher.kept.horizon_ms).max().unwrap_or(0)
    }
}

/// One tenant.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its number in records and keys.
    pub id: ProjectId,
    /// Its folder's name.
    pub name: String,
    /// What SDKs call the project key.
    pub token: String,
    /// Its number at PostHog, which records of PostHog's pipeline bear.
    pub team_id: Option<i64>,
    /// What opens its private routes.
    pub secrets: Vec<String>,
    /// What days and naive times mean.
    pub time_zone: jiff::tz::TimeZone,
    /// PostHog's version of the rules for `exact`.
    pub property_matching: PropertyMatching,
    /// By key.
    pub flags: Vec<Flag>,
    /// A cohort refers only to cohorts before it.
    pub cohorts: Vec<Cohort>,
    /// What events feed, each once.
    pub matchers: Vec<Matcher>,
    /// Who of `matchers` watches which events: what nobody watches is not parsed.
    pub gate: Gate,
    /// The person properties that its conditions ask for.
    pub person_keys: FxHashSet<String>,
    /// PostHog's group types by index.
    pub group_types: BTreeMap<String, String>,
    /// Flags and cohorts that are decided by earlier definitions for now.
    pub standing: Standing,
    /// What SDKs load, made when it is first asked for: it depends on these definitions alone.
    pub feed: OnceLock<Feed>,
}

impl Project {
    /// The flag of this key, inactive ones included.
    pub fn flag(&self, key: &str) -> Option<&Flag> {
        self.flag_index(key).map(|index| &self.flags[index])
    }

    /// Where the flag of this key stands, inactive ones included.
    pub fn flag_index(&self, key: &str) -> Option<FlagIndex> {
        self.flags.binary_search_by(|flag| flag.key.as_str().cmp(key)).ok()
    }

    /// The most bytes that are kept of one distinct id in one partition, whatever it does.
    pub fn record_bytes_max(&self) -> usize {
        let windows = self.matchers.iter().map(|m| WINDOW_HEADER_BYTES + m.kept.bytes_max());
        let headers = HEADER_BYTES + LINKS_HEADER_BYTES;
        headers + windows.sum::<usize>() + LINKS_BYTES_MAX + PROPERTIES_BYTES_MAX
    }
}

/// The numbers of projects and matchers, kept with the state that bears them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    projects: BTreeMap<String, ProjectId>,
    matchers: BTreeMap<String, Registered>,
    next_matcher: u32,
}

/// A matcher that has a number, with what its windows were kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its number.
    pub id: MatcherId,
    /// How much of its hits.
    #[serde(flatten)]
    pub kept: Kept,
}

impl Registry {
    /// The number of the project of this name.
    pub fn project(&mut self, name: &str) -> ProjectId {
        let next = ProjectId(self.projects.len() as u32);
        *self.projects.entry(name.to_owned()).or_insert(next)
    }

    /// The matcher with this canonical description, which needs what `kept` says. One that was
    /// kept for less gets a new number: its windows have to be filled again.
    pub fn matcher(&mut self, canonical: &str, kept: Kept) -> Registered {
        if let Some(known) = self.matchers.get(canonical)
            && !known.kept.is_too_much()
            && known.kept.k >= kept.k
            && known.kept.horizon_ms >= kept.horizon_ms
        {
            return *known;
        }
        let registered = Registered { id: MatcherId(self.next_matcher), kept };
        self.next_matcher += 1;
        self.matchers.insert(canonical.to_owned(), registered);
        registered
    }

    /// Forgets matchers that no definition uses; their numbers stay used up.
    pub fn retain(&mut self, used: impl Fn(MatcherId) -> bool) {
        self.matchers.retain(|_, registered| used(registered.id));
    }
}
