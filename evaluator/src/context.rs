//! What a request asks: parsed once at the edge, whatever the protocol.

use std::collections::{BTreeMap, BTreeSet};

use schemas::flag::{Flag, Runtime};
use serde_json::{Map, Value};

/// How the keys of flags that PostHog makes for its surveys begin.
const SURVEY_PREFIX: &str = "survey-targeting-";

/// A request for flags.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Who it is about, cut to 200 characters.
    pub distinct_id: String,
    /// What wins over stored person properties.
    pub person_properties: Map<String, Value>,
    /// The person's groups: type to key.
    pub groups: BTreeMap<String, String>,
    /// What wins over stored properties of groups, by type; each group's own `$group_key` is
    /// among them.
    pub group_properties: BTreeMap<String, Map<String, Value>>,
    /// The device, where flags are bucketed by it.
    pub device_id: Option<String>,
    /// Who the person was before logging in.
    pub anon_distinct_id: Option<String>,
    /// The only flags that are asked for; all of them where there is none.
    pub flag_keys: Option<BTreeSet<String>>,
    /// Whether no flag is asked for at all.
    pub disable_flags: bool,
    /// Whether where the request comes from tells nothing of where the person is.
    pub ignores_place: bool,
    /// Whether only the flags that target PostHog's surveys are asked for.
    pub surveys_only: bool,
    /// Where the request comes from; nothing where that isn't known.
    pub runtime: Option<Runtime>,
    /// The contexts that it asks for; every flag where there is none.
    pub contexts: Vec<String>,
}

impl Context {
    /// Whether the request asks for flags of this kind.
    pub fn asks_for(&self, flag: &Flag) -> bool {
        !self.disable_flags && (!self.surveys_only || flag.key.starts_with(SURVEY_PREFIX))
    }

    /// Whether the flag is for requests of this kind (`posthog.md` 3.6).
    pub fn may_have(&self, flag: &Flag) -> bool {
        let runs = flag.runtime == Runtime::All || Some(flag.runtime) == self.runtime;
        let shared = || flag.contexts.iter().any(|context| self.contexts.contains(context));
        runs && (self.contexts.is_empty() || flag.contexts.is_empty() || shared())
    }
}
