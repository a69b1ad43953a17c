//! Agreement: what PostHog's SDKs decide for themselves is what Sluice answers, flag by flag, over
//! flags and people by chance; where they are known to differ, by a rule of posthog.md.
//!
//! `AGREEMENT_PROJECTS` says how many projects of 100 people there are; 350 make a million
//! comparisons with each SDK.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{Setup, seed};
use crate::tools;

const PROJECTS: &str = "6";
const PEOPLE: &str = "100";

/// Serves definitions until it is dropped.
struct Feed {
    child: Child,
    address: String,
}

impl Feed {
    fn of(world: &str) -> Self {
        let mut child = python("feed.py", &[world]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a feed");
        let mut address = String::new();
        let said = child.stdout.take().expect("it is piped");
        BufReader::new(said).read_line(&mut address).expect("an address");
        Feed { child, address: address.trim().to_owned() }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sdks_that_decide_for_themselves_agree() {
    let world = tempfile::tempdir().expect("a temporary folder");
    let world = world.path().to_str().expect("a path of letters");
    let seed = seed().to_string();
    println!("TEST_SEED={seed}");
    let projects = std::env::var("AGREEMENT_PROJECTS").unwrap_or_else(|_| PROJECTS.to_owned());
    run(python("world.py", &[&seed, &projects, PEOPLE, world]));
    let feed = Feed::of(world);
    run(python("local.py", &[world, &feed.address]));
    let mut node = Command::new(tools::sdk_node());
    node.arg(script("local.mjs")).args([world, &feed.address]);
    run(node.env("SDK_NODE_MODULES", tools::sdk_node_modules()));
    let definitions = Path::new(world).join("definitions");
    let server = Setup::embedded()
        .set("SLUICE_DEFINITIONS", definitions.to_str().expect("a path of letters"))
        .start();
    let said = run(python("compare.py", &[world, server.client.base(), "python", "node"]));
    println!("{said}");
}

fn script(name: &str) -> std::path::PathBuf {
    tools::repository().join("tests/sdk/agreement").join(name)
}

fn python(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(tools::sdk_python());
    // Nothing is left beside the scripts.
    command.arg("-B").arg(script(name)).args(arguments);
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command
}

/// Runs it to its end. Returns what it said, which it also says if it fails.
fn run(mut command: impl std::borrow::BorrowMut<Command>) -> String {
    let command: &mut Command = command.borrow_mut();
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let output = tempfile::NamedTempFile::new().expect("a temporary file");
    let handle = || output.reopen().expect("a second handle");
    let status = command.stdout(handle()).stderr(handle()).status().expect("an interpreter");
    let said = fs::read_to_string(output.path()).expect("text");
    assert!(status.success(), "{said}");
    said
}
