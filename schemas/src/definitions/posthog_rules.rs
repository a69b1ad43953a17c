//! PostHog's flags: `filters` of version 2, with ordered rules and typed values.
//!
//! What changes an answer and can't be done fails the flag; what says nothing about it, such as
//! a rule's description, may stand there.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::draft::{Draft, RuleDraft, RulesDraft};
use super::posthog_flag::{aggregation, condition, list};
use super::posthog_leaf::{json_of, text_of};
use crate::fault::Fault;
use crate::filter::PropertyMatching;
use crate::flag::{Holdout, Origin, Release, RuleType, Variant, wrong_total};
use crate::flag_value::{FlagValue, Kind, NUMBER_MAX};

/// What only `filters` of version 1 may have.
const OF_VERSION_1: [&str; 8] = [
    "groups",
    "multivariate",
    "payloads",
    "super_groups",
    "holdout_groups",
    "holdout",
    "feature_enrollment",
    "early_exit",
];
/// The only way of hashing there is.
const ALGORITHM: &str = "sha1_60_v1";
const SEED_CHARACTERS_MAX: usize = 400;
// What the published contract of these rules allows: PostHog's evaluator fails a flag with more.
const FILTERS_BYTES_MAX: usize = 512 << 10;
const RULES_MAX: usize = 100;
const PROPERTIES_MAX: usize = 100;
const VARIANTS_MAX: usize = 20;
/// Objects and lists within one another, the value itself counted.
const VALUE_DEPTH_MAX: usize = 20;

/// Reads rules. A fault names where in `filters` it is.
pub(super) fn rules(
    filters: &Map<String, Value>,
    matching: PropertyMatching,
) -> Result<RulesDraft, Fault> {
    if let Some(key) = OF_VERSION_1.iter().find(|key| filters.contains_key(**key)) {
        let message = format!("`filters.{key}` is of version 1, and the flag of version 2");
        return Err(Fault::unsupported(message));
    }
    let bytes = serde_json::to_string(filters).map_or(0, |text| text.len());
    if bytes > FILTERS_BYTES_MAX {
        let message = format!("`filters` take {bytes} bytes, and {FILTERS_BYTES_MAX} at most");
        return Err(Fault::of_flag(message));
    }
    let kind = filters.get("return_type").and_then(Value::as_str).and_then(Kind::named);
    let kind = kind.ok_or_else(|| {
        let given = json_of(filters.get("return_type"));
        let kinds = "`boolean`, `string`, `number` or `object`";
        Fault::unsupported(format!("`filters.return_type` should be {kinds} and is `{given}`"))
    })?;
    let default = match filters.get("default_value") {
        Some(Value::Null) => FlagValue::nothing(),
        given => fitting("filters.default_value", given, kind)?,
    };
    let aggregation = aggregation(filters.get("aggregation_group_type_index"))?;
    if !filters.get("rules").is_some_and(Value::is_array) {
        return Err(Fault::of_flag("`filters.rules` should be a list"));
    }
    let rules = at_most("filters.rules", list(filters, "rules")?, RULES_MAX)?;
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let at = format!("filters.rules[{index}]");
        let fields =
            rule.as_object().ok_or_else(|| Fault::of_flag(format!("`{at}` isn't an object")));
        let reader = Reader { fields: fields?, at, kind, of_group: aggregation.as_deref() };
        let when = reader.targeting(matching)?;
        Ok(RuleDraft { when, aggregation: aggregation.clone(), release: reader.release()? })
    });
    let rules = rules.collect::<Result<Vec<RuleDraft>, Fault>>()?;
    let ids = rules.iter().filter_map(|rule| rule.release.origin.as_ref());
    if let Some(twice) = twice(ids.map(|origin| origin.id.as_str())) {
        return Err(Fault::of_flag(format!("`filters.rules` have the id `{twice}` twice")));
    }
    Ok(RulesDraft { rules, default, aggregation, ..RulesDraft::default() })
}

/// Reads one rule.
struct Reader<'v> {
    fields: &'v Map<String, Value>,
    /// Where it stands.
    at: String,
    kind: Kind,
    of_group: Option<&'v str>,
}

