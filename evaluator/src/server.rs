//! The HTTP server: routes, limits and CORS; what each route says is in its protocol's file.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use schemas::append::Append;
use schemas::lookup::Lookup;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::protocols::{
    capture, cohorts, definitions, explain, flags, forget, health, often, remote_config,
};

const EXPLAIN: &str = "/api/explain";

/// Every route.
pub fn router<L: Lookup, A: Append>(app: App<L, A>) -> Router {
    let check = any(flags::flags::<L, A>);
    let check = check.layer(DefaultBodyLimit::max(flags::BODY_BYTES_MAX));
    let check = check.layer(middleware::from_fn_with_state(app.clone(), often::by_address::<L, A>));
    let capture = post(capture::capture::<L, A>);
    let capture = capture.layer(DefaultBodyLimit::max(capture::BODY_BYTES_MAX));
    let mut sdk = Router::new();
    for path in flags::PATHS {
        sdk = sdk.route(path, check.clone()).route(&format!("{path}/"), check.clone());
    }
    for path in capture::PATHS {
        sdk = sdk.route(path, capture.clone()).route(&format!("{path}/"), capture.clone());
    }
    let forget = post(forget::forget::<L, A>);
    let forget = forget.layer(DefaultBodyLimit::max(forget::BODY_BYTES_MAX));
    let mut operators = Router::new()
        .route(EXPLAIN, get(explain::explain::<L, A>))
        .route(forget::PATH, forget)
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready::<L, A>))
        .route("/metrics", get(health::metrics::<L, A>));
    for path in definitions::PATHS {
        let polled = get(definitions::definitions::<L, A>);
        operators = operators.route(path, polled.clone()).route(&format!("{path}/"), polled);
    }
    for path in [remote_config::PATH.to_owned(), format!("{}/", remote_config::PATH)] {
        operators = operators.route(&path, get(remote_config::remote_config::<L, A>));
    }
    sdk.layer(cors())
        .layer(middleware::from_fn(plain_options))
        .merge(operators)
        .merge(cohorts::routes())
        // Whatever waits here ends sooner by itself: only a slow client is told this.
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, app.request_within))
        .layer(middleware::from_fn_with_state(app.clone(), observe::<L, A>))
        .with_state(app)
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
            HeaderName::from_static("sluice-position"),
            HeaderName::from_static("sluice-stale"),
        ])
}

/// An OPTIONS that isn't a browser's preflight: the CORS layer would answer it as one.
async fn plain_options(request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() != Method::OPTIONS || is_preflight {
        return next.run(request).await;
    }
    let is_flags = route_of(request.uri().path()) == "flags";
    let allow = if is_flags { flags::ALLOW } else { "POST, OPTIONS" };
    (StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response()
}

/// One line and one measurement a request.
async fn observe<L: Lookup, A: Append>(
    State(app): State<App<L, A>>,
    request: Request,
    next: Next,
) -> Response {
    let began = (app.monotonic)();
    let method = request.method().clone();
    let uri = request.uri().clone();
    let response = next.run(request).await;
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
        remote if remote.starts_with("/api/projects/") => "api",
        capture if capture::PATHS.contains(&capture) => "capture",
        _ => "none",
    }
}
