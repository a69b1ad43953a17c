//! Decides flags from facts, and answers over HTTP.
//!
//! Gather, then decide: [`protocols`] parse a request once, one lookup brings the facts, and
//! [`evaluate`] is pure. Neither the log nor the store is known here.

pub mod address;
pub mod app;
pub mod behaviour;
pub mod cohort;
pub mod context;
pub mod decide;
pub mod decision;
pub mod evaluate;
pub mod explain;
mod group;
mod initial;
pub mod limits;
pub mod listener;
pub mod members;
pub mod metrics;
mod needs;
pub mod person;
pub mod places;
pub mod pressure;
pub mod probe;
mod protocols;
pub mod rollout;
pub mod server;
pub mod truth;
mod unkept;
pub mod workers;