impl Reader<'_> {
    fn targeting(&self, matching: PropertyMatching) -> Result<Draft, Fault> {
        let at = format!("{}.targeting", self.at);
        let targeting = self.fields.get("targeting").and_then(Value::as_object);
        let targeting =
            targeting.ok_or_else(|| Fault::of_flag(format!("`{at}` isn't an object")))?;
        if !targeting.get("properties").is_some_and(Value::is_array) {
            return Err(Fault::of_flag(format!("`{at}.properties` should be a list")));
        }
        let leaves = list(targeting, "properties")?;
        let leaves = at_most(&format!("{at}.properties"), leaves, PROPERTIES_MAX)?;
        let conditions = leaves.iter().map(|leaf| {
            let negated = leaf.get("negation").and_then(Value::as_bool) == Some(true);
            Ok(condition(leaf, self.of_group, matching)?.negated_if(negated))
        });
        Ok(Draft::All(conditions.collect::<Result<_, Fault>>()?))
    }

    fn release(&self) -> Result<Release, Fault> {
        let id = text_of_map(self.fields, "id").filter(|id| is_uuid(id));
        let id = id.ok_or_else(|| self.wrong("id", "a UUID"))?.to_owned();
        let rule_type = text_of_map(self.fields, "rule_type").and_then(RuleType::named);
        let rule_type = rule_type.ok_or_else(|| {
            let known = "`targeted_release`, `percentage_rollout` or `experiment`";
            Fault::unsupported(self.wrong("rule_type", known).message)
        })?;
        let is_linked = self.fields.get("experiment_id").is_some_and(Value::is_i64);
        let origin = Some(Origin { id, rule_type, is_linked });
        match rule_type {
            RuleType::TargetedRelease => {
                let more = ["rollout_percentage", "on_rollout_miss", "seed", "variants", "holdout"];
                if let Some(key) = more.into_iter().find(|key| self.fields.contains_key(*key)) {
                    let message = format!("`{}` is a `targeted_release` with a `{key}`", self.at);
                    return Err(Fault::of_flag(message));
                }
                Ok(Release { value: Some(self.value()?), origin, ..Release::default() })
            }
            RuleType::PercentageRollout => {
                Ok(Release { value: Some(self.value()?), origin, ..self.assignment()? })
            }
            RuleType::Experiment => Ok(Release {
                variants: self.variants()?,
                holdout: self.holdout()?,
                paused: match self.fields.get("paused") {
                    Some(Value::Bool(paused)) => *paused,
                    _ => return Err(self.wrong("paused", "`true` or `false`")),
                },
                origin,
                ..self.assignment()?
            }),
        }
    }

    /// Who of those it is for gets it, and what the others get.
    fn assignment(&self) -> Result<Release, Fault> {
        if text_of_map(self.fields, "assignment_algorithm") != Some(ALGORITHM) {
            let fault = self.wrong("assignment_algorithm", &format!("`{ALGORITHM}`"));
            return Err(Fault::unsupported(fault.message));
        }
        match (self.fields.get("assign_by"), self.of_group) {
            (None, _) => {}
            (Some(by), None) if by == "person" => {}
            (Some(_), of) => {
                let wanted = if of.is_some() { "left out of a group's flag" } else { "`person`" };
                return Err(Fault::unsupported(self.wrong("assign_by", wanted).message));
            }
        }
        let rollout = self.fields.get("rollout_percentage");
        Ok(Release {
            rollout_percent: share(rollout)
                .ok_or_else(|| self.wrong("rollout_percentage", SHARE))?,
            ends_on_miss: match text_of_map(self.fields, "on_rollout_miss") {
                Some("continue") => false,
                Some("return_default") => true,
                _ => return Err(self.wrong("on_rollout_miss", "`continue` or `return_default`")),
            },
            seed: Some(seed(self.fields).ok_or_else(|| self.wrong("seed", SEED))?),
            ..Release::default()
        })
    }

    fn value(&self) -> Result<FlagValue, Fault> {
        fitting(&format!("{}.value", self.at), self.fields.get("value"), self.kind)
    }

    fn variants(&self) -> Result<Vec<Variant>, Fault> {
        let variants = list(self.fields, "variants")?;
        let variants = at_most(&format!("{}.variants", self.at), variants, VARIANTS_MAX)?;
        let variants = variants.iter().enumerate().map(|(index, variant)| {
            let at = format!("{}.variants[{index}]", self.at);
            let key = text_of(variant, "key").filter(|key| !key.is_empty());
            let key = key.ok_or_else(|| Fault::of_flag(format!("`{at}` has no `key`")))?;
            let percent = share(variant.get("weight")).ok_or_else(|| {
                let given = json_of(variant.get("weight"));
                Fault::of_flag(format!("`{at}.weight` should be {SHARE} and is `{given}`"))
            })?;
            let value = fitting(&format!("{at}.value"), variant.get("value"), self.kind)?;
            Ok(Variant { key, percent, value: Some(value) })
        });
        let variants = variants.collect::<Result<Vec<Variant>, Fault>>()?;
        if let Some(twice) = twice(variants.iter().map(|variant| variant.key.as_str())) {
            let message = format!("`{}.variants` have the key `{twice}` twice", self.at);
            return Err(Fault::of_flag(message));
        }
        if let Some(total) = wrong_total(&variants) {
            let message = format!("the weights of `{}.variants` add up to {total}", self.at);
            return Err(Fault::of_flag(format!("{message}, not to 100")));
        }
        Ok(variants)
    }

    fn holdout(&self) -> Result<Option<Holdout>, Fault> {
        let Some(holdout) = self.fields.get("holdout").filter(|holdout| !holdout.is_null()) else {
            return Ok(None);
        };
        let id = holdout.get("id").and_then(Value::as_i64);
        let percent = share(holdout.get("exclusion_percentage"));
        let seed = holdout.as_object().and_then(seed);
        match (id, percent, seed) {
            (Some(id), Some(percent), Some(seed)) => {
                Ok(Some(Holdout { variant: format!("holdout-{id}"), percent, seed }))
            }
            _ => {
                let needs = format!("needs `id`, `seed` and an `exclusion_percentage`, {SHARE}");
                Err(Fault::of_flag(format!("`{}.holdout` {needs}", self.at)))
            }
        }
    }

    fn wrong(&self, key: &str, wanted: &str) -> Fault {
        let given = json_of(self.fields.get(key));
        Fault::of_flag(format!("`{}.{key}` should be {wanted} and is `{given}`", self.at))
    }
}

