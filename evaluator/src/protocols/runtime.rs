//! Where a request that doesn't say so comes from: a browser or an app, or a server
//! (`posthog.md` 3.6).

use axum::http::{HeaderMap, header};
use schemas::flag::Runtime;

const BROWSERS: [&str; 5] = ["Mozilla/", "Chrome/", "Safari/", "Firefox/", "Edge/"];
const APPS: [&str; 4] = ["android", "ios", "react-native", "flutter"];
const SERVERS: [&str; 8] = ["python", "ruby", "php", "java", "go", "node", "dotnet", "elixir"];
const TOOLS: [&str; 2] = ["python-requests/", "curl/"];
/// What browsers send, whatever they call themselves.
const BROWSER_HEADERS: [&str; 4] = ["origin", "referer", "sec-fetch-mode", "sec-fetch-site"];

/// The runtime that the headers tell; none where they tell nothing.
pub fn runtime(headers: &HeaderMap) -> Option<Runtime> {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let is_browser = || BROWSER_HEADERS.iter().any(|name| headers.contains_key(*name));
    agent.and_then(of_agent).or_else(|| is_browser().then_some(Runtime::Client))
}

fn of_agent(agent: &str) -> Option<Runtime> {
    if let Some(sdk) = agent.strip_prefix("posthog-") {
        let (name, version) = sdk.split_once('/')?;
        return match name {
            _ if version.trim().is_empty() => None,
            name if SERVERS.contains(&name) => Some(Runtime::Server),
            name if APPS.contains(&name) => Some(Runtime::Client),
            _ => None,
        };
    }
    let names = |any: &[&str]| any.iter().any(|name| agent.contains(name));
    if names(&BROWSERS) {
        return Some(Runtime::Client);
    }
    names(&TOOLS).then_some(Runtime::Server)
}
