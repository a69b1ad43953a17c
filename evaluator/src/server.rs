//! The HTTP server: routes, limits and CORS; what each route says is in its protocol's file.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use schemas::append::Append;
use schemas::lookup::Lookup;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::protocols::{
    capture, capture_v1, cohorts, definitions, explain, flags, forget, health, often,
    remote_config, start, usage,
};

const EXPLAIN: &str = "/api/explain";

/// Every route.
pub fn router<L: Lookup, A: Append>(app: Arc<App<L, A>>) -> Router {
    sdk()
        .layer(cors())
        .merge(private())
        .merge(cohorts::routes())
        // Whatever waits here ends sooner by itself: only a slow client is told this.
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, app.request_within))
        .layer(middleware::from_fn_with_state(app.clone(), observe::<L, A>))
        .with_state(app)
}

/// What SDKs ask with a project's token, from browsers too.
fn sdk<L: Lookup, A: Append>() -> Router<Arc<App<L, A>>> {
    let check = any(flags::flags::<L, A>);
    let large = DefaultBodyLimit::max(capture::BODY_BYTES_MAX);
    let capture = post(capture::capture::<L, A>).layer(large);
    let mut router = Router::new()
        .route(start::FILES, get(start::file::<L, A>))
        .route(start::SCRIPTS, get(start::script));
    for path in flags::PATHS {
        router = both(router, path, &check);
    }
    for path in capture::PATHS {
        router = both(router, path, &capture);
    }
    for (path, _) in start::LISTS {
        router = both(router, path, &get(start::list));
    }
    let router = both(router, capture_v1::PATH, &post(capture_v1::capture::<L, A>));
    both(router, start::RECORDINGS, &post(start::recording).layer(large))
}

/// What operators, and servers that have a project's secret, ask.
fn private<L: Lookup, A: Append>() -> Router<Arc<App<L, A>>> {
    let forget = post(forget::forget::<L, A>);
    let forget = forget.layer(DefaultBodyLimit::max(forget::BODY_BYTES_MAX));
    let mut router = Router::new()
        .route(EXPLAIN, get(explain::explain::<L, A>))
        .route(forget::PATH, forget)
        .route(usage::PATH, get(usage::usage::<L, A>))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready::<L, A>))
        .route("/metrics", get(health::metrics::<L, A>));
    for path in definitions::PATHS {
        router = both(router, path, &get(definitions::definitions::<L, A>));
    }
    both(router, remote_config::PATH, &get(remote_config::remote_config::<L, A>))
}

/// SDKs put a slash at the end or don't.
fn both<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    path: &str,
    answer: &MethodRouter<S>,
) -> Router<S> {
    router.route(path, answer.clone()).route(&format!("{path}/"), answer.clone())
}

/// Browsers may ask from anywhere: origin and headers are mirrored, as PostHog's capture does.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        .allow_credentials(true)
        .expose_headers([
            often::WARNING,
            capture_v1::REQUEST_ID,
            HeaderName::from_static("sluice-position"),
            HeaderName::from_static("sluice-stale"),
        ])
}

/// The answer to an OPTIONS that isn't a browser's preflight: the CORS layer would take it for one.
fn plain_options(request: &Request) -> Option<Response> {
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() != Method::OPTIONS || is_preflight {
        return None;
    }
    let allow = match route_of(request.uri().path()) {
        "flags" => flags::ALLOW,
        "capture" => "POST, OPTIONS",
        "start" => "GET, OPTIONS, HEAD",
        _ => return None,
    };
    Some((StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response())
}

/// One line and one measurement a request.
async fn observe<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    request: Request,
    next: Next,
) -> Response {
    let began = (app.monotonic)();
    let method = request.method().clone();
    let uri = request.uri().clone();
    let response = match plain_options(&request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    let took = (app.monotonic)().saturating_sub(began);
    let status = response.status();
    // What isn't found is the path, but where keys of definitions are asked for.
    let route = match route_of(uri.path()) {
        "api" => "api",
        _ if status == StatusCode::NOT_FOUND => "none",
        route => route,
    };
    app.metrics.answered(route, status.as_u16(), took);
    // Metrics count them all; a line each would cost as much as a check.
    let path = uri.path();
    tracing::debug!(%method, path, status = status.as_u16(), took_us = took.as_micros(), "request");
    response
}

/// A bounded set of names: paths come from outside.
fn route_of(path: &str) -> &'static str {
    match path.trim_end_matches('/') {
        _ if path == EXPLAIN => "api",
        flags if flags::PATHS.contains(&flags) => "flags",
        definitions if definitions::PATHS.contains(&definitions) => "definitions",
        "/health/live" | "/health/ready" => "health",
        "/metrics" => "metrics",
        cohorts if cohorts.starts_with("/api/cohorts/") => "api",
        forget::PATH => "forget",
        flag if flag.starts_with("/api/flags/") => "api",
        remote if remote.starts_with("/api/projects/") => "api",
        capture if capture::PATHS.contains(&capture) => "capture",
        start::RECORDINGS | capture_v1::PATH => "capture",
        list if start::LISTS.iter().any(|(path, _)| *path == list) => "start",
        file if file.starts_with("/array/") => "start",
        _ => "none",
    }
}
