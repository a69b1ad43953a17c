//! PostHog's own SDKs, unmodified, pointed at Sluice.

use std::io::{Write, stderr};
use std::process::Command;
use std::time::Duration;

use crate::broker::Broker;
use crate::harness::{Server, Setup, eventually};
use crate::shop::{SECRET, TOKEN};
use crate::tools;

/// A tour is a few dozen requests, and the start of an interpreter, a compiler or a browser.
const TOUR_WITHIN: Duration = Duration::from_secs(300);

#[test]
fn posthog_python_captures_and_asks() {
    let mut python = Command::new(tools::sdk_python());
    python.arg(tools::repository().join("tests/sdk/python_tour.py"));
    tour(&setup().start(), python);
}

#[test]
fn posthog_node_captures_and_asks() {
    tour(&setup().start(), node("tests/sdk/node_tour.mjs"));
}

/// Compiled here, so that what is toured is what is written.
#[test]
fn posthog_go_captures_and_asks() {
    let cache = tools::sdk_go_cache();
    let mut go = Command::new(tools::sdk_go());
    go.args(["run", "."]).current_dir(tools::repository().join("tests/sdk/go_tour"));
    go.env("GOMODCACHE", cache.join("modules")).env("GOCACHE", cache.join("compiled"));
    // It takes what is there: nothing is fetched, and nothing needs a C compiler or git.
    go.env("GOPROXY", "off").env("GOTOOLCHAIN", "local").env("GOWORK", "off");
    go.env("GOFLAGS", "-modcacherw -buildvcs=false").env("CGO_ENABLED", "0").env_remove("GOROOT");
    tour(&setup().start(), go);
}

/// Pages come from another origin than Sluice's, so that the browser asks what it may.
#[test]
fn posthog_js_captures_and_asks_in_a_browser() {
    let Some(chromium) = tools::sdk_chromium() else {
        let what = "no Chromium can be had here: posthog-js was NOT tested in a browser";
        return writeln!(stderr(), "{what}").expect("standard error takes a line");
    };
    let mut browser = node("tests/sdk/browser_tour.mjs");
    browser.env("SDK_CHROMIUM", chromium);
    tour(&setup().start(), browser);
}

/// With a topic, since an event captured into Sluice's own log is seen in any case.
#[test]
fn posthog_node_reads_what_it_wrote() {
    let broker = Broker::shared();
    let topic = broker.topic(4);
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    tour(&server, node("tests/sdk/node_position.mjs"));
}

/// The shop, and as PostHog has them a flag by groups, one that goes by whom it took the visitor
/// for, a remote configuration, and one by a cohort of events.
fn setup() -> Setup {
    Setup::embedded().define("posthog.json", include_str!("sdk/posthog.json"))
}

fn node(script: &str) -> Command {
    let mut node = Command::new(tools::sdk_node());
    node.arg(tools::repository().join(script)).env("SDK_NODE_MODULES", tools::sdk_node_modules());
    node
}

/// Runs a script to its end, with the server's address, token and secret.
pub fn tour(server: &Server, mut script: Command) {
    let output = tempfile::NamedTempFile::new().expect("a temporary file");
    // One file with one end: of two, each would write over what the other has said.
    let said = output.reopen().expect("a second handle");
    script.args([server.client.base(), TOKEN, SECRET]);
    script.stdout(said.try_clone().expect("a third")).stderr(said);
    script.env("TOUR_DEFINITIONS", server.definitions().join("shop"));
    // A proxy that the machine needs for the world outside isn't for this.
    script.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let mut child = script.spawn().expect("the SDK's interpreter is there: run script/test");
    let ended = eventually("the tour ends", TOUR_WITHIN, || {
        child.try_wait().expect("the child can be asked")
    });
    let said = std::fs::read_to_string(output.path()).expect("its output is text");
    assert!(ended.success(), "{said}");
    println!("{said}");
}
