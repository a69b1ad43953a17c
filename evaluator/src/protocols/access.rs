//! Who may ask private routes: whoever sends a secret of the project's.

use axum::http::{HeaderMap, header};
use schemas::catalog::{Catalog, Project};
use subtle::{Choice, ConstantTimeEq};

use super::refusal::Refusal;

/// The project that the request's `Authorization: Bearer <secret>` opens.
///
/// All secrets of all projects are compared, each in constant time, so that how long a refusal
/// takes tells nothing of them but their lengths.
///
/// # Errors
/// When there is no such header, or its secret opens no project.
pub fn opened<'c>(catalog: &'c Catalog, headers: &HeaderMap) -> Result<&'c Project, Refusal> {
    let sent = secret(headers)?;
    let mut opened = None;
    for project in catalog.projects() {
        if is_opened(project, sent) {
            opened = Some(project.as_ref());
        }
    }
    opened.ok_or(Refusal::WrongSecret)
}

/// The project that a token names, to whoever has a secret of it.
///
/// # Errors
/// When there is no token or no secret, or one that opens no project, or not this one.
pub fn named<'c>(
    catalog: &'c Catalog,
    token: Option<&str>,
    headers: &HeaderMap,
) -> Result<&'c Project, Refusal> {
    let token = token.ok_or(Refusal::NoToken)?;
    let project = catalog.project(token).ok_or(Refusal::UnknownToken)?;
    checked(catalog, project, headers)
}

/// This project, to whoever has a secret of it.
///
/// # Errors
/// When there is no secret, or one that opens no project, or another.
pub fn checked<'c>(
    catalog: &'c Catalog,
    project: &'c Project,
    headers: &HeaderMap,
) -> Result<&'c Project, Refusal> {
    opened(catalog, headers)?;
    if is_opened(project, secret(headers)?) { Ok(project) } else { Err(Refusal::NoAccess) }
}

fn secret(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let header = headers.get(header::AUTHORIZATION).ok_or(Refusal::NoSecret)?;
    header.as_bytes().strip_prefix(b"Bearer ").ok_or(Refusal::NoSecret)
}

fn is_opened(project: &Project, sent: &[u8]) -> bool {
    let same = |secret: &String| secret.as_bytes().ct_eq(sent);
    project.secrets.iter().fold(Choice::from(0), |any, secret| any | same(secret)).into()
}
