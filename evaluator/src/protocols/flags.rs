//! `/flags` and `/decide`: what PostHog's SDKs ask; the answer's shapes are in `answer.rs`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::append::Append;
use schemas::catalog::Project;
use schemas::ids::ProjectId;
use schemas::keeping::Kept;
use schemas::lookup::{Facts, Lookup, Position, Sought};
use serde_json::{Map, Value};

use super::answer::{Answer, Endpoint, Shape, config, has_config, minimal};
use super::asked::{context, text_of};
use super::body::{self, Query, decode, not_json};
use super::keep::keep;
use super::lenient::leniently;
use super::often::{by_address, client, warn};
use super::position::{asked_position, asked_wait, tell_facts};
use super::refusal::Refusal;
use super::runtime::runtime;
use crate::app::App;
use crate::context::Context;
use crate::decision::Decision;
use crate::evaluate::evaluate;
use crate::limits::{Admitted, For};
use crate::needs::Needs;
use crate::places::Places;
use crate::unkept::{before_login, unkept};

/// The largest body that is read, compressed or not; PostHog has the same bound.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The methods of `/flags`.
pub const ALLOW: &str = "GET, POST, OPTIONS, HEAD";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The routes, without a slash at the end.
pub const PATHS: [&str; 2] = ["/flags", "/decide"];

/// Answers a request for flags.
pub async fn flags<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    request: Request,
) -> Response {
    match *request.method() {
        Method::POST => {
            let (parts, body) = request.into_parts();
            let admitted = by_address(&app, &parts);
            let answered = match admitted {
                Admitted::No => Err(Refusal::TooOften),
                _ => check(&app, &parts, body).await,
            };
            let mut response = answered.unwrap_or_else(Refusal::into_response);
            warn(&mut response, admitted);
            response
        }
        Method::GET => with_json(StatusCode::OK, minimal().to_string().into_bytes()),
        Method::HEAD => with_json(StatusCode::OK, Vec::new()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, ALLOW)]).into_response(),
    }
}

async fn check<L: Lookup, A: Append>(
    app: &App<L, A>,
    parts: &Parts,
    body: Body,
) -> Result<Response, Refusal> {
    let body = body::read(body, BODY_BYTES_MAX).await?;
    let headers = &parts.headers;
    let query = Query::parse(parts.uri.query());
    let is_old = parts.uri.path().starts_with("/decide");
    let endpoint = if is_old { Endpoint::Decide } else { Endpoint::Flags };
    let (token, project_id, context) = read(app, &query, parts, &body)?;
    // Whoever waits holds no more than that.
    drop(body);
    let admitted = app.limits.project(project_id, For::Flags);
    if admitted == Admitted::No {
        return Err(Refusal::TooOften);
    }
    admit(app, project_id)?;
    let at_least = asked_position(headers)?;
    let wait = asked_wait(headers)?;
    if !at_least.is_empty() && waits(app, &token, &context) {
        app.lookup.reach(&at_least, wait).await;
    }
    // The answer is for now, not for when the request began to wait: definitions too.
    let catalog = app.catalog.load_full();
    let project = catalog.project(&token).ok_or(Refusal::UnknownToken)?;
    let now_ms = (app.clock)();
    let (facts, is_kept) = gather(app, project, &context, &at_least, now_ms).await;
    let decisions = evaluate(project, &context, &facts, now_ms);
    count(app, &decisions);
    let answer = Answer {
        decisions: &decisions,
        unkept: !is_kept,
        request_id: request_id(headers),
        evaluated_at_ms: now_ms,
        shape: Shape::of(endpoint, &query, app.typed_records),
        config: has_config(endpoint, &query).then(|| config(project)),
    };
    let json = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = with_json(StatusCode::OK, json);
    warn(&mut response, admitted);
    tell_facts(response.headers_mut(), &facts);
    Ok(response)
}

