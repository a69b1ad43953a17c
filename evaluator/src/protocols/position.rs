//! `Sluice-Position`: how far state had read, for whoever wants to read what they wrote.

use axum::http::{HeaderMap, HeaderValue};
use schemas::lookup::Position;

/// `partition:next offset`, separated by commas; nothing where no state was asked.
pub fn tell_position(headers: &mut HeaderMap, position: &Position) {
    if position.is_empty() {
        return;
    }
    let parts = position.iter().map(|(partition, next)| format!("{partition}:{next}"));
    let text = parts.collect::<Vec<_>>().join(",");
    if let Ok(text) = HeaderValue::from_str(&text) {
        headers.insert("sluice-position", text);
    }
}
