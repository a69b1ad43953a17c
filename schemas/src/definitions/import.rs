//! Import: the body of PostHog's `GET /flags/definitions` becomes files of YAML, of which nothing
//! is lost.
//!
//! A cohort that asks of events is told in Sluice's words, where there are words that say the
//! same. What SDKs decide by themselves stays in PostHog's, so that they still can, and so does
//! whatever has no words here.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::draft::{CohortDraft, Draft, FlagDraft};
use super::posthog::Body;
use super::problem::{Place, Problem, Problems};
use super::{Source, carried, node, posthog, retold};
use crate::fault::Fault;
use crate::filter::PropertyMatching;

/// What a body became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The files, relative to the folder of definitions.
    pub files: Vec<Source>,
    /// How many flags.
    pub flags: usize,
    /// How many cohorts.
    pub cohorts: usize,
    /// How many of the cohorts are told in Sluice's words.
    pub retold: usize,
    /// What fails who asks for it, and what has a place that people may not expect: a sentence
    /// each.
    pub notes: Vec<String>,
}

/// Turns a body into the files of a project, whose token PostHog's body doesn't tell.
///
/// # Errors
/// When the text is no such body, or has a flag twice.
pub fn import(text: &str, project: &str, token: &str) -> Result<Imported, Vec<Problem>> {
    let (mut problems, mut warnings) = (Problems::of("posthog.json"), Problems::of("posthog.json"));
    let read = posthog::body(text, &mut problems, &mut warnings);
    let (Some(read), Ok(Value::Object(body))) = (read, serde_json::from_str(text)) else {
        return Err(problems.into_found());
    };
    let mut import = Import {
        project,
        read,
        rest: Map::new(),
        stems: BTreeSet::new(),
        done: Imported::default(),
    };
    let notes =
        warnings.into_found().into_iter().map(|odd| format!("{} ({})", odd.message, odd.fix));
    import.done.notes.extend(notes);
    import.project_file(&body, token);
    for (id, cohort) in body.get("cohorts").and_then(Value::as_object).into_iter().flatten() {
        import.cohort(id, cohort);
    }
    let flags = body.get("flags").and_then(Value::as_array).into_iter().flatten();
    let mut keys = BTreeSet::new();
    for flag in flags {
        let key = flag.get("key").and_then(Value::as_str).unwrap_or_default();
        if !keys.insert(key) {
            let message = format!("the flag `{key}` is there twice");
            problems.add(Place::default(), message, "take one of them away");
        }
        import.flag(key, flag);
    }
    import.rest_file(&body);
    let problems = problems.into_found();
    if problems.is_empty() { Ok(import.done) } else { Err(problems) }
}

struct Import<'a> {
    project: &'a str,
    read: Body,
    /// What no file of YAML can have: flags and cohorts, as the body has them.
    rest: Map<String, Value>,
    /// The names of files there are, in lower case: some disks don't tell the cases apart.
    stems: BTreeSet<String>,
    done: Imported,
}

