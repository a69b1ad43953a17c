//! Names that only Sluice writes: of its own events, and of what it keeps beside a person's
//! properties. Whoever sends events can't.

/// What they begin with.
pub const PREFIX: &str = "$sluice_";

/// Whether it is such a name.
pub fn is_own(name: &str) -> bool {
    name.starts_with(PREFIX)
}
