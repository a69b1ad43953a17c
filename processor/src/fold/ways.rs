//! What becomes of each kind of event, however it is read, and for whomever it is folded.

use std::collections::BTreeMap;

use schemas::definitions::{Source, compile};
use schemas::group::Group;
use schemas::ids::ProjectId;
use schemas::time::MINUTE_MS;
use serde_json::{Value as Json, json};

use super::*;
use crate::store::SHARDS;

/// 2026-09-21T14:13:20Z.
pub(super) const RECORD_MS: i64 = 1_790_000_000_000;

/// A node that folds what it is told, one record after the other.
pub(super) struct Node {
    pub(super) catalog: Catalog,
    pub(super) fold: Fold,
    partition: Arc<Partition>,
    records: i64,
}

impl Node {
    /// Of a shop that watches what is added, bought and viewed and who is pro, and has a flag.
    pub(super) fn new(format: Format) -> Node {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let sources = [
            source("shop/project.yaml", "token: phc_shop\nteam_id: 2"),
            source(
                "shop/cohorts/it.yaml",
                "members: { any: [ { did: added, within: 5m }, { person: { plan: pro } },
                   { did: bought, where: { price: '> 50', category: shoes }, within: 5m },
                   { distinct: product, of: viewed, count: '>= 2', within: 5m } ] }",
            ),
            source("shop/flags/offer.yaml", "rules: [ { when: { cohort: it }, rollout: 100% } ]"),
        ];
        let compiled = compile(&sources, &|_| None, &mut Default::default()).expect("it's good");
        let bounds = Bounds { skew_ms: 5_000, lateness_ms: MINUTE_MS };
        let reading = Reading { format, bounds, token: None };
        let (catalog, fold) = (compiled.catalog, Fold::new(reading));
        Node { catalog, fold, partition: Arc::default(), records: 0 }
    }

    /// One that fills what is watched, beside another that has folded all the rest.
    fn filling(format: Format) -> Node {
        let live = Node::new(format);
        let matchers = live.catalog.projects().iter().flat_map(|project| &project.matchers);
        let matchers = matchers.map(|matcher| matcher.id).collect();
        let fold = Fold::only(&live.catalog, live.fold.reading.clone(), matchers);
        Node { fold, ..live }
    }

    fn fold(&mut self, event: &Json) -> Outcome {
        self.fold_bytes(Some(event.to_string().as_bytes()))
    }

    fn fold_bytes(&mut self, value: Option<&[u8]>) -> Outcome {
        self.records += 1;
        let (offset, timestamp_ms) = (self.records, RECORD_MS);
        let record = LogRecord { partition: 0, offset, timestamp_ms, value };
        self.fold.fold(&self.catalog, &self.partition, record).outcome
    }

    /// Takes whomever and whatever has changed.
    fn checkpoint(&self) -> Checkpoint {
        let project = self.catalog.only_project().expect("a shop").id;
        let taken = (0..SHARDS).flat_map(|shard| self.partition.hot.take(shard));
        Checkpoint { project, taken: taken.map(|taken| (taken.key, taken.record)).collect() }
    }
}

/// What a checkpoint takes, by key.
struct Checkpoint {
    project: ProjectId,
    taken: BTreeMap<Box<[u8]>, Record>,
}

impl Checkpoint {
    fn of(&self, set: impl FnOnce(&mut PersonKey, ProjectId)) -> Record {
        let mut key = PersonKey::default();
        set(&mut key, self.project);
        self.taken.get(key.bytes()).cloned().unwrap_or_default()
    }

    fn of_id(&self, distinct_id: &str) -> Record {
        self.of(|key, project| key.set(project, distinct_id))
    }

    /// Of everybody and everything that events here are about.
    fn of_all(&self) -> [Record; 4] {
        let company = Group { of: "company", key: "acme" };
        let group = self.of(|key, project| key.set_group(project, company));
        let flag = self.of(|key, project| key.set_flag(project, "offer"));
        [self.of_id("ann"), self.of_id("visitor"), group, flag]
    }
}

