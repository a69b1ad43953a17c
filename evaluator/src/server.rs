//! The HTTP server: routes, limits and CORS; what each route says is in its protocol's file.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use prometheus_client::registry::Registry;
use schemas::append::Append;
use schemas::catalog::Catalog;
use schemas::lookup::Lookup;
use schemas::time::Clock;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::metrics::Metrics;
use crate::protocols::{body, capture, flags, health};

/// What routes need.
pub struct App<L, A> {
    /// The definitions in use.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// Where facts come from.
    pub lookup: Arc<L>,
    /// Where events go.
    pub append: Arc<A>,
    /// Tells now.
    pub clock: Clock,
    /// Tells how long the process has run; only measurements depend on it.
    pub monotonic: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Everything that is counted in the process.
    pub registry: Arc<Registry>,
}

impl<L, A> Clone for App<L, A> {
    fn clone(&self) -> Self {
        App {
            catalog: Arc::clone(&self.catalog),
            lookup: Arc::clone(&self.lookup),
            append: Arc::clone(&self.append),
            clock: Arc::clone(&self.clock),
            monotonic: Arc::clone(&self.monotonic),
            metrics: Arc::clone(&self.metrics),
            registry: Arc::clone(&self.registry),
        }
    }
}

/// Every route.
pub fn router<L: Lookup, A: Append>(app: App<L, A>) -> Router {
    let mut sdk = Router::new();
    for path in ["/flags", "/flags/"] {
        sdk = sdk.route(path, any(flags::flags::<L, A>));
    }
    for path in capture::PATHS {
        let capture = post(capture::capture::<L, A>);
        sdk = sdk.route(path, capture.clone()).route(&format!("{path}/"), capture);
    }
    let operators = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready::<L, A>))
        .route("/metrics", get(health::metrics::<L, A>));
    sdk.layer(cors())
        .merge(operators)
        .layer(DefaultBodyLimit::max(body::BODY_BYTES_MAX))
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
            HeaderName::from_static("x-posthog-rate-limit-warning"),
            HeaderName::from_static("sluice-position"),
            HeaderName::from_static("sluice-stale"),
        ])
}

/// One line and one measurement a request.
async fn observe<L: Lookup, A: Append>(
    State(app): State<App<L, A>>,
    request: Request,
    next: Next,
) -> Response {
    let began = (app.monotonic)();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let took = (app.monotonic)().saturating_sub(began);
    let status = response.status();
    let route = if status == StatusCode::NOT_FOUND { "none" } else { route_of(&path) };
    app.metrics.answered(route, status.as_u16(), took);
    tracing::info!(%method, path, status = status.as_u16(), took_us = took.as_micros(), "request");
    response
}

/// A bounded set of names: paths come from outside.
fn route_of(path: &str) -> &'static str {
    match path.trim_end_matches('/') {
        "/flags" => "flags",
        "/health/live" | "/health/ready" => "health",
        "/metrics" => "metrics",
        capture if capture::PATHS.contains(&capture) => "capture",
        _ => "none",
    }
}
