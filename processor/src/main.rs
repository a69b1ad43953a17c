//! `sluice`: gates features on what people are doing right now.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use evaluator::app::App;
use evaluator::server::router;
use evaluator::workers::{Patience, Worker};
use mimalloc::MiMalloc;
use processor::cli::{self, Command, Forget};
use processor::clocks::Clocks;
use processor::log::Log;
use processor::log::embedded::{Embedded, Retention};
use processor::log::kafka::{Kafka, Topic};
use processor::node::{self, Node};
use processor::settings::{LogKind, Settings};
use processor::{definitions, dev, examples, explain, import, lookup, priority};
use schemas::append::Append;
use schemas::event::Format;
use tracing_subscriber::EnvFilter;

/// Records come from one thread and are let go by another, which glibc's allocator minds.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long requests under way may take once the node is told to stop.
const DRAIN_WAIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| eprintln!("sluice: {mistake}"));
            return ExitCode::from(2);
        }
    };
    #[cfg(feature = "failpoints")]
    let _armed = fail::FailScenario::setup();
    let done = match command {
        Command::Serve(settings) => start_logging(&settings).and_then(|()| serve(&settings)),
        Command::Dev(settings, traffic) => {
            start_logging(&settings).and_then(|()| develop(&settings, traffic))
        }
        Command::Check(folder) => check(&folder),
        Command::Health(settings) => health(&settings),
        Command::Explain(ask) => explain::told(&ask).map(|told| println!("{}", told.trim_end())),
        Command::Forget(asked) => forget(&asked),
        Command::Import(asked) => {
            import::import(&asked).map(|told| println!("{}", told.trim_end()))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sluice: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The only clocks of the process.
#[allow(clippy::disallowed_methods, reason = "main alone reads the clock, for everyone")]
fn clocks() -> Clocks {
    let began = std::time::Instant::now();
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as i64)
    };
    Clocks { now: Arc::new(now), elapsed: Arc::new(move || began.elapsed()) }
}

fn start_logging(settings: &Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log_level)
        .with_context(|| format!("log_level: {:?} is no filter", settings.log_level))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    Ok(())
}

fn embedded(settings: &Settings, clocks: &Clocks) -> anyhow::Result<Node<Embedded>> {
    let (told, heard) = node::position();
    let retention =
        Retention { age_ms: settings.log_retention_ms, bytes: settings.log_retention_bytes };
    let folder = settings.data_dir.join("log");
    let log = Embedded::open(&folder, retention, heard, Arc::clone(&clocks.now))
        .with_context(|| format!("the embedded log in {}", folder.display()))?;
    Node::start(settings, log, told, clocks)
}

fn serve(settings: &Settings) -> anyhow::Result<()> {
    let clocks = clocks();
    match settings.log {
        LogKind::Embedded => answer(settings, embedded(settings, &clocks)?),
        LogKind::Kafka => {
            let (told, _) = node::position();
            let log = Kafka::new(Topic {
                name: settings.kafka_topic.clone(),
                read_only: settings.kafka_format != Format::Sluice,
                brokers: settings.kafka_brokers.clone(),
                group: settings.kafka_group.clone(),
                partitions: settings.kafka_partitions,
                properties: settings.kafka_properties.clone(),
            })?;
            answer(settings, Node::start(settings, log, told, &clocks)?)
        }
    }
}

/// Answers HTTP until a signal, then drains, and stops the node.
fn answer<L: Log + Append>(settings: &Settings, node: Node<L>) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let app = Arc::clone(&node.app);
    let answered = runtime.block_on(async {
        let listener = listen(settings).await?;
        tracing::info!(address = %listener.local_addr()?, "answering");
        serve_until(listener, &app, stop_signal()).await
    });
    runtime.shutdown_timeout(Duration::from_millis(100));
    node.stop();
    tracing::info!("stopped; everything is durable");
    answered
}

/// What takes connections and waits for signals; workers answer.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn listen(settings: &Settings) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(settings.listen).await.with_context(|| {
        format!("{} can't be listened on; give another with --listen", settings.listen)
    })
}

