//! What posthog-js fetches when it starts, besides flags: its configuration, and features of
//! PostHog's that Sluice hasn't (`posthog.md` 2.3).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use schemas::append::Append;
use schemas::catalog::Project;
use schemas::lookup::Lookup;
use serde_json::{Value, json};

use super::answer::has_flags;
use super::body::Query;
use super::capture::done;
use super::refusal::Refusal;
use crate::app::App;

/// The files of a token.
pub const FILES: &str = "/array/{token}/{file}";
/// The SDK itself, for pages that load it by a snippet.
pub const SCRIPTS: &str = "/static/{*file}";
/// Where recordings of sessions are sent, without a slash at the end.
pub const RECORDINGS: &str = "/s";
/// Lists that are empty here, without a slash at the end, and what each is a list of.
pub const LISTS: [(&str, &str); 3] = [
    ("/api/surveys", "surveys"),
    ("/api/web_experiments", "experiments"),
    ("/api/product_tours", "product_tours"),
];

/// The configuration of a token's project, as JSON or as the script that sets it.
pub async fn file<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    Path((token, file)): Path<(String, String)>,
) -> Response {
    if !matches!(file.as_str(), "config" | "config.js") {
        return script().await;
    }
    let catalog = app.catalog.load();
    let Some(project) = catalog.project(&token) else {
        return Refusal::UnknownToken.into_response();
    };
    // Whether there are flags may change at any time.
    let fresh = [(header::CACHE_CONTROL, "no-cache")];
    let config = config(project);
    if file == "config" {
        return (fresh, Json(config)).into_response();
    }
    let all = "window._POSTHOG_REMOTE_CONFIG";
    let token = json!(token);
    let script = format!(
        "(function() {{\n  {all} = {all} || {{}};\n  \
         {all}[{token}] = {{ config: {config}, siteApps: [] }};\n}})();\n"
    );
    (fresh, [(header::CONTENT_TYPE, "application/javascript")], script).into_response()
}

/// Scripts are served elsewhere.
pub async fn script() -> Response {
    let what = "Sluice doesn't serve posthog-js itself: install the npm package posthog-js, or \
                load the script from PostHog's assets host, and set api_host to Sluice.";
    Refusal::NotThere(what.to_owned()).into_response()
}

/// A list with nothing in it.
pub async fn list(uri: Uri) -> Json<Value> {
    let path = uri.path().trim_end_matches('/');
    let known = LISTS.iter().find(|(known, _)| *known == path);
    Json(known.map_or_else(|| json!({}), |(_, name)| json!({ *name: [] })))
}

/// Recordings are read and forgotten: an SDK would go on sending what is refused.
pub async fn recording(uri: Uri, _: Bytes) -> Response {
    done(&Query::parse(uri.query()))
}

// `surveys` is left out: told that there are none, posthog-js fetches the script that shows them.
fn config(project: &Project) -> Value {
    json!({
        "token": project.token,
        "supportedCompression": ["gzip", "gzip-js"],
        "hasFeatureFlags": has_flags(project),
        "sessionRecording": false,
        "heatmaps": false,
        "capturePerformance": false,
        // Where it is absent, new visitors' clicks aren't captured.
        "autocapture_opt_out": false,
        "autocaptureExceptions": false,
        "errorTracking": {},
        "elementsChainAsString": true,
        "defaultIdentifiedOnly": true,
        "analytics": { "endpoint": "/i/v0/e/" },
        "toolbarParams": {},
        "isAuthenticated": false,
        "siteApps": [],
        "productTours": false,
        "conversations": false,
    })
}
