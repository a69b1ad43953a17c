//! How private routes are refused: a status, a code, and a sentence that tells the fix.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::definitions::Problem;
use schemas::unknown::Unknown;
use serde_json::json;

use super::refusal::Refusal;

/// Why a private route doesn't answer.
#[derive(Debug)]
pub enum Denied {
    /// As other routes refuse.
    Refused(Refusal),
    /// The project has nothing of this name.
    NotFound(Problem),
    /// A parameter, or the body, isn't what it should be.
    Invalid(String),
    /// What the body defines has mistakes.
    Problems(Vec<Problem>),
    /// A list was left for so long that it can't be gone on with.
    Lapsed,
    /// Others are under way.
    Busy(&'static str),
    /// State can't be read.
    Unreadable(Unknown),
    /// Our own fault.
    Failed,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Denied::Refused(refusal)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Denied::Refused(refusal) => refusal.into_response(),
            Denied::NotFound(problem) => {
                let detail = format!("{} ({})", problem.message, problem.fix);
                told(StatusCode::NOT_FOUND, "not_found", &detail)
            }
            Denied::Invalid(detail) => told(StatusCode::BAD_REQUEST, "invalid", &detail),
            Denied::Problems(problems) => wrong(&problems),
            Denied::Lapsed => told(
                StatusCode::GONE,
                "list_lapsed",
                "The list was left for more than a minute, or is ten minutes old: begin it anew, \
                 without `after`.",
            ),
            Denied::Busy(what) => {
                let detail = format!("{what}: send it again in a moment.");
                later(told(StatusCode::SERVICE_UNAVAILABLE, "busy", &detail))
            }
            Denied::Unreadable(unknown) => {
                let detail = format!("{}.", unknown.description());
                told(StatusCode::SERVICE_UNAVAILABLE, unknown.code(), &detail)
            }
            Denied::Failed => {
                let detail = "This node failed to answer; its log says why.";
                told(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail)
            }
        }
    }
}

fn told(status: StatusCode, code: &str, detail: &str) -> Response {
    (status, Json(json!({ "code": code, "detail": detail }))).into_response()
}

fn wrong(problems: &[Problem]) -> Response {
    let listed: Vec<_> = problems
        .iter()
        .map(|problem| {
            json!({
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "fix": problem.fix,
            })
        })
        .collect();
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    let body = json!({ "code": "invalid", "detail": lines.join("\n"), "problems": listed });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn later(mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
