//! Every condition there is, answered the slow way, and nothing of Sluice imported.
//!
//! The rules, in full:
//! - a window is `(now − W, now]`, and what is stamped ahead of `now` happens now; a range is
//!   `(now − from, now − until]`;
//! - an event counts once, whatever the number of its copies, at the earliest of their times;
//!   of two at one time, the larger id is the newer;
//! - numbers are exact; a number sent as text is that number, other text is none;
//! - nothing has no average, no smallest and no largest, and no comparison holds for it;
//! - an hour, a day and a week are what clocks and calendars on the wall show;
//! - each step of a sequence is strictly later than the one before.

pub mod answer;
pub mod history;
mod periods;
pub mod question;
mod sequence;
