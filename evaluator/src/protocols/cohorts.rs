//! `/api/cohorts/…/members` and `…/count`: who is in a cohort, saved or only sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use percent_encoding::percent_decode;
use schemas::append::Append;
use schemas::catalog::{Catalog, Project};
use schemas::definitions::{Preview, no_such_cohort, preview};
use schemas::ids::ProjectId;
use schemas::lookup::{Lookup, Position};
use schemas::scan::{Place, Unheld};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::opened;
use super::cursor::Cursor;
use super::denied::Denied;
use super::position::{asked_position, asked_wait, tell_position, written};
use crate::app::App;
use crate::members::{Found, Limits, Member, Question, Tally, asks_of_groups, count, list};

/// The largest cohort that is read.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How many people a page has, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// How many records one page passes: a cohort that few are in has empty pages rather than slow
/// ones.
const PASSED_MAX: u64 = 200_000;
/// How long one page may take, and one count; then either is to be gone on with.
const PAGE_TIME: Duration = Duration::from_secs(1);
const COUNT_TIME: Duration = Duration::from_secs(5);
/// How many of each are under way at a time.
const PAGES_MAX: usize = 2;
const COUNTS_MAX: usize = 1;

/// The routes.
pub fn routes<L: Lookup, A: Append>() -> Router<Arc<App<L, A>>> {
    let pages = Arc::new(Semaphore::new(PAGES_MAX));
    let counts = Arc::new(Semaphore::new(COUNTS_MAX));
    Router::new()
        .route("/api/cohorts/{key}/members", get(saved::<L, A>))
        .route("/api/cohorts/members", post(sent::<L, A>))
        .layer(Extension(Way { is_count: false, room: pages }))
        .merge(
            Router::new()
                .route("/api/cohorts/{key}/count", get(saved::<L, A>))
                .route("/api/cohorts/count", post(sent::<L, A>))
                .layer(Extension(Way { is_count: true, room: counts })),
        )
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// What is asked for, and room for it.
#[derive(Clone)]
struct Way {
    is_count: bool,
    room: Arc<Semaphore>,
}

/// Of a cohort that the project has.
async fn saved<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    Extension(way): Extension<Way>,
    Path(key): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Denied> {
    answer(&app, way, Asked { uri, headers, whom: Whom::Saved(key) }).await
}

/// Of a cohort that is in the body.
async fn sent<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    Extension(way): Extension<Way>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Denied> {
    // Who asks comes before what is asked.
    opened(&app.catalog.load(), &headers)?;
    let text = String::from_utf8(body.into());
    let text = text.map_err(|_| Denied::Invalid("The body isn't UTF-8.".to_owned()))?;
    answer(&app, way, Asked { uri, headers, whom: Whom::Sent(text) }).await
}

struct Asked {
    uri: Uri,
    headers: HeaderMap,
    whom: Whom,
}

/// Which cohort.
enum Whom {
    Saved(String),
    Sent(String),
}

async fn answer<L: Lookup, A: Append>(
    app: &Arc<App<L, A>>,
    way: Way,
    asked: Asked,
) -> Result<Response, Denied> {
    opened(&app.catalog.load(), &asked.headers)?;
    let at_least = asked_position(&asked.headers)?;
    let wait = asked_wait(&asked.headers)?;
    app.lookup.reach(&at_least, wait).await;
    let catalog = app.catalog.load_full();
    let project = opened(&catalog, &asked.headers)?;
    let cohort = Cohort::find(project, &asked.whom)?;
    let question = cohort.question(project, 0);
    if question.is_some_and(|asked| asks_of_groups(asked.project, asked.members)) {
        let detail = "The cohort asks of groups, which only a request for flags names: its \
                      members can't be listed or counted.";
        return Err(Denied::Invalid(detail.to_owned()));
    }
    let query = Query::parse(asked.uri.query(), &cohort.list)?;
    let room = way.room.try_acquire_owned().map_err(|_| {
        Denied::Busy(if way.is_count { "A count is under way" } else { "Lists are under way" })
    })?;
    let asked_ms = (app.clock)();
    let now_ms = query.after.as_ref().map_or(asked_ms, |cursor| cursor.now_ms);
    app.lookup.hold(now_ms, asked_ms).map_err(|unheld| match unheld {
        Unheld::Lapsed => Denied::Lapsed,
        Unheld::TooMany => Denied::Busy("Too many lists are under way"),
    })?;
    let work = Work {
        app: Arc::clone(app),
        project: project.id,
        catalog: Arc::clone(&catalog),
        cohort,
        at_least,
        after: query.after.map_or_else(Place::default, |cursor| cursor.after),
        limit: (!way.is_count).then_some(query.limit),
        now_ms,
        asked_ms,
        _room: room,
    };
    tokio::task::spawn_blocking(move || work.run()).await.unwrap_or(Err(Denied::Failed))
}

/// A cohort that was found, or compiled.
struct Cohort {
    /// Its key, and the project that decides it; none where it was sent.
    key: Option<String>,
    decided: Option<Arc<Project>>,
    sent: Option<Preview>,
    /// What a cursor is for.
    list: String,
}

impl Cohort {
    fn find(project: &Project, whom: &Whom) -> Result<Cohort, Denied> {
        match whom {
            Whom::Saved(key) => {
                if !project.cohorts.iter().any(|cohort| cohort.key == *key) {
                    return Err(Denied::NotFound(no_such_cohort(project, key)));
                }
                Ok(Cohort {
                    key: Some(key.clone()),
                    decided: project.standing.cohorts.get(key).map(Arc::clone),
                    sent: None,
                    list: format!("{}/{key}", project.id.0),
                })
            }
            Whom::Sent(text) => Ok(Cohort {
                key: None,
                decided: None,
                sent: Some(preview(project, text).map_err(Denied::Problems)?),
                list: format!("{}\n{text}", project.id.0),
            }),
        }
    }

    /// What is asked of everybody.
    fn question<'a>(&'a self, project: &'a Project, now_ms: i64) -> Option<Question<'a>> {
        let project = self.decided.as_deref().unwrap_or(project);
        let members = match &self.sent {
            Some(preview) => &preview.members,
            None => {
                let mut cohorts = project.cohorts.iter();
                &cohorts.find(|cohort| Some(&cohort.key) == self.key.as_ref())?.members
            }
        };
        Some(Question { project, members, now_ms })
    }
}

/// What the request says behind its `?`.
struct Query {
    limit: usize,
    after: Option<Cursor>,
}

impl Query {
    fn parse(raw: Option<&str>, list: &str) -> Result<Query, Denied> {
        let mut query = Query { limit: LIMIT_DEFAULT, after: None };
        for pair in raw.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(value.as_bytes()).decode_utf8_lossy();
            match name {
                "limit" => {
                    let limit = value.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
                    query.limit = limit.ok_or_else(|| {
                        Denied::Invalid(format!(
                            "`limit` has to be a whole number from 1 to {LIMIT_MAX}."
                        ))
                    })?;
                }
                "after" if !value.is_empty() => {
                    let cursor = Cursor::read(&value, list);
                    query.after = Some(cursor.ok_or_else(|| {
                        let detail = "The cursor is damaged, or is another list's: send `next` of \
                                      the page before as `after`, as it is.";
                        Denied::Invalid(detail.to_owned())
                    })?);
                }
                _ => {}
            }
        }
        Ok(query)
    }
}

