//! `sluice explain`: asks a running node why somebody gets what they get.

mod page;

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

/// How long the node may take: longer than it waits for a position.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked, and of which node.
#[derive(Debug)]
pub struct Ask {
    /// Where the node answers, such as `http://127.0.0.1:7070`.
    pub url: String,
    /// A secret of the project's.
    pub secret: String,
    /// `flag`, `distinct_id` and the like, as the node takes them.
    pub parameters: Vec<(&'static str, String)>,
    /// Whether the answer is told as it is.
    pub json: bool,
}

/// The node's answer: JSON, or a page to read.
///
/// # Errors
/// Nobody answers, or the node refuses; then its own sentence says why.
pub fn told(ask: &Ask) -> anyhow::Result<String> {
    let url = ask.url.trim_end_matches('/');
    anyhow::ensure!(url.starts_with("http://"), "--url {url}: it has to begin with http://");
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    let request = agent
        .get(format!("{url}/api/explain"))
        .header("authorization", format!("Bearer {}", ask.secret));
    let named = ask.parameters.iter();
    let request = named.fold(request, |request, (name, value)| request.query(name, value));
    let mut answer = request.call().with_context(|| {
        format!("no node answers at {url}; start one, or give another address with --url")
    })?;
    let text = answer.body_mut().read_to_string()?;
    if answer.status() != 200 {
        anyhow::bail!("{}", refusal(answer.status().as_u16(), &text));
    }
    if ask.json {
        return Ok(text);
    }
    let explained: Value = serde_json::from_str(&text).context("the answer is no JSON")?;
    Ok(page::page(&explained))
}

fn refusal(status: u16, text: &str) -> String {
    let detail = serde_json::from_str(text).ok();
    let detail = detail.and_then(|body: Value| Some(body["detail"].as_str()?.to_owned()));
    match detail {
        Some(detail) if status == 401 => {
            format!("{detail} On the command line: --secret, or SLUICE_SECRET.")
        }
        _ if text.is_empty() => format!("the node answers with status {status}"),
        _ => text.to_owned(),
    }
}
