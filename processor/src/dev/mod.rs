//! `sluice dev`: imaginary visitors send events over HTTP, checks are made over HTTP, and a
//! table shows what follows.

mod checks;
mod screen;
mod visitors;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use arc_swap::ArcSwap;
use evaluator::cohort::Asked;
use evaluator::context::Context;
use evaluator::truth::Truth;
use parking_lot::Mutex;
use schemas::catalog::{Catalog, Project};
use schemas::lookup::Facts;
use serde_json::{Value, json};

use self::checks::Checks;
use self::screen::Snapshot;
use self::visitors::{VISITORS, Visitor};
use crate::clocks::Clocks;
use crate::metrics::Metrics;
use crate::store::Store;

const REFRESH: Duration = Duration::from_secs(1);
/// Without a terminal, a line every so many refreshes.
const LINE_EVERY: u64 = 5;
const TICK: Duration = Duration::from_millis(100);
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// What is shown.
pub struct View {
    /// Who is known.
    pub store: Arc<Store>,
    /// The definitions in use.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Tell now.
    pub clocks: Clocks,
}

/// Shows what happens until `stop`.
///
/// # Errors
/// When there is no project to show, or a thread can't be had.
pub async fn run(
    view: View,
    address: SocketAddr,
    traffic: bool,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let project = view.catalog.load().projects().first().cloned();
    let project = project.ok_or_else(|| {
        anyhow::anyhow!("no project in the definitions: make definitions/<project>/project.yaml")
    })?;
    println!("{}", screen::welcome(address, &project.token, traffic));
    let checks = Arc::new(Mutex::new(Checks::default()));
    let mut threads = Vec::new();
    if traffic {
        let (stop_visits, visited) = mpsc::channel();
        let (token, clocks) = (project.token.clone(), view.clocks.clone());
        threads.push((
            stop_visits,
            spawn("visitors", move || {
                visit(address, &token, &clocks, &visited);
            })?,
        ));
        let (stop_checks, checked) = mpsc::channel();
        let (token, clocks) = (project.token.clone(), view.clocks.clone());
        let noted = Arc::clone(&checks);
        threads.push((
            stop_checks,
            spawn("checks", move || {
                check(address, &token, &clocks, &noted, &checked);
            })?,
        ));
    }
    show(&view, &checks, stop).await;
    for (stop, thread) in threads {
        drop(stop);
        // A visitor who panicked has said so already.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
    Ok(())
}

fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

async fn show(view: &View, checks: &Mutex<Checks>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let terminal = std::io::stdout().is_terminal();
    let mut ticks = tokio::time::interval(REFRESH);
    let mut before = view.metrics.events_total();
    let mut height = 0;
    for refresh in 0u64.. {
        tokio::select! {
            () = &mut stop => return,
            _ = ticks.tick() => {}
        }
        let events = view.metrics.events_total();
        let now = snapshot(view, &mut checks.lock(), events - before);
        before = events;
        if terminal {
            let table = screen::table(&now);
            // Up to where the last table began, and over it.
            let up = if height > 0 { format!("\x1b[{height}A\x1b[J") } else { String::new() };
            height = table.lines().count();
            print!("{up}{table}");
        } else if refresh % LINE_EVERY == 0 {
            println!("{}", screen::line(&now));
        }
        // Whoever reads it may be gone; the node goes on.
        let _ = std::io::stdout().flush();
    }
}

fn snapshot(view: &View, checks: &mut Checks, events: u64) -> Snapshot {
    let catalog = view.catalog.load_full();
    let partitions = view.store.partitions();
    let (p50_us, p99_us) = checks.latency_us();
    Snapshot {
        events_per_s: events as f64 / REFRESH.as_secs_f64(),
        lag_records: view.metrics.lag(partitions.iter().map(|partition| partition.id)),
        people: view.store.memory().people,
        cohorts: catalog.projects().iter().flat_map(|project| members(view, project)).collect(),
        flags: checks.flags(),
        flips: checks.flips(),
        checks: checks.count(),
        p50_us,
        p99_us,
    }
}

/// How many people are in each cohort now, and of how many that isn't known.
fn members(view: &View, project: &Project) -> Vec<(String, usize, usize)> {
    let now_ms = (view.clocks.now)();
    let mut counts: Vec<(String, usize, usize)> =
        project.cohorts.iter().map(|cohort| (cohort.key.clone(), 0, 0)).collect();
    let counted = view.store.each_person(project.id, |distinct_id, record| {
        let facts = Facts {
            record,
            coverage: view.store.coverages(),
            position: view.store.position(),
            ..Facts::default()
        };
        let context = Context { distinct_id: distinct_id.to_owned(), ..Context::default() };
        let asked = Asked::new(project, &context, &facts, now_ms);
        for (index, (_, members, unknown)) in counts.iter_mut().enumerate() {
            match asked.is_in(index) {
                Truth::True => *members += 1,
                Truth::Open(_) => *unknown += 1,
                Truth::False => {}
            }
        }
    });
    if let Err(error) = counted {
        tracing::error!(%error, "people can't be counted");
    }
    counts
}

/// Lets the visitors act until told to stop.
fn visit(address: SocketAddr, token: &str, clocks: &Clocks, stop: &mpsc::Receiver<()>) {
    let mut dice = fastrand::Rng::with_seed((clocks.now)() as u64);
    let now_ms = (clocks.now)();
    let mut visitors: Vec<Visitor> =
        (0..VISITORS).map(|number| Visitor::new(number, now_ms, &mut dice)).collect();
    let url = format!("http://{address}/batch/");
    while stop.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
        let now_ms = (clocks.now)();
        let acts = visitors.iter_mut().filter_map(|visitor| visitor.act(now_ms, &mut dice));
        let batch: Vec<Value> = acts.collect();
        if batch.is_empty() {
            continue;
        }
        let body = json!({ "api_key": token, "batch": batch });
        if let Err(error) = ureq::post(&url).send_json(body) {
            tracing::warn!(%error, "the visitors' events were refused");
        }
    }
}

/// Checks the flags of one visitor after the other until told to stop.
fn check(
    address: SocketAddr,
    token: &str,
    clocks: &Clocks,
    checks: &Mutex<Checks>,
    stop: &mpsc::Receiver<()>,
) {
    let url = format!("http://{address}/flags/?v=2");
    let agent = ureq::Agent::new_with_defaults();
    let mut number = 0;
    while stop.recv_timeout(CHECK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        number = (number + 1) % VISITORS;
        let distinct_id = format!("visitor-{number:03}");
        let began = (clocks.elapsed)();
        let asked = json!({ "api_key": token, "distinct_id": distinct_id });
        let answer = agent.post(&url).send_json(asked);
        let answer = answer.and_then(|mut answer| answer.body_mut().read_json::<Value>());
        let took = (clocks.elapsed)() - began;
        match answer {
            Ok(answer) => checks.lock().note(&distinct_id, &answer, took),
            Err(error) => tracing::warn!(%error, "a flag check was refused"),
        }
    }
}