/// One way through people, on a thread of its own.
struct Work<L, A> {
    app: Arc<App<L, A>>,
    catalog: Arc<Catalog>,
    project: ProjectId,
    cohort: Cohort,
    at_least: Position,
    after: Place,
    /// How many to list; none where they are counted.
    limit: Option<usize>,
    now_ms: i64,
    asked_ms: i64,
    /// Held while it runs, whether anyone still waits for the answer or not.
    _room: OwnedSemaphorePermit,
}

impl<L: Lookup, A: Append> Work<L, A> {
    fn run(self) -> Result<Response, Denied> {
        let mut projects = self.catalog.projects().iter();
        let project = projects.find(|project| project.id == self.project).ok_or(Denied::Failed)?;
        let question = self.cohort.question(project, self.now_ms).ok_or(Denied::Failed)?;
        let monotonic = &*self.app.monotonic;
        let time = if self.limit.is_some() { PAGE_TIME } else { COUNT_TIME };
        let limits = Limits {
            after: &self.after,
            at_least: &self.at_least,
            asked_ms: self.asked_ms,
            passed_max: if self.limit.is_some() { PASSED_MAX } else { u64::MAX },
            monotonic,
            ends: monotonic() + time,
        };
        let before = self.app.lookup.position();
        let lookup = &*self.app.lookup;
        let found = match self.limit {
            Some(limit) => list(lookup, question, limits, limit),
            None => count(lookup, question, limits),
        };
        let found = found.map_err(Denied::Unreadable)?;
        let mut response = Json(self.told(project, &before, &found)).into_response();
        tell_position(response.headers_mut(), &before);
        Ok(response)
    }

    fn told<'a>(&'a self, project: &'a Project, before: &Position, found: &'a Found) -> Told<'a> {
        let Tally { count, unknown, scanned } = &found.tally;
        let next = found.next.clone().map(|after| Cursor { now_ms: self.now_ms, after });
        Told {
            project: &project.name,
            cohort: self.cohort.key.as_deref(),
            now: self.now_ms,
            position_before: written(before),
            position_after: written(&self.app.lookup.position()),
            members: self.limit.map(|_| found.members.iter().map(ToldMember::of).collect()),
            count: *count,
            unknown: unknown.values().sum(),
            unknown_reasons: unknown,
            scanned: *scanned,
            not_kept: self.cohort.sent.as_ref().map(|preview| preview.not_kept.as_slice()),
            next: next.map(|cursor| cursor.written(&self.cohort.list)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    project: &'a str,
    cohort: Option<&'a str>,
    now: i64,
    position_before: String,
    position_after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<ToldMember<'a>>>,
    count: u64,
    unknown: u64,
    unknown_reasons: &'a BTreeMap<&'static str, u64>,
    scanned: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_kept: Option<&'a [String]>,
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldMember<'a> {
    distinct_id: &'a str,
    distinct_ids: &'a [String],
}

impl<'a> ToldMember<'a> {
    fn of(member: &'a Member) -> Self {
        ToldMember { distinct_id: &member.distinct_id, distinct_ids: &member.distinct_ids }
    }
}
