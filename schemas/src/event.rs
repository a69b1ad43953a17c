//! An event as the log has it.
