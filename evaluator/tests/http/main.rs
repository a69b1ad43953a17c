//! The router as SDKs and operators see it, over state and a log kept in memory.

mod bodies;
mod capture_v1;
mod captured;
mod checks;
mod decisions;
mod definitions;
mod dependencies;
mod everybody;
mod explained;
mod forget;
mod kept;
mod members;
mod memory;
mod operators;
mod places;
mod positions;
mod posthog;
mod refused;
mod remote_config;
mod rules;
mod shapes;
mod shop;
mod start;
mod usage;
mod values;
