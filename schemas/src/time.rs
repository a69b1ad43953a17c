//! Instants and lengths of time as people and SDKs write them.

use std::sync::Arc;

/// The first instant that is taken for an event's time: 2000-01-01T00:00:00Z.
pub const YEAR_2000_MS: i64 = 946_684_800_000;
/// A second, a minute, an hour, a day, in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// See [`SECOND_MS`].
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// See [`SECOND_MS`].
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// See [`SECOND_MS`].
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The longest window, in milliseconds.
pub const WINDOW_MS_MAX: i64 = 400 * DAY_MS;

/// Tells epoch milliseconds; `main` makes the only real one.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
