//! Keeping what a visitor was given: when they log in, whom flags took them for goes through the
//! log like everything else, before the request is answered.
//!
//! posthog-js says who the visitor was until it is answered, and never again.

use std::time::Duration;

use schemas::append::{Append, AppendError, Outgoing};
use schemas::catalog::Project;
use schemas::keeping::{EVENT, Kept};
use schemas::lookup::{Lookup, Position};
use serde_json::json;

use super::sent::{key_of, new_uuid};
use crate::app::App;
use crate::context::Context;

/// How long a request for flags waits for the log: flags go on being answered without it.
const KEPT_WITHIN: Duration = Duration::from_secs(1);
/// How long it waits until state has what the log took.
const FOLDED_WITHIN: Duration = Duration::from_millis(100);

/// Has these flags remember that they took the person for who they were `before`. Returns the
/// position from which on state knows.
///
/// # Errors
/// When the log didn't take it in time.
pub async fn keep<L: Lookup, A: Append>(
    app: &App<L, A>,
    project: &Project,
    context: &Context,
    kept: &Kept,
) -> Result<Position, AppendError> {
    let now_ms = (app.clock)();
    let distinct_id = &context.distinct_id;
    let value = json!({
        "uuid": new_uuid(now_ms).to_string(),
        "token": project.token,
        "event": EVENT,
        "distinct_id": distinct_id,
        "timestamp": now_ms,
        "properties": kept,
    });
    let key = key_of(&project.token, distinct_id);
    let record = Outgoing { key, value: value.to_string().into_bytes(), partition: None };
    let appended = tokio::time::timeout(KEPT_WITHIN, app.append.append(vec![record])).await;
    let late = |_| Err(AppendError::Unavailable(format!("it took longer than {KEPT_WITHIN:?}")));
    let position = appended.unwrap_or_else(late)?;
    // Whoever else logs in at the same time may have been first: state tells.
    app.lookup.reach(&position, FOLDED_WITHIN).await;
    Ok(position)
}