impl Import<'_> {
    fn project_file(&mut self, body: &Map<String, Value>, token: &str) {
        let mut told = Map::from_iter([("token".to_owned(), json!(token))]);
        let version = match self.read.matching {
            PropertyMatching::V1 => 1,
            PropertyMatching::V2 => 2,
        };
        told.insert("property_matching_version".to_owned(), json!(version));
        let types = &self.read.group_types;
        let in_order: Vec<&String> =
            (0..types.len()).filter_map(|at| types.get(&at.to_string())).collect();
        if in_order.len() == types.len() && !types.is_empty() {
            told.insert("group_types".to_owned(), json!(in_order));
        } else if !types.is_empty() {
            self.rest.insert("group_type_mapping".to_owned(), json!(types));
        }
        let known = ["flags", "cohorts", "group_type_mapping", "property_matching_version"];
        let more = body.iter().filter(|(key, _)| !known.contains(&key.as_str()));
        let more: Map<String, Value> =
            more.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !more.is_empty() {
            told.insert(carried::KEY.to_owned(), Value::Object(more));
        }
        self.write("project.yaml", &Value::Object(told));
    }

    fn cohort(&mut self, id: &str, value: &Value) {
        self.done.cohorts += 1;
        let told = self.read.cohorts.get(id).and_then(|draft| self.retold(draft));
        let faults = self.read.cohorts.get(id).into_iter().flat_map(|draft| faults(&draft.members));
        let faults: Vec<String> = faults.map(|fault| fault.message.clone()).collect();
        self.done.notes.extend(faults.into_iter().map(|why| format!("cohort {id}: {why}")));
        let name = value.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        let mut file = Map::new();
        if let Some(told) = told {
            file.extend(name.map(|name| ("description".to_owned(), json!(name))));
            file.insert("members".to_owned(), told);
            self.done.retold += 1;
        }
        if file.is_empty() || !says_nothing_else(value) {
            file.insert(carried::KEY.to_owned(), value.clone());
        }
        self.file(("cohorts", id), value, file);
    }

    /// The cohort in Sluice's words, if it asks of events and they say the same.
    fn retold(&self, cohort: &CohortDraft) -> Option<Value> {
        let mut asks_of_events = false;
        cohort.members.walk(&mut |draft| asks_of_events |= matches!(draft, Draft::Behaviour(_)));
        if !asks_of_events {
            return None;
        }
        retold::retold(&cohort.members, &self.read.group_types)
    }

    fn flag(&mut self, key: &str, value: &Value) {
        self.done.flags += 1;
        let draft = self.read.flags.iter().find(|draft| draft.flag.key == key);
        let faults: Vec<String> = draft.map(flag_faults).unwrap_or_default();
        self.done.notes.extend(faults.into_iter().map(|why| format!("flag {key}: {why}")));
        let file = Map::from_iter([(carried::KEY.to_owned(), value.clone())]);
        self.file(("flags", key), value, file);
    }

    /// Writes a definition where its key can name a file that is read back as it is, and leaves
    /// it to the rest otherwise.
    fn file(&mut self, (folder, key): (&str, &str), value: &Value, file: Map<String, Value>) {
        let stem = format!("{folder}/{}", key.to_lowercase());
        let (path, file) = (format!("{folder}/{key}.yaml"), Value::Object(file));
        if is_a_file_name(key) && !self.stems.contains(&stem) && self.write(&path, &file) {
            self.stems.insert(stem);
            return;
        }
        let note =
            format!("{folder}/{key}: no file can be named so, or hold it; it is in posthog.json");
        self.done.notes.push(note);
        match folder {
            "flags" => match self.rest.entry("flags").or_insert_with(|| json!([])) {
                Value::Array(flags) => flags.push(value.clone()),
                _ => unreachable!("it is made a list"),
            },
            _ => match self.rest.entry("cohorts").or_insert_with(|| json!({})) {
                Value::Object(cohorts) => drop(cohorts.insert(key.to_owned(), value.clone())),
                _ => unreachable!("it is made a map"),
            },
        }
    }

    /// Adds a file, unless reading it back gives something else.
    fn write(&mut self, path: &str, told: &Value) -> bool {
        let Ok(text) = serde_saphyr::to_string(told) else { return false };
        let path = format!("{}/{path}", self.project);
        let read = node::parse(&text, &mut Problems::of(&path)).map(|node| node.to_json());
        let same = read.as_ref() == Some(told);
        if same {
            self.done.files.push(Source { path, text });
        }
        same
    }

    fn rest_file(&mut self, body: &Map<String, Value>) {
        if self.rest.is_empty() {
            return;
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.entry("flags").or_insert_with(|| json!([]));
        let version = body.get("property_matching_version");
        rest.extend(
            version.map(|version| ("property_matching_version".to_owned(), version.clone())),
        );
        let (path, text) =
            (format!("{}/posthog.json", self.project), Value::Object(rest).to_string());
        self.done.files.push(Source { path, text });
    }
}

fn is_a_file_name(key: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    !key.is_empty() && key.len() <= 200 && !key.starts_with(['.', ' ']) && key.chars().all(is_plain)
}

/// What of a condition can't be evaluated.
fn faults(draft: &Draft) -> Vec<&Fault> {
    let mut faults = Vec::new();
    draft.walk(&mut |draft| {
        if let Draft::Fault(fault) = draft {
            faults.push(fault);
        }
    });
    faults
}

fn flag_faults(flag: &FlagDraft) -> Vec<String> {
    match &flag.rules {
        Err(fault) => vec![fault.message.clone()],
        Ok(rules) => {
            let faults = rules.rules.iter().flat_map(|rule| faults(&rule.when));
            faults.map(|fault| fault.message.clone()).collect()
        }
    }
}

/// Whether all that PostHog says of a cohort is what Sluice's words say.
fn says_nothing_else(cohort: &Value) -> bool {
    const GROUP: [&str; 2] = ["type", "values"];
    const WHOLE: [&str; 3] = ["filters", "name", "id"];
    const LEAF: [&str; 18] = [
        "type",
        "key",
        "value",
        "operator",
        "negation",
        "event_type",
        "event_filters",
        "operator_value",
        "time_value",
        "time_interval",
        "explicit_datetime",
        "explicit_datetime_to",
        "seq_event",
        "seq_event_type",
        "seq_time_value",
        "seq_time_interval",
        "group_type_index",
        "properties",
    ];
    let Value::Object(fields) = cohort else { return true };
    let known: &[&str] = match () {
        () if fields.contains_key("filters") => &WHOLE,
        () if fields.contains_key("values") => &GROUP,
        () => &LEAF,
    };
    let inner = |value: &Value| match value {
        Value::Array(members) => members.iter().all(says_nothing_else),
        other => says_nothing_else(other),
    };
    fields.iter().all(|(key, value)| known.contains(&key.as_str()) && inner(value))
}
