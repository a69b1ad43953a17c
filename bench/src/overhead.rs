//! What a check costs beside an HTTP server that does nothing, in turns over one connection each.
//!
//! Whoever asks and both who answer share one processor: where threads that take turns are apart,
//! waking the other takes longer than either answer, and the system chooses whether they are.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use axum::Router;
use axum::routing::post;
use hdrhistogram::Histogram;
use serde_json::json;

use crate::Outcome;
use crate::conditions::TOKEN;
use crate::process;
use crate::together::together;
use crate::wire::Connection;

/// Requests to the one, before it is the other's turn.
const TURN: u64 = 500;
/// Connections that ask at once for the cost of many.
const CONNECTIONS: u64 = 8;
const PATH: &str = "/flags/?v=2";

#[derive(clap::Args)]
pub struct Arguments {
    /// A node with the definitions of set fifty, without other load.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// The node's process.
    #[arg(long)]
    pid: u32,
    /// How many requests of each kind.
    #[arg(long, default_value_t = 50_000)]
    requests: u64,
    /// The flag that is asked for alone.
    #[arg(long, default_value = "plain-00")]
    flag: String,
}

/// Requests of one kind; times in nanoseconds.
struct Kind {
    connection: Connection,
    body: Vec<u8>,
    took: Histogram<u64>,
}

impl Kind {
    fn new(url: &str, body: Vec<u8>) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Kind { connection: Connection::open(url)?, body, took: Histogram::new(3)? })
    }

    fn turn(&mut self) -> Outcome {
        for _ in 0..TURN {
            let began = Instant::now();
            self.connection.post(PATH, &self.body)?.fine()?;
            self.took.record(began.elapsed().as_nanos() as u64)?;
        }
        Ok(())
    }

    fn tell(&self, what: &str, beside: &Kind) {
        let us = |quantile| self.took.value_at_quantile(quantile) as f64 / 1e3;
        let ratio = |quantile| us(quantile) * 1e3 / beside.took.value_at_quantile(quantile) as f64;
        println!(
            "{what}: p50 {:.1} us, p99 {:.1} us; {:.2} and {:.2} times the empty handler",
            us(0.5),
            us(0.99),
            ratio(0.5),
            ratio(0.99)
        );
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    let nothing = Nothing::start()?;
    for pid in [std::process::id(), nothing.process.id(), arguments.pid] {
        process::keep_on_one(pid)?;
    }
    let all = json!({ "token": TOKEN, "distinct_id": "p-1" });
    let mut one = all.clone();
    one["flag_keys"] = json!([arguments.flag]);
    let [one, all] = [one, all].map(|body| body.to_string().into_bytes());
    let mut empty = Kind::new(&nothing.url, one.clone())?;
    let mut one = Kind::new(&arguments.url, one)?;
    let mut all = Kind::new(&arguments.url, all)?;
    // Twice: what is warm counts.
    for _ in 0..2 {
        [&mut empty, &mut one, &mut all].into_iter().for_each(|kind| kind.took.reset());
        for _ in 0..arguments.requests / TURN {
            empty.turn()?;
            one.turn()?;
            all.turn()?;
        }
    }
    empty.tell("an empty handler", &empty);
    one.tell("one flag", &empty);
    all.tell("all flags", &empty);
    let each_us = cpu_us(arguments, &all.body)?;
    println!(
        "all flags, {CONNECTIONS} connections: {each_us:.1} us of the node's processors a request"
    );
    Ok(())
}

/// What a request costs the node when it has several to answer.
fn cpu_us(arguments: &Arguments, body: &[u8]) -> Result<f64, Box<dyn std::error::Error>> {
    let turns = arguments.requests / TURN / CONNECTIONS + 1;
    let before = process::cpu_seconds(arguments.pid)?;
    together(CONNECTIONS, |_| {
        let mut kind = Kind::new(&arguments.url, body.to_vec())?;
        (0..turns).try_for_each(|_| kind.turn())
    })?;
    let seconds = process::cpu_seconds(arguments.pid)? - before;
    Ok(seconds * 1e6 / (turns * TURN * CONNECTIONS) as f64)
}

/// A process that answers nothing, as long as this is held.
struct Nothing {
    url: String,
    process: Child,
}

impl Nothing {
    fn start() -> Result<Nothing, Box<dyn std::error::Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("nothing").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut url = String::new();
        let told = process.stdout.take().ok_or("it has no output")?;
        BufReader::new(told).read_line(&mut url)?;
        Ok(Nothing { url: url.trim().to_owned(), process })
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Serves an axum handler that says nothing until the input ends; tells its address first.
pub fn serve_nothing() -> Outcome {
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    println!("http://{}", listener.local_addr()?);
    let router = Router::new().route("/flags/", post(async || ()));
    runtime.spawn(async { axum::serve(listener, router).await });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