/// Events of ann's, and what becomes of them. Each has a word in it that is watched for, so that
/// what fills looks at it.
pub(super) fn events() -> Vec<(Json, Outcome)> {
    use Outcome::{Folded, Known, Unwatched};
    let visitor = json!({ "$anon_distinct_id": "visitor" });
    let acme =
        json!({ "$group_type": "company", "$group_key": "acme", "$group_set": { "a": 1, "b": 2 } });
    let called = json!({ "$feature_flag": "offer", "$feature_flag_response": true });
    let given = json!({ "identifier": "visitor", "flags": ["offer"] });
    let pro = json!({ "plan": "pro" });
    let with_pro = |properties: &Json| {
        let mut properties = properties.clone();
        properties["$set"] = pro.clone();
        properties
    };
    let events = [
        ("added", json!({}), Folded),
        ("added", with_pro(&json!({})), Folded),
        ("bought", json!({ "price": 60, "category": "shoes" }), Folded),
        ("bought", json!({ "price": 60, "category": "hats" }), Unwatched),
        ("bought", json!({ "price": 50, "category": "shoes" }), Unwatched),
        ("bought", json!({}), Unwatched),
        ("viewed", json!({ "product": "boots" }), Folded),
        ("viewed", json!({}), Unwatched),
        ("looked", json!({}), Unwatched),
        ("looked", with_pro(&json!({})), Folded),
        ("looked", json!({ "$unset": ["plan"] }), Folded),
        ("looked", json!({ "page": "reset" }), Unwatched),
        // Nobody but Sluice writes what is its own.
        ("looked", json!({ "$set": { "$sluice_identifier/offer": "eve" } }), Known),
        ("looked", json!({ "$unset": ["$sluice_identifier/offer"] }), Known),
        ("$identify", visitor.clone(), Folded),
        ("$identify", with_pro(&visitor), Folded),
        ("$identify", json!({}), Unwatched),
        ("$identify", json!({ "alias": "visitor" }), Unwatched),
        ("$identify", json!({ "$anon_distinct_id": "ann" }), Unwatched),
        ("$identify", json!({ "$anon_distinct_id": "undefined" }), Unwatched),
        ("$create_alias", json!({ "alias": "visitor" }), Folded),
        ("$groupidentify", acme.clone(), Folded),
        ("$groupidentify", with_pro(&acme), Folded),
        ("$groupidentify", json!({}), Unwatched),
        ("$feature_flag_called", called.clone(), Folded),
        ("$feature_flag_called", with_pro(&called), Folded),
        ("$feature_flag_called", json!({ "$feature_flag": "another" }), Unwatched),
        ("$sluice_keep", given, Folded),
        ("$sluice_keep", json!({}), Unwatched),
        ("$sluice_forget", json!({}), Folded),
    ];
    let event = |(name, mut properties, outcome): (&str, Json, Outcome)| {
        properties["note"] = json!("added");
        let uuid = "01990000-0000-7000-8000-000000000001";
        let event = json!({ "uuid": uuid, "event": name, "distinct_id": "ann",
            "timestamp": RECORD_MS, "properties": properties });
        (event, outcome)
    };
    events.into_iter().map(event).collect()
}

/// What has a token may be read quickly; what has none is read whole.
#[test]
fn an_event_counts_once_whichever_way_it_is_read() {
    for (event, outcome) in events() {
        // It has to come before the name.
        let mut quick = json!({ "token": "phc_shop" });
        quick.as_object_mut().expect("an object").extend(event.as_object().expect("one").clone());
        let again = if outcome == Outcome::Folded { Outcome::Known } else { outcome };
        let kept = [&quick, &event].map(|event| {
            let mut node = Node::new(Format::Sluice);
            assert_eq!([node.fold(event), node.fold(event)], [outcome, again], "{event}");
            node.checkpoint().of_all()
        });
        assert_eq!(kept[0], kept[1], "{event}");
    }
}

/// What events say besides was folded when they came.
#[test]
fn whoever_fills_a_condition_folds_nothing_besides() {
    for (event, outcome) in events() {
        let mut node = Node::filling(Format::Sluice);
        let expected = match event["event"].as_str() {
            // Whoever was forgotten meanwhile isn't brought back.
            Some("added" | "bought" | "viewed" | "$sluice_forget") => outcome,
            _ => Outcome::Unwatched,
        };
        assert_eq!(node.fold(&event), expected, "{event}");
        let kept = node.checkpoint().of_all();
        let besides = kept.iter().map(|it| it.registers().count() + it.links().count());
        assert_eq!(besides.sum::<usize>(), 0, "{event}");
    }
}