const SEED: &str = "a text of 1 to 400 characters";
const SHARE: &str = "a number from 0 to 100 with two decimals at most";

fn seed(fields: &Map<String, Value>) -> Option<String> {
    let seed = text_of_map(fields, "seed")?;
    (1..=SEED_CHARACTERS_MAX).contains(&seed.chars().count()).then(|| seed.to_owned())
}

/// A value of the flag's kind.
fn fitting(at: &str, given: Option<&Value>, kind: Kind) -> Result<FlagValue, Fault> {
    let value = given.filter(|value| is_shallow(value, VALUE_DEPTH_MAX)).cloned();
    let value = value.and_then(FlagValue::of).filter(|value| value.kind() == Some(kind));
    value.ok_or_else(|| {
        let wanted = match kind {
            Kind::Boolean => "`true` or `false`".to_owned(),
            Kind::Text => "a text that isn't empty".to_owned(),
            Kind::Number => format!("a number up to {NUMBER_MAX}"),
            Kind::Object => format!("an object, with {VALUE_DEPTH_MAX} in one another at most,"),
        };
        let given = json_of(given);
        let of = kind.name();
        Fault::of_flag(format!(
            "`{at}` of a flag of type `{of}` should be {wanted} and is `{given}`"
        ))
    })
}

/// Whether objects and lists are in one another so many times at most.
fn is_shallow(value: &Value, depth_max: usize) -> bool {
    let Some(left) = depth_max.checked_sub(1) else {
        return !value.is_object() && !value.is_array();
    };
    match value {
        Value::Object(members) => members.values().all(|member| is_shallow(member, left)),
        Value::Array(members) => members.iter().all(|member| is_shallow(member, left)),
        _ => true,
    }
}

fn share(value: Option<&Value>) -> Option<f64> {
    let is_share = |share: &f64| {
        // A number with two decimals is the nearest to so many hundredths.
        (0.0..=100.0).contains(share) && (share * 100.0).round() / 100.0 == *share
    };
    value.and_then(Value::as_f64).filter(is_share)
}

fn at_most<'v>(at: &str, members: &'v [Value], max: usize) -> Result<&'v [Value], Fault> {
    if members.len() <= max {
        return Ok(members);
    }
    let message = format!("`{at}` has {} members, and may have {max}", members.len());
    Err(Fault::of_flag(message))
}

fn text_of_map<'v>(fields: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    fields.get(key).and_then(Value::as_str)
}

/// Whether SDKs take it for a rule's id.
fn is_uuid(id: &str) -> bool {
    let is_in_place = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    id.len() == 36 && id.bytes().enumerate().all(is_in_place)
}

/// The first of them that was there before.
fn twice<'t>(mut texts: impl Iterator<Item = &'t str>) -> Option<&'t str> {
    let mut seen = BTreeSet::new();
    texts.find(|text| !seen.insert(*text))
}
