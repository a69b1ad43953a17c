//! A shop behind the router: a clock that is set, state in memory, and a log that can fail.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use evaluator::app::App;
use evaluator::limits::{Allowed, Elapsed, Limits};
use evaluator::metrics::Metrics;
use evaluator::server::router;
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use schemas::append::{Append, AppendError, Outgoing};
use schemas::catalog::{Catalog, Project};
use schemas::definitions::{Source, compile};
use schemas::event::Format;
use schemas::keeping;
use schemas::lookup::{Coverage, Coverages, Facts, Lookup, Position, Sought, has_reached};
use schemas::properties::{Kind, Register};
use schemas::record::Record;
use schemas::scan::Unheld;
use schemas::unknown::Unknown;
use schemas::window::Entry;
use schemas::window::FOREVER_MS;
use serde_json::{Value, json};
use tower::ServiceExt;

/// When every story begins.
pub const NOON_MS: i64 = 1_700_000_000_000;
pub const TOKEN: &str = "phc_shop";
/// What opens the shop's private routes.
pub const SECRET: (&str, &str) = ("authorization", "Bearer phs_shop");
/// How long a shop that folds late takes for it.
pub const FOLD_MS: i64 = 200;

const COHORT: &str = r#"
description: Three adds in five minutes and no purchase.
members:
  all:
    - { did: added to cart, count: ">= 3", within: 5m }
    - not: { did: purchase, within: 5m }
"#;
const OFFER: &str = r#"
rules:
  - { when: { cohort: hesitating }, payload: { text: Free } }
"#;
const EVERYBODY: &str = "rules:\n  - rollout: 100%\n";
const PRO: &str = "rules:\n  - when: { person: { plan: pro } }\n";

/// What is kept, and how it behaves.
#[derive(Default)]
pub struct State {
    pub records: HashMap<String, Record>,
    /// Of groups, by type and key.
    pub groups: HashMap<(String, String), Record>,
    pub coverage: Coverages,
    pub unknown: Option<Unknown>,
    /// Whoever is asked for, these are their distinct ids, and there may be more.
    pub distinct_ids: Vec<String>,
    pub incomplete: Option<Unknown>,
    pub stale_ms: i64,
    pub unready: Option<String>,
    /// Why no list can be held.
    pub unheld: Option<Unheld>,
    pub refuses: Option<AppendError>,
    pub appended: Vec<Outgoing>,
    pub lookups: usize,
    /// Whether events are folded only once somebody has waited for them.
    pub folds_late: bool,
    /// Definitions that are saved while somebody waits.
    pub saved: Option<Catalog>,
    unfolded: Vec<Vec<u8>>,
}

/// One shop.
pub struct Shop {
    router: Router,
    now_ms: Arc<AtomicI64>,
    kept: Arc<Kept>,
}

