//! `/health/live`, `/health/ready` and `/metrics`: what operators and their machines ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::append::Append;
use schemas::lookup::Lookup;
use serde::Serialize;

use crate::app::App;

#[derive(Serialize)]
struct Health {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Alive as long as it answers.
pub async fn live() -> &'static str {
    "alive\n"
}

/// Ready to be asked, or why not.
pub async fn ready<L: Lookup, A: Append>(State(app): State<Arc<App<L, A>>>) -> Response {
    match app.lookup.ready((app.clock)()) {
        Ok(()) => Json(Health { ready: true, reason: None }).into_response(),
        Err(reason) => {
            let health = Json(Health { ready: false, reason: Some(reason) });
            (StatusCode::SERVICE_UNAVAILABLE, health).into_response()
        }
    }
}

/// Everything that is counted, for Prometheus.
pub async fn metrics<L: Lookup, A: Append>(State(app): State<Arc<App<L, A>>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &app.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
