//! An explanation as a page of text: an indented tree.

use serde_json::Value;

const NONE: &[Value] = &[];

/// The page.
pub fn page(explained: &Value) -> String {
    let mut page = Page { explained, text: String::new(), told: Vec::new() };
    page.head();
    if let Some(fault) = explained.get("fault") {
        page.line(0, &format!("it can't be decided: {}", text(&fault["description"])));
    }
    for rule in list(&explained["rules"]) {
        page.rule(rule);
    }
    if let Some(key) = explained["cohort"].as_str() {
        page.cohort(0, key);
    }
    if let Some(variants) = explained.get("variants") {
        page.variants(0, variants);
    }
    page.text
}

struct Page<'a> {
    explained: &'a Value,
    text: String,
    /// Cohorts that were told.
    told: Vec<&'a str>,
}

impl<'a> Page<'a> {
    fn line(&mut self, depth: usize, line: &str) {
        self.text += &"  ".repeat(depth);
        self.text += line;
        self.text.push('\n');
    }

    fn head(&mut self) {
        let of = self.explained;
        let about = of["flag"].as_str().or(of["cohort"].as_str()).unwrap_or_default();
        let who = text(&of["distinct_id"]);
        self.line(0, &format!("{about} for {who}: {}", verdict(&of["is"])));
        let position: Vec<String> = of["position"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(partition, next)| format!("{partition}:{next}"))
            .collect();
        self.line(1, &format!("at {}, by state at {}", text(&of["at"]), position.join(",")));
        if of["stale_ms"] != 0 {
            self.line(1, &format!("the log is out of reach for {} ms", of["stale_ms"]));
        }
        if let Some(why) = of["unknown"]["description"].as_str() {
            self.line(1, &format!("nothing behavioural can be known: {why}"));
        }
        let ids: Vec<String> = list(&of["distinct_ids"]).iter().map(text).collect();
        if ids.len() > 1 {
            self.line(1, &format!("one person: {}", ids.join(", ")));
        }
        if of["more_distinct_ids"] == true {
            self.line(1, "the person may have more distinct ids than these");
        }
        if of["earlier_definitions"] == true {
            self.line(1, "it was edited, and is decided as before until the edit is filled");
        }
        self.next();
    }

    fn next(&mut self) {
        let changes = &self.explained["changes"];
        let line = match (&changes["next"], &changes["searched_until"]) {
            (Value::Null, Value::Null) => "it stays so if nothing happens".to_owned(),
            (Value::Null, until) => {
                format!("it stays so until {} at least if nothing happens", text(until))
            }
            (next, _) => {
                let (to, at) = (verdict(&next["to"]), text(&next["at"]));
                format!("if nothing happens: {to} from {at} on, in {}", seconds(&next["in_ms"]))
            }
        };
        self.line(1, &line);
    }

    fn rule(&mut self, rule: &'a Value) {
        let number = rule["index"].as_u64().unwrap_or_default() + 1;
        let decided = if rule["decided"] == true { ", which decided" } else { "" };
        self.line(0, &format!("rule {number}{decided}"));
        let rollout = &rule["rollout"];
        if rollout["percent"] != 100.0 {
            let within = if rollout["within"] == true { "inside" } else { "outside" };
            let at = percent(&rollout["person_at_percent"]);
            let line = format!("rollout {}: {within}, at {at}", percent(&rollout["percent"]));
            self.line(1, &line);
        }
        for (word, said) in [("value", "gives"), ("held_out_percent", "held out, in percent:")] {
            if let Some(value) = rule.get(word) {
                self.line(1, &format!("{said} {}", text(value)));
            }
        }
        if rule["on_miss"] == "default" {
            self.line(1, "whom its rollout misses gets the default");
        }
        if rule["paused"] == true {
            self.line(1, "it is paused: all that it is for get the default");
        }
        if let Some(variants) = rule.get("variants") {
            self.variants(1, variants);
        }
        self.node(1, &rule["when"]);
    }

