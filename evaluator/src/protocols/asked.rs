//! What a request for flags asks: the fields of its body, under all their names
//! (`posthog.md` 1.3).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemas::flag::Runtime;
use schemas::ids::cut_distinct_id;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::context::Context;

/// Parses what is asked; unknown keys are left alone, and a known one of a wrong type is
/// refused rather than taken for absent.
pub fn context(asked: &Map<String, Value>) -> Result<Context, Refusal> {
    let distinct_id = text_of(asked, &["distinct_id", "$distinct_id"]);
    let distinct_id = distinct_id.ok_or_else(|| {
        let what = "The distinct_id field is missing, or is neither text nor a number.";
        Refusal::Invalid(what.to_owned())
    })?;
    let person_properties = object(asked, &["person_properties", "$properties"])?;
    let flag_keys = texts(asked, &["flag_keys", "flag_keys_to_evaluate"])?;
    let switch = |name| match first(asked, &[name]) {
        None => Ok(false),
        Some(Value::Bool(on)) => Ok(*on),
        Some(_) => Err(wrong_type(name, "true or false")),
    };
    let device_id = text_of(asked, &["$device_id", "device_id"]);
    let device_id = device_id.or_else(|| text_of(&person_properties, &["$device_id"]));
    let device_id = device_id.filter(|id| !id.is_empty()).map(Cow::into_owned);
    let anon_distinct_id = text_of(asked, &["$anon_distinct_id", "anon_distinct_id"]);
    let contexts = texts(asked, &["evaluation_contexts", "evaluation_environments"])?;
    let (groups, group_properties) = groups(asked)?;
    Ok(Context {
        distinct_id: cut_distinct_id(&distinct_id).to_owned(),
        group_properties,
        groups,
        device_id,
        // Cut as it was when the visitor was asked about.
        anon_distinct_id: anon_distinct_id
            .filter(|id| !id.is_empty())
            .map(|id| cut_distinct_id(&id).to_owned()),
        person_properties,
        flag_keys: flag_keys.map(BTreeSet::from_iter),
        disable_flags: switch("disable_flags")?,
        ignores_place: switch("geoip_disable")?,
        surveys_only: false,
        runtime: runtime(asked),
        contexts: contexts.unwrap_or_default(),
    })
}

/// Text, or a number as text; an empty token is none, an empty distinct id is one.
pub fn text_of<'v>(asked: &'v Map<String, Value>, names: &[&str]) -> Option<Cow<'v, str>> {
    match first(asked, names)? {
        Value::String(text) if text.is_empty() && names.contains(&"token") => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// The key of each group, and what the request says of it, by its type.
pub type Groups = (BTreeMap<String, String>, BTreeMap<String, Map<String, Value>>);

/// The groups that are named; a key that is neither text nor a number is the empty key.
pub fn groups(asked: &Map<String, Value>) -> Result<Groups, Refusal> {
    let groups = object(asked, &["groups", "$groups"])?;
    let groups = groups.into_iter().map(|(group_type, key)| match key {
        Value::String(key) => (group_type, key),
        Value::Number(key) => (group_type, key.to_string()),
        _ => (group_type, String::new()),
    });
    let groups = groups.collect();
    let properties = group_properties(asked, &groups)?;
    Ok((groups, properties))
}

/// What the request says of each group; some SDKs leave its key to us.
fn group_properties(
    asked: &Map<String, Value>,
    groups: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Map<String, Value>>, Refusal> {
    let mut properties = BTreeMap::new();
    for (group_type, said) in object(asked, &["group_properties", "$group_properties"])? {
        let Value::Object(said) = said else {
            return Err(wrong_type("group_properties", "an object of objects"));
        };
        properties.insert(group_type, said);
    }
    for (group_type, key) in groups {
        let said: &mut Map<String, Value> = properties.entry(group_type.clone()).or_default();
        said.insert("$group_key".to_owned(), Value::from(key.as_str()));
    }
    Ok(properties)
}

/// Where the request says that it comes from; what isn't a runtime is all of them.
fn runtime(asked: &Map<String, Value>) -> Option<Runtime> {
    let said = text_of(asked, &["evaluation_runtime"])?;
    Some(match said.to_ascii_lowercase().as_str() {
        "client" => Runtime::Client,
        "server" => Runtime::Server,
        _ => Runtime::All,
    })
}

fn object(asked: &Map<String, Value>, names: &[&str]) -> Result<Map<String, Value>, Refusal> {
    match first(asked, names) {
        None => Ok(Map::new()),
        Some(Value::Object(properties)) => Ok(properties.clone()),
        Some(_) => Err(wrong_type(names[0], "an object")),
    }
}

fn texts(asked: &Map<String, Value>, names: &[&str]) -> Result<Option<Vec<String>>, Refusal> {
    let wrong = || wrong_type(names[0], "a list of texts");
    match first(asked, names) {
        None => Ok(None),
        Some(Value::Array(members)) => {
            let texts = members.iter().map(|member| member.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn wrong_type(field: &str, wanted: &str) -> Refusal {
    Refusal::Undecodable(format!("{field} must be {wanted}"))
}

fn first<'v>(asked: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().filter_map(|name| asked.get(*name)).find(|value| !value.is_null())
}
