//! A shop behind the router, with a clock that is set.

use std::io::Write;
use std::path::Path;
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
use evaluator::places::Places;
use evaluator::pressure::Pressure;
use evaluator::server::router;
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use schemas::append::Outgoing;
use schemas::catalog::Catalog;
use schemas::definitions::{Source, compile};
use schemas::lookup::Coverage;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::memory::{Kept, State};

/// When every story begins.
pub const NOON_MS: i64 = 1_700_000_000_000;
pub const TOKEN: &str = "phc_shop";
/// What opens the shop's private routes.
pub const SECRET: (&str, &str) = ("authorization", "Bearer phs_shop");

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
/// A database of addresses, from the crate's folder.
const PLACES: &str = "tests/http/places.mmdb";
const EVERYBODY: &str = "rules:\n  - rollout: 100%\n";
const PRO: &str = "rules:\n  - when: { person: { plan: pro } }\n";

/// One shop.
pub struct Shop {
    router: Router,
    now_ms: Arc<AtomicI64>,
    kept: Arc<Kept>,
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
        Shop::serving(Shop::compiled(files), false)
    }

    /// The same, where `/flags` tells typed values.
    pub fn typed(files: &[(&str, &str)]) -> Self {
        Shop::serving(Shop::compiled(files), true)
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

    fn serving(catalog: Catalog, typed_records: bool) -> Self {
        let project = Arc::clone(catalog.project(TOKEN).expect("the shop"));
        let complete =
            |matcher: &schemas::matcher::Matcher| (matcher.id, Coverage::Since(i64::MIN));
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
        let router = router(Arc::new(App {
            catalog: served,
            lookup: Arc::clone(&kept),
            append: Arc::clone(&kept),
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
            limits: Arc::new(Limits::new(Allowed::default(), &elapsed)),
            request_within: Duration::from_secs(20),
            monotonic: elapsed,
            typed_records,
            trusted_proxies: Arc::default(),
            places: Some(Arc::new(Places::open(Path::new(PLACES)).expect("a database"))),
            pressure: Arc::new(Pressure::new(None)),
            metrics,
            registry: Arc::new(registry),
        }));
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