    fn node(&mut self, depth: usize, node: &'a Value) {
        let truth = truth(node);
        for (word, name) in [("all", "all of"), ("any", "any of")] {
            if let Some(parts) = node[word].as_array() {
                let nobody = if parts.is_empty() { " nothing" } else { "" };
                self.line(depth, &format!("{truth}: {name}{nobody}"));
                parts.iter().for_each(|part| self.node(depth + 1, part));
                return;
            }
        }
        if let Some(part) = node.get("not") {
            self.line(depth, &format!("{truth}: not"));
            self.node(depth + 1, part);
        } else if let Some(key) = node["cohort"].as_str() {
            self.line(depth, &format!("{truth}: in cohort {key}"));
            self.cohort(depth + 1, key);
        } else if let Some(asked) = node["person"].as_str() {
            let value = match text(&node["source"]).as_str() {
                "missing" => "there is none".to_owned(),
                "unknown" => "it isn't known".to_owned(),
                source => format!("it is {}, by the {source}", node["value"]),
            };
            self.line(depth, &format!("{truth}: {asked}; {value}"));
        } else if let Some(asked) = node["group"].as_str() {
            self.line(depth, &format!("{truth}: {asked}; it is {}", node["value"]));
        } else if let Some(key) = node["flag"].as_str() {
            self.line(depth, &format!("{truth}: flag {key} is {}", node["is"]));
        } else if let Some(asked) = node["events"].as_str() {
            self.line(depth, &format!("{truth}: {asked}"));
            list(&node["seen"]).iter().for_each(|seen| self.evidence(depth + 1, seen));
        } else {
            let said =
                text(if node.get("people").is_some() { &node["people"] } else { &node["fault"] });
            self.line(depth, &format!("{truth}: {said}"));
        }
    }

    /// A cohort's members, the first time it is met.
    fn cohort(&mut self, depth: usize, key: &'a str) {
        if self.told.contains(&key) {
            return self.line(depth, "as above");
        }
        self.told.push(key);
        let found = list(&self.explained["cohorts"]).iter().find(|cohort| cohort["key"] == key);
        if let Some(cohort) = found {
            self.node(depth, &cohort["members"]);
        }
    }

    fn evidence(&mut self, depth: usize, seen: &Value) {
        let in_all = seen["in_all"].as_u64().unwrap_or_default();
        let said = match (&seen["number"]["said"], &seen["moment"], &seen["periods_at_least"]) {
            (Value::String(number), ..) => format!("it is {number}"),
            (_, Value::String(moment), _) => format!("it was at {moment}"),
            (.., Value::Number(periods)) => format!("in {periods}"),
            _ if in_all == 0 => "there is none".to_owned(),
            _ => format!("{in_all} events"),
        };
        let role = match text(&seen["role"]).as_str() {
            "number" | "first" | "last" | "latest" | "periods" => String::new(),
            role => format!("{role}: "),
        };
        let coverage = match &seen["coverage"] {
            of if of["state"] == "since" => format!("; known since {}", text(&of["after"])),
            of if of["state"] == "filling" => format!("; filling, {} % done", of["percent"]),
            _ => String::new(),
        };
        self.line(depth, &format!("{role}{said}{coverage}"));
        let newest = list(&seen["newest"]);
        for hit in newest {
            let value = match (&hit["number"], &hit["passes"]) {
                (Value::String(number), _) => format!("  {number}"),
                (_, Value::Bool(passes)) => format!("  passes: {passes}"),
                _ => String::new(),
            };
            let (time, id) = (text(&hit["time"]), text(&hit["id_hash"]));
            self.line(depth + 1, &format!("{time}  {id}{value}"));
        }
        let more = in_all.saturating_sub(newest.len() as u64);
        if more > 0 {
            self.line(depth + 1, &format!("and {more} older ones"));
        }
    }

    fn variants(&mut self, depth: usize, variants: &Value) {
        let share = |share: &Value| {
            let value = share.get("value").map(|value| format!(" ({})", text(value)));
            let (key, percent) = (text(&share["key"]), percent(&share["percent"]));
            format!("{key}{} {percent}", value.unwrap_or_default())
        };
        let shares: Vec<String> = list(&variants["shares"]).iter().map(share).collect();
        let at = percent(&variants["person_at_percent"]);
        self.line(depth, &format!("variants: {}; at {at}", shares.join(", ")));
    }
}

/// What is given, of a flag or of a cohort.
fn verdict(is: &Value) -> String {
    let Some(reason) = is.get("reason") else {
        return match text(&is["truth"]).as_str() {
            "true" => "in".to_owned(),
            "false" => "not in".to_owned(),
            _ => truth(is),
        };
    };
    let (code, description) = (text(&reason["code"]), text(&reason["description"]));
    let value = match &is["value"] {
        _ if is["failed"] == true => "failed".to_owned(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::Null => "no value".to_owned(),
        value => text(value),
    };
    format!("{value} ({code}: {description})")
}

fn truth(node: &Value) -> String {
    let truth = text(&node["truth"]);
    match node["why"]["description"].as_str() {
        Some(why) => format!("{truth} ({}: {why})", text(&node["why"]["code"])),
        None => truth,
    }
}

fn percent(value: &Value) -> String {
    let rounded = (value.as_f64().unwrap_or_default() * 100.0).round() / 100.0;
    format!("{rounded} %")
}

fn seconds(in_ms: &Value) -> String {
    format!("{:.3} s", in_ms.as_f64().unwrap_or_default() / 1_000.0)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(NONE, Vec::as_slice)
}
