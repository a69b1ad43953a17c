//! Definition files become a [`Catalog`]: analysts' YAML and PostHog's JSON, compiled alike.
//!
//! A project is a folder: `<project>/project.yaml`, `<project>/cohorts/<key>.yaml`,
//! `<project>/flags/<key>.yaml` and, beside them, bodies of PostHog's `GET /flags/definitions` as
//! `<project>/*.json`. All mistakes of all files are reported together, and then nothing changes.

mod behaviours;
mod carried;
mod compile;
mod condition;
mod dates;
mod dependencies;
mod draft;
mod example;
mod import;
mod node;
mod posthog;
mod posthog_behaviour;
mod posthog_cohort;
mod posthog_flag;
mod posthog_leaf;
mod posthog_rules;
mod preview;
mod problem;
mod property;
mod references;
mod retold;
mod yaml;
mod yaml_flag;
mod yaml_values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use draft::{CohortDraft, FlagDraft, ProjectDraft};
pub use import::{Imported, import};
pub use preview::{Preview, no_such_cohort, preview};
use problem::{Place, Problems};
pub use problem::{Problem, suggestion};

use crate::catalog::{Catalog, Project, Registry};
use crate::filter::PropertyMatching;

/// A definition file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Relative to the folder of definitions, with `/`, such as `shop/cohorts/hesitating.yaml`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Definitions that are in order.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// All projects.
    pub catalog: Catalog,
    /// What is odd and doesn't stand in the way.
    pub warnings: Vec<Problem>,
}

