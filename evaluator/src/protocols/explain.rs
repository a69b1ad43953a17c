//! `/api/explain`: why somebody gets what they get; the answer's shape is in `explanation.rs`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use schemas::append::Append;
use schemas::catalog::Project;
use schemas::definitions::suggestion;
use schemas::group::Group;
use schemas::ids::cut_distinct_id;
use schemas::lookup::{Lookup, Sought};
use serde_json::{Map, Value};

use super::access::opened;
use super::asked::groups;
use super::explanation::{About, answer};
use super::position::{asked_position, asked_wait, tell_facts};
use super::refusal::Refusal;
use crate::app::App;
use crate::context::Context;
use crate::explain::{Question, cohort, flag};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PARAMETERS: [&str; 6] =
    ["project", "flag", "cohort", "distinct_id", "person_properties", "groups"];

/// Explains a flag or a cohort of one person.
pub async fn explain<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match ask(&app, &uri, headers).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn ask<L: Lookup, A: Append>(
    app: &App<L, A>,
    uri: &Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    opened(&app.catalog.load(), &headers)?;
    let Asked { project: named, about, context } = read(uri.query().unwrap_or_default())?;
    let at_least = asked_position(&headers)?;
    let wait = asked_wait(&headers)?;
    app.lookup.reach(&at_least, wait).await;
    // The answer is for now, not for when the request began to wait: definitions too.
    let catalog = app.catalog.load_full();
    let project = opened(&catalog, &headers)?;
    if let Some(named) = named.filter(|named| *named != project.name) {
        return Err(Refusal::OtherProject(format!(
            "The secret opens the project {:?}, and {named:?} is asked for: send a secret of that \
             one, or leave `project` out.",
            project.name
        )));
    }
    let now_ms = (app.clock)();
    let distinct_ids = &[context.distinct_id.as_str()];
    let named = context.groups.iter();
    let groups: Vec<Group<'_>> = named.filter_map(|(of, key)| Group::named(of, key)).collect();
    let (id, groups) = (project.id, groups.as_slice());
    let sought = Sought { project: id, distinct_ids, groups, at_least: &at_least, now_ms };
    let facts = app.lookup.lookup(sought).await;
    // Until when the answer holds may take a thousand decisions: not where others wait.
    let explained = tokio::task::spawn_blocking(move || {
        let project = opened(&catalog, &headers)?;
        let question = Question { project, context: &context, facts: &facts, now_ms };
        let explained = match &about {
            About::Flag(key) => flag(question, key),
            About::Cohort(key) => cohort(question, key),
        };
        let explained = explained.ok_or_else(|| not_there(project, &about))?;
        Ok((answer(&about, question, &explained).to_string(), facts))
    });
    let gone = |_| Err(Refusal::Unavailable("the node is stopping".to_owned()));
    let (json, facts) = explained.await.unwrap_or_else(gone)?;
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, JSON)], json).into_response();
    tell_facts(response.headers_mut(), &facts);
    Ok(response)
}

/// What a query asks.
struct Asked {
    project: Option<String>,
    about: About,
    context: Context,
}

/// Reads a query. A `+` is one, as in an address of e-mail; a blank is `%20`.
fn read(query: &str) -> Result<Asked, Refusal> {
    let invalid = |what: String| Refusal::Invalid(what);
    let mut given: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !PARAMETERS.contains(&name) {
            let fix = suggestion(name, PARAMETERS);
            return Err(invalid(format!("The parameter {name:?} is unknown: {fix}")));
        }
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        if given.insert(name.to_owned(), value.into()).is_some() {
            return Err(invalid(format!("The parameter {name:?} is given twice: keep one.")));
        }
    }
    let mut take = |name: &str| match given.swap_remove(name) {
        Some(Value::String(value)) if !value.is_empty() => Some(value),
        _ => None,
    };
    let about = match (take("flag"), take("cohort")) {
        (Some(key), None) => About::Flag(key),
        (None, Some(key)) => About::Cohort(key),
        (None, None) => {
            return Err(invalid(
                "Neither a flag nor a cohort is given: send `flag=<key>` or `cohort=<key>`."
                    .to_owned(),
            ));
        }
        _ => return Err(invalid("Both a flag and a cohort are given: send one.".to_owned())),
    };
    let distinct_id = take("distinct_id").ok_or_else(|| {
        invalid("The parameter distinct_id is missing: send `distinct_id=<id>`.".to_owned())
    })?;
    let mut object = |name: &str| -> Result<Map<String, Value>, Refusal> {
        let Some(json) = take(name) else { return Ok(Map::new()) };
        let bad = |error| invalid(format!("The parameter {name} is no JSON object: {error}"));
        serde_json::from_str(&json).map_err(bad)
    };
    let person_properties = object("person_properties")?;
    let named = Map::from_iter([("groups".to_owned(), object("groups")?.into())]);
    let (groups, group_properties) = groups(&named)?;
    let flag_keys = match &about {
        About::Flag(key) => Some([key.clone()].into()),
        About::Cohort(_) => None,
    };
    let context = Context {
        distinct_id: cut_distinct_id(&distinct_id).to_owned(),
        person_properties,
        groups,
        group_properties,
        flag_keys,
        ..Context::default()
    };
    Ok(Asked { project: take("project"), about, context })
}

/// Says what there is instead.
fn not_there(project: &Project, about: &About) -> Refusal {
    let name = &project.name;
    Refusal::NotThere(match about {
        About::Flag(key) if project.flags.iter().any(|flag| flag.key == *key) => {
            format!("The flag {key:?} of {name:?} is inactive: it is left out of every answer.")
        }
        About::Flag(key) => {
            let fix = suggestion(key, project.flags.iter().map(|flag| flag.key.as_str()));
            format!("The project {name:?} has no flag {key:?}: {fix}")
        }
        About::Cohort(key) => {
            let fix = suggestion(key, project.cohorts.iter().map(|cohort| cohort.key.as_str()));
            format!("The project {name:?} has no cohort {key:?}: {fix}")
        }
    })
}
