//! Bodies of requests, however they are packed: answered by one of few statuses, and what capture
//! takes is what a reader takes.

#![no_main]

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use evaluator::app::App;
use evaluator::limits::{Allowed, Elapsed, Limits};
use evaluator::metrics::Metrics;
use evaluator::pressure::Pressure;
use evaluator::server::router;
use libfuzzer_sys::fuzz_target;
use prometheus_client::registry::Registry;
use schemas::append::{Append, AppendError, Outgoing};
use schemas::definitions::{Source, compile};
use schemas::event::Format;
use schemas::ids::ProjectId;
use schemas::lookup::{Calls, Facts, Lookup, Position, Sought};
use schemas::scan::{Met, Place, Scan, Stretch, Unheld};
use schemas::unknown::Unknown;
use tower::ServiceExt;

const NOW_MS: i64 = 1_700_000_000_000;
const PATHS: [&str; 8] = [
    "/flags/?v=2",
    "/flags/?v=1",
    "/flags/",
    "/flags/?v=2&compression=gzip",
    "/batch/",
    "/e/?compression=gzip-js",
    "/capture/?_=1700000000000",
    "/i/v0/e/?beacon=1",
];
const KINDS: [&str; 4] =
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "image/png"];
const STATUSES: [u16; 6] = [200, 204, 400, 401, 404, 413];
const FLAGS: &str = r#"{"flags": [
    {"id": 1, "key": "a", "active": true, "filters": {"groups": [{"properties": [
        {"key": "plan", "type": "person", "operator": "icontains", "value": "pro"}]}]}},
    {"id": 2, "key": "b", "active": true, "filters": {"aggregation_group_type_index": 0,
        "groups": [{"properties": [], "rollout_percentage": 50}]}}],
    "group_type_mapping": {"0": "company"}, "cohorts": {}}"#;

/// Knows nothing of anybody, and keeps what was last appended.
#[derive(Default)]
struct Nobody(Mutex<Vec<Outgoing>>);

impl Scan for Nobody {
    fn position(&self) -> Position {
        Position::default()
    }

    fn hold(&self, _: i64, _: i64) -> Result<(), Unheld> {
        Ok(())
    }

    fn scan(
        &self,
        _: &Stretch<'_>,
        _: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Place>, Unknown> {
        Ok(None)
    }
}

impl Lookup for Nobody {
    async fn reach(&self, _: &Position, _: Duration) {}

    async fn lookup(&self, _: Sought<'_>) -> Facts {
        Facts::default()
    }

    async fn calls(&self, _: ProjectId, _: &str, _: i64) -> Calls {
        Calls::default()
    }

    fn ready(&self, _: i64) -> Result<(), String> {
        Ok(())
    }
}

impl Append for Nobody {
    async fn append(&self, records: Vec<Outgoing>) -> Result<Position, AppendError> {
        *self.0.lock().expect("a lock") = records;
        Ok(Position::default())
    }
}

struct Shop {
    router: Router,
    log: Arc<Nobody>,
    runtime: tokio::runtime::Runtime,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources =
        [source("shop/project.yaml", "token: phc_shop\n"), source("shop/posthog.json", FLAGS)];
    let compiled = compile(&sources, &|_| None, &mut Default::default());
    let log = Arc::new(Nobody::default());
    let mut registry = Registry::default();
    let elapsed: Elapsed = Arc::new(|| Duration::ZERO);
    let app = App {
        catalog: Arc::new(ArcSwap::from_pointee(compiled.expect("definitions in order").catalog)),
        lookup: Arc::clone(&log),
        append: Arc::clone(&log),
        clock: Arc::new(|| NOW_MS),
        request_within: Duration::from_secs(20),
        limits: Arc::new(Limits::new(Allowed::default(), &elapsed)),
        monotonic: elapsed,
        typed_records: true,
        trusted_proxies: Arc::default(),
        places: None,
        pressure: Arc::new(Pressure::new(None)),
        metrics: Arc::new(Metrics::new(&mut registry)),
        registry: Arc::new(registry),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    Shop { router: router(Arc::new(app)), log, runtime: runtime.expect("a runtime") }
});

fuzz_target!(|packed: (u8, &[u8])| {
    let (how, body) = packed;
    let path = PATHS[usize::from(how & 7)];
    let mut request = Request::post(path)
        .header(header::CONTENT_TYPE, KINDS[usize::from(how >> 3 & 3)])
        .header(header::USER_AGENT, "posthog-python/7.91.1");
    if how & 32 != 0 {
        request = request.header(header::CONTENT_ENCODING, "gzip");
    }
    let request = request.body(Body::from(body.to_vec())).expect("a request");
    SHOP.log.0.lock().expect("a lock").clear();
    let answer = SHOP.runtime.block_on(SHOP.router.clone().oneshot(request)).expect("an answer");
    assert!(STATUSES.contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    for record in SHOP.log.0.lock().expect("a lock").iter() {
        let read = Format::Sluice.parse(&record.value);
        assert!(read.is_ok(), "{path} took what is read as {:?}", read.err());
    }
});
