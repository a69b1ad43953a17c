//! Who asks too often is refused, and who nearly does is warned (`posthog.md` 1.7).

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;

use super::refusal::Refusal;
use crate::app::App;
use crate::limits::Admitted;

/// Tells that the bucket is nearly empty.
pub const WARNING: HeaderName = HeaderName::from_static("x-posthog-rate-limit-warning");

/// Takes one request from the bucket of its address.
pub async fn by_address<L, A>(
    State(app): State<App<L, A>>,
    request: Request,
    next: Next,
) -> Response
where
    App<L, A>: Send + Sync,
{
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let admitted = match peer {
        Some(ConnectInfo(peer)) if request.method() == Method::POST => {
            app.limits.address(app.trusted_proxies.client(*peer, request.headers()))
        }
        _ => Admitted::Freely,
    };
    if admitted == Admitted::No {
        return Refusal::TooOften.into_response();
    }
    let mut response = next.run(request).await;
    warn(&mut response, admitted);
    response
}

/// Warns whoever asks, if it is time.
pub fn warn(response: &mut Response, admitted: Admitted) {
    if admitted == Admitted::Barely {
        response.headers_mut().insert(WARNING, HeaderValue::from_static("true"));
    }
}
