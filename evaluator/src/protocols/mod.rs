//! What is said over HTTP: one file a protocol; its structs stay in its file.

pub mod access;
pub mod answer;
mod asked;
pub mod body;
pub mod capture;
pub mod capture_v1;
pub mod cohorts;
pub mod cursor;
pub mod definitions;
pub mod denied;
pub mod explain;
pub mod explanation;
pub mod feed;
pub mod fields;
pub mod flags;
pub mod forget;
pub mod health;
mod keep;
mod lenient;
pub mod often;
pub mod position;
pub mod refusal;
pub mod remote_config;
mod runtime;
mod said;
pub mod sent;
pub mod start;
