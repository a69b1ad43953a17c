//! Everything that is tested from outside, and the laws that windows keep.
//!
//! - [`harness`] runs the real binary, [`broker`] a real Kafka; [`oracle`] knows the right answer.
//! - [`windows`], [`registers`], [`links`] and [`people`] are laws; [`tidy`], [`conformance`] and
//!   [`definitions`] check what is written.
//! - [`scenarios`], [`faults`], [`kinds`], [`identity`], [`groups`], [`keeping`], [`forget`],
//!   [`edits`], [`explain`], [`hostile`], [`limits`], [`overload`], [`kafka`], [`clickhouse`],
//!   [`losses`], [`members`], [`outages`], [`disk`], [`positions`], [`usage`], [`import`],
//!   [`typed`] and [`sdk`] are stories; [`replay`] kills the binary, again and again.
//! - `image` drives the image, where a container engine answers.
//! - [`agreement`] compares with what SDKs decide for themselves.
#![allow(clippy::disallowed_methods, reason = "a real process is driven in real time")]

mod agreement;
mod broker;
mod clickhouse;
mod client;
mod conformance;
mod definitions;
mod dice;
mod disk;
mod edits;
mod event;
mod explain;
mod faults;
mod forget;
mod groups;
mod harness;
mod hostile;
mod identity;
#[cfg(feature = "image")]
mod image;
mod import;
mod kafka;
mod keeping;
mod kinds;
mod limits;
mod links;
mod losses;
mod members;
mod naive;
mod oracle;
mod outages;
mod overload;
mod people;
mod positions;
mod proof;
mod registers;
mod replay;
mod rule;
mod scenarios;
mod sdk;
mod shop;
mod tidy;
mod tools;
mod traffic;
mod typed;
mod usage;
mod windows;