/// Turns a request away that has waited too long while there are too many.
fn admit<L, A>(app: &App<L, A>, project_id: ProjectId) -> Result<(), Refusal> {
    let admission = app.pressure.admit(project_id, (app.monotonic)());
    if admission.begins {
        let pressure = Arc::clone(&app.pressure);
        // The worker comes to it once it has come to all that is there now.
        tokio::spawn(async move { pressure.turned() });
    }
    if admission.is_in { Ok(()) } else { Err(Refusal::Overloaded) }
}

/// What is known of whoever is asked about, and whether what has to be remembered of them is.
async fn gather<L: Lookup, A: Append>(
    app: &App<L, A>,
    project: &Project,
    context: &Context,
    at_least: &Position,
    now_ms: i64,
) -> (Facts, bool) {
    let needs = Needs::of(project, context);
    let before = before_login(project, context);
    if !needs.any() && before.is_none() {
        // Nothing that is kept is asked for.
        return (Facts::default(), true);
    }
    let sought = Sought {
        project: project.id,
        distinct_ids: &[context.distinct_id.as_str()],
        groups: &needs.groups(context),
        at_least,
        now_ms,
    };
    let facts = app.lookup.lookup(sought).await;
    let Some(before) = before else { return (facts, true) };
    let flags = unkept(project, &facts);
    if flags.is_empty() {
        return (facts, true);
    }
    let kept = Kept { identifier: before.to_owned(), flags };
    match keep(app, project, context, &kept).await {
        Ok(position) => {
            app.metrics.kept("kept");
            let mut facts = app.lookup.lookup(sought).await;
            // Told, so that whoever sends it back is answered by state that has it.
            for (partition, next) in position {
                let told = facts.position.entry(partition).or_insert(next);
                *told = next.max(*told);
            }
            (facts, true)
        }
        Err(error) => {
            app.metrics.kept("failed");
            tracing::debug!(%error, "what a visitor was given isn't remembered");
            (facts, false)
        }
    }
}

/// Whose flags are asked for, and by whom.
fn read<L, A>(
    app: &App<L, A>,
    query: &Query,
    parts: &Parts,
    body: &Bytes,
) -> Result<(String, ProjectId, Context), Refusal> {
    let text = decode(&parts.headers, query, body, BODY_BYTES_MAX)?;
    let asked: Map<String, Value> =
        leniently(&text, |text| serde_json::from_str(text).map_err(|error| not_json(&error)))?;
    let token = text_of(&asked, &["token", "$token", "api_key"]).ok_or(Refusal::NoToken)?;
    let catalog = app.catalog.load();
    let project = catalog.project(&token).ok_or(Refusal::UnknownToken)?;
    let mut context = context(&asked)?;
    context.runtime = context.runtime.or_else(|| runtime(&parts.headers));
    context.surveys_only = query.surveys_only;
    if let Some(places) = app.places.as_ref().filter(|_| !context.ignores_place)
        && let Some(address) = client(app, parts).filter(|_| Places::are_asked_for(project))
    {
        places.fill(address, &mut context.person_properties);
    }
    Ok((token.into_owned(), project.id, context))
}

/// Whether the request has to wait for the position it asks for: flags that depend on nothing
/// kept are answered at once.
fn waits<L, A>(app: &App<L, A>, token: &str, context: &Context) -> bool {
    app.catalog.load().project(token).is_some_and(|project| Needs::of(project, context).any())
}

fn count<L, A>(app: &App<L, A>, decisions: &[Decision<'_>]) {
    let (mut on, mut failed) = (0, 0);
    for decision in decisions {
        on += u64::from(decision.outcome.enabled());
        if decision.failed() {
            failed += 1;
            app.metrics.failed(decision.reason.code());
        }
    }
    let off = decisions.len() as u64 - on - failed;
    app.metrics.checked([on, off, failed]);
}

fn request_id(headers: &HeaderMap) -> uuid::Uuid {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    given.and_then(|id| id.parse().ok()).unwrap_or_else(uuid::Uuid::new_v4)
}

fn with_json(status: StatusCode, json: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], json).into_response()
}
