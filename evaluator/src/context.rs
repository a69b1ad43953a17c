//! What a request asks: parsed once at the edge, whatever the protocol.

use serde_json::{Map, Value};

/// A request for flags.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Who it is about, cut to 200 characters.
    pub distinct_id: String,
    /// What wins over stored person properties.
    pub person_properties: Map<String, Value>,
    /// The only flags that are asked for; all of them where there is none.
    pub flag_keys: Option<Vec<String>>,
    /// Whether no flag is asked for at all.
    pub disable_flags: bool,
}