async fn serve_until<L: Log + Append>(
    listener: tokio::net::TcpListener,
    app: &App<lookup::Here, L>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers: std::io::Result<Vec<_>> = (0..processors).map(|_| worker(app)).collect();
    let workers = workers.context("no thread to answer with")?;
    if !evaluator::listener::serve(listener, workers, stop).await {
        tracing::warn!("requests still under way after {DRAIN_WAIT:?} are cut off");
    }
    Ok(())
}

fn worker<L: Log + Append>(app: &App<lookup::Here, L>) -> std::io::Result<Worker> {
    let app = Arc::new(app.for_another());
    let patience = Patience { headers: app.request_within, drain: DRAIN_WAIT };
    let (pressure, elapsed) = (Arc::clone(&app.pressure), Arc::clone(&app.monotonic));
    Worker::start(router(app), patience, move || {
        // Somebody's page waits for what takes a tenth of a millisecond.
        priority::cut_in();
        if let Err(error) = evaluator::probe::start(&pressure, &elapsed) {
            tracing::warn!(%error, "overload isn't noticed: nobody is turned away for it");
        }
    })
}

/// Ctrl-C, or the signal that service managers and Docker send.
async fn stop_signal() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

fn develop(settings: &Settings, traffic: bool) -> anyhow::Result<()> {
    let clocks = clocks();
    let node = embedded(settings, &clocks)?;
    let runtime = runtime()?;
    let view = dev::View {
        store: Arc::clone(&node.store),
        catalog: Arc::clone(&node.catalog),
        metrics: Arc::clone(&node.metrics),
        clocks,
    };
    let app = Arc::clone(&node.app);
    let shown = runtime.block_on(async {
        let listener = listen(settings).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut waiting = stopped.clone();
        let serving = tokio::spawn(async move {
            let stopped = async move {
                let _ = waiting.wait_for(|stop| *stop).await;
            };
            serve_until(listener, &app, stopped).await
        });
        let shown = dev::run(view, address, traffic, stop_signal()).await;
        stop.send(true).ok();
        serving.await??;
        shown
    });
    runtime.shutdown_timeout(Duration::from_millis(100));
    node.stop();
    println!("stopped; everything is kept in {}", settings.data_dir.display());
    shown
}

fn check(folder: &std::path::Path) -> anyhow::Result<()> {
    let sources = definitions::read(folder)?;
    let environment = |name: &str| std::env::var(name).ok();
    let mut registry = schemas::catalog::Registry::default();
    match schemas::definitions::compile(&sources, &environment, &mut registry) {
        Ok(compiled) => {
            compiled.warnings.iter().for_each(|warning| println!("{warning}"));
            for project in compiled.catalog.projects() {
                let examples = project.cohorts.iter().map(|cohort| cohort.examples.len());
                println!(
                    "{}: {} flags, {} cohorts with {} examples, {} matchers",
                    project.name,
                    project.flags.len(),
                    project.cohorts.len(),
                    examples.sum::<usize>(),
                    project.matchers.len()
                );
            }
            refuse(&examples::wrong(&compiled.catalog), folder)
        }
        Err(problems) => refuse(&problems, folder),
    }
}

fn refuse(
    problems: &[schemas::definitions::Problem],
    folder: &std::path::Path,
) -> anyhow::Result<()> {
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    anyhow::ensure!(problems.is_empty(), "{} problems in {}", problems.len(), folder.display());
    Ok(())
}

/// Asks this machine's node whether it is ready: what a container's health check runs.
fn health(settings: &Settings) -> anyhow::Result<()> {
    let mut address = settings.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::IpAddr::from([127, 0, 0, 1]));
    }
    // An engine may tell containers of a proxy, which knows another machine by this address.
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let answer = agent.get(format!("http://{address}/health/ready")).call()?;
    anyhow::ensure!(answer.status() == 200, "not ready: {}", answer.status());
    Ok(())
}

/// Has a running node delete a person.
fn forget(asked: &Forget) -> anyhow::Result<()> {
    let body = serde_json::json!({ "project": asked.project, "distinct_id": asked.distinct_id });
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("{}/api/forget", asked.url.trim_end_matches('/'));
    let request = agent.post(&url).header("authorization", format!("Bearer {}", asked.secret));
    let mut answer = request.send_json(body).with_context(|| format!("no answer from {url}"))?;
    let said = answer.body_mut().read_to_string()?;
    anyhow::ensure!(answer.status() == 200, "{}: {said}", answer.status());
    println!("{said}");
    Ok(())
}
