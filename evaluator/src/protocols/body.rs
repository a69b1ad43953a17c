//! Bodies as SDKs send them: JSON, text, gzip by its first bytes, base64, forms.
//!
//! The order of attempts is PostHog's (`posthog.md` 1.4).

use std::borrow::Cow;
use std::error::Error;
use std::iter;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::LengthLimitError;
use percent_encoding::percent_decode;

use super::encoding::gunzip;
use super::refusal::Refusal;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// A larger body takes longer than a millisecond to read: nobody else on the worker waits for that.
const BODY_BYTES_QUICK: usize = 256 * 1024;
/// The same of what isn't plain JSON, and may be compressed.
const PACKED_BYTES_QUICK: usize = 32 * 1024;

/// The query parameters of a request, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// `compression`.
    pub compression: Option<String>,
    /// `v` or `version`.
    pub version: Option<String>,
    /// `token`.
    pub token: Option<String>,
    /// `config`; absent where it is empty or isn't given.
    pub config: Option<bool>,
    /// `only_evaluate_survey_feature_flags`.
    pub surveys_only: bool,
    /// `beacon`.
    pub beacon: bool,
    /// `_`: when the request was sent, in epoch milliseconds.
    pub sent_at_ms: Option<i64>,
}

impl Query {
    /// Reads a raw query; what is empty counts as absent.
    pub fn parse(raw: Option<&str>) -> Self {
        let mut query = Query::default();
        for pair in raw.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(value.as_bytes()).decode_utf8_lossy().into_owned();
            let is_true = matches!(value.as_str(), "1" | "true");
            match name {
                "compression" if !value.is_empty() => query.compression = Some(value),
                "v" | "version" if !value.is_empty() => query.version = Some(value),
                "token" if !value.is_empty() => query.token = Some(value),
                "config" if !value.is_empty() => query.config = Some(is_true),
                "only_evaluate_survey_feature_flags" => query.surveys_only = is_true,
                "_" => query.sent_at_ms = value.parse().ok(),
                "beacon" => query.beacon = is_true,
                _ => {}
            }
        }
        query
    }
}

/// The JSON text of a body.
///
/// # Errors
/// When it can't be had, or would be larger than `bytes_max`.
pub fn decode<'b>(
    headers: &HeaderMap,
    query: &Query,
    body: &'b [u8],
    bytes_max: usize,
) -> Result<Cow<'b, str>, Refusal> {
    let header_text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = header_text(header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" | "text/plain" | "" => {}
        "application/x-www-form-urlencoded" => return form(body),
        other => return Err(undecodable(&format!("unsupported content type {other:?}"))),
    }
    let encoding = header_text(header::CONTENT_ENCODING).unwrap_or_default();
    let compressed = match query.compression.as_deref() {
        Some("gzip" | "gzip-js") => true,
        Some("base64") | None => encoding.contains("gzip") || body.starts_with(GZIP_MAGIC),
        Some(other) => return Err(undecodable(&format!("unsupported compression {other:?}"))),
    };
    let bytes = if compressed { Cow::Owned(gunzip(body, bytes_max)?) } else { Cow::Borrowed(body) };
    let text = match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    };
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    if looks_like_json { Ok(text) } else { base64(text.as_bytes()).map(Cow::Owned) }
}

/// Reads a body of at most so many bytes.
///
/// # Errors
/// When it is longer, or ends early.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    to_bytes(body, bytes_max).await.map_err(|error| match is_too_long(&error) {
        true => Refusal::TooLarge(format!("The body is larger than {bytes_max} bytes.")),
        false => undecodable(&error.to_string()),
    })
}

/// Makes something of a body, on a thread of its own where that takes long.
///
/// # Errors
/// Those of `work`.
pub async fn aside<T: Send + 'static>(
    body: Bytes,
    work: impl FnOnce(Bytes) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let begin = body.trim_ascii_start().first();
    let is_plain = matches!(begin, Some(b'{' | b'['));
    let quick = if is_plain { BODY_BYTES_QUICK } else { PACKED_BYTES_QUICK };
    if body.len() <= quick {
        return work(body);
    }
    let working = tokio::task::spawn_blocking(move || work(body)).await;
    working.unwrap_or_else(|_| Err(Refusal::Unavailable("The body can't be read now.".to_owned())))
}

/// Whether a body couldn't be read because it was longer than may be.
fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |error| (*error).source())
        .any(|cause| cause.is::<LengthLimitError>())
}

/// What serde_json says, as a refusal.
pub fn not_json(error: &serde_json::Error) -> Refusal {
    undecodable(&format!("invalid JSON: {error}"))
}

fn form(body: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    if body.starts_with(GZIP_MAGIC) {
        return Err(undecodable("gzip inside a form"));
    }
    let data = match body.windows(5).position(|bytes| bytes == b"data=") {
        Some(at) => &body[at + 5..],
        None => body,
    };
    let data = data.split(|byte| *byte == b'&').next().unwrap_or_default();
    let text: Cow<'_, [u8]> = percent_decode(data).into();
    let text = String::from_utf8_lossy(&text);
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    if looks_like_json { Ok(Cow::Owned(text.into_owned())) } else { base64(data).map(Cow::Owned) }
}

/// Percent-decodes, strips spaces, pads, and decodes what is left as base64.
fn base64(text: &[u8]) -> Result<String, Refusal> {
    let mut packed: Vec<u8> = percent_decode(text).collect();
    packed.retain(|byte| !byte.is_ascii_whitespace());
    while !packed.len().is_multiple_of(4) {
        packed.push(b'=');
    }
    let bytes = STANDARD.decode(packed).map_err(|_| undecodable("invalid JSON"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn undecodable(what: &str) -> Refusal {
    Refusal::Undecodable(what.to_owned())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_takes_long_to_read_holds_nobody_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let here = thread::current().id();
        for (what, body, is_aside) in [
            ("a usual batch", "[7]".to_owned(), false),
            ("a large one", format!("\n[\"{}\"]", "x".repeat(BODY_BYTES_QUICK)), true),
            ("packed, and perhaps large", "x".repeat(PACKED_BYTES_QUICK + 1), true),
            ("nothing", String::new(), false),
        ] {
            let read_on = aside(body.into(), |_| Ok(thread::current().id()));
            let read_on = runtime.block_on(read_on).expect("it is read");
            assert_eq!(read_on != here, is_aside, "{what}");
        }
    }
}
