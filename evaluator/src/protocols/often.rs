//! Who asks too often is refused, and who nearly does is warned (`posthog.md` 1.7).

use std::net::{IpAddr, SocketAddr};

use axum::extract::connect_info::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use schemas::catalog::Project;

use super::refusal::Refusal;
use crate::app::App;
use crate::limits::{Admitted, For};

/// Tells that the bucket is nearly empty.
pub const WARNING: HeaderName = HeaderName::from_static("x-posthog-rate-limit-warning");

/// Takes one request from the bucket of its address.
pub fn by_address<L, A>(app: &App<L, A>, request: &Parts) -> Admitted {
    client(app, request).map_or(Admitted::Freely, |address| app.limits.address(address))
}

/// Takes one request for something of a project from the bucket of that.
///
/// # Errors
/// It is empty.
pub fn by_project<L, A>(app: &App<L, A>, project: &Project, what: For) -> Result<(), Refusal> {
    match app.limits.project(project.id, what) {
        Admitted::No => Err(Refusal::TooOften),
        Admitted::Freely | Admitted::Barely => Ok(()),
    }
}

/// The address that a request is from; none where it came over no connection.
pub fn client<L, A>(app: &App<L, A>, request: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(app.trusted_proxies.client(*peer, &request.headers))
}

/// Warns whoever asks, if it is time.
pub fn warn(response: &mut Response, admitted: Admitted) {
    if admitted == Admitted::Barely {
        response.headers_mut().insert(WARNING, HeaderValue::from_static("true"));
    }
}