pub struct Kept {
    project: Arc<Project>,
    catalog: Arc<ArcSwap<Catalog>>,
    now_ms: Arc<AtomicI64>,
    pub state: Mutex<State>,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Shop {
    /// A shop with an offer for those who hesitate, and two flags more.
    pub fn open() -> Self {
        Shop::open_beside(&[])
    }

    /// The same shop, with more files.
    pub fn open_beside(more: &[(&str, &str)]) -> Self {
        let files = [
            ("shop/cohorts/hesitating.yaml", COHORT),
            ("shop/flags/offer.yaml", OFFER),
            ("shop/flags/everybody.yaml", EVERYBODY),
            ("shop/flags/pro.yaml", PRO),
        ];
        Shop::with(&[&files, more].concat())
    }

    /// A shop with these definitions.
    pub fn with(files: &[(&str, &str)]) -> Self {
        Shop::serving(Shop::compiled(files))
    }

    /// What these definitions say.
    pub fn compiled(files: &[(&str, &str)]) -> Catalog {
        let project = [("shop/project.yaml", "token: phc_shop\nsecrets: [phs_shop]\n")];
        let source = |(path, text): &(&str, &str)| Source {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        let sources: Vec<Source> = project.iter().chain(files).map(source).collect();
        let compiled = compile(&sources, &|_| None, &mut Default::default());
        compiled.expect("definitions in order").catalog
    }

    fn serving(catalog: Catalog) -> Self {
        let project = Arc::clone(catalog.project(TOKEN).expect("the shop"));
        let complete =
            |matcher: &schemas::catalog::Matcher| (matcher.id, Coverage::Since(i64::MIN));
        let state =
            State { coverage: project.matchers.iter().map(complete).collect(), ..State::default() };
        let now_ms = Arc::new(AtomicI64::new(NOON_MS));
        let clock = Arc::clone(&now_ms);
        let state = Mutex::new(state);
        let catalog = Arc::new(ArcSwap::from_pointee(catalog));
        let served = Arc::clone(&catalog);
        let kept = Arc::new(Kept { project, catalog, now_ms: Arc::clone(&now_ms), state });
        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::new(&mut registry));
        let elapsed: Elapsed = Arc::new(|| Duration::ZERO);
        let router = router(App {
            catalog: served,
            lookup: Arc::clone(&kept),
            append: Arc::clone(&kept),
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
            limits: Arc::new(Limits::new(Allowed::default(), &elapsed)),
            request_within: Duration::from_secs(20),
            monotonic: elapsed,
            trusted_proxies: Arc::default(),
            metrics,
            registry: Arc::new(registry),
        });
        Shop { router, now_ms, kept }
    }

    /// Sets the clock to so long after noon.
    pub fn at(&self, after_ms: i64) {
        self.now_ms.store(NOON_MS + after_ms, Ordering::Relaxed);
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.kept.state.lock().expect("no test panics with it")
    }

    /// What the log holds, as JSON.
    pub fn log(&self) -> Vec<Value> {
        let parse = |record: &Outgoing| serde_json::from_slice(&record.value).expect("JSON");
        self.state().appended.iter().map(parse).collect()
    }

    pub fn send(&self, request: Request<Body>) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let answer = self.router.clone().oneshot(request).await;
            let (head, body) = answer.expect("infallible").into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_vec() }
        })
    }

    /// Asks as whoever has the shop's secret.
    pub fn ask_privately(&self, path: &str) -> Answer {
        let request = Request::get(path).header(SECRET.0, SECRET.1);
        self.send(request.body(Body::empty()).expect("a request"))
    }

    pub fn ask(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        self.send(request.body(Body::empty()).expect("a request"))
    }

    /// Posts a body with these headers.
    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let request = Request::post(path);
        let named = headers.iter();
        let request = named.fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::from(body)).expect("a request"))
    }

    pub fn post_raw(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.post_with(path, &[("content-type", "application/json")], body.into())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_raw(path, body.to_string())
    }

    /// Captures an event of `who` that happened so long after noon.
    pub fn did(&self, who: &str, event: &str, after_ms: i64) {
        let timestamp = NOON_MS + after_ms;
        let event = json!({ "event": event, "distinct_id": who, "timestamp": timestamp });
        let answer = self.post("/batch/", &json!({ "api_key": TOKEN, "batch": [event] }));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The record of a flag for `who`.
    pub fn flag(&self, who: &str, key: &str) -> Value {
        let asked = json!({ "token": TOKEN, "distinct_id": who });
        self.post("/flags/?v=2", &asked).json()["flags"][key].clone()
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

impl Lookup for Kept {
    async fn reach(&self, at_least: &Position, wait: Duration) {
        let mut state = self.state.lock().expect("a lock");
        if at_least.is_empty() || has_reached(&state.position(), at_least) {
            return;
        }
        if let Some(saved) = state.saved.take() {
            self.catalog.store(Arc::new(saved));
        }
        let waited_ms = FOLD_MS.min(wait.as_millis() as i64);
        self.now_ms.fetch_add(waited_ms, Ordering::Relaxed);
        if waited_ms == FOLD_MS {
            let folded = std::mem::take(&mut state.unfolded);
            folded.iter().for_each(|value| self.fold(&mut state, value));
        }
    }

    async fn lookup(&self, sought: Sought<'_>) -> Facts {
        let mut state = self.state.lock().expect("a lock");
        state.lookups += 1;
        let position = state.position();
        let behind = !has_reached(&position, sought.at_least);
        let mut record = Record::default();
        for held in sought.distinct_ids.iter().filter_map(|id| state.records.get(*id)) {
            record.merge(held, |_| Some(schemas::window::Kept::newest(16, FOREVER_MS)));
        }
        let groups = sought.groups.iter().map(|group| {
            let key = (group.of.to_owned(), group.key.to_owned());
            (group.of.to_owned(), state.groups.get(&key).cloned().unwrap_or_default())
        });
        let groups = groups.collect();
        Facts {
            record,
            groups,
            coverage: Arc::new(state.coverage.clone()),
            unknown: state.unknown.or(behind.then_some(Unknown::Behind)),
            position,
            stale_ms: state.stale_ms,
            distinct_ids: state.distinct_ids.clone(),
            incomplete: state.incomplete,
        }
    }

    fn ready(&self, _: i64) -> Result<(), String> {
        match &self.state.lock().expect("a lock").unready {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }
}

impl Append for Kept {
    async fn append(&self, records: Vec<Outgoing>) -> Result<Position, AppendError> {
        let mut state = self.state.lock().expect("a lock");
        if let Some(error) = &state.refuses {
            return Err(error.clone());
        }
        for record in records {
            if state.folds_late {
                state.unfolded.push(record.value.clone());
            } else {
                self.fold(&mut state, &record.value);
            }
            state.appended.push(record);
        }
        Ok(Position::from([(0, state.appended.len() as i64)]))
    }
}

impl State {
    pub fn position(&self) -> Position {
        Position::from([(0, (self.appended.len() - self.unfolded.len()) as i64), (2, 7)])
    }
}

impl Kept {
    fn fold(&self, state: &mut State, value: &[u8]) {
        let event = Format::Sluice.parse(value).expect("capture writes what a reader takes");
        let stamp = Entry::new(event.timestamp_ms.expect("a time"), event.id_hash(0, 0, 0));
        let record = state.records.entry(event.distinct_id.clone().into_owned());
        let record = record.or_default();
        let named = self.project.gate.get(event.name.as_ref());
        for matcher in named.into_iter().flatten().map(|at| &self.project.matchers[*at]) {
            record.fold(matcher.id, matcher.kept, stamp.into());
        }
        let properties = event.properties.map_or("{}", |object| object.written());
        if event.name == keeping::EVENT {
            let kept = keeping::Kept::read(properties).expect("what it has to be");
            kept.registers(stamp).for_each(|register| _ = record.write(&register));
        }
        let properties: Value = serde_json::from_str(properties).expect("an object");
        for (key, value) in properties["$set"].as_object().into_iter().flatten() {
            record.write(&Register {
                key: key.into(),
                kind: Kind::Set,
                stamp,
                value: value.to_string().into(),
            });
        }
    }
}
