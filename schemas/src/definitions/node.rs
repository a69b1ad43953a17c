//! YAML as a tree in which everything knows its place, so that every mistake can be shown.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::problem::{Place, Problems, suggestion};

/// A value of a YAML file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Yaml,
}

/// What a [`Node`] is.
#[derive(Clone, Debug)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub place: Place,
    pub text: String,
}

/// The file as a tree, or none and a problem.
pub(super) fn parse(text: &str, problems: &mut Problems<'_>) -> Option<Node> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(node) => Some(node),
        Err(error) => {
            let place = error.location().map(Place::from).unwrap_or_default();
            let (message, fix) = match error.without_snippet() {
                serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
                    let key = key.as_deref().unwrap_or_default();
                    (format!("`{key}` stands here twice"), "keep one of them")
                }
                other => (
                    format!("this isn't YAML: {}", UserMessageFormatter.format_message(other)),
                    "mind indentation, and quote text with `: `, `#` or a sign at its beginning",
                ),
            };
            problems.add(place, message, fix);
            None
        }
    }
}

impl Node {
    /// What the value is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "a yes or no",
            Yaml::Number(_) => "a number",
            Yaml::Text(_) => "a text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a map",
        }
    }

    /// The text, or none and a problem that says what `what` should be.
    pub fn text<'n>(&'n self, what: &str, problems: &mut Problems<'_>) -> Option<&'n str> {
        match &self.value {
            Yaml::Text(text) if !text.is_empty() => Some(text),
            Yaml::Text(_) => self.refuse(what, "a text", "an empty one", problems),
            Yaml::Number(_) | Yaml::Bool(_) => {
                let given = self.to_json();
                let message = format!("{what} should be a text and is {}", self.kind());
                problems.add(self.place, message, format!("put it in quotes: \"{given}\""));
                None
            }
            _ => self.refuse(what, "a text", self.kind(), problems),
        }
    }

    /// The yes or no, or none and a problem.
    pub fn truth(&self, what: &str, problems: &mut Problems<'_>) -> Option<bool> {
        match self.value {
            Yaml::Bool(truth) => Some(truth),
            _ => self.refuse(what, "`true` or `false`", self.kind(), problems),
        }
    }

    /// The members, or none and a problem.
    pub fn list<'n>(&'n self, what: &str, problems: &mut Problems<'_>) -> Option<&'n [Node]> {
        match &self.value {
            Yaml::List(members) => Some(members),
            _ => self.refuse(what, "a list", self.kind(), problems),
        }
    }

    /// The entries, or none and a problem.
    pub fn map<'n>(&'n self, what: &str, problems: &mut Problems<'_>) -> Option<&'n [(Key, Node)]> {
        match &self.value {
            Yaml::Map(entries) => Some(entries),
            _ => self.refuse(what, "a map", self.kind(), problems),
        }
    }

    /// The value of this key, where it is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Node> {
        let Yaml::Map(entries) = &self.value else { return None };
        found(entries, key)
    }

    /// The entries with `known` keys; each other key is a problem.
    pub fn fields<'n>(
        &'n self,
        what: &str,
        known: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<Fields<'n>> {
        let entries = self.map(what, problems)?;
        for (key, _) in entries {
            if !known.contains(&key.text.as_str()) {
                let message = format!("{what} has no `{}`", key.text);
                problems.add(key.place, message, suggestion(&key.text, known.iter().copied()));
            }
        }
        Some(Fields { place: self.place, entries })
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(truth) => Value::Bool(*truth),
            Yaml::Number(number) => Value::Number(number.clone()),
            Yaml::Text(text) => Value::String(text.clone()),
            Yaml::List(members) => members.iter().map(Node::to_json).collect(),
            Yaml::Map(entries) => {
                let entries = entries.iter().map(|(key, node)| (key.text.clone(), node.to_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn refuse<T>(
        &self,
        what: &str,
        wanted: &str,
        given: &str,
        problems: &mut Problems<'_>,
    ) -> Option<T> {
        problems.add(
            self.place,
            format!("{what} should be {wanted} and is {given}"),
            format!("write {wanted}"),
        );
        None
    }
}

fn found<'n>(entries: &'n [(Key, Node)], key: &str) -> Option<&'n Node> {
    entries.iter().find(|(held, _)| held.text == key).map(|(_, node)| node)
}

/// A map whose keys are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'n> {
    pub place: Place,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// The value of this key.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        found(self.entries, key)
    }

    /// The value of this key, or none and a problem.
    pub fn need(
        &self,
        key: &str,
        what: &str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<&'n Node> {
        let node = self.get(key);
        if node.is_none() {
            problems.add(self.place, format!("{what} needs `{key}`"), format!("add `{example}`"));
        }
        node
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Place { line: location.line() as usize, column: location.column() as usize }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Yaml>::deserialize(deserializer)?;
        Ok(Node { place: spanned.referenced.into(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Yaml, E> {
        Ok(Yaml::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Yaml, E> {
        Ok(Yaml::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Yaml, E> {
        let finite = || E::custom("a number has to be finite");
        Number::from_f64(number).map(Yaml::Number).ok_or_else(finite)
    }

    fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = seq.next_element()? {
            members.push(member);
        }
        Ok(Yaml::List(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let key = Key { place: key.referenced.into(), text: key.value };
            entries.push((key, map.next_value()?));
        }
        Ok(Yaml::Map(entries))
    }
}
