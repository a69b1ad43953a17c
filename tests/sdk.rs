//! PostHog's own SDKs, unmodified, pointed at Sluice.

use std::process::Command;
use std::time::Duration;

use crate::broker::Broker;
use crate::harness::{Server, Setup, eventually};
use crate::shop::{SECRET, TOKEN};
use crate::tools;

/// A tour is a few dozen requests and two interpreters' start.
const TOUR_WITHIN: Duration = Duration::from_secs(120);

#[test]
fn posthog_python_captures_and_asks() {
    let mut python = Command::new(tools::sdk_python());
    python.arg(tools::repository().join("tests/sdk/python_tour.py"));
    tour(&Setup::embedded().start(), python);
}

#[test]
fn posthog_node_captures_and_asks() {
    tour(&Setup::embedded().start(), node("tests/sdk/node_tour.mjs"));
}

/// With a topic, since an event captured into Sluice's own log is seen in any case.
#[test]
fn posthog_node_reads_what_it_wrote() {
    let broker = Broker::shared();
    let topic = broker.topic(4);
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    tour(&server, node("tests/sdk/node_position.mjs"));
}

fn node(script: &str) -> Command {
    let mut node = Command::new(tools::sdk_node());
    node.arg(tools::repository().join(script)).env("SDK_NODE_MODULES", tools::sdk_node_modules());
    node
}

fn tour(server: &Server, mut script: Command) {
    let output = tempfile::NamedTempFile::new().expect("a temporary file");
    let handle = || output.reopen().expect("a second handle");
    script.args([server.client.base(), TOKEN, SECRET]).stdout(handle()).stderr(handle());
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
