//! What `sluice dev` shows: a table in a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Events folded in the last second.
    pub events_per_s: f64,
    /// Records of the log that aren't folded yet.
    pub lag_records: i64,
    /// People in memory.
    pub people: usize,
    /// People in each cohort now, and people of whom it isn't known.
    pub cohorts: Vec<(String, usize, usize)>,
    /// How often each flag is on, among the checks of the last seconds.
    pub flags: BTreeMap<String, (u64, u64)>,
    /// The newest decisions that changed, newest last.
    pub flips: Vec<String>,
    /// Flag checks over HTTP: how many, and how long they take, in microseconds.
    pub checks: u64,
    /// The median.
    pub p50_us: u64,
    /// The slowest in a hundred.
    pub p99_us: u64,
}

/// The address, and three commands to try.
pub fn welcome(address: SocketAddr, token: &str, traffic: bool) -> String {
    let visitors = if traffic {
        "imaginary visitors come and go"
    } else {
        "no visitors (--no-traffic): the shop is yours"
    };
    let post = |path: &str, body: &str| {
        let kind = "-H 'content-type: application/json'";
        format!("curl -s 'http://{address}{path}' {kind} -d '{{\"api_key\":\"{token}\",{body}}}'")
    };
    let add = post("/capture/", r#""event":"added to cart","distinct_id":"me""#);
    let ask = post("/flags/?v=2", r#""distinct_id":"me""#);
    let ask_one = post("/flags/?v=2", r#""distinct_id":"me","flag_keys":["free-shipping"]"#);
    format!(
        r"Sluice answers on http://{address}; {visitors}. Ctrl-C stops it, its data stays.

Paste in another terminal:

  send an event:
    {add}

  ask for flags:
    {ask}

  see a flag flip (on after three adds; off five minutes later, or after a purchase):
    for i in 1 2 3; do {add}; done; {ask_one}
"
    )
}

/// The table.
pub fn table(now: &Snapshot) -> String {
    let mut text = String::new();
    let line = |text: &mut String, row: String| {
        text.push_str(&row);
        text.push('\n');
    };
    line(
        &mut text,
        format!(
            "events/s {:>8.1}   behind the log {:>6} records   people in memory {:>7}",
            now.events_per_s, now.lag_records, now.people
        ),
    );
    line(
        &mut text,
        format!(
            "flag checks over HTTP {:>8}   p50 {:>5} µs   p99 {:>6} µs",
            now.checks, now.p50_us, now.p99_us
        ),
    );
    line(&mut text, format!("\n{:<28} {:>9} {:>9}", "cohort", "in now", "unknown"));
    for (key, members, unknown) in &now.cohorts {
        line(&mut text, format!("{key:<28} {members:>9} {unknown:>9}"));
    }
    line(&mut text, format!("\n{:<28} {:>9} {:>9}", "flag (of those asked)", "on", "asked"));
    for (key, (on, asked)) in &now.flags {
        line(&mut text, format!("{key:<28} {on:>9} {asked:>9}"));
    }
    line(&mut text, "\ndecisions that flipped".to_owned());
    for flip in &now.flips {
        line(&mut text, format!("  {flip}"));
    }
    text
}

/// One plain line.
pub fn line(now: &Snapshot) -> String {
    let mut text = format!(
        "events/s={:.1} lag={} people={} checks={} p50_us={} p99_us={}",
        now.events_per_s, now.lag_records, now.people, now.checks, now.p50_us, now.p99_us
    );
    for (key, members, unknown) in &now.cohorts {
        let _ = write!(text, " {key}={members}");
        if *unknown > 0 {
            let _ = write!(text, "(+{unknown} unknown)");
        }
    }
    text
}