#[test]
fn any_sign_of_a_name_may_be_written_as_its_number() {
    for (event, outcome) in events() {
        for escaped in ["\"\\u0024set", "\"$\\u0073et", "\"$se\\u0074"] {
            let escaped = event.to_string().replace("\"$set", escaped);
            let escaped = escaped.replacen('{', r#"{"token":"phc_shop","#, 1);
            let mut node = Node::new(Format::Sluice);
            assert_eq!(node.fold_bytes(Some(escaped.as_bytes())), outcome, "{escaped}");
        }
    }
}

#[test]
fn a_tombstone_says_nothing() {
    for mut node in [Node::new(Format::Sluice), Node::filling(Format::Sluice)] {
        assert_eq!(node.fold_bytes(None), Outcome::Skipped(Skip::Tombstone));
    }
}

#[test]
fn whoever_is_forgotten_is_not_linked_by_what_was_before() {
    for forgotten in ["ann", "visitor"] {
        let mut node = Node::new(Format::Sluice);
        let named = |name: &str| {
            let mut events = events().into_iter().map(|(event, _)| event);
            events.find(|event| event["event"] == name).expect("one of them")
        };
        let (identify, mut forget) = (named("$identify"), named("$sluice_forget"));
        forget["distinct_id"] = json!(forgotten);
        assert_eq!(node.fold(&forget), Outcome::Folded);
        assert_eq!(node.fold(&identify), Outcome::Known, "{forgotten}");
        assert!(node.checkpoint().of_all().iter().all(|kept| !kept.has_links()), "{forgotten}");
    }
}

#[test]
fn a_bug_in_somebodys_code_links_nobody() {
    for (mut event, _) in events() {
        event["distinct_id"] = json!("undefined");
        let mut node = Node::new(Format::Sluice);
        node.fold(&event);
        let kept = node.checkpoint();
        let kept = ["undefined", "visitor"].map(|id| kept.of_id(id));
        assert!(kept.iter().all(|kept| !kept.has_links()), "{event}");
    }
}

/// A record of PostHog's own topic, with the person as its pipeline knew them.
fn row(name: &str, person_id: &str, person: &Json) -> Json {
    json!({ "uuid": "01990000-0000-7000-8000-000000000001", "event": name, "team_id": 2,
        "distinct_id": "ann", "timestamp": "2026-09-21 14:13:20.000",
        "properties": json!({ "identifier": "visitor", "flags": ["offer"] }).to_string(),
        "person_id": person_id, "person_properties": person.to_string() })
}

#[test]
fn what_posthogs_pipeline_says_of_a_person_is_kept_as_far_as_it_is_asked_for() {
    let (pro, tall) = (json!({ "plan": "pro" }), json!({ "height": 2 }));
    let added = json!({ "plan": "pro", "note": "added" });
    for (event, outcome, properties, filled) in [
        (row("added", "", &tall), Outcome::Folded, 0, Outcome::Folded),
        (row("looked", "", &tall), Outcome::Unwatched, 0, Outcome::Unwatched),
        (row("looked", "", &pro), Outcome::Folded, 1, Outcome::Unwatched),
        (row("looked", "", &added), Outcome::Folded, 1, Outcome::Unwatched),
        // Nobody writes to this topic for Sluice.
        (row("$sluice_keep", "", &tall), Outcome::Unwatched, 0, Outcome::Unwatched),
        (row("$sluice_forget", "", &added), Outcome::Folded, 1, Outcome::Unwatched),
    ] {
        let mut node = Node::new(Format::Clickhouse);
        assert_eq!(node.fold(&event), outcome, "{event}");
        assert_eq!(node.checkpoint().of_id("ann").registers().count(), properties, "{event}");
        let mut node = Node::filling(Format::Clickhouse);
        assert_eq!(node.fold(&event), filled, "{event}");
        assert_eq!(node.checkpoint().of_id("ann").registers().count(), 0, "{event}");
    }
}

#[test]
fn whom_posthogs_pipeline_takes_somebody_for_is_kept_on_both_sides() {
    let person_id = "01990000-0000-7000-8000-00000000000a";
    let mut node = Node::new(Format::Clickhouse);
    assert_eq!(node.fold(&row("looked", person_id, &json!({}))), Outcome::Unwatched);
    let kept = node.checkpoint();
    let of_person = kept.of(|key, project| key.set_carried(project, person_id));
    let linked = [kept.of_id("ann"), of_person].map(|kept| {
        kept.links().map(|link| (link.role, link.other.into_owned())).collect::<Vec<_>>()
    });
    assert_eq!(linked[0], [(Role::Carried, person_id.to_owned())]);
    assert_eq!(linked[1], [(Role::Carries, "ann".to_owned())]);
    let mut filling = Node::filling(Format::Clickhouse);
    filling.fold(&row("added", person_id, &json!({})));
    assert!(!filling.checkpoint().of_id("ann").has_links());
}

/// Each end of a link may be new by itself, and so may what its event says besides.
#[test]
fn whatever_of_an_event_is_new_is_durable() {
    let mut node = Node::new(Format::Sluice);
    let mut fold = |event: &str, who: &str, after_ms: i64, properties: Json| {
        node.fold(&json!({ "event": event, "distinct_id": who, "timestamp": RECORD_MS + after_ms,
            "properties": properties }))
    };
    let login = |plan: &str| json!({ "$anon_distinct_id": "visitor", "$set": { "plan": plan } });
    let visitor = json!({ "$anon_distinct_id": "visitor" });
    assert_eq!(fold("$identify", "ann", 0, login("pro")), Outcome::Folded);
    assert_eq!(fold("$identify", "ann", 1, login("free")), Outcome::Folded, "another plan");
    assert_eq!(fold("$identify", "ann", 2, visitor.clone()), Outcome::Known);
    assert_eq!(fold("$identify", "ben", 3, visitor), Outcome::Folded, "whom ann has already");
    let given = json!({ "identifier": "visitor", "flags": ["offer"] });
    assert_eq!(fold("$sluice_keep", "cho", 4, given), Outcome::Folded);
    assert_eq!(fold("$identify", "dan", 5, login("pro")), Outcome::Folded, "both at once");
    let taken = node.checkpoint();
    for id in ["ann", "ben", "dan", "visitor"] {
        assert_eq!(taken.of_id(id).links().count(), 1, "{id}");
    }
    for id in ["ann", "cho", "dan"] {
        assert_eq!(taken.of_id(id).registers().count(), 1, "{id}");
    }
}
