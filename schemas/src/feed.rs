//! Definitions as PostHog's SDKs load them, to decide flags by themselves.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

/// A body, and a tag that changes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// JSON.
    pub body: Arc<[u8]>,
    /// The same for the same body, on every node.
    pub tag: String,
}

impl Feed {
    /// The feed with this body.
    pub fn of(body: Vec<u8>) -> Self {
        Feed { tag: format!("{:032x}", xxh3_128(&body)), body: body.into() }
    }
}
