//! Stories of usage: which flags are still asked for, by whom, and what they are.

use std::process::Command;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::conformance::{complaints, schema_of};
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{READY_WITHIN, Server, Setup, eventually};
use crate::shop::{SECRET, TOKEN};
use crate::tools;

/// As posthog-js sends it.
fn called(flag: &str, value: impl Into<Value>, time_ms: i64, dice: &mut Dice) -> Event {
    let event = Event::new("$feature_flag_called", "ann", time_ms, dice);
    let event = event.with("$lib", "web").with("$lib_version", "1.449.2");
    event.with("$feature_flag", flag).with("$feature_flag_response", value)
}

fn usage(server: &Server, flag: &str) -> Value {
    let answer = server.client.get_with(&format!("/api/flags/{flag}/usage"), Some(SECRET), &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let usage = answer.json();
    assert_eq!(complaints(&schema_of("usage"), &usage), Vec::<String>::new());
    usage
}

#[test]
fn what_a_flag_was_when_it_was_last_called_outlives_the_process() {
    let (mut server, mut dice) = (Setup::embedded().start(), Dice::new(180));
    let now = now_ms();
    let first = called("offer", true, now - 3_000, &mut dice);
    let failed = called("offer", Value::Null, now - 1_000, &mut dice);
    server.client.capture(&[
        called("offer", "banner", now - 2_000, &mut dice),
        first.clone(),
        failed.with("$feature_flag_error", "timeout"),
        called("no-such-flag", true, now, &mut dice),
    ]);
    let known = |server: &Server| {
        let usage = usage(server, "offer");
        assert_eq!(usage["lastCalled"], json!(now - 1_000), "{usage}");
        let values = json!([
            { "value": "banner", "lastCalled": now - 2_000 },
            { "value": true, "lastCalled": now - 3_000 },
        ]);
        assert_eq!(usage["values"], values);
        assert_eq!(usage["errors"], json!([{ "error": "timeout", "lastCalled": now - 1_000 }]));
        let web = json!({ "name": "web", "version": "1.449.2", "lastCalled": now - 1_000 });
        assert_eq!(usage["sdks"], json!([web]));
        assert_eq!((&usage["since"], &usage["unknown"]), (&Value::Null, &Value::Null));
        let labels = ["project=\"shop\"", "flag=\"offer\"", "value=\"banner\""];
        let last = server.client.metric("sluice_flag_last_called_timestamp_seconds", &labels);
        assert_eq!(last, (now - 2_000) as f64 / 1_000.0);
    };
    known(&server);
    server.kill();
    server.restart();
    known(&server);
    assert!(server.stop().success());
    server.restart();
    server.client.capture(&[first]);
    known(&server);

    let never = usage(&server, "quiet");
    assert_eq!((&never["lastCalled"], &never["sdks"]), (&Value::Null, &json!([])));
    let ask = |flag: &str, secret| {
        let path = format!("/api/flags/{flag}/usage");
        server.client.get_with(&path, secret, &[]).status
    };
    assert_eq!(ask("no-such-flag", Some(SECRET)), 404);
    assert_eq!(ask("offer", Some("phs_wrong")), 401);
    assert_eq!(ask("offer", None), 401);
    let counted = server.client.get_with("/api/cohorts/many-adds/count", Some(SECRET), &[]);
    assert_eq!(counted.json()["scanned"], json!(0), "a flag is no person: {}", counted.body);
}

/// Calls of one flag lie wherever those who made them are.
#[test]
fn the_newest_call_of_all_partitions_counts() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(3), Dice::new(181));
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    let now = now_ms();
    for (partition, earlier_ms) in [(0, 3_000), (1, 1_000), (2, 2_000)] {
        let event = called("offer", true, now - earlier_ms, &mut dice);
        topic.put_json(partition, "any", &event.record(TOKEN));
    }
    eventually("the last is folded", READY_WITHIN, || {
        let folded = server.client.metric("sluice_events_total", &["\"folded\""]);
        (folded >= 3.0).then_some(())
    });
    let values = json!([{ "value": true, "lastCalled": now - 1_000 }]);
    assert_eq!(usage(&server, "offer")["values"], values);
}

#[test]
fn posthog_python_tells_what_it_was_given() {
    let server = Setup::embedded().start();
    let script = "import sys; from posthog import Posthog; \
        p = Posthog(sys.argv[2], host=sys.argv[1]); \
        print(p.get_feature_flag('banner', 'ann')); p.shutdown()";
    let mut python = Command::new(tools::sdk_python());
    python.args(["-c", script, server.client.base(), TOKEN]);
    let output = python.env("NO_PROXY", "127.0.0.1").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let usage = usage(&server, "banner");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(usage["values"][0]["value"], json!(said.trim()), "{usage}");
    assert_eq!(usage["sdks"][0]["name"], json!("posthog-python"), "{usage}");
    assert_eq!(usage["errors"], json!([]));
}
