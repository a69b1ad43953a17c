//! What the processor, which folds, and the evaluator, which decides, agree on.
//!
//! - [`event`]: a record of the log becomes an [`event::Event`], or a named skip.
//! - [`window`] and [`record`]: what is kept of a person's events, merged without order.
//! - [`person`]: the distinct ids that [`links`] join, found when asked.
//! - [`catalog`]: compiled definitions, made from YAML and PostHog JSON by [`definitions`].
//! - [`lookup`] and [`append`]: the two seams, towards state and towards the log; [`scan`] is the
//!   first's way through everybody.

pub mod append;
pub mod behaviour;
pub mod catalog;
pub mod cohort;
pub mod comparison;
pub mod decimal;
pub mod definitions;
pub mod event;
pub mod example;
pub mod fault;
pub mod feed;
pub mod filter;
pub mod flag;
pub mod flag_value;
pub mod forgetting;
pub mod gate;
pub mod group;
pub mod ids;
pub mod keeping;
pub mod links;
pub mod lookup;
pub mod matcher;
pub mod own;
pub mod person;
pub mod properties;
pub mod record;
pub mod scan;
mod sections;
pub mod standing;
pub mod time;
pub mod unknown;
pub mod usage;
pub mod window;
