//! How requests are refused: PostHog's status codes and bodies, so that SDKs react as they do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body can't be read as what it should be; says what is wrong.
    Undecodable(String),
    /// The body is read, and something is missing or wrong in it.
    Invalid(String),
    /// The body, or one event, is larger than is taken.
    TooLarge(String),
    /// The body is of a type or an encoding that isn't taken; says which are.
    Unsupported(String),
    /// No token.
    NoToken,
    /// A token that opens no project.
    UnknownToken,
    /// A personal key where a project's token belongs.
    PersonalKey,
    /// No secret where one is needed.
    NoSecret,
    /// A secret that opens no project.
    WrongSecret,
    /// A secret of another project than the one that is asked for; says which.
    OtherProject(String),
    /// A secret that doesn't open the project of the token.
    NoAccess,
    /// What is asked for isn't there; says what is.
    NotThere(String),
    /// Whoever asks has asked too often.
    TooOften,
    /// More is asked than can be answered in time.
    Overloaded,
    /// The log didn't take the events; nothing of the request may be taken for stored.
    Unavailable(String),
}

impl Refusal {
    /// The metric label.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Undecodable(_) => "undecodable",
            Refusal::Invalid(_) => "invalid",
            Refusal::TooLarge(_) => "too_large",
            Refusal::Unsupported(_) => "unsupported",
            Refusal::NoToken => "no_token",
            Refusal::UnknownToken => "unknown_token",
            Refusal::PersonalKey => "personal_key",
            Refusal::NoSecret => "no_secret",
            Refusal::WrongSecret => "wrong_secret",
            Refusal::OtherProject(_) => "other_project",
            Refusal::NoAccess => "no_access",
            Refusal::NotThere(_) => "not_there",
            Refusal::TooOften => "too_often",
            Refusal::Overloaded => "overloaded",
            Refusal::Unavailable(_) => "unavailable",
        }
    }

    /// What is wrong, in words; none where the code says it all.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Refusal::Undecodable(what)
            | Refusal::Invalid(what)
            | Refusal::TooLarge(what)
            | Refusal::Unsupported(what)
            | Refusal::OtherProject(what)
            | Refusal::NotThere(what)
            | Refusal::Unavailable(what) => Some(what),
            Refusal::NoToken
            | Refusal::UnknownToken
            | Refusal::PersonalKey
            | Refusal::NoSecret
            | Refusal::WrongSecret
            | Refusal::NoAccess
            | Refusal::TooOften
            | Refusal::Overloaded => None,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    code: &'a str,
    detail: &'a str,
    attr: Option<&'a str>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = |status: StatusCode, text: String| (status, text).into_response();
        match self {
            Refusal::Undecodable(what) => text(
                StatusCode::BAD_REQUEST,
                format!(
                    "Failed to decode request: {what}. Please check your request format and try \
                     again."
                ),
            ),
            Refusal::Invalid(what) => text(StatusCode::BAD_REQUEST, what),
            Refusal::TooLarge(what) => text(StatusCode::PAYLOAD_TOO_LARGE, what),
            Refusal::Unsupported(what) => text(StatusCode::UNSUPPORTED_MEDIA_TYPE, what),
            Refusal::NoToken => unauthorized(
                "not_authenticated",
                "No project token was given: send it as \"api_key\" or \"token\", and to capture \
                 v1 as `Authorization: Bearer <token>`.",
            ),
            Refusal::UnknownToken => unauthorized(
                "authentication_failed",
                "The project token opens no project: check it against project.yaml.",
            ),
            Refusal::PersonalKey => unauthorized(
                "authentication_failed",
                "A personal API key was given where the project token belongs.",
            ),
            Refusal::NoSecret => unauthorized(
                "not_authenticated",
                "This route needs a secret of the project's: send it as `Authorization: Bearer \
                 <secret>`.",
            ),
            Refusal::WrongSecret => unauthorized(
                "authentication_failed",
                "The secret opens no project: check it against `secrets` in project.yaml.",
            ),
            Refusal::TooOften => told(
                StatusCode::TOO_MANY_REQUESTS,
                Body {
                    r#type: "validation_error",
                    code: "rate_limit_exceeded",
                    detail: "Rate limit exceeded",
                    attr: None,
                },
            ),
            // Released SDKs ask no second time after this: no storm follows.
            Refusal::Overloaded => {
                let what = "More is asked than can be answered in time: ask again in a moment.";
                let mut response = text(StatusCode::SERVICE_UNAVAILABLE, what.to_owned());
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            Refusal::OtherProject(what) => text(StatusCode::FORBIDDEN, what),
            Refusal::NoAccess => authentication(
                StatusCode::FORBIDDEN,
                "permission_denied",
                "The secret is another project's than the token: send a secret that stands beside \
                 the token in project.yaml.",
            ),
            Refusal::NotThere(what) => text(StatusCode::NOT_FOUND, what),
            Refusal::Unavailable(what) => text(StatusCode::SERVICE_UNAVAILABLE, what),
        }
    }
}

fn unauthorized(code: &str, detail: &str) -> Response {
    authentication(StatusCode::UNAUTHORIZED, code, detail)
}

fn authentication(status: StatusCode, code: &str, detail: &str) -> Response {
    told(status, Body { r#type: "authentication_error", code, detail, attr: None })
}

fn told(status: StatusCode, body: Body<'_>) -> Response {
    let json = serde_json::to_string(&body).unwrap_or_default();
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (status, [kind], json).into_response()
}