/// Compiles all definitions. New projects and matchers get their numbers from `registry`.
///
/// # Errors
/// Every mistake of every file; `registry` is then as it was.
pub fn compile(
    sources: &[Source],
    environment: &dyn Fn(&str) -> Option<String>,
    registry: &mut Registry,
) -> Result<Compiled, Vec<Problem>> {
    let mut found = Vec::new();
    let mut warnings = Vec::new();
    let mut folders: BTreeMap<&str, Vec<(Kind<'_>, &Source)>> = BTreeMap::new();
    for source in sources {
        match classify(&source.path) {
            Ok(Some((project, kind))) => folders.entry(project).or_default().push((kind, source)),
            Ok(None) => {}
            Err(problem) => found.push(problem),
        }
    }
    let mut drafts = Vec::new();
    for (name, files) in folders {
        let mut folder = Folder { name, environment, found: Vec::new(), warnings: Vec::new() };
        drafts.extend(folder.read(&files));
        found.extend(folder.found);
        warnings.extend(folder.warnings);
    }
    found.extend(shared_tokens(&drafts));
    found.extend(shared_teams(&drafts));
    let mut numbered = registry.clone();
    let mut projects: Vec<Project> = Vec::new();
    for draft in drafts {
        match compile::project(draft, &mut numbered) {
            Ok((project, odd)) => {
                projects.push(project);
                warnings.extend(odd);
            }
            Err(problems) => found.extend(problems),
        }
    }
    if found.is_empty() {
        *registry = numbered;
        return Ok(Compiled { catalog: Catalog::new(projects), warnings });
    }
    found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Err(found)
}

/// What a file defines, by its place in the folder.
#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Project,
    Cohort(&'a str),
    Flag(&'a str),
    Posthog,
}

/// The project and kind of a file; none for what isn't a definition, such as a README.
fn classify(path: &str) -> Result<Option<(&str, Kind<'_>)>, Problem> {
    let wrong = |message: &str, fix: String| {
        let mut problems = Problems::of(path);
        problems.add(Place::default(), message, fix);
        Err(problems.into_found().remove(0))
    };
    let parts: Vec<&str> = path.split('/').collect();
    let file = parts.last().copied().unwrap_or_default();
    let is_hidden = parts.iter().any(|part| part.starts_with('.'));
    let (stem, extension) = file.rsplit_once('.').unwrap_or((file, ""));
    if is_hidden || !matches!(extension, "yaml" | "yml" | "json") {
        return Ok(None);
    }
    if extension == "yml" {
        return wrong("definitions end in `.yaml`", format!("rename it to `{stem}.yaml`"));
    }
    match (parts.as_slice(), extension) {
        ([project, "project.yaml"], _) => Ok(Some((project, Kind::Project))),
        ([project, "cohorts", _], "yaml") => Ok(Some((project, Kind::Cohort(stem)))),
        ([project, "flags", _], "yaml") => Ok(Some((project, Kind::Flag(stem)))),
        ([project, _], "json") => Ok(Some((project, Kind::Posthog))),
        ([_, folder, _], "yaml") => {
            let fix = suggestion(folder, ["cohorts", "flags"]);
            wrong(&format!("a project has no folder `{folder}`"), fix)
        }
        (_, "json") => wrong(
            "PostHog's JSON stands in the project's folder",
            "move it to `<project>/`".to_owned(),
        ),
        _ => wrong(
            "no definition stands here",
            "move it to `<project>/cohorts/` or `<project>/flags/`".to_owned(),
        ),
    }
}

/// Reads one project's files.
struct Folder<'a> {
    name: &'a str,
    environment: &'a dyn Fn(&str) -> Option<String>,
    found: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Folder<'a> {
    /// The project as its files describe it; without a good `project.yaml` none.
    fn read(&mut self, files: &[(Kind<'a>, &'a Source)]) -> Option<ProjectDraft> {
        let file = self.project_file(files);
        // New projects compare text, and whoever wants otherwise says so.
        let matching = file.as_ref().and_then(|(_, file)| file.as_ref()?.matching);
        let (mut cohorts, mut flags) = (BTreeMap::new(), BTreeMap::new());
        let mut bodies = Vec::new();
        for (kind, source) in files {
            let text = source.text.as_str();
            let mut problems = Problems::of(&source.path);
            let mut warnings = Problems::of(&source.path);
            match kind {
                Kind::Project => continue,
                Kind::Cohort(key) => {
                    let matching = matching.unwrap_or(PropertyMatching::V2);
                    let cohort = cohort(key, text, matching, (&mut problems, &mut warnings));
                    // What names a broken cohort isn't wrong too.
                    let cohort = cohort.unwrap_or_else(|| CohortDraft::broken(&source.path));
                    cohorts.insert((*key).to_owned(), cohort);
                }
                Kind::Flag(key) => {
                    let matching = matching.unwrap_or(PropertyMatching::V2);
                    let flag = flag(key, text, matching, &mut problems);
                    flags.extend(flag.map(|flag| ((*key).to_owned(), flag)));
                }
                Kind::Posthog => bodies.extend(posthog::body(text, &mut problems, &mut warnings)),
            }
            self.found.extend(problems.into_found());
            self.warnings.extend(warnings.into_found());
        }
        let Some((path, file)) = file else {
            let path = format!("{}/project.yaml", self.name);
            let mut problems = Problems::of(&path);
            let fix = "write it, with `token: phc_...`";
            problems.add(Place::default(), "the project has no such file", fix);
            self.found.extend(problems.into_found());
            return None;
        };
        let matching = matching.or(bodies.first().map(|body| body.matching));
        let matching = matching.unwrap_or(PropertyMatching::V2);
        let mut group_types = BTreeMap::new();
        for body in bodies {
            group_types.extend(body.group_types);
            self.join(&mut cohorts, body.cohorts.into_iter());
            self.join_flags(&mut flags, body.flags);
        }
        let file = file?;
        number_group_types(&mut group_types, &file.group_types);
        Some(ProjectDraft {
            name: self.name.to_owned(),
            token: file.token,
            token_at: (path, file.token_place),
            team_id: file.team_id,
            secrets: file.secrets,
            time_zone: file.time_zone,
            matching,
            cohorts,
            flags,
            group_types,
        })
    }

    /// `project.yaml`, and what it says if that is in order.
    fn project_file(
        &mut self,
        files: &[(Kind<'a>, &'a Source)],
    ) -> Option<(String, Option<yaml::ProjectFile>)> {
        let (_, source) = files.iter().rfind(|(kind, _)| matches!(kind, Kind::Project))?;
        let mut problems = Problems::of(&source.path);
        let read = yaml::project(&source.text, self.environment, &mut problems);
        self.found.extend(problems.into_found());
        Some((source.path.clone(), read))
    }

    fn join(
        &mut self,
        cohorts: &mut BTreeMap<String, CohortDraft>,
        more: impl Iterator<Item = (String, CohortDraft)>,
    ) {
        for (key, cohort) in more {
            if let Some(other) = cohorts.get_mut(&key) {
                if cohort.is_static && other.strict {
                    // YAML says who is in it.
                    other.id = cohort.id;
                    continue;
                }
                let other = &*other;
                self.twice("cohort", &key, &cohort.file, &other.file);
            } else {
                cohorts.insert(key, cohort);
            }
        }
    }

    fn join_flags(&mut self, flags: &mut BTreeMap<String, FlagDraft>, more: Vec<FlagDraft>) {
        for flag in more {
            let key = flag.flag.key.clone();
            if let Some(other) = flags.get(&key) {
                let (file, other) = (flag.file.clone(), other.file.clone());
                self.twice("flag", &key, &file, &other);
            } else {
                flags.insert(key, flag);
            }
        }
    }

    /// A key in two files is a mistake. One that a PostHog body has twice can't be mended here,
    /// so the first counts.
    fn twice(&mut self, what: &str, key: &str, file: &str, other: &str) {
        let mut problems = Problems::of(file);
        let message = format!("{what} `{key}` is defined in `{other}` too");
        problems.add(Place::default(), message, "take one of them away");
        let list = if file == other { &mut self.warnings } else { &mut self.found };
        list.extend(problems.into_found());
    }
}

/// Reads a cohort's file, in Sluice's words or PostHog's.
fn cohort(
    key: &str,
    text: &str,
    matching: PropertyMatching,
    (problems, warnings): (&mut Problems<'_>, &mut Problems<'_>),
) -> Option<CohortDraft> {
    let node = node::parse(text, problems)?;
    match carried::is_alone(&node, "members") {
        true => carried::cohort(key, &node, matching, problems, warnings),
        false => yaml::cohort(&node, problems),
    }
}

/// Reads a flag's file, likewise.
fn flag(
    key: &str,
    text: &str,
    matching: PropertyMatching,
    problems: &mut Problems<'_>,
) -> Option<FlagDraft> {
    let node = node::parse(text, problems)?;
    match carried::is_alone(&node, "rules") {
        true => carried::flag(key, &node, matching, problems),
        false => yaml_flag::flag(key, &node, problems),
    }
}

/// Gives each group type of `project.yaml` that PostHog doesn't have an index of its own.
fn number_group_types(numbered: &mut BTreeMap<String, String>, named: &[String]) {
    for of in named {
        if !numbered.values().any(|known| known == of) {
            let free = (0..).map(|index: usize| index.to_string());
            let index = free.into_iter().find(|index| !numbered.contains_key(index));
            numbered.extend(index.map(|index| (index, of.clone())));
        }
    }
}

/// Two projects with one token can't be told apart.
fn shared_tokens(drafts: &[ProjectDraft]) -> Vec<Problem> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for draft in drafts {
        if let Some(owner) = owners.insert(&draft.token, &draft.name) {
            let (file, place) = &draft.token_at;
            let mut problems = Problems::of(file);
            let message = format!("project `{owner}` has the same token");
            problems.add(*place, message, "give each project a token of its own");
            found.extend(problems.into_found());
        }
    }
    found
}

/// Neither can two projects with one number at PostHog.
fn shared_teams(drafts: &[ProjectDraft]) -> Vec<Problem> {
    let mut owners: BTreeMap<i64, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for draft in drafts {
        let Some((team_id, place)) = draft.team_id else { continue };
        if let Some(owner) = owners.insert(team_id, &draft.name) {
            let mut problems = Problems::of(&draft.token_at.0);
            let message = format!("project `{owner}` has the same `team_id`");
            problems.add(place, message, "give each project the `team_id` it has at PostHog");
            found.extend(problems.into_found());
        }
    }
    found
}
